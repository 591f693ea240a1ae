"""Fonts that are found, and letters that none of them has."""

from pathlib import Path

import matplotlib
import pytest
from matplotlib import font_manager

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
