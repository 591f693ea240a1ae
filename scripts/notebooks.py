"""Run the notebooks of examples/ from top to bottom, and keep the outputs: python scripts/notebooks.py [NAME ...]

Each runs in a new directory of its own.  It ends at the first cell that fails, and with an error where a cell writes
to standard error: no warning goes unseen.  Without times and other traces of the machine, to run one again changes
its file no more than its outputs change.
"""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(path: Path, changes: Mapping[str, str] | None = None) -> Any:
    """Run a notebook, with some of its text changed, which must be there, and return it with its outputs."""
    text = path.read_text("utf-8")
    for old, new in (changes or {}).items():
        assert old in text, f"{path}: no {old}"
        text = text.replace(old, new)
    notebook = nbformat.reads(text, as_version=4)
    with tempfile.TemporaryDirectory() as directory:
        resources = {"metadata": {"path": directory}}
        NotebookClient(notebook, timeout=600, record_timing=False, resources=resources).execute()
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.get("name") == "stderr" and "epoch " not in output["text"]:
                raise RuntimeError(f"{path}: {output['text']}")
    return notebook


if __name__ == "__main__":
    for path in [EXAMPLES / name for name in sys.argv[1:]] or sorted(EXAMPLES.glob("*.ipynb")):
        nbformat.write(run(path), path)
        print(path)
