"""Softmax with cross-entropy over time: how far the scores are from the right ids."""

from typing import NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.arguments import check_array, check_floats, check_mask, check_rate


class LossCache(NamedTuple):
    """What `TimeSoftmaxWithLoss.backward` needs: the loss's gradient, which `forward` takes in the same pass."""

    dscores: Floats


class TimeSoftmaxWithLoss:
    """Mean cross-entropy, in nats, of the right ids under the softmax of the scores, over unmasked positions.

    With label smoothing (Szegedy et al. 2016, section 7; here as in PyTorch) the right id is given 1 - smoothing of
    the probability asked for, and all V ids alike share the rest.
    """

    def __init__(self, smoothing: float = 0.0) -> None:
        check_rate("TimeSoftmaxWithLoss", "smoothing", smoothing)
        self.smoothing = smoothing

    def forward(self, scores: Floats, targets: Ids, mask: Mask | None = None) -> tuple[float, LossCache]:
        """Compare scores (N, T, V) with targets (N, T): loss, cache.

        mask (N, T) is False where a position does not count.  The loss is 0 where none counts.
        """
        owner = "TimeSoftmaxWithLoss.forward"
        sizes: dict[str, int] = {}
        check_floats(owner, "scores", scores, "(N, T, V)", sizes)
        check_array(owner, "targets", targets, "(N, T)", sizes, np.int32)
        check_mask(owner, mask, "(N, T)", sizes)
        dscores = empty(scores.shape, scores.dtype)
        return kernels.softmax_loss(scores, targets, mask, self.smoothing, dscores), LossCache(dscores)

    def backward(self, cache: LossCache, dloss: float = 1.0) -> Floats:
        """Gradient of `dloss` times the loss: dscores (N, T, V), exactly 0 at masked positions."""
        return cache.dscores if dloss == 1.0 else cache.dscores * cache.dscores.dtype.type(dloss)


def log_softmax(scores: Floats) -> Floats:
    """Turn scores (N, V) into log-probabilities (N, V)."""
    scores = scores - scores.max(axis=1, keepdims=True)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
    return scores
