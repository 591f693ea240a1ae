"""What computes a training step: a model, its optimizer and, if wanted, the moving average of its weights.

A training knows no more of how numbers are made than this: `step` takes a batch to its loss, and whatever another
process needs to go on to the bit goes out and comes in as named arrays and a few plain numbers.
"""

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids
from doldari.errors import TrainingError
from doldari.layers import Optimizer
from doldari.models import Seq2seq
from doldari.training.averaging import MovingAverage


class Trainable(Protocol):
    """What a training step asks of a model; `Seq2seq` is one, and the chapter's `BaseModel` another."""

    @property
    def pad_id(self) -> int | None:
        """Return the id of padding, None if padding is a symbol like any other."""

    def forward_backward(self, x: Ids, t: Ids, rng: np.random.Generator) -> float:
        """Return the loss of a batch, and keep its gradient; rng is for dropout."""

    def update(self, optimizer: Optimizer, max_grad: float | None) -> float:
        """Let the optimizer take a step along that gradient; return its norm before clipping."""


class Step(NamedTuple):
    """What a training step tells: the batch's mean loss before the update, the gradient's norm before clipping."""

    loss: float
    norm: float


def train_step(
    model: Trainable, optimizer: Optimizer, x: Ids, t: Ids, max_grad: float | None, rng: np.random.Generator
) -> Step:
    """Train on one batch: forward, backward, clip, update; TrainingError as in `Learner.step`."""
    with np.errstate(all="ignore"):  # what overflows shows in the loss
        loss = model.forward_backward(x, t, rng)
        if not math.isfinite(loss):
            raise TrainingError(f"the loss became {loss}")
        norm = model.update(optimizer, max_grad)
    if not math.isfinite(norm):
        raise TrainingError(f"the gradient's norm became {norm}")
    return Step(loss, norm)


class Learner:
    """A model that learns.  Without dropout_rng, dropout differs every time."""

    def __init__(
        self,
        model: Seq2seq,
        optimizer: Optimizer,
        *,
        dropout_rng: np.random.Generator | None = None,
        average: MovingAverage | None = None,
    ) -> None:
        self.model, self.optimizer, self.average = model, optimizer, average
        self.dropout_rng = np.random.default_rng() if dropout_rng is None else dropout_rng

    @property
    def values(self) -> Floats:
        """All weights, as one flat vector that may be written."""
        return self.model.parameters.values

    def step(self, x: Ids, t: Ids, max_grad: float | None = None) -> Step:
        """Train on one batch: questions x (N, S), answers t (N, T), start symbol first.

        TrainingError where the loss or the gradient is no longer a number.
        """
        step = train_step(self.model, self.optimizer, x, t, max_grad, self.dropout_rng)
        if self.average is not None:
            self.average.update(self.values)
        return step

    def averaged(self) -> AbstractContextManager[None]:
        """Put the moving average in the weights' place, if there is one, for as long as the `with` block runs."""
        return nullcontext() if self.average is None else self.average.in_place_of(self.values)

    def arrays(self) -> dict[str, Floats]:
        """Name every array that training changes: `parameters.encoder.embed.W`, `m.encoder.embed.W` and so on.

        They are views: writing into them is how a training goes on from a checkpoint.
        """
        parameters = self.model.parameters
        vectors = {"parameters": parameters.values} | self.optimizer.moments(parameters)
        if self.average is not None:
            vectors["average"] = self.average.average
        return {
            f"{kind}.{name}": array
            for kind, vector in vectors.items()
            for name, array in parameters.views(vector).items()
        }

    def counters(self) -> dict[str, Any]:
        """Give what else training changes, as plain numbers for JSON."""
        return {
            "optimizer_steps": self.optimizer.steps,
            "learning_rate": self.optimizer.learning_rate,
            "average_updates": 0 if self.average is None else self.average.updates,
            "dropout_rng": self.dropout_rng.bit_generator.state,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], counters: Mapping[str, Any]) -> None:
        """Take back what `arrays` and `counters` gave; KeyError or ValueError where they do not fit."""
        for name, array in self.arrays().items():
            if array.shape != arrays[name].shape:
                raise ValueError(f"{name} is {arrays[name].shape}, expected {array.shape}")
            array[...] = arrays[name]
        self.optimizer.steps = counters["optimizer_steps"]
        self.optimizer.learning_rate = counters["learning_rate"]
        if self.average is not None:
            self.average.updates = counters["average_updates"]
        self.dropout_rng.bit_generator.state = counters["dropout_rng"]
