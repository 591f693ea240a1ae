"""A model whose scores are divided by a temperature."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from doldari.arrays import Floats, Ids
from doldari.layers import Parameter
from doldari.models.inference_model import InferenceModel, Rows


class Tempered:
    """A model with calibrated probabilities: p = softmax(scores / temperature) at every step.

    A temperature above 1 lowers its confidence, below 1 raises it; greedy predictions do not change (Guo et al.
    2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599, section 4.2).
    """

    def __init__(self, model: InferenceModel, temperature: float) -> None:
        self.model, self.temperature = model, temperature
        self.pad_id, self.batch_factor = model.pad_id, model.batch_factor

    def encode(self, xs: ArrayLike) -> Any:
        """Read questions xs (N, S) -> the state before the first step."""
        return self.model.encode(xs)

    def step(self, ids: Ids, state: Any) -> tuple[Floats, Any]:
        """Read one more id each, ids (N,) -> scores (N, V) of what follows, next state."""
        scores, state = self.model.step(ids, state)
        return scores / self.temperature, state

    def select(self, state: Any, rows: Rows) -> Any:
        """Take rows of a state."""
        return self.model.select(state, rows)

    def join(self, state: Any, other: Any) -> Any:
        """Put the rows of two states of the same questions together."""
        return self.model.join(state, other)

    def generate(self, xs: ArrayLike, start_id: int, sample_size: int, never: Sequence[int] = ()) -> Ids:
        """Answer questions xs (N, S) greedily, as the model itself does."""
        return self.model.generate(xs, start_id, sample_size, never)

    def attention(self, xs: ArrayLike, read: ArrayLike) -> Floats:
        """Attention weights of the model."""
        return self.model.attention(xs, read)

    def weights(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return self.model.weights()
