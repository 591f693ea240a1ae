"""A budget of time: how much of it is spent, and how long a training step takes."""

import copy
import time
from collections.abc import Callable
from itertools import chain, count

from doldari.arrays import Ids
from doldari.models import Seq2seq
from doldari.training.trainer import Trainer

Clock = Callable[[], float]


class Budget:
    """So many seconds for a run, from now on; validating after every epoch is paid of them too."""

    def __init__(self, seconds: float, clock: Clock = time.perf_counter) -> None:
        self.seconds, self.clock = seconds, clock
        self.start = clock()
        self.epoch = 0.0  # seconds that an epoch takes, with its validation
        self.validation = 0.0  # seconds of that for validation: the last one's are kept back

    def progress(self) -> float:
        """How much of the time for training is spent, in [0, 1]."""
        return min(1.0, self.spent() / max(self.seconds - self.validation, 1e-9))

    def spent(self) -> float:
        """How many seconds of the budget are gone."""
        return self.clock() - self.start


def seconds_a_step(trainer: Trainer[Seq2seq], x: Ids, t: Ids, batch_size: int, limit: float, clock: Clock) -> float:
    """Take training steps with a copy of the trainer, three at least, else for `limit` seconds: the mean time of one.

    The first, which is slower, does not count.
    """
    probe = copy.deepcopy(trainer)
    probe.optimizer.learning_rate = 0.0
    steps = chain.from_iterable(probe.epoch(x, t, batch_size, 1.0) for _ in count())
    marks = [clock()]
    while len(marks) < 4 or marks[-1] - marks[0] < limit:
        next(steps)
        marks.append(clock())
    return (marks[-1] - marks[1]) / (len(marks) - 2)
