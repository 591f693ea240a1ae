"""Every page of the documentation is in Korean too, with the same code, headings, tables and measured figures."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    page
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    if not page.name.endswith(".ko.md")
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"(^|\s+)(#|//).*")
# From docstrings, which are English.
GENERATED = {"docs/reference/python.md"}


def korean(page):
    return page.with_suffix(".ko.md")


def code(text):
    """The blocks between ```, comments aside, which are translated."""
    return [(kind, [COMMENT.sub("", line) for line in block.splitlines()]) for kind, block in FENCE.findall(text)]


def outline(text):
    """The levels of the headings, and the number of cells of each row of a table."""
    lines = FENCE.sub("", text).splitlines()
    return [line.split(" ")[0] if line[0] == "#" else line.count("|") for line in lines if line[:1] in ("#", "|")]


def figures(text):
    """The numbers with a decimal point in each row of a table."""
    return [sorted(re.findall(r"\d+\.\d+", line)) for line in FENCE.sub("", text).splitlines() if line[:1] == "|"]


def test_there_are_pages():
    assert len(PAGES) > 30
    assert {str(page.relative_to(ROOT)) for page in PAGES} >= GENERATED


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_korean_page(page):
    assert korean(page).exists()
    english, translated = page.read_text("utf-8"), korean(page).read_text("utf-8")
    assert re.search("[가-힣]", translated)
    if str(page.relative_to(ROOT)) not in GENERATED:
        assert code(translated) == code(english)
        assert outline(translated) == outline(english)
        assert figures(translated) == figures(english)
