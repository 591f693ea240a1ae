"""The seam between training and what computes: all that an engine must have, for a third one's author to read."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, TypeVar

from numpy.typing import NDArray

from doldari.arrays import Floats, Ids
from doldari.models import Seq2seq
from doldari.models.inference_model import InferenceModel

Item = TypeVar("Item")
Found = TypeVar("Found")


class Step(NamedTuple):
    """What a training step tells: the batch's mean loss before the update, the gradient's norm before clipping."""

    loss: float
    norm: float


class Learner(Protocol):
    """A model that learns."""

    learning_rate: float

    @property
    def model(self) -> Seq2seq:
        """Name the weights, give their shapes, and hold what files are made of."""

    @property
    def inference_model(self) -> InferenceModel:
        """Answer as the engine computes; that may be `model`."""

    @property
    def values(self) -> Floats:
        """All weights as the flat vector of `model`, brought up to date."""

    def rows(self, N: int) -> slice:
        """Say which rows of a batch of N this process computes: all, if no others train with it."""

    def step(self, x: Ids, t: Ids, max_grad: float | None = None, whole: int | None = None) -> Step:
        """Train on one batch: questions x (N, S), answers t (N, T), start symbol first.

        Of several processes each gives its rows of a batch of `whole`, and all take the same step.
        TrainingError where the loss or the gradient is no longer a number, or memory is out.
        """

    def loss(self, x: Ids, t: Ids) -> float:
        """Mean loss of a batch, in nats a symbol, without dropout: for validation."""

    def averaged(self) -> AbstractContextManager[None]:
        """Swap the moving average, if there is one, into `model` and `inference_model` for a `with` block.

        In the block `model` is up to date, with or without an average.
        """

    def arrays(self) -> dict[str, Floats]:
        """Name every array that training changes: `parameters.encoder.embed.W`, `m...`, `v...`, `average...`."""

    def counters(self) -> dict[str, Any]:
        """Give what else training changes, as plain numbers for JSON."""

    def restore(self, arrays: Mapping[str, NDArray[Any]], counters: Mapping[str, Any]) -> None:
        """Take back what `arrays` and `counters` gave; KeyError or ValueError where they do not fit."""

    def shared_out(self, work: Callable[[list[Item]], list[Found]], items: Sequence[Item]) -> list[Found]:
        """Do work that finds something for each item; of several processes each does its share, and all get all."""

    def agreed(self, wish: bool) -> bool:
        """Tell whether any of the processes that train together has this wish."""

    def facts(self) -> dict[str, Any]:
        """Say for a run's record what computes: engine, its version, device, precision, processes."""
