"""The LSTM over whole sequences, forward, backward and writing greedily."""

import numpy as np

from doldari.arrays import Floats, Ids, Mask, empty
from doldari.kernels.reference.attention import attend
from doldari.kernels.reference.cache import cache_width, zeros_for_none
from doldari.kernels.reference.products import scatter_rows


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
    """Run an LSTM over time (Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000).

        a = table[rows[:, t]] + context + h Wh
        f, i, o = sigmoid(a_f), sigmoid(a_i), sigmoid(a_o);  g = tanh(a_g)
        c = f * c + i * g;  h = o * tanh(c)

    table (R, 4H), rows (N, T), context (N, 4H) or None, Wh (H, 4H), h0 and c0 (N, H) or None for zeros.
    mask (N, T) is False at padding, where h and c pass through unchanged; None means no padding.
    Writes hs (N, T, H), the last cell c (N, H), and what `lstm_backward` needs: cache (N, T, 6 * cache_width(H)).
    """
    N, T = rows.shape
    H = Wh.shape[0]
    gates, cs, hs_kept = lstm_cache(cache, H)
    # One sigmoid serves all four gates: tanh(x) = 2 sigmoid(2x) - 1.  The factors make it 1 / (1 + exp(factor x)).
    factor = np.full(4 * H, -1.0, Wh.dtype)
    factor[H : 2 * H] = -2.0
    np.take(table * factor, rows, axis=0, out=gates, mode="clip")
    if context is not None:
        gates += (context * factor)[:, None]
    Wh = Wh * factor
    a = empty((N, 4 * H), Wh.dtype)
    f, g, i, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
    h, c_here = zeros_for_none(h0, (N, H), Wh), zeros_for_none(c0, (N, H), Wh)
    for t in range(T):
        np.matmul(h, Wh, out=a)
        a += gates[:, t]
        with np.errstate(over="ignore"):  # 1 / (1 + inf) is the 0 that is meant
            np.exp(a, out=a)
        a += 1.0
        np.reciprocal(a, out=a)
        g *= 2.0
        g -= 1.0
        c_next = f * c_here
        c_next += i * g
        h_next = np.tanh(c_next)
        h_next *= o
        if mask is not None:
            padding = ~mask[:, t]
            c_next[padding] = c_here[padding]
            h_next[padding] = h[padding]
        h, c_here = h_next, c_next
        gates[:, t], hs[:, t], hs_kept[:, t], cs[:, t] = a, h, h, c_here
    c[...] = c_here


