"""The recurrent part of an encoder or a decoder, with its first weights."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from doldari.layers import Parameter, TimeBidirectional, TimeGRU, TimeLSTM, TimeStack
from doldari.layers.arguments import check_dtype, check_flag, check_rate, check_rng, check_size, described
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
    each_step: bool,
    rng: np.random.Generator,
    dtype: DTypeLike,
) -> TimeStack:
    """Make `layers` layers of a cell, each with hidden states of hidden_size: in both directions half of it each.

    each_step: dropout is drawn anew at every step.  First weights are normal with a standard deviation of
    1 / sqrt(rows), as in the book; biases are 0.
    """
    layer_class, gates = CELLS[cell]

    def one(size: int, H: int) -> RecurrentLayer[Any, Any]:
        return layer_class(
            Wx=Parameter.normal(rng, (size, gates * H), size**-0.5, dtype),
            Wh=Parameter.normal(rng, (H, gates * H), H**-0.5, dtype),
            b=Parameter.zeros((gates * H,), dtype),
        )

    def both(size: int) -> RecurrentLayer[Any, Any]:
        return TimeBidirectional(one(size, hidden_size // 2), one(size, hidden_size // 2))

    sizes = [input_size] + [hidden_size] * (layers - 1)
    return TimeStack([both(size) if bidirectional else one(size, hidden_size) for size in sizes], dropout, each_step)


def check_settings(
    owner: str,
    sizes: Mapping[str, object],
    cell: object,
    bidirectional: object,
    dropout: object,
    rng: object,
    dtype: object,
) -> None:
    """Refuse, by name, what neither an encoder nor a decoder can be made of."""
    for name, size in sizes.items():
        check_size(owner, name, size)
    if not isinstance(cell, str) or cell not in CELLS:
        raise ValueError(f"{owner}: cell must be one of {', '.join(CELLS)}, got {described(cell)}")
    check_flag(owner, "bidirectional", bidirectional)
    check_rate(owner, "dropout", dropout)
    check_rng(owner, rng)
    check_dtype(owner, dtype)
    H = sizes["hidden_size"]
    if bidirectional and isinstance(H, int) and H % 2 != 0:
        raise ValueError(f"{owner}: hidden_size must be even if bidirectional, half for each direction, got {H}")
