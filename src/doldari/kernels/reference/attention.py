"""Attention, forward and backward."""

import numpy as np

from doldari.arrays import Floats, Ids, Mask


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
