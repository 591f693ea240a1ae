"""An exported page's JavaScript run by node, where there is one."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any

from doldari.export.checking import ExportError, Given
from doldari.export.html import element

ASK = """
const model = openModel(%(about)s, %(weights)s);
const answers = %(texts)s.map((text) => answersTo(model, text, %(options)s));
process.stdout.write(JSON.stringify(answers));
"""


def node() -> str | None:
    """Find node."""
    return shutil.which("node")


def ask_page(page: str, texts: Sequence[str], **options: Any) -> list[list[Given]]:
    """Let node run a page's engine on its own weights: for each text its answers, as `answersTo` in page/search.js.

    options are those of `answersTo`.  ExportError where node cannot run it.
    """
    program = element(page, "engine") + ASK % {
        "about": element(page, "about"),
        "weights": json.dumps(element(page, "weights")),
        "texts": json.dumps(texts),
        "options": json.dumps({"unknown": "unknown", **options}),
    }
    command = [node() or "node", "-"]
    done = subprocess.run(command, input=program, capture_output=True, encoding="utf-8")
    if done.returncode != 0:
        reason = next((line for line in reversed(done.stderr.splitlines()) if "Error" in line), "no reason given")
        raise ExportError(f"node cannot run the page: {reason}")
    return [[Given(one["text"], one["score"]) for one in some] for some in json.loads(done.stdout)]
