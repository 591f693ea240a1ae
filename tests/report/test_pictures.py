"""Formats, titles, fonts that are found, and letters that none of them has."""

import re
from pathlib import Path

import matplotlib
import pytest
from matplotlib import font_manager
from matplotlib.figure import Figure

from doldari.errors import ConfigError
from doldari.report import pictures
from doldari.report.curves import draw_accuracy


@pytest.fixture
def fonts(monkeypatch):
    """Let another font be looked for, and the answer be forgotten."""
    monkeypatch.setattr(pictures, "FONTS", ("STIXGeneral",))
    pictures.installed_fonts.cache_clear()
    yield
    pictures.installed_fonts.cache_clear()


def test_a_font_installed_later_is_found(fonts, monkeypatch, tmp_path):
    """A file that is no font is passed over."""
    before = [font for font in font_manager.fontManager.ttflist if not font.name.startswith("STIX")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", before)
    later = Path(matplotlib.get_data_path()) / "fonts/ttf/STIXGeneral.ttf"
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(broken), str(later)])
    assert pictures.installed_fonts() == ["DejaVu Sans", "STIXGeneral"]


def test_letters_that_no_font_has_are_named(fonts, tmp_path):
    with pytest.warns(UserWarning, match="no installed font can draw 가; install Noto Sans CJK KR or NanumGothic"):
        draw_accuracy(tmp_path / "a.png", {"x": [0.5]}, "가")


def test_letters_are_looked_up_in_the_fonts(fonts):
    assert pictures.missing_letters("a가가 ʃ a̠ː나") == "가나"
    assert pictures.missing_letters("") == ""


@pytest.mark.parametrize("name, magic", [("a.png", b"\x89PNG"), ("a.PDF", b"%PDF"), ("a.svg", b"<?xml")])
def test_the_suffix_says_the_format(name, magic, tmp_path):
    draw_accuracy(tmp_path / name, {"x": [0.5]}, "x")
    assert (tmp_path / name).read_bytes().startswith(magic)


@pytest.mark.parametrize("name", ["a.gif", "a", ".png"])
def test_other_formats_are_refused(name, tmp_path):
    with pytest.raises(ConfigError, match=r"must end in \.png, \.pdf or \.svg"):
        draw_accuracy(tmp_path / name, {"x": [0.5]}, "x")
    assert not list(tmp_path.iterdir())


def test_text_stays_text_and_fonts_come_along(tmp_path, capfd):
    for name in ("a.svg", "a.pdf"):
        draw_accuracy(tmp_path / name, {"x": [0.5]}, "of $x$ & <y>")
    assert re.search(r"<text[^>]*>of \$x\$ &amp; &lt;y&gt;</text>", (tmp_path / "a.svg").read_text("utf-8"))
    assert b"/FontFile2" in (tmp_path / "a.pdf").read_bytes()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "title, lines",
    [
        ("$a$", ["$a$"]),
        ("a" * 25, ["a" * 19, "a" * 6]),
        ("가" * 12, ["가" * 9, "가" * 3]),
        ("a" * 99, ["a" * 19, "a" * 19, "a" * 18 + "…"]),
    ],
)
def test_titles_are_broken_into_lines(title, lines):
    assert pictures.broken(title, Figure(figsize=(2, 2))).split("\n") == lines
