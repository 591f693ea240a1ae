"""Symbols as a reader sees them: blanks, lone marks, control characters, and parts of Hangul syllables."""

import unicodedata
from html import escape

LEADING = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
TRAILING = "ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ"
# Parts of a decomposed syllable (NFD): alone they are drawn where they would stand in it, and so often cut off.
LONE = {0x1100 + number: letter for number, letter in enumerate(LEADING)}
LONE |= {0x1161 + number: letter for number, letter in enumerate(VOWELS)}
LONE |= {0x11A8 + number: letter for number, letter in enumerate(TRAILING)}


def standing_alone(symbol: str) -> str:
    """Write a single letter of a decomposed Hangul syllable as the letter that stands by itself: ᅡ as ㅏ."""
    return symbol.translate(LONE) if len(symbol) == 1 else symbol


def visible(symbol: str) -> str:
    """Write a symbol so that it is seen: a blank as ␣, a lone mark on a circle, a control character by its number."""
    if symbol and not symbol.strip(" "):
        return "␣" * len(symbol)
    circle = "◌" if symbol and unicodedata.category(symbol[0]).startswith("M") else ""
    shown = "".join(
        f"U+{ord(char):04X}" if unicodedata.category(char) in ("Cc", "Zl", "Zp", "Cs") else char for char in symbol
    )
    return circle + escape(standing_alone(shown))
