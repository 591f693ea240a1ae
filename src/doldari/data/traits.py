"""What kind of pairs these are, by which a recipe is chosen for them: measured on a sample, evenly spaced."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import LCSseq

from doldari.data.hallucination import stem
from doldari.data.pairs import Pair, Texts, have_features, selected
from doldari.data.symbols import normalize

SAMPLED = 2_000  # pairs, which take a tenth of a second
LOOKED_AT = 500  # characters of a text


class Traits(NamedTuple):
    """How many pairs there are, and what they are like on average.

    copied: which share of a source its target repeats in order, the longest common subsequence over the source's
    length in characters; by_chance: the same with the target of another pair.  shared: which share of the targets'
    characters is in the sources' alphabet.  Lengths are in words, which stand between white space; phones says that
    the targets' are symbols.  stems: which share of the pairs has a stem, of which artificial ones can be made.
    """

    pairs: int
    has_features: bool
    source_words: float
    target_words: float
    copied: float
    by_chance: float
    shared: float
    phones: bool
    stems: float


def traits(pairs: Sequence[Pair]) -> Traits:
    """Look at pairs, of which there is at least one; features are left aside."""
    some = selected(pairs, np.unique(np.linspace(0, len(pairs) - 1, SAMPLED).round().astype(int)))
    sources, targets = ([normalize(text[:LOOKED_AT], "NFC") for text in Texts(some, side)] for side in (0, 1))
    alphabet = set("".join(sources))
    characters = sum(map(len, sources))
    far = len(sources) // 2  # neighbours are alike in files that are sorted
    return Traits(
        len(pairs),
        have_features(pairs),
        sum(len(text.split()) for text in sources) / len(sources),
        sum(len(text.split()) for text in targets) / len(targets),
        sum(map(LCSseq.similarity, sources, targets)) / characters,
        sum(map(LCSseq.similarity, sources, targets[far:] + targets[:far])) / characters,
        sum(character in alphabet for text in targets for character in text) / max(1, sum(map(len, targets))),
        look_like_phones(targets),
        sum(bool(stem(source, target)) for source, target in zip(sources, targets, strict=True)) / len(sources),
    )


def look_like_phones(targets: Sequence[str]) -> bool:
    """Tell symbols between spaces, `k a̠ː ɡ e̞`, from words: they are short, and few, so that each comes often."""
    symbols = " ".join(targets).split()
    short = sum(len(symbol) <= 3 for symbol in symbols) > 0.9 * len(symbols)
    return short and len(symbols) > 2 * len(targets) and len(symbols) > 4 * len(set(symbols))
