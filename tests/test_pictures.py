"""The pictures of docs/: each is made by scripts/pictures.py, is shown on a page, and is described."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def script():
    """scripts/pictures.py, as Python finds its neighbours when it is run."""
    path = ROOT / "scripts" / "pictures.py"
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location("pictures", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(path.parent))


def images(korean):
    pages = [page for page in (ROOT / "docs").rglob("*.md") if page.name.endswith(".ko.md") == korean]
    return [(page, *found) for page in pages for found in IMAGE.findall(page.read_text("utf-8"))]


def test_every_picture_is_made_by_the_script(script):
    there = {path.stem for path in (ROOT / "docs" / "pictures").iterdir()}
    assert there == {*script.PICTURES}
    shown = {(page.parent / path).resolve() for page, _, path in images(False)}
    made = {ROOT / "docs" / "pictures" / f"{name}.svg" for name in script.PICTURES}
    assert shown == made | {ROOT / "docs" / "compare.png"}


@pytest.mark.parametrize("korean", [False, True])
def test_every_picture_is_described(korean):
    found = images(korean)
    assert len(found) >= 12
    for page, description, _ in found:
        assert len(description) > 15, page
        assert not korean or re.search("[가-힣]", description), page


def test_every_concept_has_a_picture():
    pages = sorted((ROOT / "docs" / "concepts").glob("*.md"))
    assert len(pages) >= 16
    assert [page.name for page in pages if not IMAGE.search(page.read_text("utf-8"))] == []


def test_the_drawing_has_every_room_and_its_arrows_lead_down(script):
    rooms, ways = script.drawings.ROOMS, script.drawings.direct(script.drawings.imports())
    parts = {path.stem for path in script.drawings.SOURCE.iterdir() if not path.name.startswith("_")}
    for_all = {"arrays", "config", "data", "errors", "files", "hub", "mixing", "percent", "recipes"} | {
        "run_files",
        "settings",
    }
    assert parts - for_all - {"torchrun", "py"} == {*rooms}
    assert ("layers", "kernels") in ways and ("models", "kernels") not in ways
    beside = {("cli", "web"), ("chapter", "models"), ("gradients", "layers")}
    assert all(rooms[one][2] < rooms[other][2] for one, other in ways - beside)
    assert script.drawings.rooms().axes[0].patches
