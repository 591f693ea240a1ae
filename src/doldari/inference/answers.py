"""What a predictor returns beside plain texts."""

from collections.abc import Sequence
from typing import NamedTuple

from doldari.arrays import Floats

END = "⏎"  # how the end of an answer is shown


class Answer(NamedTuple):
    """An answer, and its log-probability in nats, that of its end included."""

    text: str
    score: float


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
