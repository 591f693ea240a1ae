"""Statistics of pairs and likely errors in them, for `doldari stats` and for warnings before a training."""

import unicodedata
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from doldari.data.pairs import Pair, Pairs, Texts, text_hashes
from doldari.errors import quoted

# A first row of such names is likely a header.
HEADERS = {"source", "target", "src", "tgt", "trg", "input", "output", "text", "texts", "lemma", "form"}
HEADERS |= {"word", "words", "inflection"}
HEADERS |= {"grapheme", "graphemes", "spelling", "phone", "phones", "phoneme", "phonemes", "pronunciation", "ipa"}
HEADERS |= {"question", "answer", "translation", "transcription", "sentence", "sentences", "features", "tags"}
HEADERS |= {"english", "german", "french", "spanish", "korean", "japanese", "en", "de", "fr", "es", "ko", "ja"}
LOOKED_AT = 100_000  # pairs that tell whether columns are swapped
FEW = 20  # pairs, among which chance may look like anything
ODD = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")  # Unicode categories: controls, invisible ones, not assigned ones

Hashes = NDArray[np.uint64]


@dataclass(frozen=True)
class Side:
    """The texts of one side, features left aside.

    different: how many there are; several: how many of these have more than one text on the other side.  lengths are
    in code points, words what stands between white space: the least, the mean and the most.  odd: of each odd symbol
    the index of the first pair with it; blank_ends: how many texts begin or end with white space, and the index of
    the first; decomposed: how many are not in NFC.
    """

    different: int
    several: int
    lengths: tuple[int, float, int]
    words: tuple[int, float, int]
    symbols: Counter[str]
    odd: dict[str, int]
    blank_ends: tuple[int, int]
    decomposed: int


@dataclass(frozen=True)
class Statistics:
    """What is in pairs; duplicates: how many of them stand somewhere before themselves."""

    pairs: int
    duplicates: int
    source: Side
    target: Side


def statistics(pairs: Sequence[Pair]) -> Statistics:
    """Go through pairs, of which there is at least one; canonically equal texts are the same."""
    sources, targets = side_hashes(pairs)
    first = first_of_each(sources, targets)
    return Statistics(
        len(pairs),
        len(pairs) - len(first),
        side(Texts(pairs, 0), sources[first]),
        side(Texts(pairs, 1), targets[first]),
    )


def side(texts: Iterable[str], different: Hashes) -> Side:
    """Look at the texts of one side; different are the hashes of those of different pairs."""
    counts = np.unique(different, return_counts=True)[1]
    lengths, words = array("I"), array("I")
    symbols: Counter[str] = Counter()
    odd: dict[str, int] = {}
    ends, first_end, decomposed = 0, 0, 0
    for index, text in enumerate(texts):
        lengths.append(len(text))
        words.append(len(text.split()))
        symbols.update(text)
        decomposed += not unicodedata.is_normalized("NFC", text)
        if text != text.strip():
            first_end = first_end if ends else index
            ends += 1
        if not text.isprintable() or not text.isascii():
            for symbol in {*text} - odd.keys():
                if is_odd(symbol):
                    odd[symbol] = index
    several = int((counts > 1).sum())
    return Side(len(counts), several, spread(lengths), spread(words), symbols, odd, (ends, first_end), decomposed)


def spread(lengths: "array[int]") -> tuple[int, float, int]:
    """Return minimum, mean and maximum."""
    return min(lengths), sum(lengths) / len(lengths), max(lengths)


def is_odd(symbol: str) -> bool:
    """Return whether a symbol is probably a mistake: a control, an invisible symbol, an unusual space."""
    category = unicodedata.category(symbol)
    return category in ODD or symbol == "\N{REPLACEMENT CHARACTER}" or (category == "Zs" and symbol != " ")


def side_hashes(pairs: Sequence[Pair]) -> tuple[Hashes, Hashes]:
    """Compute the hashes of sources, with their features, and of targets: (N,) each."""
    sources, targets = (text_hashes(pair[which] for pair in pairs) for which in (0, 1))
    return sources, targets


def first_of_each(sources: Hashes, targets: Hashes) -> NDArray[np.intp]:
    """Find where each different pair, of the hashes of its texts, comes first: ascending."""
    return np.sort(np.unique(sources * np.uint64(0x9E3779B97F4A7C15) + targets, return_index=True)[1])


def column_warnings(pairs: Sequence[Pair]) -> Iterator[str]:
    """Warn about a first row that is probably a header, and columns that are probably swapped.

    Takes pairs in the order of their file; for pairs that are not from a file there are no warnings.
    """
    if not isinstance(pairs, Pairs) or len(pairs) < FEW or not any(origin.bytes for origin in pairs.origins):
        return
    if is_likely_header(pairs):
        columns = "choose columns by name (--source-column NAME) to read it as one"
        yield f"{pairs.place(0)}: probably a header, {quoted(pairs[0].source)}, {quoted(pairs[0].target)}; {columns}"
    several, other = several_shares(pairs[:LOOKED_AT])
    if several > 0.2 and other < 0.02:
        many = f"{several:.0%} of the sources have several targets, but {other:.0%} of the targets several sources"
        yield f"{pairs.origins[0].name}: {many}; are the columns swapped?"


def blank_ends_warning(pairs: Pairs, kind: str) -> str:
    """Warn of targets that begin or end with blanks, where these are symbols; empty if there are none."""
    if kind not in ("characters", "graphemes"):
        return ""
    rows = [index for index, target in enumerate(Texts(pairs, 1)) if target != target.strip(" ")]
    if not rows:
        return ""
    what = "target begins or ends" if len(rows) == 1 else "targets begin or end"
    first = pairs.place(min(rows, key=pairs.line))
    return f"{len(rows):,} {what} with blanks, the first at {first}; correct predictions need them"


def several_shares(pairs: Sequence[Pair]) -> tuple[float, float]:
    """Return which share of the different sources has several targets, and of the targets several sources."""
    sources, targets = side_hashes(pairs)
    first = first_of_each(sources, targets)
    shares = [float((np.unique(some[first], return_counts=True)[1] > 1).mean()) for some in (sources, targets)]
    return shares[0], shares[1]


def is_likely_header(pairs: Pairs) -> bool:
    """Return whether the first pair looks like a header: known names, or Latin letters that no other text has."""
    names = [text.partition("\t")[0].strip().casefold() for text in pairs[0]]
    if all(name in HEADERS for name in names):
        return True
    for name, texts in zip(names, (Texts(pairs[1:], 0), Texts(pairs[1:], 1)), strict=True):
        letters = {letter for letter in name if letter.isalpha()}
        if len(letters) > 2 and name.isascii() and all(letters.isdisjoint(text.casefold()) for text in texts):
            return True
    return False
