"""The interface between training and engines: everything that an engine has to implement."""

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
    """The result of a training step: the batch's mean loss before the update, the gradient's norm before clipping."""

    loss: float
    norm: float


class Learner(Protocol):
    """A model that learns."""

    learning_rate: float

    @property
    def model(self) -> Seq2seq:
        """The NumPy model, from which files are written."""

    @property
    def inference_model(self) -> InferenceModel:
        """The model as the engine computes it; this may be `model` itself."""

    @property
    def values(self) -> Floats:
        """All weights as the flat vector of `model`, brought up to date."""

    def rows(self, N: int) -> slice:
        """Say which rows of a batch of N this process computes: all, if no others train with it."""

    def step(self, x: Ids, t: Ids, max_grad: float | None = None, whole: int | None = None) -> Step:
        """Train on one batch: questions x (N, S), answers t (N, T), start symbol first.

        Of several processes each gives its rows of a batch of `whole`, and all take the same step.
        TrainingError if the loss or the gradient is NaN or infinite, or memory runs out.
        """

    def loss(self, x: Ids, t: Ids) -> float:
        """Mean loss of a batch, in nats a symbol, without dropout: for validation."""

    def averaged(self) -> AbstractContextManager[None]:
        """Swap the moving average, if there is one, into `model` and `inference_model` for a `with` block.

        In the block `model` is up to date, with or without an average.
        """

    def arrays(self) -> dict[str, Floats]:
        """Return all arrays that training changes: `parameters.encoder.embed.W`, `m...`, `v...`, `average...`."""

    def counters(self) -> dict[str, Any]:
        """Return the other state of training, as plain numbers for JSON."""

    def restore(self, arrays: Mapping[str, NDArray[Any]], counters: Mapping[str, Any]) -> None:
        """Restore what `arrays` and `counters` returned; KeyError or ValueError where they do not fit."""

    def shared_out(self, work: Callable[[list[Item]], list[Found]], items: Sequence[Item]) -> list[Found]:
        """Apply work to the items; several processes share the items, and each gets all results."""

    def agreed(self, wish: bool) -> bool:
        """Return whether the wish is true in any of the processes."""

    def facts(self) -> dict[str, Any]:
        """Return facts for a run's record: engine, its version, device, precision, processes."""
