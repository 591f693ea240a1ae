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
    """What `TimeLSTM.backward` needs: the inputs of `forward`, and what the kernel kept of every step."""

    table: Floats
    rows: Ids
    constant: Floats | None
    mask: Mask | None
    first: LSTMState | None
    steps: Floats


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
        input_products, context = self.products(table, constant)
        hs, c = empty((N, T, H), dtype), np.empty((N, H), dtype)
        steps = empty((N, T, 6 * kernels.cache_width(H)), dtype)
        h0, c0 = (None, None) if first is None else first
        kernels.lstm_forward(input_products, rows, context, self.Wh.value, mask, h0, c0, hs, c, steps)
        h = hs[:, -1] if T > 0 else np.zeros((N, H), dtype) if h0 is None else h0
        return hs, LSTMState(h, c), LSTMCache(table, rows, constant, mask, first, steps)

    def backward_table(
        self, dhs: Floats | None, cache: LSTMCache, dlast: LSTMState | None = None
    ) -> tuple[Floats, LSTMState, Floats | None]:
        """Run `forward_table` backwards: dtable (R, D), dfirst, dconstant; otherwise as `backward`."""
        table, rows, constant, mask, first, steps = cache
        h0, c0 = (None, None) if first is None else first
        dh, dc = (
            map(np.array, dlast) if dlast is not None else np.zeros((2, len(rows), len(self.Wh.value)), steps.dtype)
        )
        dproducts, dcontext = self.zeros(table, constant)
        kernels.lstm_backward(
            dproducts, rows, dcontext, self.Wh.value, mask, h0, c0, steps, dhs, dh, dc, self.Wh.gradient
        )
        dtable, dconstant = self.products_backward(dproducts, dcontext, table, constant)
        return dtable, LSTMState(dh, dc), dconstant
