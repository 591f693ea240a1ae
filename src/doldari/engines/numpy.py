"""The engine that is the default: the models and kernels of this package, a gradient written by hand, one process."""

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids
from doldari.engines.averaging import MovingAverage
from doldari.engines.learner import Found, Item, Step
from doldari.errors import TrainingError
from doldari.layers import Optimizer
from doldari.models import Seq2seq


class Trainable(Protocol):
    """What a training step asks of a model; `Seq2seq` is one, and the chapter's `BaseModel` another."""

    @property
    def pad_id(self) -> int | None:
        """Return the id of padding, None if padding is a symbol like any other."""

    def forward_backward(self, x: Ids, t: Ids, rng: np.random.Generator) -> float:
        """Return the loss of a batch, and keep its gradient; rng is for dropout."""

    def update(self, optimizer: Optimizer, max_grad: float | None) -> float:
        """Let the optimizer take a step along that gradient; return its norm before clipping."""


def train_step(
    model: Trainable, optimizer: Optimizer, x: Ids, t: Ids, max_grad: float | None, rng: np.random.Generator
) -> Step:
    """Train on one batch: forward, backward, clip, update; TrainingError as in `NumpyLearner.step`."""
    with np.errstate(all="ignore"):  # what overflows shows in the loss
        loss = model.forward_backward(x, t, rng)
        if not math.isfinite(loss):
            raise TrainingError(f"the loss became {loss}")
        norm = model.update(optimizer, max_grad)
    if not math.isfinite(norm):
        raise TrainingError(f"the gradient's norm became {norm}")
    return Step(loss, norm)


class NumpyLearner:
    """A `Seq2seq` with its optimizer.  Without dropout_rng, dropout differs every time."""

    def __init__(
        self,
        model: Seq2seq,
        optimizer: Optimizer,
        *,
        dropout_rng: np.random.Generator | None = None,
        average: MovingAverage | None = None,
    ) -> None:
        self.model, self.inference_model = model, model
        self.optimizer, self.average = optimizer, average
        self.dropout_rng = np.random.default_rng() if dropout_rng is None else dropout_rng

    @property
    def learning_rate(self) -> float:
        """The optimizer's."""
        return self.optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: float) -> None:
        self.optimizer.learning_rate = rate

    @property
    def values(self) -> Floats:
        """All weights, as one flat vector that may be written."""
        return self.model.parameters.values

    def rows(self, N: int) -> slice:
        """Compute all rows: there is one process."""
        return slice(N)

    def step(self, x: Ids, t: Ids, max_grad: float | None = None, whole: int | None = None) -> Step:
        """Train on one batch: questions x (N, S), answers t (N, T), start symbol first.

        TrainingError if the loss or the gradient is NaN or infinite.
        """
        step = train_step(self.model, self.optimizer, x, t, max_grad, self.dropout_rng)
        if self.average is not None:
            self.average.update(self.values)
        return step

    def loss(self, x: Ids, t: Ids) -> float:
        """Mean loss of a batch, in nats a symbol, without dropout."""
        return self.model.forward(x, t)

    def averaged(self) -> AbstractContextManager[None]:
        """Put the moving average in the weights' place, if there is one, for as long as the `with` block runs."""
        return nullcontext() if self.average is None else self.average.in_place_of(self.values)

    def arrays(self) -> dict[str, Floats]:
        """Return all arrays that training changes: `parameters.encoder.embed.W`, `m.encoder.embed.W` and so on.

        They are views: a training resumes from a checkpoint by writing into them.
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
        """Return the other state of training, as plain numbers for JSON."""
        return {
            "optimizer_steps": self.optimizer.steps,
            "learning_rate": self.optimizer.learning_rate,
            "average_updates": 0 if self.average is None else self.average.updates,
            "dropout_rng": self.dropout_rng.bit_generator.state,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]], counters: Mapping[str, Any]) -> None:
        """Restore what `arrays` and `counters` returned; KeyError or ValueError where they do not fit."""
        for name, array in self.arrays().items():
            if array.shape != arrays[name].shape:
                raise ValueError(f"{name} is {arrays[name].shape}, expected {array.shape}")
            array[...] = arrays[name]
        self.optimizer.steps = counters["optimizer_steps"]
        self.optimizer.learning_rate = counters["learning_rate"]
        if self.average is not None:
            self.average.updates = counters["average_updates"]
        self.dropout_rng.bit_generator.state = counters["dropout_rng"]

    def shared_out(self, work: Callable[[list[Item]], list[Found]], items: Sequence[Item]) -> list[Found]:
        """Do all of the work: there is one process."""
        return work(list(items))

    def agreed(self, wish: bool) -> bool:
        """Return whether it has this wish."""
        return wish

    def facts(self) -> dict[str, Any]:
        """Describe what computes."""
        return {"name": "numpy", "device": "cpu", "precision": "float32", "processes": 1}
