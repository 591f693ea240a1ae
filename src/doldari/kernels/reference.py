"""The hot loops in NumPy: the definition that every other implementation is checked against.

Arrays are allocated by the caller and written in place; nothing here keeps state.  Shapes: N batch, T time,
H hidden size, R rows of the input table, V vocabulary.  Gates stand side by side: an LSTM's in the order f, g, i, o,
a GRU's in the order r, z, n.

The input at a position is a row of a table of ready input products, `table[rows[n, t]]`.  With ids over
a small vocabulary the table has a row for each symbol; with arbitrary vectors it has a row for each position.

What a forward leaves for its backward is in one array, the cache, made as wide as `cache_width(H)` numbers for each
vector that is kept of a position.  How it lies there is each implementation's own business.
"""

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids, Mask, empty

__all__ = [
    "adam",
    "add_product",
    "affine",
    "attend",
    "attend_backward",
    "clip_gradients",
    "get_num_threads",
    "gru_backward",
    "gru_forward",
    "likeliest",
    "lstm_backward",
    "lstm_forward",
    "lstm_greedy",
    "scatter_rows",
    "set_num_threads",
    "softmax_loss",
    "work_alone",
]


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


def zeros_for_none(state: Floats | None, shape: tuple[int, int], like: Floats) -> Floats:
    """Make of None the zeros that it stands for."""
    return np.zeros(shape, like.dtype) if state is None else state


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
    scores are h W + bias, with W (H, V) and bias (N, V).  The first id read is start_id.
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
        ids = (h @ W + bias).argmax(axis=1).astype(np.int32)
        if pad_id is not None:
            ids[ended] = pad_id
            ended |= ids == pad_id
        answers[:, t] = ids
        if ended.all():
            answers[:, t:] = ids[:, None]
            break


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


def attend(
    keys: Floats,
    values: Floats,
    mask: Mask | None,
    queries: Floats,
    rows: Ids,
    weights: Floats,
    contexts: Floats,
) -> None:
    """Look for queries (P, H) among keys, and average the values found (Luong et al. 2015, equations 7 and 8).

        weights[p] = softmax over s of queries[p] keys[rows[p], s]
        contexts[p] = sum over s of weights[p, s] values[rows[p], s]

    keys (Q, S, H), values (Q, S, M), rows (P,).  mask (Q, S) is False at padding, which gets a weight of exactly 0;
    None means no padding.  Where all is padding the context is 0.  Writes weights (P, S) and contexts (P, M).
    """
    np.matmul(queries[:, None], keys[rows].swapaxes(1, 2), out=weights[:, None])
    if mask is not None:
        np.copyto(weights, -np.inf, where=~mask[rows])
    finite = np.finfo(weights.dtype)  # for rows of nothing but padding: all of their weights are 0
    weights -= weights.max(axis=1, keepdims=True, initial=finite.min)
    np.exp(weights, out=weights)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), finite.tiny)
    np.matmul(weights[:, None], values[rows], out=contexts[:, None])


def attend_backward(
    keys: Floats,
    values: Floats,
    mask: Mask | None,
    queries: Floats,
    rows: Ids,
    weights: Floats,
    dcontexts: Floats,
    dqueries: Floats,
    dkeys: Floats,
    dvalues: Floats,
) -> None:
    """Run `attend` backwards: weights (P, S) are those that it wrote, dcontexts (P, M).

    Writes dqueries (P, H), dkeys (Q, S, H), and dvalues (Q, S, M), 0 at padding.
    """
    dscores = np.matmul(dcontexts[:, None], values[rows].swapaxes(1, 2))[:, 0]
    dscores -= (dscores * weights).sum(axis=1, keepdims=True)
    dscores *= weights
    np.matmul(dscores[:, None], keys[rows], out=dqueries[:, None])
    dkeys[...], dvalues[...] = 0.0, 0.0
    np.add.at(dkeys, rows, dscores[:, :, None] * queries[:, None])
    np.add.at(dvalues, rows, weights[:, :, None] * dcontexts[:, None])


def add_product(a: Floats, b: Floats, out: Floats) -> None:
    """Add the matrix product a b to out: a (M, K) and b (K, N) with any strides, out (M, N)."""
    out += a @ b


def affine(a: Floats, b: Floats, bias: Floats | None, out: Floats) -> None:
    """Write a b + bias to out: a (M, K) and b (K, N) with any strides, bias (N,) or None for zeros, out (M, N)."""
    np.matmul(a, b, out=out)
    if bias is not None:
        out += bias


