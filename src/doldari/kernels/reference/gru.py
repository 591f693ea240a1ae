"""The GRU: one step, its gradient, and both over whole sequences.

The equations are those of Cho et al. 2014, with the reset gate after the recurrent product, as in cuDNN and PyTorch:

    r = sigmoid(x_r + h Wh_r)       reset gate: how much of the past the new looks at
    z = sigmoid(x_z + h Wh_z)       update gate: how much of h stays
    u = h Wh_n
    n = tanh(x_n + r * u)           what is new
    h_next = (1 - z) * n + z * h

x = [x_r, x_z, x_n] (N, 3H) is the step's input product with the bias; Wh = [Wh_r, Wh_z, Wh_n] is (H, 3H).
"""

from typing import NamedTuple

import numpy as np

from doldari.arrays import Floats, Ids, Mask
from doldari.kernels.reference.products import scatter_rows
from doldari.kernels.reference.recurrent import divide_cache, real_steps, sigmoid, zeros_for_none


class Gates(NamedTuple):
    """The gates of one step and its u, each (N, H)."""

    r: Floats
    z: Floats
    u: Floats
    n: Floats


def gru_step(x: Floats, h: Floats, Wh: Floats) -> tuple[Gates, Floats]:
    """Take one step: x (N, 3H), h (N, H) -> gates, h_next (N, H)."""
    x_r, x_z, x_n = np.split(x, 3, axis=1)
    u_r, u_z, u = np.split(h @ Wh, 3, axis=1)
    r = sigmoid(x_r + u_r)
    z = sigmoid(x_z + u_z)
    n = np.tanh(x_n + r * u)
    h_next = (1.0 - z) * n + z * h
    return Gates(r, z, u, n), h_next


def gru_step_backward(dh_next: Floats, gates: Gates, h: Floats, Wh: Floats) -> tuple[Floats, Floats, Floats]:
    """Go one step back: the gradient of h_next -> dx (N, 3H), dh (N, H), dWh (H, 3H); h is that before the step."""
    r, z, u, n = gates
    # h_next = (1 - z) * n + z * h
    dn = dh_next * (1.0 - z)
    dz = dh_next * (h - n)
    dh = dh_next * z
    # n = tanh(x_n + r * u)
    dx_n = dn * (1.0 - n**2)
    dr = dx_n * u
    du = dx_n * r
    # the slope of the sigmoid, s (1 - s)
    dx_z = dz * z * (1.0 - z)
    dx_r = dr * r * (1.0 - r)
    # x, and h Wh, of which the last third is u
    dx = np.concatenate([dx_r, dx_z, dx_n], axis=1)
    dproduct = np.concatenate([dx_r, dx_z, du], axis=1)
    dh = dh + dproduct @ Wh.T
    dWh = h.T @ dproduct
    return dx, dh, dWh


def gru_forward(
    table: Floats,
    rows: Ids,
    context: Floats | None,
    Wh: Floats,
    mask: Mask | None,
    h0: Floats | None,
    hs: Floats,
    cache: Floats,
) -> None:
    """Take the steps one after another; the input of step t is table[rows[:, t]] + context.

    table (R, 3H), rows (N, T), context (N, 3H) or None, Wh (H, 3H), h0 (N, H) or None for zeros.
    mask (N, T) is False at padding, where h passes through unchanged; None means no padding.
    Writes hs (N, T, H), and what `gru_backward` needs: cache (N, T, 5 * cache_width(H)).
    """
    N, T = rows.shape
    H = Wh.shape[0]
    real = real_steps(mask, N, T)
    kept = divide_cache(cache, 5, H)
    h = zeros_for_none(h0, (N, H), Wh)
    for t in range(T):
        x = table[rows[:, t]] if context is None else table[rows[:, t]] + context
        gates, h_next = gru_step(x, h, Wh)
        h = np.where(real[t], h_next, h)
        hs[:, t] = h
        for array, value in zip(kept, (*gates, h), strict=True):
            array[t] = value


def gru_backward(
    dtable: Floats,
    rows: Ids,
    dcontext: Floats | None,
    Wh: Floats,
    mask: Mask | None,
    h0: Floats | None,
    cache: Floats,
    dhs: Floats | None,
    dh: Floats,
    dWh: Floats,
) -> None:
    """Take the steps back, the last first (backpropagation through time, Werbos 1990).

    dhs (N, T, H) is the gradient of every step's h, or None where only the last state is used.
    dh (N, H) comes in as the gradient of the last state and goes out as that of the first, which where h0 is None is
    of no meaning.  Adds to dtable (R, 3H), dcontext (N, 3H) if there is one, and dWh (H, 3H).  The cache is used up.
    """
    N, T = rows.shape
    H = Wh.shape[0]
    real = real_steps(mask, N, T)
    *kept_gates, hs = divide_cache(cache, 5, H)
    dxs = np.empty((N, T, 3 * H), Wh.dtype)
    for t in reversed(range(T)):
        h = hs[t - 1] if t > 0 else zeros_for_none(h0, (N, H), Wh)
        if dhs is not None:
            dh += dhs[:, t]
        # At padding the gradient goes past the step, as the state did: none of it goes in.
        dh_next = np.where(real[t], dh, 0.0)
        gates = Gates(*(gate[t] for gate in kept_gates))
        dx, dh_step, dWh_step = gru_step_backward(dh_next, gates, h, Wh)
        dh[...] = np.where(real[t], dh_step, dh)
        dWh += dWh_step
        dxs[:, t] = dx
    scatter_rows(dtable, rows, dxs)
    if dcontext is not None:
        dcontext += dxs.sum(axis=1)
