"""Calibration of the predicted probabilities: measuring it, and fitting a temperature.

A model is calibrated if 80 % of the predictions with probability 0.8 are correct (Guo et al. 2017, "On
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
COLDEST, HOTTEST = 0.1, 10.0  # search range of the temperature
TRIED = 13  # temperatures per round, each 1.5 times the one before in the first round
ROUNDS = 3


class Bin(NamedTuple):
    """Predictions with a probability above low and at most high: their number, mean probability and accuracy."""

    low: float
    high: float
    answers: int
    probability: float
    accuracy: float


def reliability(probabilities: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Sort predictions by probability into bins of equal width; empty bins have probability and accuracy 0."""
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


def shown_error(bins: Sequence[Bin]) -> str:
    """Write the expected calibration error in per cent, to two decimals."""
    error = calibration_error(bins)
    return "<0.01%" if 0 < error < 5e-5 else f"{error:.2%}"


def reason_to_refuse(temperature: float, before: Sequence[Bin], after: Sequence[Bin]) -> str:
    """Return why a fitted temperature should not be used, or an empty text; the bins are without and with it."""
    if not any(one.answers * one.accuracy for one in before):
        return "no prediction is correct"
    if not 1.01 * COLDEST < temperature < HOTTEST / 1.01:
        return f"the best temperature, {temperature:.3g}, is at the edge of the search range"
    if calibration_error(after) > calibration_error(before) + 1e-6:
        return f"temperature {temperature:.3g} would raise the ECE from {shown_error(before)} to {shown_error(after)}"
    return ""


def fitted_temperature(
    model: TextModel,
    texts: Sequence[str],
    right: Sequence[bool],
    unknown: Unknown = "error",
    progress: Progress | None = None,
) -> float:
    """Fit the temperature so that the probabilities of greedy predictions best tell correct from wrong ones.

    Minimises the mean binary cross-entropy  - y log p - (1 - y) log(1 - p).  The targets y are smoothed so that a few
    predictions that are all correct do not make the model certain (Platt 1999, "Probabilistic Outputs for Support
    Vector Machines", section 2.1):  y = (R + 1) / (R + 2) for the R correct ones, 1 / (W + 2) for the W wrong ones.
    Grid search in three rounds, each around the best temperature of the last.  progress is called with the number of
    texts done, which ends at ROUNDS times their number.
    """
    if not texts:
        raise DataError("no pairs to calibrate with: no source has symbols that were seen in training")
    correct = np.array(right, np.bool_)
    R, W = int(correct.sum()), int((~correct).sum())
    y = np.where(correct, (R + 1) / (R + 2), 1 / (W + 2))[:, None]
    low, high = COLDEST, HOTTEST
    for turn in range(ROUNDS):
        temperatures = np.geomspace(low, high, TRIED)
        logs = log_probabilities(model, texts, temperatures, unknown, after_rounds(turn * len(texts), progress))
        losses = -(y * logs + (1 - y) * np.log1p(-np.exp(np.minimum(logs, -1e-12)))).mean(axis=0)
        best = int(losses.argmin())
        low, high = temperatures[max(best - 1, 0)], temperatures[min(best + 1, TRIED - 1)]
    return float(temperatures[best])


def after_rounds(done: int, progress: Progress | None) -> Progress | None:
    """Count on from the texts that earlier rounds have done."""
    return None if progress is None else lambda count: progress(done + count)


def log_probabilities(
    model: TextModel,
    texts: Sequence[str],
    temperatures: NDArray[np.float64],
    unknown: Unknown,
    progress: Progress | None,
) -> NDArray[np.float64]:
    """Log-probabilities (N, K) of greedy predictions at K temperatures; 0 for blank texts."""
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
