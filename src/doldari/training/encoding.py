"""Pairs to vocabularies, and to the ids that are trained on and validated with."""

import dataclasses
from collections.abc import Iterable, Sequence
from functools import partial

import numpy as np

from doldari.config import Config
from doldari.data.pairs import Pair, Texts, have_features, selected
from doldari.data.ragged import Ragged
from doldari.data.vocabulary import START, UNKNOWN, Vocabulary, split_features
from doldari.errors import UnknownSymbolError


def build_vocabularies(config: Config, training: Iterable[Pair]) -> tuple[Vocabulary, Vocabulary]:
    """Collect the symbols of each side, or of both sides for both, and the features of sources that have any."""
    model, settings = config.model, config.training
    features = (split_features(pair.source)[1] for pair in training) if have_features(training) else ()
    build = partial(Vocabulary.build, min_count=settings.min_count, subword_count=settings.subword_count)
    build_source = partial(build, kind=model.source_symbols, normalization=model.source_normalization)
    if model.shared_vocabulary:
        source = build_source(Texts(training, 0, 1), features=features)
        return source, dataclasses.replace(source, features=(), right_to_left=model.right_to_left)
    source = build_source(Texts(training, 0), features=features)
    target = build(Texts(training, 1), kind=model.target_symbols, normalization=model.target_normalization)
    if target.may_copy(source) and (model.copies or settings.hallucinate):
        both = tuple(sorted({*target.symbols, *source.symbols}))
        target = dataclasses.replace(target, symbols=both)
        if settings.hallucinate:  # any letter may be drawn, so all members of an ensemble have all of them
            source = dataclasses.replace(source, symbols=both)
    return source, dataclasses.replace(target, right_to_left=model.right_to_left)


def spelled_pairs(source: Vocabulary, target: Vocabulary, pairs: Sequence[Pair]) -> Sequence[Pair]:
    """Find the pairs that have no symbol unknown to their side's vocabulary."""
    spelled = []
    for index, pair in enumerate(pairs):
        try:
            source.encode(pair.source)
            target.encode(pair.target)
        except UnknownSymbolError:
            continue
        spelled.append(index)
    return selected(pairs, np.array(spelled, np.intp))


def measured(parts: Iterable[tuple[Ragged, Ragged]]) -> tuple[tuple[int, int, int], bool]:
    """Measure questions and answers that come in parts, and tell whether any answer has an unknown symbol.

    That is: the symbols of the longest of each, and by how many, at least 0, an answer is longer than its question.
    """
    source, target, longer, unknown = 0, 0, 0, False
    for x, t in parts:
        source, target = max(source, x.longest), max(target, t.longest - 1)  # without the start symbol
        longer = max(longer, int((t.lengths - 1 - x.lengths).max()))
        unknown = unknown or bool((t.ids == UNKNOWN).any())
    return (source, target, longer), unknown


def encode_pairs(
    pairs: Sequence[Pair], source: Vocabulary, target: Vocabulary, reverse: bool, apart: bool = False
) -> tuple[Ragged, Ragged]:
    """Turn pairs into questions x, backwards if `reverse`, and answers t, start symbol first.

    A symbol not in its vocabulary becomes unknown; a feature too, or padding if features are read `apart`.
    """
    questions = (source.encode(pair.source, unknown=True, apart=apart) for pair in pairs)
    answers = ([START, *target.encode(pair.target, unknown=True)] for pair in pairs)
    return (
        Ragged.of((ids[::-1] for ids in questions) if reverse else questions, len(source)),
        Ragged.of(answers, len(target)),
    )
