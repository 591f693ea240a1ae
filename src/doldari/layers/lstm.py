"""Long short-term memory over all time steps at once, forward and backward through time."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.recurrent import Recurrent


class LSTMState(NamedTuple):
    """What an LSTM carries from step to step: hidden state h and cell c, both (N, H)."""

    h: Floats
    c: Floats


class LSTMCache(NamedTuple):
    """What `TimeLSTM.backward` needs: the inputs of `forward`, and every step's gates, hidden states and cells."""

    table: Floats
    rows: Ids
    constant: Floats | None
    mask: Mask | None
    first: LSTMState
    gates: Floats
    hs: Floats
    cs: Floats


class TimeLSTM(Recurrent[LSTMState, LSTMCache]):
    """An LSTM with weights Wx (C + D, 4H), Wh (H, 4H), b (4H,); gates in the order f, g, i, o."""

    def state(self, h: Floats) -> LSTMState:
        """Make a state of a hidden state (N, H), with an empty cell."""
        return LSTMState(h, np.zeros_like(h))

    def forward_table(
        self,
        table: Floats,
        rows: Ids,
        first: LSTMState | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, LSTMState, LSTMCache]:
        """Run over xs = table[rows], with table (R, D) and rows (N, T), as `forward` does over xs.

        The input product is taken once for each row of the table, not once for each position.
        """
        N, T = rows.shape
        H = self.Wh.value.shape[0]
        dtype = self.Wh.value.dtype
        if first is None:
            first = LSTMState(np.zeros((N, H), dtype), np.zeros((N, H), dtype))
        input_products, context = self.products(table, constant)
        gates = empty((N, T, 4 * H), dtype)
        hs, cs = empty((N, T, H), dtype), empty((N, T, H), dtype)
        kernels.lstm_forward(input_products, rows, context, self.Wh.value, mask, first.h, first.c, gates, hs, cs)
        last = LSTMState(hs[:, -1], cs[:, -1]) if T > 0 else first
        return hs, last, LSTMCache(table, rows, constant, mask, first, gates, hs, cs)

    def backward_table(
        self, dhs: Floats | None, cache: LSTMCache, dlast: LSTMState | None = None
    ) -> tuple[Floats, LSTMState, Floats | None]:
        """Run `forward_table` backwards: dtable (R, D), dfirst, dconstant; otherwise as `backward`."""
        table, rows, constant, mask, first, gates, hs, cs = cache
        dh, dc = (np.zeros_like(first.h), np.zeros_like(first.c)) if dlast is None else map(np.array, dlast)
        dgates = gates  # whose memory is still in the caches, and which nobody reads again
        dproducts, dcontext = self.zeros(table, constant)
        kernels.lstm_backward(
            dproducts, rows, dcontext, self.Wh.value, mask, first.h, first.c, gates, hs, cs, dhs, dh, dc, dgates,
            self.Wh.gradient,
        )  # fmt: skip
        dtable, dconstant = self.products_backward(dproducts, dcontext, table, constant)
        return dtable, LSTMState(dh, dc), dconstant
