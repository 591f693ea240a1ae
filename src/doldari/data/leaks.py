"""Leaks: held-out pairs that a model has seen in training, whole or their source with another target."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from doldari.data.pairs import Pair, have_features
from doldari.data.symbols import normalize


class Leaks(NamedTuple):
    """Held-out pairs that are in the training data, and those whose source is there with another target."""

    pairs: list[Pair]
    sources: list[tuple[Pair, str]]


def find_leaks(training: Iterable[Pair], held_out: Sequence[Pair]) -> Leaks:
    """Look up held-out pairs in the training pairs; canonically equal texts are the same."""
    # Of the training pairs only those are kept whose source is held out too: there may be millions of others.
    seen: dict[str, dict[str, str]] = {normalize(pair.source, "NFC"): {} for pair in held_out}
    for source, target in training:
        targets = seen.get(normalize(source, "NFC"))
        if targets is not None:
            targets[normalize(target, "NFC")] = target
    leaks = Leaks([], [])
    for pair in held_out:
        targets = seen[normalize(pair.source, "NFC")]
        if normalize(pair.target, "NFC") in targets:
            leaks.pairs.append(pair)
        elif targets:
            leaks.sources.append((pair, next(iter(targets.values()))))
    return leaks


def known_lemmas(training: Iterable[Pair], held_out: Sequence[Pair]) -> list[Pair]:
    """List the held-out pairs whose source is known from training with other features: forms of words that were seen.

    Empty for pairs without features.  Accuracy is lower, and honest, where there are none (Goldman et al. 2022).
    """
    if not have_features(held_out):
        return []
    lemmas = {lemma_of(pair) for pair in held_out}
    seen: dict[str, set[str]] = {lemma: set() for lemma in lemmas}
    for pair in training:
        seen.get(lemma_of(pair), set()).add(normalize(pair.source, "NFC"))
    return [pair for pair in held_out if seen[lemma_of(pair)] - {normalize(pair.source, "NFC")}]


def lemma_of(pair: Pair) -> str:
    """Take a pair's source without its features."""
    return normalize(pair.source.partition("\t")[0], "NFC")
