"""The GRU over whole sequences, forward and backward."""

import numpy as np

from doldari.arrays import Floats, Ids, Mask
from doldari.kernels.reference.cache import zeros_for_none
from doldari.kernels.reference.products import scatter_rows


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
    """Run a GRU over time (Cho et al. 2014), with the reset gate after the recurrent product, as cuDNN and PyTorch.

        x = table[rows[:, t]] + context
        r, z = sigmoid(x_r + h Ur), sigmoid(x_z + h Uz)
        u = h Un;  n = tanh(x_n + r * u)
        h = (1 - z) * n + z * h

    table (R, 3H), rows (N, T), context (N, 3H) or None, Wh = [Ur, Uz, Un] (H, 3H), h0 (N, H) or None for zeros.
    mask (N, T) is False at padding, where h passes through unchanged; None means no padding.
    Writes hs (N, T, H), and what `gru_backward` needs: cache (N, T, 5 * cache_width(H)).
    """
    N, T = rows.shape
    H = Wh.shape[0]
    gates, hs_kept = gru_cache(cache, H)
    h = zeros_for_none(h0, (N, H), Wh)
    for t in range(T):
        x = table[rows[:, t]]
        if context is not None:
            x += context
        r, z, u, n = np.split(gates[:, t], 4, axis=1)
        products = h @ Wh
        u[:] = products[:, 2 * H :]
        with np.errstate(over="ignore"):  # 1 / (1 + inf) is the 0 that is meant
            gates[:, t, : 2 * H] = 1.0 / (1.0 + np.exp(-(x + products)[:, : 2 * H]))
        np.tanh(x[:, 2 * H :] + r * u, out=n)
        h_next = n + z * (h - n)
        if mask is not None:
            padding = ~mask[:, t]
            h_next[padding] = h[padding]
        hs[:, t] = hs_kept[:, t] = h = h_next


def gru_cache(cache: Floats, H: int) -> tuple[Floats, Floats]:
    """Divide it into r, z, u and n (N, T, 4H), of no meaning at padding, and hs (N, T, H)."""
    return cache[..., : 4 * H], cache[..., 4 * H : 5 * H]


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
    """Run `gru_forward` backwards (backpropagation through time, Werbos 1990).

    dhs (N, T, H) is the gradient of every step's h, or None where only the last state is used.
    dh (N, H) comes in as the gradient of the last state and goes out as that of the first, which where h0 is None is
    of no meaning.  Adds to dtable (R, 3H), dcontext (N, 3H) if there is one, and dWh (H, 3H).  The cache is used up.
    """
    N, T = rows.shape
    H = Wh.shape[0]
    gates, hs = gru_cache(cache, H)
    h0 = zeros_for_none(h0, (N, H), Wh)
    dgates = gates  # of r, z and n before activation, and of u, in the order r, z, u, n
    WhT = np.ascontiguousarray(Wh.T)
    for t in reversed(range(T)):
        r, z, u, n = np.split(gates[:, t], 4, axis=1)
        h_previous = hs[:, t - 1] if t > 0 else h0
        if dhs is not None:
            dh += dhs[:, t]
        da_n = dh * (1.0 - z) * (1.0 - n * n)
        da_z = dh * (h_previous - n) * z * (1.0 - z)
        da = np.concatenate([da_n * u * r * (1.0 - r), da_z, da_n * r, da_n], axis=1)
        dh_next = dh * z + da[:, : 3 * H] @ WhT
        if mask is not None:
            padding = ~mask[:, t]
            da[padding] = 0.0
            dh_next[padding] = dh[padding]
        dh[:], dgates[:, t] = dh_next, da
        dWh += h_previous.T @ da[:, : 3 * H]
    dinputs = dgates[:, :, [*range(2 * H), *range(3 * H, 4 * H)]]
    scatter_rows(dtable, rows, dinputs)
    if dcontext is not None:
        dcontext += dinputs.sum(axis=1)
