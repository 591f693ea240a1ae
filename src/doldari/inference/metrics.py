"""Evaluation: correct predictions, and edit distances of the others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike
from rapidfuzz.distance import Levenshtein

from doldari.arrays import Ids
from doldari.data.pairs import Pair
from doldari.data.symbols import cut, normalize
from doldari.data.vocabulary import Unknown
from doldari.errors import DataError
from doldari.inference.batching import Progress
from doldari.inference.predictor import Answer, AnswerOptions, Predictor

NOT_ASKED = Answer("", -math.inf)  # to a source that the model cannot read


@dataclass(frozen=True)
class Evaluation:
    """The predictions for each distinct source of some pairs, and their edit distances from the targets.

    A source that stands in the pairs with several targets is one example, and each of them is right: targets[i] has
    them all, pairs[i] the one nearest to the answer.  edits[i] is the Levenshtein distance from that one, and
    lengths[i] its length, both in the symbols of `compared`.  detailed are the answers with their probabilities and
    flags, if asked for.  unreachable: so many sources have targets with more symbols than any answer may have.
    """

    kind: str
    pairs: Sequence[Pair]
    targets: Sequence[Sequence[str]]
    answers: Sequence[str]
    edits: Sequence[int]
    lengths: Sequence[int]
    detailed: Sequence[Answer] | None = None
    unreachable: int = 0

    @cached_property
    def right(self) -> Sequence[bool]:
        """Which predictions are correct: the same symbols as the target."""
        return [edits == 0 for edits in self.edits]

    @property
    def accuracy(self) -> float:
        """The share of correct predictions, in [0, 1]."""
        return sum(self.right) / len(self.right)

    @property
    def probabilities(self) -> Sequence[float]:
        """The probabilities of the predictions, if detailed."""
        return [answer.probability for answer in self.detailed or ()]

    @property
    def cut(self) -> int:
        """The number of predictions cut at the length limit, if detailed."""
        return sum("limit" in answer.flags for answer in self.detailed or ())


def evaluate(
    model: Predictor,
    pairs: Sequence[Pair],
    *,
    unknown: Unknown = "error",
    beam: int = 1,
    max_length: int | None = None,
    detailed: bool = False,
    progress: Progress | None = None,
) -> Evaluation:
    """Predict from every distinct source of pairs and compare with its targets; options as in `Predictor.predict`.

    detailed asks for probabilities and flags too.  A source of only unknown symbols is not asked, and its answer
    empty, unless such symbols are refused.  DataError where there are no pairs, or a source is empty but for white
    space.
    """
    if not pairs:
        raise DataError("there are no pairs to evaluate with")
    for number, (source, _) in enumerate(pairs):
        if model.text_model.source.is_blank(source):
            raise DataError(f"pairs[{number}]: the source is empty")
    sources: list[str] = []
    targets: dict[str, list[str]] = {}
    for pair in pairs:
        same = targets.setdefault(normalize(pair.source, "NFC"), [])
        if not same:
            sources.append(pair.source)
        same.append(pair.target)
    asked = [source for source in sources if unknown == "error" or model.knows(source)]
    if detailed:
        found = model.answers(asked, AnswerOptions(unknown, beam, max_length=max_length, scored=True), progress)
        answered = {source: best for source, (best, *_) in zip(asked, found, strict=True)}
    else:
        texts = model.predict(asked, unknown=unknown, beam=beam, max_length=max_length)
        answered = {source: Answer(text, math.nan) for source, text in zip(asked, texts, strict=True)}
    answers = [answered.get(source, NOT_ASKED) for source in sources]
    out_of_reach = detailed and [
        all(is_unreachable(model, source, target, max_length) for target in same)
        for source, same in zip(sources, targets.values(), strict=True)
    ]
    kind = model.text_model.target.kind
    nearest = [
        nearest_target(answer.text, same, kind) for answer, same in zip(answers, targets.values(), strict=True)
    ]
    return Evaluation(
        kind,
        [Pair(source, target) for source, (target, _, _) in zip(sources, nearest, strict=True)],
        list(targets.values()),
        [answer.text for answer in answers],
        [edits for _, edits, _ in nearest],
        [length for _, _, length in nearest],
        answers if detailed else None,
        sum(out_of_reach or ()),
    )


def is_unreachable(model: Predictor, source: str, target: str, max_length: int | None) -> bool:
    """Return whether a target has more symbols than an answer to its source may have."""
    if max_length is None:
        max_length = model.text_model.limit(len(model.text_model.source.encode(source, unknown=True)))
    return len(model.text_model.target.encode(target, unknown=True)) > max_length


def nearest_target(answer: str, targets: Sequence[str], kind: str) -> tuple[str, int, int]:
    """Find the target with the smallest Levenshtein distance from the answer: target, distance, target's length."""
    given = compared(answer, kind)
    cuts = [compared(target, kind) for target in targets]
    distances = [Levenshtein.distance(given, symbols) for symbols in cuts]
    index = distances.index(min(distances))
    return targets[index], distances[index], len(cuts[index])


def compared(text: str, kind: str) -> Sequence[str]:
    """Cut a text into the symbols that are compared: those of its kind, or characters where these are words or parts.

    Canonically equal texts are equal, however a model normalises them.
    """
    text = normalize(text, "NFC")
    if kind in ("words", "subwords"):
        return " ".join(text.split())
    return cut(text, kind)


class Generates(Protocol):
    """A model that generates: `Seq2seq`, or one of the chapter's classes."""

    def generate(self, xs: Ids, start_id: int, sample_size: int, /) -> ArrayLike:
        """Answer a question xs (1, S): sample_size ids, as a list or as an array (1, sample_size)."""


def eval_seq2seq(
    model: Generates,
    question: ArrayLike,
    correct: ArrayLike,
    id_to_char: Mapping[int, str],
    verbose: bool = False,
    is_reverse: bool = False,
) -> int:
    """Predict for one question, ids (1, S), and compare with its answer, ids (1, T): 1 if correct, else 0 (7.3.4).

    With verbose, question, target and answer are printed; is_reverse says that the question is written backwards.
    """
    question = np.asarray(question)
    start_id, *target = np.asarray(correct).ravel().tolist()
    answer = np.asarray(model.generate(question.reshape(1, -1), start_id, len(target))).ravel().tolist()
    right = answer == target
    if verbose:
        asked = question.ravel()[::-1] if is_reverse else question.ravel()
        print("Q", spell(asked.tolist(), id_to_char))
        print("T", spell(target, id_to_char))
        print("✓" if right else "✗", spell(answer, id_to_char))
        print("---")
    return int(right)


def spell(ids: Sequence[int], id_to_char: Mapping[int, str]) -> str:
    """Write ids as text."""
    return "".join(id_to_char[id] for id in ids)
