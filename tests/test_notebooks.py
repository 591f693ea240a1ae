"""The notebooks of examples/ run from top to bottom, for fewer epochs, without a warning; outputs are kept."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SHORTER = {
    "chapter.ipynb": {"max_epoch = 20": "max_epoch = 1"},
    "chapter.ko.ipynb": {"max_epoch = 20": "max_epoch = 1"},
    "own_pairs.ipynb": {"epochs = 12": "epochs = 2"},
    "own_layer.ipynb": {"epochs, curves = 15": "epochs, curves = 1"},
}


@pytest.fixture(scope="module")
def notebooks():
    spec = importlib.util.spec_from_file_location("notebooks", ROOT / "scripts" / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_are_run():
    assert {path.name for path in (ROOT / "examples").glob("*.ipynb")} == set(SHORTER)


@pytest.mark.parametrize("name", SHORTER)
def test_a_notebook_runs(name, notebooks, monkeypatch):
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    done = notebooks.run(ROOT / "examples" / name, SHORTER[name])
    assert all(cell.execution_count for cell in done.cells if cell.cell_type == "code")


@pytest.mark.parametrize("name", SHORTER)
def test_outputs_are_kept_and_small(name):
    path = ROOT / "examples" / name
    cells = [cell for cell in json.loads(path.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert path.stat().st_size < 200_000
