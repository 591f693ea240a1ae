"""Gated recurrent unit over all time steps at once, forward and backward through time."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.recurrent import Recurrent


class GRUState(NamedTuple):
    """What a GRU carries from step to step: hidden state h (N, H)."""

    h: Floats


class GRUCache(NamedTuple):
    """What `TimeGRU.backward` needs: the inputs of `forward`, and what the kernel kept of every step."""

    table: Floats
    rows: Ids
    constant: Floats | None
    mask: Mask | None
    first: GRUState | None
    steps: Floats


class TimeGRU(Recurrent[GRUState, GRUCache]):
    """A GRU with weights Wx (C + D, 3H), Wh (H, 3H), b (3H,); gates in the order r, z, n.

    The reset gate r comes after the recurrent product, as in PyTorch; PyTorch's second bias is zero here.
    """

    def state(self, h: Floats) -> GRUState:
        """Make a state of a hidden state (N, H)."""
        return GRUState(h)

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: GRUState | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, GRUState, GRUCache]:
        """Run over xs = table[rows], with table (R, D) and rows (N, T), as `forward` does over xs.

        The input product is taken once for each row of the table, not once for each position.
        """
        N, T = rows.shape
        H = self.Wh.value.shape[0]
        dtype = self.Wh.value.dtype
        input_products, context = self.products(table, constant)
        hs, steps = empty((N, T, H), dtype), empty((N, T, 5 * kernels.cache_width(H)), dtype)
        h0 = None if first is None else first.h
        kernels.gru_forward(input_products, rows, context, self.Wh.value, mask, h0, hs, steps)
        h = hs[:, -1] if T > 0 else np.zeros((N, H), dtype) if h0 is None else h0
        return hs, GRUState(h), GRUCache(table, rows, constant, mask, first, steps)

    def backward_table(
        self, dhs: Floats | None, cache: GRUCache, dlast: GRUState | None = None
    ) -> tuple[Floats, GRUState, Floats | None]:
        """Run `forward_table` backwards: dtable (R, D), dfirst, dconstant; otherwise as `backward`."""
        table, rows, constant, mask, first, steps = cache
        h0 = None if first is None else first.h
        dh = np.array(dlast.h) if dlast is not None else np.zeros((len(rows), len(self.Wh.value)), steps.dtype)
        dproducts, dcontext = self.zeros(table, constant)
        kernels.gru_backward(dproducts, rows, dcontext, self.Wh.value, mask, h0, steps, dhs, dh, self.Wh.gradient)
        dtable, dconstant = self.products_backward(dproducts, dcontext, table, constant)
        return dtable, GRUState(dh), dconstant
