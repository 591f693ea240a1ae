"""Long short-term memory over all time steps at once, forward and backward through time."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers.gated import GatedCache, GatedLayer


class LSTMState(NamedTuple):
    """What an LSTM carries from step to step: hidden state h and cell c, both (N, H)."""

    h: Floats
    c: Floats


class TimeLSTM(GatedLayer[LSTMState]):
    """An LSTM with weights Wx (C + D, 4H), Wh (H, 4H), b (4H,); gates in the order f, g, i, o.

        hs, last, cache = lstm.forward(xs)          xs (N, T, D) -> hs (N, T, H)
        dxs, dfirst, _ = lstm.backward(dhs, cache)

    At every step t, with x = xs[:, t] and then hs[:, t] = h:

        [f, g, i, o] = x Wx + h Wh + b, through a sigmoid, and g through a tanh
        c = f * c + g * i
        h = o * tanh(c)

    x Wx + b is taken here, for all steps together; the loop over the steps is in kernels/reference/lstm.py.
    """

    GATES, KEPT = 4, 6

    def state(self, h: Floats) -> LSTMState:
        """Make a state of a hidden state (N, H), with an empty cell."""
        return LSTMState(h, np.zeros_like(h))

    def run(
        self,
        products: Floats,
        rows: Ids,
        context: Floats | None,
        first: LSTMState | None,
        mask: Mask | None,
        hs: Floats,
        steps: Floats,
    ) -> LSTMState:
        """Take the steps, each of input products[rows[:, t]] + context; write hs and steps; return the last state."""
        N, T, H = hs.shape
        h0, c0 = (None, None) if first is None else first
        c = np.empty((N, H), hs.dtype)
        kernels.lstm_forward(products, rows, context, self.Wh.value, mask, h0, c0, hs, c, steps)
        h = hs[:, -1] if T > 0 else np.zeros((N, H), hs.dtype) if h0 is None else h0
        return LSTMState(h, c)

    def run_backward(
        self,
        dproducts: Floats,
        dcontext: Floats | None,
        cache: GatedCache[LSTMState],
        dhs: Floats | None,
        dlast: LSTMState | None,
    ) -> LSTMState:
        """Take the steps back; add to dproducts, dcontext and the gradient of Wh; return dfirst."""
        _, rows, _, mask, first, steps = cache
        h0, c0 = (None, None) if first is None else first
        Wh = self.Wh.value
        dh, dc = map(np.array, dlast) if dlast is not None else np.zeros((2, len(rows), len(Wh)), steps.dtype)
        kernels.lstm_backward(dproducts, rows, dcontext, Wh, mask, h0, c0, steps, dhs, dh, dc, self.Wh.gradient)
        return LSTMState(dh, dc)
