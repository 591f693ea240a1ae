"""Learning-rate schedules: functions from how much of the training is done, in [0, 1], to the learning rate.

>>> rate = one_cycle(5e-3, warmup=0.2)
>>> trainer = Trainer(model, Adam(), schedule=lambda step: rate(step / 1000))
"""

import math
from collections.abc import Callable, Sequence

from doldari.config import TrainingConfig

Schedule = Callable[[float], float]

FIRST, LAST = 1 / 25, 1 / 10_000  # shares of the peak with which a warm-up starts and a fall ends
WARMUP = {"one-cycle": 0.2, "cosine": 0.05, "plateau": 0.0, "constant": 0.0}  # where it is not given
PLATEAU = 3  # epochs without a better one, after which `plateau` halves the learning rate


def make_schedule(settings: TrainingConfig, scores: Sequence[tuple[float, ...]]) -> Schedule:
    """Make the schedule of the next epoch; scores are those of the epochs before it, the higher the better."""
    peak = settings.learning_rate
    warmup = WARMUP[settings.schedule] if settings.warmup is None else settings.warmup
    match settings.schedule:
        case "one-cycle":
            return one_cycle(peak, warmup)
        case "cosine":
            return cosine(peak, warmup)
        case "plateau":
            return constant(peak * 0.5 ** halvings(scores), warmup)
        case "constant":
            return constant(peak, warmup)


def constant(peak: float, warmup: float = 0.0) -> Schedule:
    """Rise from peak / 25 in a line over the first `warmup` of the training, then stay at the peak."""
    return lambda done: peak if done >= warmup else peak * (FIRST + (1 - FIRST) * done / warmup)


def cosine(peak: float, warmup: float) -> Schedule:
    """Rise as `constant` does, then fall to nearly 0 along half a cosine (Loshchilov & Hutter 2017, equation 5)."""
    rise = constant(peak, warmup)
    return lambda done: rise(done) if done < warmup else between(peak, peak * LAST, (done - warmup) / (1 - warmup))


def one_cycle(peak: float, warmup: float) -> Schedule:
    """Rise from peak / 25 over the first `warmup` of the training, then fall to nearly 0, both along half a cosine.

    Smith & Topin 2017 (arXiv:1708.07120), with cosine annealing.
    """

    def rate(done: float) -> float:
        if done < warmup:
            return between(peak * FIRST, peak, done / warmup)
        return between(peak, peak * LAST, (done - warmup) / (1 - warmup))

    return rate


def between(start: float, end: float, progress: float) -> float:
    """Go from start (progress 0) to end (progress 1) along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2


def halvings(scores: Sequence[tuple[float, ...]]) -> int:
    """Count how often `plateau` halved: each time that PLATEAU epochs in a row brought no score above the best."""
    best, waited, count = scores[:1], 0, 0
    for score in scores[1:]:
        waited += 1
        if score > best[0]:
            best, waited = [score], 0
        elif waited == PLATEAU:
            waited, count = 0, count + 1
    return count