def lstm_cache(cache: Floats, H: int) -> tuple[Floats, Floats, Floats]:
    """Divide it into the activated gates (N, T, 4H), of no meaning at padding, and the cells and hs (N, T, H)."""
    return cache[..., : 4 * H], cache[..., 4 * H : 5 * H], cache[..., 5 * H : 6 * H]


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
    """Run `lstm_forward` backwards (backpropagation through time, Werbos 1990).

    dhs (N, T, H) is the gradient of every step's h, or None where only the last state is used.
    dh and dc (N, H) come in as the gradient of the last state and go out as that of the first, which where h0 and c0
    are None is of no meaning.
    Adds to dtable (R, 4H), dcontext (N, 4H) if there is one, and dWh (H, 4H).  The cache is used up.
    """
    N, T = rows.shape
    H = Wh.shape[0]
    gates, cs, hs = lstm_cache(cache, H)
    h0, c0 = zeros_for_none(h0, (N, H), Wh), zeros_for_none(c0, (N, H), Wh)
    dgates = gates  # each step's takes the place of what was read for it
    WhT = np.ascontiguousarray(Wh.T)  # the products below take two thirds of the time with it
    da = empty((N, 4 * H), Wh.dtype)
    for t in reversed(range(T)):
        a = gates[:, t]
        f, g, i, o = a[:, :H], a[:, H : 2 * H], a[:, 2 * H : 3 * H], a[:, 3 * H :]
        c_previous = cs[:, t - 1] if t > 0 else c0
        tanh_c = np.tanh(cs[:, t])
        if dhs is not None:
            dh += dhs[:, t]

        dc_here = tanh_c * tanh_c  # dc + dh o (1 - tanh(c)^2)
        np.subtract(1.0, dc_here, out=dc_here)
        dc_here *= o
        dc_here *= dh
        dc_here += dc

        np.subtract(1.0, a, out=da)  # the slopes: s (1 - s) of a sigmoid, 1 - g^2 of the tanh
        da[:, H : 2 * H] += g * da[:, H : 2 * H]
        da[:, :H] *= f
        da[:, 2 * H :] *= a[:, 2 * H :]
        da[:, :H] *= dc_here
        da[:, :H] *= c_previous
        da[:, H : 2 * H] *= dc_here
        da[:, H : 2 * H] *= i
        da[:, 2 * H : 3 * H] *= dc_here
        da[:, 2 * H : 3 * H] *= g
        da[:, 3 * H :] *= dh
        da[:, 3 * H :] *= tanh_c

        if mask is None:
            np.multiply(dc_here, f, out=dc)
            np.matmul(da, WhT, out=dh)
        else:
            real = mask[:, t]
            da[~real] = 0.0
            dc[real] = (dc_here * f)[real]
            dh[real] = (da @ WhT)[real]
        dgates[:, t] = da
    hs_previous = empty((N, T, H), Wh.dtype)
    hs_previous[:, :1], hs_previous[:, 1:] = h0[:, None], hs[:, :-1]
    dWh += hs_previous.reshape(N * T, H).T @ dgates.reshape(N * T, 4 * H)
    scatter_rows(dtable, rows, dgates)
    if dcontext is not None:
        dcontext += dgates.sum(axis=1)


def lstm_greedy(
    table: Floats,
    context: Floats | None,
    Wh: Floats,
    keys: Floats | None,
    values: Floats | None,
    mask: Mask | None,
    Wq: Floats | None,
    bq: Floats | None,
    W: Floats,
    bias: Floats,
    h0: Floats,
    c0: Floats,
    start_id: int,
    pad_id: int | None,
    answers: Ids,
) -> None:
    """Let an LSTM decoder write, at each step the id with the highest score (the lowest such id on a tie).

    table (V, 4H) holds the input product of every id; context, Wh, h0, c0 are as in `lstm_forward`; a step's
    scores are h W + bias, with W (H, V) and bias (N, V).  With attention, keys (N, S, H), values (N, S, M) and mask
    (N, S), each row's its own as in `attend`, they are tanh(found + h Wq + bq) W + bias, where found (N, M) is what h
    finds there, Wq (H, M), bq (M,) and W (M, V).  The first id read is start_id.
    Writes answers (N, T).  An answer ends at its first pad_id, and padding follows; with None it never ends.
    """
    N, T = answers.shape
    H = Wh.shape[0]
    cache = empty((N, 1, 6 * cache_width(H)), Wh.dtype)
    h, c = h0, c0
    ids = np.full(N, start_id, np.int32)
    ended = np.zeros(N, np.bool_)
    for t in range(T):
        hs, c_next = np.empty((N, 1, H), Wh.dtype), np.empty((N, H), Wh.dtype)
        lstm_forward(table, ids[:, None], context, Wh, None, h, c, hs, c_next, cache)
        h, c = hs[:, 0], c_next
        features = h
        if keys is not None and values is not None and Wq is not None and bq is not None:
            weights, features = empty(keys.shape[:2], Wh.dtype), empty((N, values.shape[2]), Wh.dtype)
            attend(keys, values, mask, h, np.arange(N, dtype=np.int32), weights, features)
            features = np.tanh(features + h @ Wq + bq)
        ids = (features @ W + bias).argmax(axis=1).astype(np.int32)
        if pad_id is not None:
            ids[ended] = pad_id
            ended |= ids == pad_id
        answers[:, t] = ids
        if ended.all():
            answers[:, t:] = ids[:, None]
            break
