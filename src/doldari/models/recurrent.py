"""The recurrent part of an encoder or a decoder, with its first weights."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from doldari.layers import Parameter, TimeBidirectional, TimeGRU, TimeLSTM, TimeStack
from doldari.layers.recurrent import RecurrentLayer

CELLS: dict[str, tuple[Callable[..., RecurrentLayer[Any, Any]], int]] = {
    "lstm": (TimeLSTM, 4),
    "gru": (TimeGRU, 3),
}  # gates


def recurrent_stack(
    cell: str,
    input_size: int,
    hidden_size: int,
    *,
    layers: int,
    bidirectional: bool,
    dropout: float,
    rng: np.random.Generator,
    dtype: DTypeLike,
) -> TimeStack:
    """Make `layers` layers of a cell, each with hidden states of hidden_size: in both directions half of it each.

    First weights are normal with a standard deviation of 1 / sqrt(rows), as in the book; biases are 0.
    """
    layer_class, gates = CELLS[cell]
    if bidirectional and hidden_size % 2 != 0:
        raise ValueError(f"hidden_size={hidden_size}: must be even, half of it for each direction")

    def one(size: int, H: int) -> RecurrentLayer[Any, Any]:
        return layer_class(
            Wx=Parameter.normal(rng, (size, gates * H), size**-0.5, dtype),
            Wh=Parameter.normal(rng, (H, gates * H), H**-0.5, dtype),
            b=Parameter.zeros((gates * H,), dtype),
        )

    def both(size: int) -> RecurrentLayer[Any, Any]:
        return TimeBidirectional(one(size, hidden_size // 2), one(size, hidden_size // 2))

    sizes = [input_size] + [hidden_size] * (layers - 1)
    return TimeStack([both(size) if bidirectional else one(size, hidden_size) for size in sizes], dropout)