def scatter_rows(dtable: Floats, rows: Ids, dxs: Floats) -> None:
    """Add the gradient at every position to the row of the table that was read there.

    rows (N, T), dxs (N, T, K); adds to dtable (R, K).
    """
    R, K = dtable.shape
    flat_rows, flat_dxs = rows.ravel(), dxs.reshape(rows.size, K)
    if R <= 256:  # one product, faster than sorting
        dtable += (np.arange(R)[:, None] == flat_rows).astype(dtable.dtype) @ flat_dxs
    elif flat_rows.size > 0:
        order = np.argsort(flat_rows, kind="stable")
        ordered = flat_rows[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=-1))
        dtable[ordered[starts]] += np.add.reduceat(flat_dxs[order], starts, axis=0)


def softmax_loss(scores: Floats, targets: Ids, mask: Mask | None, smoothing: float, dscores: Floats) -> float:
    """Softmax and cross-entropy with label smoothing, the mean over the positions that count.

    scores (N, T, V), targets (N, T); mask (N, T) is False where a position does not count.  Of the probability asked
    for the target gets 1 - smoothing, and all V ids share the rest.
    Writes dscores (N, T, V), the gradient of the mean: (softmax - asked for) / positions, exactly 0 where masked.
    Returns the mean loss in nats, 0 where nothing counts.
    """
    N, T, V = scores.shape
    n, t = np.ogrid[:N, :T]
    positions = max(targets.size if mask is None else int(mask.sum()), 1)
    np.subtract(scores, scores.max(axis=2, keepdims=True), out=dscores)
    asked = dscores[n, t, targets]
    if smoothing > 0.0:
        asked = (1 - smoothing) * asked + smoothing * dscores.mean(axis=2)
    np.exp(dscores, out=dscores)
    total = dscores.sum(axis=2)
    loss = np.log(total) - asked
    dscores /= total[:, :, None]
    dscores -= smoothing / V
    dscores[n, t, targets] -= 1 - smoothing
    dscores /= positions
    if mask is not None:
        loss[~mask] = 0.0
        dscores[~mask] = 0.0
    return float(loss.sum(dtype=np.float64)) / positions


def likeliest(scores: Floats, allowed: Mask | None, ids: Ids, logs: NDArray[np.float64]) -> None:
    """Find the K ids of the highest scores, among those allowed, and their log-probabilities.

    scores (N, V); allowed (N, V), or None where all are; the probabilities are those of a softmax over all of them.
    Writes ids and logs (N, K), the best first, of equals the lowest id; where there are not so many, -inf and any id.
    """
    K, V = ids.shape[1], scores.shape[1]
    all_logs = scores.astype(np.float64)
    all_logs -= all_logs.max(axis=1, keepdims=True, initial=-np.inf)
    all_logs -= np.log(np.exp(all_logs).sum(axis=1, keepdims=True))
    if allowed is not None:
        all_logs[~allowed] = -np.inf
    best = np.argsort(-all_logs, axis=1, kind="stable")[:, :K]
    ids[...], logs[...] = 0, -np.inf
    ids[:, :V], logs[:, :V] = best, np.take_along_axis(all_logs, best, axis=1)


def adam(
    values: Floats,
    gradients: Floats,
    m: Floats,
    v: Floats,
    learning_rate: float,
    beta1: float,
    beta2: float,
    eps: float,
    step: int,
    max_grad: float | None,
) -> float:
    """Clip the gradient to norm `max_grad` (Pascanu et al. 2013) and take one Adam step, number `step` >= 1.

    Kingma & Ba 2015, Algorithm 1.  values, gradients, m and v are flat and of one length; values, m and v are
    updated, gradients are scaled.  Returns the gradient's norm before clipping.
    """
    norm = clip_gradients(gradients, max_grad)
    scratch = gradients * (1 - beta1)
    m *= beta1
    m += scratch
    np.multiply(gradients, gradients, out=scratch)
    scratch *= 1 - beta2
    v *= beta2
    v += scratch
    np.divide(v, 1 - beta2**step, out=scratch)
    np.sqrt(scratch, out=scratch)
    scratch += eps
    np.divide(m, scratch, out=scratch)
    scratch *= learning_rate / (1 - beta1**step)
    values -= scratch
    return norm


def clip_gradients(gradients: Floats, max_grad: float | None) -> float:
    """Scale the flat gradient, in place, to a norm of at most `max_grad`; return the norm it had."""
    norm = float(np.sqrt(np.dot(gradients, gradients)))
    if max_grad is not None and norm > max_grad:
        gradients *= max_grad / norm
    return norm


def cache_width(H: int) -> int:
    """Round H up to a multiple of 32, so that a cache has room for whole panels of any native kernel."""
    return -(-H // 32) * 32


def set_num_threads(threads: int) -> None:
    """Do nothing but check: the threads of these kernels are those of NumPy's BLAS."""
    if threads < 1:
        raise ValueError(f"threads={threads}: expected at least 1")


def get_num_threads() -> int:
    """Return 1: the reference starts no threads of its own."""
    return 1


def work_alone() -> None:
    """Let the kernels share out nothing, from now on, of what the calling thread asks for: it is one of several."""
