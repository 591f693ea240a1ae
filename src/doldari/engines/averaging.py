"""The moving average of the weights: less noisy than the weights themselves, and often better."""

from collections.abc import Iterator
from contextlib import contextmanager

from doldari.arrays import Floats


class MovingAverage:
    """Exponential moving average of a flat vector of weights, after Polyak & Juditsky 1992.

    average = d * average + (1 - d) * values.  d is the decay but, while that is less, (1 + t) / (10 + t) after t
    updates, so that the weights of the start are soon forgotten.
    """

    def __init__(self, values: Floats, decay: float) -> None:
        self.average, self.decay = values.copy(), decay
        self.updates = 0

    def update(self, values: Floats) -> None:
        """Take in the values after a step."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        self.average *= decay
        self.average += (1 - decay) * values

    @contextmanager
    def in_place_of(self, values: Floats) -> Iterator[None]:
        """Put the average where the values are, for as long as the `with` block runs."""
        before = values.copy()
        values[...] = self.average
        try:
            yield
        finally:
            values[...] = before
