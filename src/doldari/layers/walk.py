"""All steps of a transducer's decoder in one call: an LSTM that walks along its source."""

from typing import Any, NamedTuple

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.kernels.reference.transducer import DELETE
from doldari.layers.affine import TimeAffine
from doldari.layers.fed import FedInputs
from doldari.layers.gated import GatedCache
from doldari.layers.lstm import LSTMState, TimeLSTM
from doldari.layers.transducer import TimeJoint, TimeTransducer, Walk


class WalkCache(NamedTuple):
    """What `TimeWalk.backward` needs: what it was given, and what the kernel wrote (kernels/reference/walk.py)."""

    xs: Ids
    mask: Mask | None
    walk: Walk
    inputs: FedInputs
    h_scales: Floats | None
    z_scales: Floats | None
    W: Floats
    places: Floats
    averages: Floats
    gates: Floats
    hs: Floats
    cs: Floats
    zs: Floats
    actions: Floats
    reached: Floats
    arrived: Floats
    logs: Floats

    def moved(self) -> tuple[Floats, Floats]:
        """With what probability it reached each place, (T, N, S), and deleted there, (T, cells); without padding."""
        return self.reached, self.actions[:, self.logs.shape[2] + DELETE].reshape(len(self.places), -1)

    def read(self) -> list[GatedCache[LSTMState]]:
        """What the LSTM read, of one row."""
        table = np.concatenate([self.inputs.xs[:, 0], self.averages[:, 0]], axis=1)
        rows, first = np.arange(len(table), dtype=np.int32)[None], LSTMState(self.hs[0], self.cs[0])
        return [GatedCache(table, rows, self.inputs.constant, None, first, self.gates)]


class WalkGradient(NamedTuple):
    """What goes back: to the input products (T N, G), each layer's first h (N, H), keys, values, and features."""

    dproducts: Floats
    dfirsts: tuple[Floats, ...]
    dkeys: Floats
    dvalues: Floats
    dfeatures: Floats | None


