"""A budget of time: how much of it is spent, and how long a training step takes."""

import copy
import time
from collections.abc import Callable
from itertools import chain, count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doldari.training.run import Run

Clock = Callable[[], float]


class Budget:
    """So many seconds for a run, from now on; validating after every epoch is paid of them too.

    `before` are seconds that were spent before now, by a run that was stopped.
    """

    def __init__(self, seconds: float, clock: Clock = time.perf_counter, before: float = 0.0) -> None:
        self.seconds, self.clock = seconds, clock
        self.start = clock() - before
        self.epoch = 0.0  # seconds that an epoch takes, with its validation
        self.validation = 0.0  # seconds of that for validation: the last one's are kept back

    def progress(self) -> float:
        """How much of the time for training is spent, in [0, 1]."""
        return min(1.0, self.spent() / max(self.seconds - self.validation, 1e-9))

    def spent(self) -> float:
        """How many seconds of the budget are gone."""
        return self.clock() - self.start


def seconds_a_step(run: "Run", limit: float) -> float:
    """Take training steps that are undone again, three at least, else for `limit` seconds: the mean time.

    The first, which is slower, does not count.
    """
    learner, rng = run.learner, copy.deepcopy(run.rng)
    before, counters = {name: array.copy() for name, array in learner.arrays().items()}, learner.counters()
    learner.learning_rate = 0.0
    batches = chain.from_iterable(run.batches(rng) for _ in count())
    marks = [run.clock()]
    while len(marks) < 4 or marks[-1] - marks[0] < limit:
        x, t, whole = next(batches)
        learner.step(x, t, 1.0, whole)
        marks.append(run.clock())
    learner.restore(before, counters)
    return (marks[-1] - marks[1]) / (len(marks) - 2)
