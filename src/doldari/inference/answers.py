"""What a predictor returns besides plain texts: `Answer` and `Attention`."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from doldari.arrays import Floats

END = "⏎"  # the end of an output, in plots
FLAGS = {  # with their meaning: "3 of 10 predictions ..."
    "limit": "were cut at the length limit",
    "forced": "were forced by the constraint (the model alone would satisfy it with a probability below 1 %)",
    "abstained": "were left empty because their probability is too low",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction and its log-probability in nats, end included; unpacks as `text, score = answer`.

    flags are names of FLAGS: "limit", "forced", "abstained".
    """

    text: str
    score: float
    flags: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Any]:
        return iter((self.text, self.score))

    @property
    def probability(self) -> float:
        """The probability of the prediction, in [0, 1]; in a calibrated model, that of being correct."""
        return math.exp(self.score)

    def at_least(self, probability: float) -> "Answer":
        """Return an empty prediction with the flag "abstained" if the probability is lower."""
        return self if self.probability >= probability else Answer("", self.score, (*self.flags, "abstained"))


class Attention(NamedTuple):
    """Attention weights (T, S) over the source symbols, a row for each output symbol and the end; rows sum to 1.

    source and answer are the symbols, text is the prediction as `predict` returns it.
    """

    source: list[str]
    answer: list[str]
    weights: Floats
    text: str


def different(answers: Sequence[Answer]) -> list[Answer]:
    """Remove answers whose text came before."""
    return list({answer.text: answer for answer in reversed(answers)}.values())[::-1]
