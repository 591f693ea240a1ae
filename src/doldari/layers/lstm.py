"""Long short-term memory over all time steps at once, forward and backward through time."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.parameters import Parameter


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


class TimeLSTM:
    """An LSTM with weights Wx (C + D, 4H), Wh (H, 4H), b (4H,); gates in the order f, g, i, o.

    The input of a step is [constant, x]: a vector of size C that is the same at every step (what a peeky decoder
    looks at; none and C = 0 otherwise), and the step's own of size D.
    """

    def __init__(self, Wx: Parameter, Wh: Parameter, b: Parameter) -> None:
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return {"Wx": self.Wx, "Wh": self.Wh, "b": self.b}

    def forward(
        self,
        xs: Floats,
        first: LSTMState | None = None,
        mask: Mask | None = None,
        constant: Floats | None = None,
    ) -> tuple[Floats, LSTMState, LSTMCache]:
        """Run over time.  xs (N, T, D), first state (zeros if None) -> hs (N, T, H), last state, cache.

        mask (N, T) is False at padding, through which the state passes unchanged.  constant is (N, C).
        """
        N, T, D = xs.shape
        rows = np.arange(N * T, dtype=np.int32).reshape(N, T)
        return self.forward_table(xs.reshape(N * T, D), rows, first, mask, constant)

    def backward(
        self, dhs: Floats | None, cache: LSTMCache, dlast: LSTMState | None = None
    ) -> tuple[Floats, LSTMState, Floats | None]:
        """Add to the gradients of the weights; return dxs (N, T, D), dfirst, dconstant (N, C) or None.

        Once only for each `forward`: the cache's gates are written over.
        dhs (N, T, H) and dlast are the gradients of what `forward` gave; None stands for zeros.
        """
        N, T = cache.rows.shape
        dtable, dfirst, dconstant = self.backward_table(dhs, cache, dlast)
        return dtable.reshape(N, T, dtable.shape[1]), dfirst, dconstant

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

    def products(self, table: Floats, constant: Floats | None) -> tuple[Floats, Floats | None]:
        """Take the input products of table (R, D), with the bias, (R, 4H), and of constant (N, C), (N, 4H)."""
        Wx = self.Wx.value
        C = Wx.shape[0] - table.shape[1]
        context = None if constant is None else kernels.product(constant, Wx[:C])
        return kernels.product(table, Wx[C:], self.b.value), context

    def backward_table(
        self, dhs: Floats | None, cache: LSTMCache, dlast: LSTMState | None = None
    ) -> tuple[Floats, LSTMState, Floats | None]:
        """Run `forward_table` backwards: dtable (R, D), dfirst, dconstant; otherwise as `backward`."""
        table, rows, constant, mask, first, gates, hs, cs = cache
        Wx, dWx = self.Wx.value, self.Wx.gradient
        R, D = table.shape
        C = Wx.shape[0] - D
        dh, dc = (np.zeros_like(first.h), np.zeros_like(first.c)) if dlast is None else map(np.array, dlast)
        dgates = gates  # whose memory is still in the caches, and which nobody reads again
        dproducts = np.zeros((R, gates.shape[2]), gates.dtype)
        dcontext = None if constant is None else np.zeros((len(constant), gates.shape[2]), gates.dtype)
        kernels.lstm_backward(
            dproducts, rows, dcontext, self.Wh.value, mask, first.h, first.c, gates, hs, cs, dhs, dh, dc, dgates,
            self.Wh.gradient,
        )  # fmt: skip
        kernels.add_product(table.T, dproducts, dWx[C:])
        self.b.gradient += dproducts.sum(axis=0)
        dconstant = None
        if constant is not None and dcontext is not None:
            kernels.add_product(constant.T, dcontext, dWx[:C])
            dconstant = kernels.product(dcontext, Wx[:C].T)
        return kernels.product(dproducts, Wx[C:].T), LSTMState(dh, dc), dconstant
