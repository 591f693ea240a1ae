"""Writing a picture to its file, in fonts that have the letters in it."""

import io
import re
import warnings
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from doldari.errors import level_of_caller
from doldari.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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


def write_png(path: Path, figure: "Figure") -> None:
    """Write a figure; letters that no installed font has are named in a warning."""
    image = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(image, format="png", dpi=150)
    found = (re.search(r"Glyph (\d+)", str(warning.message)) for warning in caught)
    missing = sorted({chr(int(match[1])) for match in found if match})
    if missing:
        hangul = any("\u1100" <= letter <= "\u11ff" or "\uac00" <= letter <= "\ud7a3" for letter in missing)
        font = "Noto Sans CJK KR or NanumGothic" if hangul else "Noto Sans or Charis SIL"
        letters = " ".join(missing[:8]) + (" ..." if len(missing) > 8 else "")
        warnings.warn(f"{path}: no installed font can draw {letters}; install {font}", stacklevel=level_of_caller())
    write_whole(path, image.getvalue())
