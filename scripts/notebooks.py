"""Run the notebooks of examples/ and keep what they print and draw: python scripts/notebooks.py [NAME ...].

They are read on code hosts, so they are kept with their outputs; tests/test_notebooks.py runs them anew and does not
look at these.  Hangul in pictures needs a font (docs/how-to/own-data.md).  Needs `pip install '.[test]'`.
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parent.parent / "examples"


def main() -> None:
    """Run those that are named, or all, each in an empty folder."""
    for name in sys.argv[1:] or sorted(path.stem for path in EXAMPLES.glob("*.ipynb")):
        path = EXAMPLES / f"{name}.ipynb"
        notebook = nbformat.read(path, 4)
        metadata = notebook.metadata.copy()
        with tempfile.TemporaryDirectory() as folder:
            client = NotebookClient(
                notebook,
                timeout=1200,
                kernel_name="python3",
                record_timing=False,
                resources={"metadata": {"path": folder}},
            )
            client.execute()
        notebook.metadata = metadata  # not the version of Python that happened to run it
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size / 1000:,.0f} KB")


if __name__ == "__main__":
    main()
