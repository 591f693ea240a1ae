"""The interface between inference and models, for every engine."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from doldari.arrays import Floats, Ids
from doldari.layers import Parameter

Rows = NDArray[np.intp]


class InferenceModel(Protocol):
    """A model as search and model files use it, such as `Seq2seq` or `Ensemble`; its states are opaque."""

    @property
    def batch_factor(self) -> int:
        """The factor by which batches should be larger than suits a CPU's cache."""

    @property
    def pad_id(self) -> int | None:
        """Return the id of padding, None if padding is a symbol like any other."""

    def encode(self, xs: ArrayLike) -> Any:
        """Read questions xs (N, S) -> the state before the first step."""

    def step(self, ids: Ids, state: Any) -> tuple[Floats, Any]:
        """Read one more id for each row of the state, ids (R,) -> scores (R, V) of what follows, next state."""

    def select(self, state: Any, rows: Rows) -> Any:
        """Take rows of a state."""

    def join(self, state: Any, other: Any) -> Any:
        """Put the rows of two states of the same questions together."""

    def generate(self, xs: ArrayLike, start_id: int, sample_size: int, never: Sequence[int] = ()) -> Ids:
        """Answer questions xs (N, S) greedily -> ids (N, sample_size), as `Seq2seq.generate`."""

    def attention(self, xs: ArrayLike, read: ArrayLike) -> Floats:
        """Attention weights (N, T, S), as `Seq2seq.attention`."""

    def weights(self) -> dict[str, Parameter]:
        """Return all parameters by name, as NumPy arrays with the current weights."""
