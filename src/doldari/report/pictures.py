"""Writing a picture to its file, in fonts that have the letters in it."""

import io
import logging
import re
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from rich.cells import chop_cells, set_cell_size

from doldari.errors import ConfigError, level_of_caller
from doldari.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("png", "pdf", "svg")
TITLE_LINES = 3
# What the default font lacks, is looked for in these: Hangul and Chinese characters, then rarer phonetic letters.
FONTS = (
    "Noto Sans CJK KR",
    "Noto Sans KR",
    "NanumGothic",
    "Malgun Gothic",
    "Apple SD Gothic Neo",
    "Noto Sans",
    "Charis SIL",
    "Doulos SIL",
)


@cache
def installed_fonts() -> list[str]:
    """Name the default font and, for what it lacks, the others that are installed.

    Matplotlib remembers what was installed when it was first used; fonts that came later are looked for here.
    """
    from matplotlib.font_manager import findSystemFonts, fontManager

    for path in {*findSystemFonts()} - {font.fname for font in fontManager.ttflist}:
        with suppress(Exception):  # a file that it cannot read as a font
            fontManager.addfont(path)
    installed = {font.name for font in fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in FONTS if name in installed)]


def missing_letters(text: str) -> str:
    """List the letters of a text, each once, that none of `installed_fonts` can draw: '' if all can be drawn."""
    from matplotlib.font_manager import findfont, get_font

    known = [get_font(findfont(name)).get_charmap() for name in installed_fonts()]
    return "".join(letter for letter in dict.fromkeys(text) if not any(ord(letter) in letters for letters in known))


def broken(title: str, figure: "Figure") -> str:
    """Break a title of 11 points into lines that a figure is wide enough for, at most three."""
    columns = max(10, int(9.5 * figure.get_figwidth()))  # of narrow letters; Hangul takes two
    lines = chop_cells(title, columns)
    if len(lines) > TITLE_LINES:
        lines = [*lines[: TITLE_LINES - 1], set_cell_size(lines[TITLE_LINES - 1], columns - 1).rstrip() + "…"]
    return "\n".join(lines)


def picture_format(path: Path) -> str:
    """Tell a picture's format by its file's suffix; ConfigError for one that is not known."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise ConfigError(f"{path}: a picture's file must end in .{', .'.join(FORMATS[:-1])} or .{FORMATS[-1]}")
    return kind


def write_picture(path: Path, figure: "Figure") -> None:
    """Write a figure in the format that the suffix says; letters that no installed font has are named in a warning.

    In SVG text stays text, and PDF has the fonts in it.
    """
    from matplotlib import rc_context

    kind, image = picture_format(path), io.BytesIO()
    log = logging.getLogger("fontTools.subset")
    level = log.level
    with warnings.catch_warnings(record=True) as caught, rc_context({"svg.fonttype": "none", "pdf.fonttype": 42}):
        warnings.simplefilter("always")
        log.setLevel(logging.ERROR)  # it tells of tables that a font's part does without
        try:
            figure.savefig(image, format=kind, dpi=150)
        finally:
            log.setLevel(level)
    found = (re.search(r"Glyph (\d+)", str(warning.message)) for warning in caught)
    missing = sorted({chr(int(match[1])) for match in found if match})
    if missing:
        hangul = any("\u1100" <= letter <= "\u11ff" or "\uac00" <= letter <= "\ud7a3" for letter in missing)
        font = "Noto Sans CJK KR or NanumGothic" if hangul else "Noto Sans or Charis SIL"
        letters = " ".join(missing[:8]) + (" ..." if len(missing) > 8 else "")
        warnings.warn(f"{path}: no installed font can draw {letters}; install {font}", stacklevel=level_of_caller())
    write_whole(path, image.getvalue())
