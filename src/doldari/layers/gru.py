"""Gated recurrent unit over all time steps at once, forward and backward through time."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers.gated import GatedCache, GatedLayer


class GRUState(NamedTuple):
    """What a GRU carries from step to step: hidden state h (N, H)."""

    h: Floats


class TimeGRU(GatedLayer[GRUState]):
    """A GRU with weights Wx (C + D, 3H), Wh (H, 3H), b (3H,); gates in the order r, z, n.

        hs, last, cache = gru.forward(xs)           xs (N, T, D) -> hs (N, T, H)
        dxs, dfirst, _ = gru.backward(dhs, cache)

    At every step t, with [x_r, x_z, x_n] = xs[:, t] Wx + b, [u_r, u_z, u_n] = h Wh, and then hs[:, t] = h:

        r = sigmoid(x_r + u_r);  z = sigmoid(x_z + u_z);  n = tanh(x_n + r * u_n)
        h = (1 - z) * n + z * h

    The reset gate r comes after the recurrent product, as in PyTorch; PyTorch's second bias is zero here.  The loop
    over the steps is in kernels/reference/gru.py.
    """

    GATES, KEPT = 3, 5

    def state(self, h: Floats) -> GRUState:
        """Make a state of a hidden state (N, H)."""
        return GRUState(h)

    def run(
        self,
        products: Floats,
        rows: Ids,
        context: Floats | None,
        first: GRUState | None,
        mask: Mask | None,
        hs: Floats,
        steps: Floats,
    ) -> GRUState:
        """Take the steps, each of input products[rows[:, t]] + context; write hs and steps; return the last state."""
        N, T, H = hs.shape
        h0 = None if first is None else first.h
        kernels.gru_forward(products, rows, context, self.Wh.value, mask, h0, hs, steps)
        return GRUState(hs[:, -1] if T > 0 else np.zeros((N, H), hs.dtype) if h0 is None else h0)

    def run_backward(
        self,
        dproducts: Floats,
        dcontext: Floats | None,
        cache: GatedCache[GRUState],
        dhs: Floats | None,
        dlast: GRUState | None,
    ) -> GRUState:
        """Take the steps back; add to dproducts, dcontext and the gradient of Wh; return dfirst."""
        _, rows, _, mask, first, steps = cache
        h0 = None if first is None else first.h
        Wh = self.Wh.value
        dh = np.array(dlast.h) if dlast is not None else np.zeros((len(rows), len(Wh)), steps.dtype)
        kernels.gru_backward(dproducts, rows, dcontext, Wh, mask, h0, steps, dhs, dh, self.Wh.gradient)
        return GRUState(dh)
