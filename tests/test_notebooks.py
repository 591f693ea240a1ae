"""Every notebook of examples/ runs from top to bottom."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parent.parent / "examples").glob("*.ipynb"))
# In a process of its own, for a notebook's kernel is another one, whose loop and sockets do not concern other tests.
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=240, kernel_name="python3").execute()
outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
assert not [output for output in outputs if output.output_type == "stream" and output.name == "stderr"], outputs
assert len(outputs) >= 2
"""


def test_there_are_notebooks():
    assert [path.name for path in NOTEBOOKS] == [
        "chapter.ipynb",
        "chapter.ko.ipynb",
        "own_layer.ipynb",
        "own_pairs.ipynb",
    ]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebook(path, tmp_path):
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    done = subprocess.run([sys.executable, "-c", RUN, path], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


def test_a_training_in_a_notebook_draws_its_curve(tmp_path):
    """Without a word to matplotlib."""
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    code = """
import nbformat
from nbclient import NotebookClient
train = "import doldari\\ndoldari.train([('ab', 'b'), ('b', 'c'), ('c', 'a')] * 9, epochs=2, hidden_size=8)"
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(train)])
NotebookClient(notebook, timeout=100, kernel_name="python3").execute()
print([sorted(output.data) for output in notebook.cells[0].outputs if "data" in output])
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.startswith("[['image/png', "), done.stderr[-2000:]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_kept_with_its_outputs(path):
    """As scripts/notebooks.py leaves it: readable where nothing runs, small, without errors or the time it took."""
    assert path.stat().st_size < 150_000
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == [*range(1, len(cells) + 1)]
    outputs = [output for cell in cells for output in cell["outputs"]]
    assert len(outputs) >= 2
    assert {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
    assert "stderr" not in {output.get("name") for output in outputs}
    assert not any("execution" in cell["metadata"] for cell in cells)
