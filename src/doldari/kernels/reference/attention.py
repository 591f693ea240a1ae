"""Attention, forward and backward, without a loop over the queries: p runs over them, s over positions."""

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

        scores[p, s] = queries[p] keys[rows[p], s]
        weights[p] = softmax over s of scores[p]
        contexts[p] = sum over s of weights[p, s] values[rows[p], s]

    keys (Q, S, H), values (Q, S, M), rows (P,).  mask (Q, S) is False at padding, which gets a weight of exactly 0;
    None means no padding.  Where all is padding the context is 0.  Writes weights (P, S) and contexts (P, M).
    """
    scores = np.einsum("ph,psh->ps", queries, keys[rows])
    if mask is not None:
        scores = np.where(mask[rows], scores, -np.inf)
    number = np.finfo(scores.dtype)  # its least and its smallest stand in where all is padding: e / sum is then 0
    e = np.exp(scores - scores.max(axis=1, keepdims=True, initial=number.min))
    weights[...] = e / np.maximum(e.sum(axis=1, keepdims=True), number.tiny)
    contexts[...] = np.einsum("ps,psm->pm", weights, values[rows])


def attend_backward(
    keys: Floats,
    values: Floats,
    mask: Mask | None,
    queries: Floats,
    rows: Ids,
    weights: Floats,
    dcontexts: Floats,
    dweights: Floats | None,
    dqueries: Floats,
    dkeys: Floats,
    dvalues: Floats,
) -> None:
    """Run `attend` backwards: weights (P, S) are those that it wrote, dcontexts (P, M).

    dweights (P, S) is the gradient of the weights by what else was made of them than contexts, None if nothing was.
    Writes dqueries (P, H), dkeys (Q, S, H), and dvalues (Q, S, M), 0 at padding.
    """
    dall = np.einsum("pm,psm->ps", dcontexts, values[rows])
    if dweights is not None:
        dall += dweights
    # the softmax: dscores_s = weight_s (dweight_s - sum of all weight dweight)
    dscores = weights * (dall - (weights * dall).sum(axis=1, keepdims=True))
    dqueries[...] = np.einsum("ps,psh->ph", dscores, keys[rows])
    dkeys[...], dvalues[...] = 0.0, 0.0
    for p, row in enumerate(rows):
        dkeys[row] += np.outer(dscores[p], queries[p])
        dvalues[row] += np.outer(weights[p], dcontexts[p])