class TimeWalk:
    """Runs one LSTM, whose input is also fed where it stands, with what scores its actions and sums them up.

    As `TimeFed`, `TimeJoint`, the two `TimeAffine` and `TimeTransducer` do step after step.
    """

    def __init__(
        self, lstm: TimeLSTM, joint: TimeJoint, affine: TimeAffine, moves: TimeAffine, transducer: TimeTransducer
    ) -> None:
        self.lstm, self.joint, self.affine, self.moves, self.transducer = lstm, joint, affine, moves, transducer

    def forward(
        self,
        inputs: FedInputs,
        xs: Ids,
        mask: Mask | None,
        first: LSTMState,
        walk: Walk,
        scales: tuple[Floats | None, Floats | None],
        before: Floats | None,
    ) -> tuple[Floats, LSTMState, Floats, WalkCache]:
        """Read xs (N, T), of which inputs are the ready products: log P (N, T, V), last state, arrivals, cache.

        What inputs have that is constant, the features, meets every place beside h; scales are those of dropout, of h
        (T, N, H) and of the joint layer (T, N, J), or None.  Arrivals (N, S, V) are those of the last step; before,
        those of the step before the first, None at the start.
        """
        features = inputs.constant
        (N, T), H, dtype = xs.shape, len(self.lstm.Wh.value), self.lstm.Wh.value.dtype
        (_, S, M), (J, V) = walk.values.shape, self.affine.W.value.shape
        Wf, Wq, Wc = self.lstm.Wx.value[-M:], self.joint.W.value[M : M + H], self.joint.W.value[M + H :]
        b = self.joint.b.value
        queries = np.repeat(b[None], N, axis=0) if features is None else kernels.product(features, Wc, b)
        W = np.concatenate([self.affine.W.value, self.moves.W.value], axis=1)
        K = T * int(walk.lengths[walk.rows].sum())
        arrivals = np.zeros((N, S, V), dtype) if before is None else before.copy()
        shapes = (T, N, S), (T, N, M), (T, N, 4 * H), (T + 1, N, H), (T + 1, N, H), (K, J), (K, V + 2)
        made = [empty(shape, dtype) for shape in (*shapes, (T, N, S), (T, N, S), (N, T, V))]
        _, _, _, hs, cs, *_, logs = made
        hs[0], cs[0] = first
        given = inputs.products.reshape(T, N, 4 * H), Wf, self.lstm.Wh.value, queries, Wq, *scales
        source = walk.values, walk.keys, walk.copies, walk.lengths, walk.rows
        bias = np.concatenate([self.affine.b.value, self.moves.b.value])
        read = self.transducer.end_id, xs, mask, before is not None
        kernels.walk_forward(*given, *source, W, bias, *read, arrivals, *made)
        return logs, LSTMState(hs[T], cs[T]), arrivals, WalkCache(xs, mask, walk, inputs, *scales, W, *made)

    def backward(self, dlogs: Floats, cache: WalkCache) -> WalkGradient:
        """Add to the gradients of all weights but the LSTM's Wx and b, which `TimeFed.end_backward` takes."""
        walk, hs, zs, W, features = cache.walk, cache.hs, cache.zs, cache.W, cache.inputs.constant
        (N, T), dtype, M = cache.xs.shape, dlogs.dtype, walk.values.shape[2]
        (J, A), H = W.shape, hs.shape[2]
        Wf, Wq, Wc = self.lstm.Wx.value[-M:], self.joint.W.value[M : M + H], self.joint.W.value[M + H :]
        dproducts, dqueries, dactions = (empty(shape, dtype) for shape in ((T, N, 4 * H), (T, N, J), (len(zs), A)))
        dkeys, dvalues, dfirst = np.zeros_like(walk.keys), np.zeros_like(walk.values), empty((N, H), dtype)
        weights = Wf, self.lstm.Wh.value, Wq, cache.h_scales, cache.z_scales
        source = walk.values, walk.copies, walk.lengths, W, cache.xs, cache.mask
        kept = cache.places, cache.gates, hs, cache.cs, zs, cache.actions, cache.reached, cache.arrived, cache.logs
        results = dproducts, dqueries, dactions, dkeys, dvalues, dfirst
        arguments: list[Any] = [np.ascontiguousarray(dlogs), *weights, *source, *kept, *results]
        kernels.walk_backward(*arguments)
        self.scores_backward(zs, dactions)
        kernels.add_product(hs[:T].reshape(T * N, H).T, dproducts.reshape(T * N, 4 * H), self.lstm.Wh.gradient)
        read = hs[1:] if cache.h_scales is None else hs[1:] * cache.h_scales
        dW, dquery = self.joint.W.gradient, dqueries.sum(axis=0)
        kernels.add_product(read.reshape(T * N, H).T, dqueries.reshape(T * N, J), dW[M : M + H])
        self.joint.b.gradient += dquery.sum(axis=0)
        dfeatures = None
        if features is not None:
            kernels.add_product(features.T, dquery, dW[M + H :])
            dfeatures = kernels.product(dquery, Wc.T)
        return WalkGradient(dproducts.reshape(T * N, 4 * H), (dfirst,), dkeys, dvalues, dfeatures)

    def scores_backward(self, zs: Floats, dactions: Floats) -> None:
        """Add to the gradients of what scores actions, by the cells' zs (K, J) and dactions (K, V + 2)."""
        dW, V = np.zeros((zs.shape[1], dactions.shape[1]), zs.dtype), self.affine.W.value.shape[1]
        kernels.add_product(zs.T, dactions, dW)
        db = dactions.sum(axis=0)
        self.affine.W.gradient += dW[:, :V]
        self.moves.W.gradient += dW[:, V:]
        self.affine.b.gradient += db[:V]
        self.moves.b.gradient += db[V:]
