"""The pointer of a pointer-generator: every step either writes a symbol or copies one of the source."""

from typing import NamedTuple

import numpy as np

from doldari.arrays import Floats, Ids, empty
from doldari.layers.arguments import check_array, check_floats
from doldari.layers.softmax_loss import log_softmax


class PointerCache(NamedTuple):
    """What `TimePointer.backward` needs; all but gates (P, 1), copied (P, V) and ids (P, S) are logarithms (P, V)."""

    gates: Floats
    written: Floats  # of softmax(scores)
    copied: Floats
    logs: Floats
    ids: Ids


class TimePointer:
    """The probability of each symbol, written or copied (See et al. 2017, arXiv:1704.04368, equations 8 and 9).

        p = sigmoid(gate);  P(v) = p softmax(scores)_v + (1 - p) sum of weights_s over the places s where ids_s = v

    Its output log P is again something like scores: the softmax of log P is P.  So the loss, ensembles and searches
    take it as they take the scores of other decoders.
    """

    def forward(self, scores: Floats, gates: Floats, weights: Floats, ids: Ids) -> tuple[Floats, PointerCache]:
        """Mix scores (P, V), by gates (P, 1), weights (P, S) of attention, ids (P, S): log P (P, V), cache."""
        owner, sizes = "TimePointer.forward", {"one": 1}
        check_floats(owner, "scores", scores, "(P, V)", sizes)
        for name, array, shape in (("gates", gates, "(P, one)"), ("weights", weights, "(P, S)")):
            check_array(owner, name, array, shape, sizes, scores.dtype)
        check_array(owner, "ids", ids, "(P, S)", sizes, np.int32)
        P, V = scores.shape
        written = log_softmax(scores)
        places = np.arange(P)[:, None] * V + ids
        copied = np.bincount(places.ravel(), weights.ravel(), P * V).reshape(P, V).astype(scores.dtype)
        least = np.finfo(scores.dtype).tiny
        ways = log_sigmoid(gates) + written, log_sigmoid(-gates) + np.log(np.maximum(copied, least))
        logs = np.logaddexp(*ways, out=empty(scores.shape, scores.dtype))
        return logs, PointerCache(gates, written, copied, logs, ids)

    def backward(self, dlogs: Floats, cache: PointerCache) -> tuple[Floats, Floats, Floats]:
        """Turn dlogs (P, V) into dscores (P, V), dgates (P, 1) and dweights (P, S)."""
        gates, written, copied, logs, ids = cache
        p = np.exp(log_sigmoid(gates))
        # What is changed in log P reaches both ways of making a symbol by their shares of its probability.
        dwritten = dlogs * np.exp(log_sigmoid(gates) + written - logs)
        dcopied = dlogs - dwritten
        dgates = (dwritten * (1.0 - p) - dcopied * p).sum(axis=1, keepdims=True)
        dscores = dwritten - np.exp(written) * dwritten.sum(axis=1, keepdims=True)
        can = copied > np.finfo(copied.dtype).tiny
        dmass = np.divide(dcopied, copied, out=np.zeros_like(copied), where=can)
        return dscores, dgates, np.take_along_axis(dmass, ids, axis=1)


def log_sigmoid(xs: Floats) -> Floats:
    """Take log(1 / (1 + exp(-x))), of any x without overflow."""
    return -np.logaddexp(xs.dtype.type(0), -xs)
