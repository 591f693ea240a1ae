"""Pairs to vocabularies, and to the ids that are trained on and validated with."""

from collections.abc import Sequence

from doldari.arrays import Ids
from doldari.config import ModelConfig
from doldari.data.batches import pad
from doldari.data.pairs import Pair
from doldari.data.vocabulary import PADDING, START, Vocabulary
from doldari.errors import UnknownSymbolError


def build_vocabularies(config: ModelConfig, training: Sequence[Pair]) -> tuple[Vocabulary, Vocabulary]:
    """Collect the symbols of each side, or of both sides for both."""
    sources, targets = [pair.source for pair in training], [pair.target for pair in training]
    if config.shared_vocabulary:
        sources = targets = sources + targets
    return Vocabulary.build(sources, config.source_symbols), Vocabulary.build(targets, config.target_symbols)


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


def encode_pairs(
    pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary, reverse: bool, unknown: bool = False
) -> tuple[Ids, Ids]:
    """Turn pairs into questions x (N, S), backwards if `reverse`, and answers t (N, T), start symbol first.

    A symbol not in its vocabulary is refused, or with `unknown` becomes unknown.
    """
    xs = [source.encode(pair.source, unknown) for pair in pairs]
    ts = [[START, *target.encode(pair.target, unknown)] for pair in pairs]
    if reverse:
        xs = [ids[::-1] for ids in xs]
    return pad(xs, PADDING), pad(ts, PADDING, max(map(len, ts)) + 1)
