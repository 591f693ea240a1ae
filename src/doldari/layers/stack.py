"""Recurrent layers in both directions, and on top of each other."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, dense, empty
from doldari.layers.dropout import TimeDropout
from doldari.layers.parameters import Parameter, prefixed
from doldari.layers.positions import at_positions, by_position


class RecurrentLayer(Protocol):
    """What `TimeLSTM`, `TimeGRU` and `TimeBidirectional` have in common; see `TimeLSTM`.

    A state is a named tuple of arrays (N, H), the hidden state h first.
    """

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""

    def state(self, h: Floats) -> Any:
        """Make a state of a hidden state (N, H), with nothing in its cell."""

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: Any = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, Any, Any]:
        """Run over xs = table[rows] -> hs, last state, cache."""

    def backward_table(self, dhs: Floats | None, cache: Any, dlast: Any = None) -> tuple[Floats, Any, Floats | None]:
        """Run `forward_table` backwards -> dtable, dfirst, dconstant."""


class TimeBidirectional:
    """Two recurrent layers, one reading from left to right and one from right to left (Schuster & Paliwal 1997).

    Their hidden states stand side by side at every position, `ahead` first, and so do their last states, each that
    of the end which its layer reached.
    """

    def __init__(self, ahead: RecurrentLayer, back: RecurrentLayer) -> None:
        self.ahead, self.back = ahead, back

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return prefixed("ahead", self.ahead.parameters()) | prefixed("back", self.back.parameters())

    def state(self, h: Floats) -> Any:
        """Make a state of a hidden state (N, H), with nothing in its cell."""
        return join_states(*map(self.ahead.state, halves(h)))

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: Any = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, Any, Any]:
        """Run both over xs = table[rows] -> hs (N, T, H), last state, cache; otherwise as `TimeLSTM`."""
        first_ahead, first_back = (None, None) if first is None else split_state(first)
        rows_back, mask_back = reverse_time(rows), None if mask is None else reverse_time(mask)
        hs_ahead, last_ahead, cache_ahead = self.ahead.forward_table(table, rows, first_ahead, mask, constant)
        hs_back, last_back, cache_back = self.back.forward_table(table, rows_back, first_back, mask_back, constant)
        hs = empty((*rows.shape, 2 * hs_ahead.shape[2]), hs_ahead.dtype)
        np.concatenate([hs_ahead, hs_back[:, ::-1]], axis=2, out=hs)
        return hs, join_states(last_ahead, last_back), (cache_ahead, cache_back)

    def backward_table(self, dhs: Floats | None, cache: Any, dlast: Any = None) -> tuple[Floats, Any, Floats | None]:
        """Run `forward_table` backwards -> dtable (R, D), dfirst, dconstant."""
        cache_ahead, cache_back = cache
        dhs_ahead, dhs_back = (None, None) if dhs is None else halves(dhs)
        dlast_ahead, dlast_back = (None, None) if dlast is None else split_state(dlast)
        dtable, dfirst_ahead, dconstant = self.ahead.backward_table(
            None if dhs_ahead is None else dense(dhs_ahead), cache_ahead, dlast_ahead
        )
        dtable_back, dfirst_back, dconstant_back = self.back.backward_table(
            None if dhs_back is None else reverse_time(dhs_back), cache_back, dlast_back
        )
        dtable += dtable_back
        if dconstant is not None and dconstant_back is not None:
            dconstant += dconstant_back
        return dtable, join_states(dfirst_ahead, dfirst_back), dconstant


def halves(array: Floats) -> tuple[Floats, Floats]:
    """Cut the last axis in two."""
    units = array.shape[-1] // 2
    return array[..., :units], array[..., units:]


def split_state(state: Any) -> tuple[Any, Any]:
    """Cut a state of both directions in two."""
    cut = [halves(array) for array in state]
    return type(state)(*(ahead for ahead, _ in cut)), type(state)(*(back for _, back in cut))


def join_states(ahead: Any, back: Any) -> Any:
    """Put the states of two directions side by side."""
    return type(ahead)(*(np.concatenate(pair, axis=1) for pair in zip(ahead, back, strict=True)))


Array = TypeVar("Array", Floats, Ids, Mask)


def reverse_time(array: Array) -> Array:
    """Turn the second axis, time, around."""
    return dense(array[:, ::-1])


class StackCache(NamedTuple):
    """What `TimeStack.backward_table` needs: each layer's cache and its input's dropout; what came in."""

    layers: list[Any]
    dropouts: list[Floats | None]
    rows: Ids
    height: int
    mask: Mask | None


class TimeStack:
    """Recurrent layers, each reading the hidden states of the one below; dropout is of every layer's input."""

    def __init__(self, layers: Sequence[RecurrentLayer], dropout: float = 0.0) -> None:
        self.layers = list(layers)
        self.dropout = TimeDropout(dropout)

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: Wx and so on of the lowest layer, 2.Wx of the next."""
        named = dict(self.layers[0].parameters())
        for number, layer in enumerate(self.layers[1:], start=2):
            named |= prefixed(str(number), layer.parameters())
        return named

    def first_states(self, hs: Sequence[Floats]) -> tuple[Any, ...]:
        """Make every layer's state of its hidden state (N, H), with nothing in their cells."""
        return tuple(layer.state(h) for layer, h in zip(self.layers, hs, strict=True))

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: Sequence[Any] | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Floats, tuple[Any, ...], StackCache]:
        """Run over xs = table[rows]: table (R, D), rows (N, T) -> the top's hs (N, T, H), last states, cache.

        first is a state for every layer, zeros if None.  mask and constant, which the lowest layer reads, are as in
        `TimeLSTM.forward`.  Without rng nothing is dropped.
        """
        lasts, caches, dropouts = [], [], []
        hs: Floats | None = None
        for number, layer in enumerate(self.layers):
            scale = None
            if rng is not None and self.dropout.rate > 0.0:
                hs, scale = self.dropout.forward(table[rows] if hs is None else hs, rng)
            layer_table, layer_rows = (table, rows) if hs is None else by_position(hs, mask)
            state = None if first is None else first[number]
            hs, last, cache = layer.forward_table(
                layer_table, layer_rows, state, mask, constant if number == 0 else None
            )
            lasts.append(last)
            caches.append(cache)
            dropouts.append(scale)
        assert hs is not None
        return hs, tuple(lasts), StackCache(caches, dropouts, rows, len(table), mask)

    def backward_table(
        self, dhs: Floats | None, cache: StackCache, dlasts: Sequence[Any] | None = None
    ) -> tuple[Floats, tuple[Any, ...], Floats | None]:
        """Run `forward_table` backwards -> dtable (R, D), every layer's dfirst, dconstant or None."""
        dfirsts: list[Any] = []
        for number in reversed(range(len(self.layers))):
            dlast = None if dlasts is None else dlasts[number]
            dtable, dfirst, dconstant = self.layers[number].backward_table(dhs, cache.layers[number], dlast)
            dfirsts.insert(0, dfirst)
            scale = cache.dropouts[number]
            if number > 0 or scale is not None:
                dhs = self.dropout.backward(at_positions(dtable, cache.rows.shape, cache.mask), scale)
        if scale is not None and dhs is not None:
            dtable = np.zeros((cache.height, dhs.shape[2]), dhs.dtype)
            kernels.scatter_rows(dtable, cache.rows, dhs)
        return dtable, tuple(dfirsts), dconstant
