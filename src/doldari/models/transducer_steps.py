"""A transducer's decoder step by step, for any recurrent layers; `layers.TimeWalk` does the same for one LSTM."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids, Mask
from doldari.kernels.reference.transducer import DELETE
from doldari.layers import TimeAffine, TimeFed, TimeJoint, TimeTransducer
from doldari.layers.affine import AffineCache
from doldari.layers.fed import FedInputs
from doldari.layers.gated import GatedCache
from doldari.layers.stack import TimeStack
from doldari.layers.transducer import JointCache, TransducerCache, Walk
from doldari.layers.walk import WalkGradient
from doldari.models.transducer_dropout import Dropped, at_step, scaled


class StepCache(NamedTuple):
    """What `TransducerSteps.backward` needs of one step; P of the N rows are not padding there."""

    layers: list[Any]
    rows: NDArray[np.intp]  # (P,), those
    joint: JointCache
    affine: AffineCache
    moves: AffineCache
    lattice: TransducerCache


class StepsCache(NamedTuple):
    """What `TransducerSteps.backward` needs of all steps."""

    xs: Ids
    walk: Walk
    dropped: Dropped
    inputs: FedInputs
    steps: list[StepCache]

    @property
    def averages(self) -> Floats:
        """What was fed where it stood: (T, N, M)."""
        N, M = len(self.walk.rows), self.walk.values.shape[2]
        every = np.empty((len(self.steps), N, M), self.walk.values.dtype)
        for averages, step in zip(every, self.steps, strict=True):
            averages[...] = step.layers[0].constant
        return every

    def moved(self) -> tuple[Floats, Floats]:
        """With what probability it reached each place, (T, N, S), and deleted there, (T, cells); without padding."""
        lattices = [step.lattice for step in self.steps]
        return np.stack([one.reached for one in lattices]), np.stack([one.moved[:, DELETE] for one in lattices])

    def read(self) -> list[GatedCache[Any]]:
        """What each recurrent layer read, of one row."""
        steps, rows = self.steps, np.arange(len(self.steps), dtype=np.int32)[None]
        layers = []
        for number in range(len(steps[0].layers)):
            inputs = [step.layers[number] for step in steps]
            table = np.concatenate([one.table if number > 0 else one.constant for one in inputs])
            constant = None
            if number == 0:
                table, constant = np.concatenate([self.inputs.xs[:, 0], table], axis=1), self.inputs.constant
            layers.append(GatedCache(table, rows, constant, None, inputs[0].first, inputs[0].steps))
        return layers


class TransducerSteps:
    """The layers of a step: recurrent ones, the lowest fed where it stands, and what `TimeWalk` has too."""

    def __init__(
        self, stack: TimeStack, joint: TimeJoint, affine: TimeAffine, moves: TimeAffine, transducer: TimeTransducer
    ) -> None:
        self.stack, self.joint, self.affine, self.moves, self.transducer = stack, joint, affine, moves, transducer
        self.fed = TimeFed(stack.layers[0])

    def forward(
        self,
        inputs: FedInputs,
        xs: Ids,
        mask: Mask | None,
        firsts: tuple[Any, ...],
        walk: Walk,
        dropped: Dropped,
        before: Floats | None,
    ) -> tuple[Floats, tuple[Any, ...], Floats, StepsCache]:
        """Read xs (N, T): log P (N, T, V), the last states, arrivals (N, S, V), cache; as `TimeWalk.forward`."""
        (N, T), (S, V) = xs.shape, (walk.keys.shape[1], self.affine.W.value.shape[1])
        logs = np.zeros((N, T, V), walk.keys.dtype)
        arrivals = np.zeros((N, S, V), walk.keys.dtype) if before is None else before
        begun, layers, steps = np.full(N, before is not None), firsts, []
        for t in range(T):
            real = np.arange(N) if mask is None else np.flatnonzero(mask[:, t])
            places = self.transducer.after(arrivals, xs[:, t])
            places[~begun] = np.eye(1, S)
            layers, step = self.take(t, inputs, layers, walk, places, real, dropped)
            logs[real, t] = step.lattice.logs
            arrivals = step.lattice.arrivals if len(real) == N else arrivals.copy()
            arrivals[real], begun[real] = step.lattice.arrivals, True
            steps.append(step)
        return logs, layers, arrivals, StepsCache(xs, walk, dropped, inputs, steps)

    def take(
        self,
        t: int,
        inputs: FedInputs,
        firsts: tuple[Any, ...],
        walk: Walk,
        places: Floats,
        real: NDArray[np.intp],
        dropped: Dropped,
    ) -> tuple[tuple[Any, ...], StepCache]:
        """Take step t from places (N, S), in the rows that are real (P,) -> the layers' next states, cache."""
        N = len(places)
        mask = np.zeros((N, 1), np.bool_) if len(real) < N else None
        if mask is not None:
            mask[real] = True
        averages = np.matmul(places[:, None], walk.values[walk.rows])[:, 0]
        hs, last, cache = self.fed.step(t, inputs, averages, firsts[0], mask)
        lasts, caches = [last], [cache]
        for layer, first, scale in zip(self.stack.layers[1:], firsts[1:], dropped.above, strict=True):
            hs, last, cache = layer.forward(scaled(hs[:, 0], at_step(scale, t))[:, None], first, mask)
            lasts.append(last)
            caches.append(cache)
        walked, joint_scale = walk._replace(rows=walk.rows[real]), at_step(dropped.joint, t)
        queries = scaled(hs[:, 0], at_step(dropped.h, t))
        if inputs.constant is not None:
            queries = np.concatenate([queries, inputs.constant], axis=1)
        zs, joint = self.joint.forward(queries[real], walked, joint_scale)
        inserts, affine = self.affine.forward(zs[None])
        moves, moved = self.moves.forward(zs[None])
        _, lattice = self.transducer.forward(inserts[0], moves[0], walked, places[real])
        return tuple(lasts), StepCache(caches, real, joint, affine, moved, lattice)

    def backward(self, dlogs: Floats, cache: StepsCache) -> WalkGradient:
        """Run `forward` backwards; as `TimeWalk.backward`."""
        (N, T, _), walk, dropped, dtype = dlogs.shape, cache.walk, cache.dropped, dlogs.dtype
        dproducts, H = np.zeros_like(cache.inputs.products), self.joint.W.value.shape[1]
        dkeys, dvalues = np.zeros_like(walk.keys), np.zeros_like(walk.values)
        C = len(self.joint.W.value) - H - walk.values.shape[2]
        dfeatures = np.zeros((N, C), dtype)
        after = np.zeros((2, N, walk.keys.shape[1]), dtype)  # the places of the step behind, and their gradient
        dlasts: list[Any] = list(self.stack.first_states([np.zeros((N, H), dtype)] * len(self.stack.layers)))
        for t in reversed(range(T)):
            step = cache.steps[t]
            real, places = step.rows, step.lattice.places
            written = np.ascontiguousarray(cache.xs[real, min(t + 1, T - 1)])
            garrivals = self.transducer.after_backward(after[1][real], after[0][real])
            dqueries, gplaces = self.look_back(np.ascontiguousarray(dlogs[real, t]), step, written, garrivals, dkeys)
            dfeatures[real] += dqueries[:, H:]
            dh = np.zeros((N, 1, H), dtype)
            dh[real, 0] = dqueries[:, :H]
            dh = scaled(dh[:, 0], at_step(dropped.h, t))[:, None]
            for number in reversed(range(1, len(dlasts))):
                dh, dlasts[number], _ = self.stack.layers[number].backward(dh, step.layers[number], dlasts[number])
                dh = scaled(dh[:, 0], at_step(dropped.above[number - 1], t))[:, None]
            dfed, dlasts[0] = self.fed.step_backward(dproducts, dh, step.layers[0], dlasts[0])
            daverages = dfed[real]
            dvalues[real] += places[:, :, None] * daverages[:, None]
            gplaces += places * np.matmul(walk.values[real], daverages[:, :, None])[:, :, 0]
            after[...] = 0.0
            after[0][real], after[1][real] = places, gplaces
        dfirsts = tuple(dlast.h for dlast in dlasts)
        return WalkGradient(dproducts, dfirsts, dkeys, dvalues, dfeatures if C > 0 else None)

    def look_back(
        self, dlogs: Floats, step: StepCache, written: Ids, garrivals: Floats, dkeys: Floats
    ) -> tuple[Floats, Floats]:
        """Run a step's way from queries to scores backwards: dlogs (P, V) -> dqueries (P, H + C), gplaces (P, S)."""
        dinserts, dmoves, gplaces = self.transducer.backward(dlogs, step.lattice, written, garrivals)
        dzs, _ = self.affine.backward(dinserts[None], step.affine)
        dzs += self.moves.backward(dmoves[None], step.moves)[0]
        return self.joint.backward(dzs[0], step.joint, dkeys), gplaces
