"""Pairs to vocabularies, and to the ids that are trained on and validated with."""

import dataclasses
from collections.abc import Sequence
from functools import partial

from doldari.arrays import Ids
from doldari.config import Config
from doldari.data.batches import pad
from doldari.data.pairs import Pair
from doldari.data.vocabulary import PADDING, START, Vocabulary, split_features
from doldari.errors import UnknownSymbolError


def build_vocabularies(config: Config, training: Sequence[Pair]) -> tuple[Vocabulary, Vocabulary]:
    """Collect the symbols of each side, or of both sides for both, and the features of sources that have any."""
    model, settings = config.model, config.training
    sources, targets = [pair.source for pair in training], [pair.target for pair in training]
    features: list[list[str]] = []
    if any("\t" in source for source in sources):
        split = [split_features(source) for source in sources]
        sources, features = [text for text, _ in split], [row for _, row in split]
    build = partial(Vocabulary.build, min_count=settings.min_count, subword_count=settings.subword_count)
    build_source = partial(build, kind=model.source_symbols, normalization=model.source_normalization)
    if model.shared_vocabulary:
        source = build_source(sources + targets, features=features)
        return source, dataclasses.replace(source, features=())
    return (
        build_source(sources, features=features),
        build(targets, kind=model.target_symbols, normalization=model.target_normalization),
    )


def spelled_pairs(source: Vocabulary, target: Vocabulary, pairs: Sequence[Pair]) -> list[Pair]:
    """Find the pairs that have no symbol unknown to their side's vocabulary."""
    spelled = []
    for pair in pairs:
        try:
            source.encode(pair.source)
            target.encode(pair.target)
        except UnknownSymbolError:
            continue
        spelled.append(pair)
    return spelled


def most_longer(x: Ids, t: Ids) -> int:
    """Tell by how many symbols, at least 0, an answer of t (N, T) is longer than its question of x (N, S) at most."""
    symbols = (t != PADDING).sum(axis=1) - 1  # without the start symbol
    return max(0, int((symbols - (x != PADDING).sum(axis=1)).max()))


def encode_pairs(pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary, reverse: bool) -> tuple[Ids, Ids]:
    """Turn pairs into questions x (N, S), backwards if `reverse`, and answers t (N, T), start symbol first.

    A symbol not in its vocabulary becomes unknown.
    """
    xs = [source.encode(pair.source, unknown=True) for pair in pairs]
    ts = [[START, *target.encode(pair.target, unknown=True)] for pair in pairs]
    if reverse:
        xs = [ids[::-1] for ids in xs]
    return pad(xs, PADDING), pad(ts, PADDING, max(map(len, ts)) + 1)
