"""How a text is cut into symbols, and symbols are joined into a text again.

    characters   code points: 한 is one, and three under the normalisation NFD, its jamo
    graphemes    what a reader takes for one character: é, a flag, a syllable, of however many code points
    whitespace   what stands between white space
    words        words, and punctuation marks apart from them
    subwords     words and their parts, as learnt from the training texts (subwords.py)

What a grapheme cluster is, and what belongs to a word, is as in the Unicode tables of the package `regex`.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from typing import Literal

import regex

# A word, apostrophes within it included; or one mark with the spaces beside it, which say where it is attached.
# "Oh, (no)!" is "Oh" ", " "(" "no" ")" "!", and the symbols side by side are the text again.
IN_WORD = regex.compile(r"[\w\p{M}]")
WORD_OR_MARK = regex.compile(r"[\w\p{M}]+(?:['’][\w\p{M}]+)*| ?[^\w\p{M} ] ?")
GRAPHEME = regex.compile(r"\X")


def normalize(text: str, form: str) -> str:
    """Bring a text into a Unicode normalisation form (UAX 15), NFC, NFD, NFKC or NFKD; or into none."""
    return text if form == "none" else unicodedata.normalize(form, text)  # type: ignore[arg-type]


def written_form(texts: Iterable[str]) -> Literal["NFC", "NFD"]:
    """Say in which form texts are written: NFD if all are and some are not NFC, otherwise NFC.

    They are gone through twice.
    """
    if all(unicodedata.is_normalized("NFC", text) for text in texts):
        return "NFC"
    return "NFD" if all(unicodedata.is_normalized("NFD", text) for text in texts) else "NFC"


def cut(text: str, kind: str) -> Sequence[str]:
    """Cut a text into symbols of any kind but subwords."""
    if kind == "characters":
        return text
    if kind == "graphemes":
        return GRAPHEME.findall(text)
    words = text.split()
    return words if kind == "whitespace" else WORD_OR_MARK.findall(" ".join(words))


def join(symbols: Sequence[str], kind: str) -> str:
    """Join symbols into a text; of whitespace, words and subwords each white space comes back as one space."""
    if kind == "whitespace":
        return " ".join(symbols)
    if kind == "subwords":
        return "".join(symbols).replace("▁", " ").strip(" ")
    if kind != "words":
        return "".join(symbols)
    parts = [""]
    for symbol in symbols:
        if IN_WORD.match(parts[-1][-1:]) and IN_WORD.match(symbol):
            parts.append(" ")
        parts.append(symbol)
    return "".join(parts).strip(" ")
