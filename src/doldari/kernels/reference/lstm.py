"""The LSTM: one step, its gradient, and both over whole sequences.

The chapter's equations (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000):

    f = sigmoid(x_f + h Wh_f)       forget gate: how much of the cell stays
    g = tanh(x_g + h Wh_g)          what is new
    i = sigmoid(x_i + h Wh_i)       input gate: how much of it is let in
    o = sigmoid(x_o + h Wh_o)       output gate: how much of the cell shows
    c_next = f * c + g * i
    h_next = o * tanh(c_next)

x = [x_f, x_g, x_i, x_o] (N, 4H) is the step's input product with the bias, x Wx + b in the book; Wh is (H, 4H).
"""

from typing import NamedTuple

import numpy as np

from doldari.arrays import Floats, Ids, Mask
from doldari.kernels.reference.products import scatter_rows
from doldari.kernels.reference.recurrent import divide_cache, real_steps, sigmoid, zeros_for_none


class Gates(NamedTuple):
    """The gates of one step, each (N, H)."""

    f: Floats
    g: Floats
    i: Floats
    o: Floats


def lstm_step(x: Floats, h: Floats, c: Floats, Wh: Floats) -> tuple[Gates, Floats, Floats]:
    """Take one step: x (N, 4H), h and c (N, H) -> gates, h_next, c_next (N, H)."""
    x_f, x_g, x_i, x_o = np.split(x + h @ Wh, 4, axis=1)
    f = sigmoid(x_f)
    g = np.tanh(x_g)
    i = sigmoid(x_i)
    o = sigmoid(x_o)
    c_next = f * c + g * i
    h_next = o * np.tanh(c_next)
    return Gates(f, g, i, o), h_next, c_next


def lstm_step_backward(
    dh_next: Floats, dc_next: Floats, gates: Gates, h: Floats, c: Floats, c_next: Floats, Wh: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Go one step back: the gradients of h_next and c_next -> dx (N, 4H), dh (N, H), dc (N, H), dWh (H, 4H).

    h and c are those before the step, c_next that after it.
    """
    f, g, i, o = gates
    tanh_c = np.tanh(c_next)
    # h_next = o * tanh(c_next)
    do = dh_next * tanh_c
    dc_next = dc_next + dh_next * o * (1.0 - tanh_c**2)
    # c_next = f * c + g * i
    df = dc_next * c
    dc = dc_next * f
    dg = dc_next * i
    di = dc_next * g
    # the slopes of sigmoid and tanh, s (1 - s) and 1 - g^2
    dx_f = df * f * (1.0 - f)
    dx_g = dg * (1.0 - g**2)
    dx_i = di * i * (1.0 - i)
    dx_o = do * o * (1.0 - o)
    # x + h Wh
    dx = np.concatenate([dx_f, dx_g, dx_i, dx_o], axis=1)
    dh = dx @ Wh.T
    dWh = h.T @ dx
    return dx, dh, dc, dWh


def lstm_forward(
    table: Floats,
    rows: Ids,
    context: Floats | None,
    Wh: Floats,
    mask: Mask | None,
    h0: Floats | None,
    c0: Floats | None,
    hs: Floats,
    c: Floats,
    cache: Floats,
) -> None:
    """Take the steps one after another; the input of step t is table[rows[:, t]] + context.

    table (R, 4H), rows (N, T), context (N, 4H) or None, Wh (H, 4H), h0 and c0 (N, H) or None for zeros.
    mask (N, T) is False at padding, where h and c pass through unchanged; None means no padding.
    Writes hs (N, T, H), the last cell c (N, H), and what `lstm_backward` needs: cache (N, T, 6 * cache_width(H)).
    """
    N, T = rows.shape
    H = Wh.shape[0]
    real = real_steps(mask, N, T)
    kept = divide_cache(cache, 6, H)
    h = zeros_for_none(h0, (N, H), Wh)
    c[...] = zeros_for_none(c0, (N, H), Wh)
    for t in range(T):
        x = table[rows[:, t]] if context is None else table[rows[:, t]] + context
        gates, h_next, c_next = lstm_step(x, h, c, Wh)
        h = np.where(real[t], h_next, h)
        c[...] = np.where(real[t], c_next, c)
        hs[:, t] = h
        for array, value in zip(kept, (*gates, h, c), strict=True):
            array[t] = value


def lstm_backward(
    dtable: Floats,
    rows: Ids,
    dcontext: Floats | None,
    Wh: Floats,
    mask: Mask | None,
    h0: Floats | None,
    c0: Floats | None,
    cache: Floats,
    dhs: Floats | None,
    dh: Floats,
    dc: Floats,
    dWh: Floats,
) -> None:
    """Take the steps back, the last first (backpropagation through time, Werbos 1990).

    dhs (N, T, H) is the gradient of every step's h, or None where only the last state is used.
    dh and dc (N, H) come in as the gradient of the last state and go out as that of the first, which where h0 and c0
    are None is of no meaning.
    Adds to dtable (R, 4H), dcontext (N, 4H) if there is one, and dWh (H, 4H).  The cache is used up.
    """
    N, T = rows.shape
    H = Wh.shape[0]
    real = real_steps(mask, N, T)
    *kept_gates, hs, cs = divide_cache(cache, 6, H)
    dxs = np.empty((N, T, 4 * H), Wh.dtype)
    for t in reversed(range(T)):
        h = hs[t - 1] if t > 0 else zeros_for_none(h0, (N, H), Wh)
        c = cs[t - 1] if t > 0 else zeros_for_none(c0, (N, H), Wh)
        if dhs is not None:
            dh += dhs[:, t]
        # At padding the gradient goes past the step, as the state did: none of it goes in.
        dh_next, dc_next = np.where(real[t], dh, 0.0), np.where(real[t], dc, 0.0)
        gates = Gates(*(gate[t] for gate in kept_gates))
        dx, dh_step, dc_step, dWh_step = lstm_step_backward(dh_next, dc_next, gates, h, c, cs[t], Wh)
        dh[...] = np.where(real[t], dh_step, dh)
        dc[...] = np.where(real[t], dc_step, dc)
        dWh += dWh_step
        dxs[:, t] = dx
    scatter_rows(dtable, rows, dxs)
    if dcontext is not None:
        dcontext += dxs.sum(axis=1)
