"""The chapter's trainer (7.3.4): shuffled batches, forward, backward, clip, update, epoch after epoch."""

import math
import os
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike

from doldari import kernels
from doldari.arrays import Ids
from doldari.data.batches import shuffled_batches
from doldari.data.ragged import Examples
from doldari.engines.numpy import Trainable, train_step
from doldari.errors import TrainingError, level_of_caller
from doldari.layers import Optimizer


class SlowKernelsWarning(UserWarning):
    """The native kernels are not there."""


def warn_of_slow_kernels() -> None:
    """Warn if training runs on the NumPy kernels although they were not requested."""
    if kernels.name == "reference" and "DOLDARI_KERNELS" not in os.environ:
        message = "training with the NumPy kernels: doldari was installed without a C++ compiler, and is slower"
        warnings.warn(message, SlowKernelsWarning, stacklevel=level_of_caller())


class Trainer:
    """Trains a model: `fit` as in the chapter, or `epoch` for control after each step.

    schedule gives the learning rate of a step, counted from 0; without one the optimizer's is left as it is.  With
    bucketing the examples of a batch are of about one length.  Without rng and dropout_rng, shuffling and dropout
    differ every time.
    """

    def __init__(
        self,
        model: Trainable,
        optimizer: Optimizer,
        *,
        schedule: Callable[[int], float] | None = None,
        bucketing: bool = False,
        rng: np.random.Generator | None = None,
        dropout_rng: np.random.Generator | None = None,
    ) -> None:
        self.model, self.optimizer, self.schedule, self.bucketing = model, optimizer, schedule, bucketing
        self.dropout_rng = np.random.default_rng() if dropout_rng is None else dropout_rng
        self.rng = np.random.default_rng() if rng is None else rng
        self.steps = 0
        self.epochs = 0
        warn_of_slow_kernels()

    def fit(
        self,
        x: ArrayLike,
        t: ArrayLike,
        max_epoch: int = 10,
        batch_size: int = 32,
        max_grad: float | None = None,
        eval_interval: int | None = 20,
    ) -> None:
        """Train on questions x (N, S) and answers t (N, T), start symbol first, for max_epoch epochs.

        Gradients are clipped to norm max_grad.  Every eval_interval steps the mean loss since the last time is
        printed; None prints nothing.
        """
        x, t = np.asarray(x), np.asarray(t)
        if len(x) != len(t) or batch_size < 1:
            raise ValueError(
                f"{len(x)} questions, {len(t)} answers, batch_size={batch_size}: need as many, and at least 1"
            )
        batches = math.ceil(len(x) / batch_size)
        start = time.perf_counter()
        for _ in range(max_epoch):
            losses: list[float] = []
            for batch, loss in enumerate(self.epoch(x, t, batch_size, max_grad), start=1):
                losses.append(loss)
                if eval_interval and (batch - 1) % eval_interval == 0:
                    seconds = time.perf_counter() - start
                    mean = sum(losses) / len(losses)
                    print(
                        f"| epoch {self.epochs} | step {batch} / {batches} | time {seconds:.0f} s | loss {mean:.2f}"
                    )
                    losses.clear()

    def epoch(self, x: Examples, t: Examples, batch_size: int, max_grad: float | None = None) -> Iterator[float]:
        """Train on every example once, in random batches, yielding each batch's mean loss."""
        self.epochs += 1
        batches = shuffled_batches(x, t, batch_size, self.model.pad_id, self.rng, self.bucketing)
        for batch_x, batch_t in batches:
            yield self.step(batch_x, batch_t, max_grad)

    def step(self, x: Ids, t: Ids, max_grad: float | None = None) -> float:
        """Train on one batch; return its loss from before the update."""
        if self.schedule is not None:
            self.optimizer.learning_rate = self.schedule(self.steps)
        self.steps += 1
        try:
            return train_step(self.model, self.optimizer, x, t, max_grad, self.dropout_rng).loss
        except TrainingError as error:
            raise TrainingError(f"{error} at step {self.steps:,} (epoch {self.epochs})") from error
