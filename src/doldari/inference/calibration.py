"""How well the probabilities of answers are calibrated, and the temperature that makes them so.

Of answers to which a calibrated model gives the probability 0.8, eight of ten are right (Guo et al. 2017, "On
Calibration of Modern Neural Networks", arXiv:1706.04599).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Ids
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, START, Unknown
from doldari.errors import DataError
from doldari.inference.answering import GREEDY_SYMBOLS, greedy
from doldari.inference.batching import Progress
from doldari.inference.questions import Questions
from doldari.inference.search import Bounds
from doldari.layers.softmax_loss import log_softmax
from doldari.models.model_file import TextModel

BINS = 15  # as in Guo et al.
COLDEST, HOTTEST = 0.1, 10.0  # temperatures that are tried
TRIED = 13  # of them, each 1.5 times the one before


class Bin(NamedTuple):
    """Answers of a probability above low and at most high: how many, their mean probability, the share right."""

    low: float
    high: float
    answers: int
    probability: float
    accuracy: float


def reliability(probabilities: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Sort answers by their probability into bins of equal width; those that are empty have 0 in them."""
    p, correct = np.array(probabilities, np.float64), np.array(right, np.float64)
    places = np.clip(np.ceil(p * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    means = (np.bincount(places, values, minlength=bins) / np.maximum(counts, 1) for values in (p, correct))
    columns = zip(counts.tolist(), *(mean.tolist() for mean in means), strict=True)
    return [Bin(m / bins, (m + 1) / bins, *column) for m, column in enumerate(columns)]


def calibration_error(bins: Sequence[Bin]) -> float:
    """The expected calibration error (Guo et al. 2017, equation 3), in [0, 1]: 0 is perfect.

    ECE = sum over bins of count / all counts * |accuracy - mean probability|
    """
    total = sum(one.answers for one in bins)
    return sum(one.answers * abs(one.accuracy - one.probability) for one in bins) / max(total, 1)


def fitted_temperature(
    model: TextModel,
    texts: Sequence[str],
    right: Sequence[bool],
    unknown: Unknown = "error",
    progress: Progress | None = None,
) -> float:
    """Find the temperature by which the probabilities of greedy answers best say which of them are right.

    It minimises the mean cross-entropy of right and wrong,  - y log p - (1 - y) log(1 - p),  where y is not quite 1
    of right answers and not quite 0 of wrong ones, so that a few that are all right make no model certain (Platt
    1999, "Probabilistic Outputs for Support Vector Machines", section 2.1):  y = (R + 1) / (R + 2) of R right ones,
    1 / (W + 2) of W wrong ones.  Thirteen temperatures are tried, then as many about the best of them, and once more.
    """
    if not texts:
        raise DataError("there is nothing to calibrate with: no source has symbols that were seen in training")
    correct = np.array(right, np.bool_)
    R, W = int(correct.sum()), int((~correct).sum())
    y = np.where(correct, (R + 1) / (R + 2), 1 / (W + 2))[:, None]
    low, high = COLDEST, HOTTEST
    for _ in range(3):
        temperatures = np.geomspace(low, high, TRIED)
        logs = log_probabilities(model, texts, temperatures, unknown, progress)
        losses = -(y * logs + (1 - y) * np.log1p(-np.exp(np.minimum(logs, -1e-12)))).mean(axis=0)
        best = int(losses.argmin())
        low, high = temperatures[max(best - 1, 0)], temperatures[min(best + 1, TRIED - 1)]
    return float(temperatures[best])


def log_probabilities(
    model: TextModel,
    texts: Sequence[str],
    temperatures: NDArray[np.float64],
    unknown: Unknown,
    progress: Progress | None,
) -> NDArray[np.float64]:
    """Answer texts greedily, and tell the answers' log-probabilities (N, K) at K temperatures; 0 of blank texts."""
    bare = model.model

    def score(batch: list[int], xs: Ids, bounds: Bounds) -> list[NDArray[np.float64]]:
        ts = pad([[START, *answer.ids, PADDING] for answer in greedy(model, xs, bounds)], PADDING)
        state, n = bare.encode(xs), np.arange(len(ts))
        logs = np.zeros((len(ts), len(temperatures)))
        for t in range(ts.shape[1] - 1):
            raw, state = bare.step(np.ascontiguousarray(ts[:, t]), state)
            here = [log_softmax(raw / temperature)[n, ts[:, t + 1]] for temperature in temperatures]
            logs += np.where(ts[:, t] != PADDING, here, 0.0).T
        return list(logs)

    questions = Questions.of(model, texts, unknown)
    return np.array(questions.answered(score, np.zeros(len(temperatures)), GREEDY_SYMBOLS, progress))
