"""An exported page's JavaScript run by node, where there is one."""

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

from doldari.export.checking import ExportError, Given
from doldari.export.html import element

ASK = """
const model = openModel(%(about)s, %(weights)s);
for (const text of %(texts)s) console.log(JSON.stringify(answersTo(model, text, %(options)s)));
"""


def node() -> str | None:
    """Find node."""
    return shutil.which("node")


def ask_page(
    page: str, texts: Sequence[str], progress: Callable[[int], None] | None = None, **options: Any
) -> list[list[Given]]:
    """Let node run a page's engine on its own weights: for each text its answers, as `answersTo` in page/search.js.

    options are those of `answersTo`; progress is told how many texts are answered.  ExportError where node cannot run
    the page.
    """
    program = element(page, "engine") + ASK % {
        "about": element(page, "about"),
        "weights": json.dumps(element(page, "weights")),
        "texts": json.dumps(texts),
        "options": json.dumps({"unknown": "unknown", **options}),
    }
    pipe, found = subprocess.PIPE, []
    with subprocess.Popen([node() or "node", "-"], stdin=pipe, stdout=pipe, stderr=pipe, encoding="utf-8") as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write(program)
        process.stdin.close()  # it reads all of its program before it runs
        for line in process.stdout:
            found.append([Given(one["text"], one["score"]) for one in json.loads(line)])
            if progress is not None:
                progress(len(found))
        complaint = process.stderr.read()
    if process.returncode != 0:
        reason = next((line for line in reversed(complaint.splitlines()) if "Error" in line), "no reason given")
        raise ExportError(f"node cannot run the page, which was not written: {reason}")
    return found
