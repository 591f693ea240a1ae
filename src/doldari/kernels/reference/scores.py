"""What is made of scores: the loss, and the likeliest ids."""

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids, Mask


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
