"""Learning-rate schedules: functions from the step, counted from 0, to the learning rate."""

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def constant(learning_rate: float) -> Schedule:
    """Keep the learning rate."""
    return lambda step: learning_rate


def one_cycle(peak: float, steps: int, warmup: float = 0.2) -> Schedule:
    """Rise from peak / 25 to the peak over the first `warmup` of the steps, then fall to nearly 0, both as a cosine.

    Smith & Topin 2017 (arXiv:1708.07120), with cosine annealing.
    """
    first, last = peak / 25, peak / 10_000
    top = max(1.0, warmup * steps)

    def rate(step: int) -> float:
        if step < top:
            return between(first, peak, step / top)
        return between(peak, last, min(1.0, (step - top) / max(1.0, steps - top)))

    return rate


def between(start: float, end: float, progress: float) -> float:
    """Go from start (progress 0) to end (progress 1) along half a cosine."""
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
