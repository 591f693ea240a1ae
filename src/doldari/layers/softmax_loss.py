"""Softmax with cross-entropy over time: how far the scores are from the right ids."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask


class LossCache(NamedTuple):
    """What `TimeSoftmaxWithLoss.backward` needs: the summed loss's gradient, and how many positions counted."""

    dscores: Floats
    positions: int


class TimeSoftmaxWithLoss:
    """Mean cross-entropy, in nats, of the right ids under the softmax of the scores, over unmasked positions."""

    def forward(self, scores: Floats, targets: Ids, mask: Mask | None = None) -> tuple[float, LossCache]:
        """Compare scores (N, T, V) with targets (N, T): loss, cache.

        mask (N, T) is False where a position does not count.  The loss is 0 where none counts.
        """
        positions = targets.size if mask is None else int(mask.sum())
        dscores = np.empty_like(scores)
        loss = kernels.softmax_loss(scores, targets, mask, dscores)
        return loss / max(positions, 1), LossCache(dscores, positions)

    def backward(self, cache: LossCache, dloss: float = 1.0) -> Floats:
        """Gradient of `dloss` times the loss: dscores (N, T, V), exactly 0 at masked positions."""
        dscores, positions = cache
        return dscores * dscores.dtype.type(dloss / max(positions, 1))
