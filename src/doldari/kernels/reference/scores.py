"""Functions of scores: the loss, and the top-k ids."""

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids, Mask


def softmax_loss(scores: Floats, targets: Ids, mask: Mask | None, smoothing: float, dscores: Floats) -> float:
    """Softmax and cross-entropy with label smoothing, the mean over the positions that count.

        p = softmax(scores)
        wanted = smoothing / V for every id, and 1 - smoothing more for the target
        loss = mean over positions of -sum of wanted log(p)
        dscores = (p - wanted) / positions

    scores (N, T, V), targets (N, T); mask (N, T) is False where a position does not count.
    Writes dscores (N, T, V), exactly 0 where masked.  Returns the mean loss in nats, 0 where nothing counts.
    """
    N, T, V = scores.shape
    n, t = np.ogrid[:N, :T]
    counts = np.ones((N, T), np.bool_) if mask is None else mask
    positions = max(int(counts.sum()), 1)

    exponents = scores - scores.max(axis=2, keepdims=True)  # the softmax is the same, and exp does not overflow
    log_p = exponents - np.log(np.exp(exponents).sum(axis=2, keepdims=True))
    loss = -(1.0 - smoothing) * log_p[n, t, targets]
    if smoothing > 0.0:
        loss = loss - smoothing * log_p.mean(axis=2)

    wanted = np.full_like(scores, smoothing / V)
    wanted[n, t, targets] += 1.0 - smoothing
    dscores[...] = np.where(counts[:, :, None], np.exp(log_p) - wanted, 0.0) / positions
    return float(np.where(counts, loss, 0.0).sum(dtype=np.float64)) / positions


def likeliest(scores: Floats, allowed: Mask | None, ids: Ids, logs: NDArray[np.float64]) -> None:
    """Find the K ids of the highest scores, among those allowed, and their log-probabilities.

    scores (N, V); allowed (N, V), or None where all are; the probabilities are those of a softmax over all of them.
    Writes ids and logs (N, K), the best first, of equals the lowest id; where there are not so many, -inf and any id.
    """
    K, V = ids.shape[1], scores.shape[1]
    exponents = scores.astype(np.float64) - scores.max(axis=1, keepdims=True, initial=-np.inf)
    log_p = exponents - np.log(np.exp(exponents).sum(axis=1, keepdims=True))
    if allowed is not None:
        log_p[~allowed] = -np.inf
    best = np.argsort(-log_p, axis=1, kind="stable")[:, :K]
    ids[...], logs[...] = 0, -np.inf
    ids[:, :V], logs[:, :V] = best, np.take_along_axis(log_p, best, axis=1)
