"""Data hallucination: artificial pairs for training on few, copies of real ones with random letters in the stem.

    walk    walked    V;PST        a real pair: w, a, l, k is what source and target have in common, the stem
    wurk    wurked    V;PST        an artificial one

The endings and the features stay, so that a model sees them with many more stems than the data have
(Anastasopoulos & Neubig 2019, "Pushing the Limits of Low-Resource Morphological Inflection").
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from rapidfuzz.distance import Levenshtein

from doldari.data.pairs import Pair, Pairs, PairsBuilder, Texts
from doldari.data.symbols import cut
from doldari.errors import ConfigError

SHORTEST = 3  # symbols in a row that source and target have in common, to be taken for a stem
LONG = 5  # of more than these the first and the last stay, since what changes beside them may depend on them
REPLACED = 0.5  # probability that a letter of the stem is replaced


class Aligned(NamedTuple):
    """A pair as symbols, its features with the tab before them, and where the stem's letters are in both."""

    source: Sequence[str]
    target: Sequence[str]
    features: str
    stem: list[tuple[int, int]]


def hallucinate(pairs: Pairs, count: int, rng: np.random.Generator, kind: str = "characters") -> Pairs:
    """Return the pairs with `count` artificial ones behind them; each has the line of the one that it is made of.

    That one is drawn among the pairs with a stem; each letter of the stem is replaced with probability REPLACED; the
    new letter is drawn among all letters of the pairs.  kind is `characters`, or `graphemes`, which keeps letters and
    their accents together.  ConfigError if no pair has a stem.
    """
    if count == 0:
        return pairs
    alignments = [aligned(pair, pairs.has_features, kind) for pair in pairs]
    usable = [index for index, alignment in enumerate(alignments) if alignment.stem]
    if not usable:
        names = " and ".join(origin.name for origin in pairs.origins)
        why = f"no pair has {SHORTEST} letters in a row in common between source and target"
        raise ConfigError(f"{{hallucinate}}: no artificial pairs can be made of {names}: {why}", hallucinate=count)
    letters = sorted({symbol for text in Texts(pairs, 0, 1) for symbol in cut(text, kind) if symbol[0].isalpha()})
    builder = PairsBuilder()
    for index, pair in enumerate(pairs):
        builder.add(*pair, pairs.line(index))
    for drawn in rng.integers(len(usable), size=count).tolist():
        index = usable[drawn]
        builder.add(*with_other_letters(alignments[index], letters, rng), pairs.line(index))
    return builder.pairs(pairs.origins, pairs.has_features)


def aligned(pair: Pair, has_features: bool, kind: str) -> Aligned:
    """Cut a pair into symbols, and find its stem."""
    text, tab, features = pair.source.partition("\t") if has_features else (pair.source, "", "")
    source, target = cut(text, kind), cut(pair.target, kind)
    return Aligned(source, target, tab + features, stem(source, target))


def stem(source: Sequence[str], target: Sequence[str]) -> list[tuple[int, int]]:
    """Find the letters of the runs of SHORTEST or more symbols that a Levenshtein alignment leaves as they are.

    Returns the place of each in source and target.
    """
    places = []
    for run in Levenshtein.opcodes(source, target):
        length = run.src_end - run.src_start
        if run.tag != "equal" or length < SHORTEST:
            continue
        kept = int(length > LONG)
        for place in range(run.src_start + kept, run.src_end - kept):
            if source[place][0].isalpha():
                places.append((place, place - run.src_start + run.dest_start))
    return places


def with_other_letters(pair: Aligned, letters: Sequence[str], rng: np.random.Generator) -> Pair:
    """Replace about half of the letters of a pair's stem by others."""
    source, target = list(pair.source), list(pair.target)
    replaced = rng.random(len(pair.stem)) < REPLACED
    others = rng.integers(len(letters), size=len(pair.stem))
    for (place, target_place), is_replaced, other in zip(pair.stem, replaced, others, strict=True):
        if is_replaced:
            source[place] = target[target_place] = letters[other]
    return Pair("".join(source) + pair.features, "".join(target))
