"""What a predictor returns beside plain texts."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from doldari.arrays import Floats

END = "⏎"  # how the end of an answer is shown
FLAGS = {  # what may be odd about an answer
    "limit": "met the limit of length before the end",
    "forced": "were forced by the constraint, which the model would have kept to with less than 1 %",
    "abstained": "were left empty, for their probability was too low",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, and its log-probability in nats, that of its end included; `text, score = answer` takes it apart.

    flags are what is odd about it, of the names in FLAGS.
    """

    text: str
    score: float
    flags: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        return iter((self.text, self.score))

    @property
    def probability(self) -> float:
        """The probability that the model gives to the answer, in [0, 1]; how often it is right if calibrated."""
        return math.exp(self.score)

    def at_least(self, probability: float) -> "Answer":
        """Abstain, with an empty text, where the probability is lower."""
        return self if self.probability >= probability else Answer("", self.score, (*self.flags, "abstained"))


class Attention(NamedTuple):
    """Where a model looked: weights (T, S), for each symbol of its answer and the end how much it saw of each source
    symbol; a row sums to 1, if there are any.  text is the answer as `predict` gives it.
    """

    source: list[str]
    answer: list[str]
    weights: Floats
    text: str


def different(answers: Sequence[Answer]) -> list[Answer]:
    """Leave out answers whose text stands before them."""
    return list({answer.text: answer for answer in reversed(answers)}.values())[::-1]
