"""Recurrent layers on top of each other."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers.arguments import described
from doldari.layers.dropout import TimeDropout
from doldari.layers.parameters import Parameter, prefixed
from doldari.layers.positions import at_positions, by_position
from doldari.layers.recurrent import RecurrentLayer


class StackCache(NamedTuple):
    """What `TimeStack.backward_table` needs: each layer's cache and its input's dropout; what came in."""

    layers: list[Any]
    dropouts: list[Floats | None]
    rows: Ids
    height: int
    mask: Mask | None


class TimeStack:
    """Recurrent layers, each reading the hidden states of the one below, with dropout of every layer's input:

        for layer in layers:
            xs, last, cache = layer.forward(dropout(xs))

    It is run in the table form alone, as models do; layers/recurrent.py says what that is.
    """

    def __init__(
        self, layers: Sequence[RecurrentLayer[Any, Any]], dropout: float = 0.0, each_step: bool = False
    ) -> None:
        for layer in layers:
            if not isinstance(layer, RecurrentLayer):
                raise TypeError(f"TimeStack: layers must be recurrent layers, got {described(layer)}")
        if len(layers) == 0:
            raise ValueError("TimeStack: layers must be at least one, got none")
        self.layers = list(layers)
        self.dropout = TimeDropout(dropout, each_step)

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
                hs, scale = self.dropout.forward(table[rows] if hs is None else hs, rng, mask)
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
