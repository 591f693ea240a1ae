"""Attention with several heads, and the rotation that tells it positions; forward and backward."""

import numpy as np

from doldari.arrays import Floats, Ids, Mask


def rotate(xs: Floats, cosines: Floats, sines: Floats, rows: Ids, backwards: bool, ys: Floats) -> None:
    """Turn every vector by the angles of its position (Su et al. 2021, equation 34).

    A vector's D numbers are as many heads, of E numbers each; the i-th and the (i + E/2)-th of a head are a pair:

        y_i = x_i cos - x_(i + E/2) sin;  y_(i + E/2) = x_i sin + x_(i + E/2) cos

    xs (P, D); cosines and sines (R, E/2), of which vector p takes row rows[p].  Backwards turns the other way, as
    gradients do.  Writes ys (P, D), which may be xs.
    """
    P, D = xs.shape
    half = cosines.shape[1]
    cos, sin = cosines[rows][:, None], (-sines if backwards else sines)[rows][:, None]
    pairs, turned = (array.reshape(P, D // (2 * half), 2, half) for array in (xs, ys))
    first, second = pairs[:, :, 0], pairs[:, :, 1]
    turned[:, :, 0], turned[:, :, 1] = first * cos - second * sin, first * sin + second * cos


def attend_heads(
    queries: Floats,
    keys: Floats,
    values: Floats,
    mask: Mask | None,
    rows: Ids | None,
    asking: Mask | None,
    causal: bool,
    weights: Floats,
    contexts: Floats,
) -> None:
    """Look for every head's queries among its keys, and average its values (Vaswani et al. 2017, section 3.2).

        weights = softmax over s of query key_s / sqrt(E);  context = sum over s of weights_s value_s

    queries (N, T, D), keys and values (Q, S, D), D the heads' E numbers side by side; the rows of keys and of values
    may lie any distance apart.  mask (Q, S) is False at
    padding, which gets a weight of exactly 0; asking (N, T) is False at queries that are padding, which see nothing;
    causal: query t sees no key behind S - T + t.  Row n looks at memory rows[n], or, where rows is None, at its own.
    Where nothing is seen the context is 0.  Writes weights (N, heads, T, S) and contexts (N, T, D).
    """
    if rows is not None:
        keys, values, mask = keys[rows], values[rows], None if mask is None else mask[rows]
    heads, T, S = weights.shape[1:]
    q, k, v, c = (by_head(array, heads) for array in (queries, keys, values, contexts))
    scores = q @ k.swapaxes(2, 3)
    scores *= q.shape[3] ** -0.5
    if mask is not None:
        scores = np.where(mask[:, None, None], scores, -np.inf)
    if asking is not None:
        scores = np.where(asking[:, None, :, None], scores, -np.inf)
    if causal and T > 1:
        scores = np.where(np.tri(T, S, S - T, dtype=np.bool_), scores, -np.inf)
    number = np.finfo(scores.dtype)  # its least and its smallest stand in where nothing is seen: e / sum is then 0
    e = np.exp(scores - scores.max(axis=3, keepdims=True, initial=number.min))
    weights[...] = e / np.maximum(e.sum(axis=3, keepdims=True), number.tiny)
    c[...] = weights @ v


def attend_heads_backward(
    queries: Floats,
    keys: Floats,
    values: Floats,
    weights: Floats,
    dcontexts: Floats,
    dqueries: Floats,
    dkeys: Floats,
    dvalues: Floats,
) -> None:
    """Run `attend_heads`, with rows None, backwards: weights are those that it wrote, dcontexts (N, T, D).

    Writes dqueries (N, T, D), dkeys and dvalues (N, S, D), 0 at padding.
    """
    heads = weights.shape[1]
    q, k, v, dc = (by_head(array, heads) for array in (queries, keys, values, dcontexts))
    dq, dk, dv = (by_head(array, heads) for array in (dqueries, dkeys, dvalues))
    dweights = dc @ v.swapaxes(2, 3)
    # the softmax: dscores_s = weight_s (dweight_s - sum of all weight dweight)
    dscores = weights * (dweights - (weights * dweights).sum(axis=3, keepdims=True))
    dscores *= q.shape[3] ** -0.5
    dq[...], dk[...], dv[...] = dscores @ k, dscores.swapaxes(2, 3) @ q, weights.swapaxes(2, 3) @ dc


def by_head(xs: Floats, heads: int) -> Floats:
    """View vectors (N, T, D) as those of their heads, (N, heads, T, E)."""
    N, T, D = xs.shape
    return xs.reshape(N, T, heads, D // heads).swapaxes(1, 2)
