"""The decoder that walks along the source and edits it: a transducer, for targets in the order of their source."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty
from doldari.kernels.reference.transducer import DELETE
from doldari.layers import Parameter, TimeAffine, TimeFed, TimeJoint, TimeTransducer
from doldari.layers.affine import AffineCache
from doldari.layers.fed import FedInputs
from doldari.layers.gated import GatedCache
from doldari.layers.parameters import prefixed
from doldari.layers.stack import StackCache
from doldari.layers.transducer import JointCache, TransducerCache, Walk
from doldari.models.decoder import Decoder, DecoderState
from doldari.models.encoder import Encoded, EncodedGradient
from doldari.models.transducer_dropout import Dropped, Scales, draw, scaled


class StepCache(NamedTuple):
    """What `TransducerDecoder.backward` needs of one step; P of the N rows are not padding there."""

    layers: list[Any]
    rows: NDArray[np.intp]  # (P,), those
    joint: JointCache
    affine: AffineCache
    moves: AffineCache
    lattice: TransducerCache


class TransducerDecoderCache(NamedTuple):
    """What `TransducerDecoder.backward` needs of its `forward`."""

    embed: Ids | None
    xs: Ids
    rows: Ids
    height: int
    dropped: Dropped
    inputs: FedInputs
    steps: list[StepCache]
    walk: Walk


class TransducerDecoder(Decoder):
    """A decoder whose every symbol is inserted at a place of the source, or copied from it, from left to right.

    In every step the recurrent layers read the symbol before, and the average of the encoder's states of the places
    where it may be standing.  Their h, with the source's features if it has any, meets the encoder's state of every
    place: of what comes out, inserting symbols there is scored by affine, copying and deleting by moves, and
    `TimeTransducer` sums up all ways to each next symbol.  Its scores are their log-probabilities.

    copies (source's V,) says as which of the target's ids a source's id is copied, -1 for none; None: as itself.
    """

    follows = True
    has_kernel = False
    copies: Ids | None = None

    def add_look(self, D: int, H: int, tie: bool, rng: np.random.Generator, dtype: DTypeLike) -> int:
        """Make the layers of its own; return how many features are scored in a cell."""
        if tie:
            raise ValueError(f"{type(self).__name__}: tie: not possible, its scores are of actions")
        size = 2 * H + self.peeked_size
        self.joint = TimeJoint(
            Parameter.normal(rng, (size, H), size**-0.5, dtype),
            Parameter.zeros((H,), dtype),
            Parameter.normal(rng, (H,), 1.0, dtype),
        )
        self.moves = TimeAffine(Parameter.normal(rng, (H, 2), H**-0.5, dtype), Parameter.zeros((2,), dtype))
        self.transducer = TimeTransducer()
        return H

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: `Decoder`'s; joint.W (2H + C, H), b, end (H,); moves.W (H, 2), b."""
        own = prefixed("joint", self.joint.parameters()) | prefixed("moves", self.moves.parameters())
        return super().parameters() | own

    def start(self, encoded: Encoded) -> DecoderState:
        """Cross the bridge: the state before the first step, in which each stands at its source's first place."""
        ids = encoded.xs if self.copies is None else self.copies[encoded.xs]
        walk = self.joint.remember(encoded.hs, ids, encoded.mask)
        return super().start(encoded)._replace(memory=walk)

    def forward(
        self, xs: Ids, state: DecoderState, mask: Mask | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Floats, DecoderState, Any]:
        """Read the ids before each position, xs (N, T) -> scores (N, T, V), state after the last, cache.

        As `Decoder.forward`; the scores are log-probabilities.
        """
        (N, T), walk = xs.shape, state.memory
        assert isinstance(walk, Walk)
        table, rows, embed_cache = self.embed.forward_table(xs, mask, state.place)
        symbols, sizes = table[rows], [layer.h.shape[1] for layer in state.layers]
        dropped = draw(self.dropout, symbols, state.peeked, sizes, mask, rng)
        features = None if state.peeked is None else scaled(state.peeked, dropped.features)
        inputs = self.fed.begin(scaled(symbols, dropped.symbols), features)
        scores, steps = np.zeros((N, T, len(self.affine.b.value)), table.dtype), []
        for t in range(T):
            real = np.arange(N) if mask is None else np.flatnonzero(mask[:, t])
            state, step = self.take(t, inputs, state, self.places(xs[:, t], state), real, dropped.steps[t])
            scores[real, t] = step.lattice.logs
            steps.append(step)
        return scores, state, TransducerDecoderCache(embed_cache, xs, rows, len(table), dropped, inputs, steps, walk)

    @property
    def fed(self) -> TimeFed:
        """The lowest recurrent layer, which is also fed where it stands."""
        return TimeFed(self.stack.layers[0])

    def take(
        self,
        t: int,
        inputs: FedInputs,
        state: DecoderState,
        places: Floats,
        real: NDArray[np.intp],
        scales: Scales,
    ) -> tuple[DecoderState, StepCache]:
        """Take step t from places (N, S), in the rows that are real (P,) -> the state after it, cache."""
        walk, N = state.memory, len(places)
        assert isinstance(walk, Walk)
        mask = np.zeros((N, 1), np.bool_) if len(real) < N else None
        if mask is not None:
            mask[real] = True
        averages = np.matmul(places[:, None], walk.values[walk.rows])[:, 0]
        hs, last, cache = self.fed.step(t, inputs, averages, state.layers[0], mask)
        lasts, caches = [last], [cache]
        for layer, first, scale in zip(self.stack.layers[1:], state.layers[1:], scales.above, strict=True):
            hs, last, cache = layer.forward(scaled(hs[:, 0], scale)[:, None], first, mask)
            lasts.append(last)
            caches.append(cache)
        walked = walk._replace(rows=walk.rows[real])
        queries = scaled(hs[:, 0], scales.h)
        if inputs.constant is not None:
            queries = np.concatenate([queries, inputs.constant], axis=1)
        zs, joint = self.joint.forward(queries[real], walked, scales.joint)
        inserts, affine = self.affine.forward(zs[None])
        moves, moved = self.moves.forward(zs[None])
        _, lattice = self.transducer.forward(inserts[0], moves[0], walked, places[real])
        arrivals = lattice.arrivals
        if mask is not None:
            arrivals = np.zeros((N, *arrivals.shape[1:]), arrivals.dtype)
            arrivals[...] = 0.0 if state.arrivals is None else state.arrivals
            arrivals[real] = lattice.arrivals
        place = state.place + (np.int32(1) if mask is None else mask[:, 0])
        state = state._replace(layers=tuple(lasts), place=place, arrivals=arrivals)
        return state, StepCache(caches, real, joint, affine, moved, lattice)

    def places(self, read: Ids, state: DecoderState) -> Floats:
        """Say where each row stands, (N, S), after it read `read` (N,)."""
        if state.arrivals is not None:
            return self.transducer.after(state.arrivals, read)
        assert isinstance(state.memory, Walk)
        places = np.zeros((len(read), state.memory.keys.shape[1]), state.memory.keys.dtype)
        places[:, 0] = 1.0
        return places

    def backward(self, dscores: Floats, cache: TransducerDecoderCache) -> EncodedGradient:  # type: ignore[override]
        """Add to the parameters' gradients, given dscores (N, T, V), 0 where masked; return the encoder's."""
        (N, T, _), walk, dropped, dtype = dscores.shape, cache.walk, cache.dropped, dscores.dtype
        feds, dproducts = empty((T, N, walk.values.shape[2]), dtype), np.zeros_like(cache.inputs.products)
        dkeys, dvalues = np.zeros_like(walk.keys), np.zeros_like(walk.values)
        dconstant = np.zeros((N, self.peeked_size), dtype)
        after = np.zeros((2, N, walk.keys.shape[1]), dtype)  # the places of the step behind, and their gradient
        dlasts: list[Any] = list(
            self.stack.first_states([np.zeros((N, walk.values.shape[2]), dtype)] * len(self.stack.layers))
        )
        for t in reversed(range(T)):
            step, scales = cache.steps[t], dropped.steps[t]
            real, places = step.rows, step.lattice.places
            written = np.ascontiguousarray(cache.xs[real, min(t + 1, T - 1)])
            garrivals = self.transducer.after_backward(after[1][real], after[0][real])
            dqueries, gplaces = self.look_back(
                np.ascontiguousarray(dscores[real, t]), step, written, garrivals, dkeys
            )
            H = self.joint.W.value.shape[1]
            dconstant[real] += dqueries[:, H:]
            dh = np.zeros((N, 1, H), dtype)
            dh[real, 0] = dqueries[:, :H]
            dh = scaled(dh[:, 0], scales.h)[:, None]
            for number in reversed(range(1, len(dlasts))):
                dh, dlasts[number], _ = self.stack.layers[number].backward(dh, step.layers[number], dlasts[number])
                dh = scaled(dh[:, 0], scales.above[number - 1])[:, None]
            feds[t] = step.layers[0].constant
            dfed, dlasts[0] = self.fed.step_backward(dproducts, dh, step.layers[0], dlasts[0])
            daverages = dfed[real]
            dvalues[real] += places[:, :, None] * daverages[:, None]
            gplaces += places * np.matmul(walk.values[real], daverages[:, :, None])[:, :, 0]
            after[...] = 0.0
            after[0][real], after[1][real] = places, gplaces
        dsymbols, dfeatures = self.fed.end_backward(dproducts, cache.inputs, feds)
        dtable = np.zeros((cache.height, dsymbols.shape[2]), dtype)
        dsymbols = scaled(dsymbols, dropped.symbols)
        kernels.scatter_rows(dtable, cache.rows, dsymbols)
        self.embed.backward_table(dtable, cache.embed)
        dhs = self.joint.remember_backward(dkeys, dvalues, walk)
        dfeatures = None if dfeatures is None else scaled(dfeatures + dconstant, dropped.features)
        return EncodedGradient(tuple(dlast.h for dlast in dlasts), dhs, dfeatures)

    def look_back(
        self, dlogs: Floats, step: StepCache, written: Ids, garrivals: Floats, dkeys: Floats
    ) -> tuple[Floats, Floats]:
        """Run a step's way from queries to scores backwards: dlogs (P, V) -> dqueries (P, H + C), gplaces (P, S)."""
        dinserts, dmoves, gplaces = self.transducer.backward(dlogs, step.lattice, written, garrivals)
        dzs, _ = self.affine.backward(dinserts[None], step.affine)
        dzs += self.moves.backward(dmoves[None], step.moves)[0]
        return self.joint.backward(dzs[0], step.joint, dkeys), gplaces

    def attention_weights(self, cache: TransducerDecoderCache) -> Floats:
        """Return where the next symbol is inserted or copied, in every step of a `forward` without mask: (N T, S).

        What is missing to a sum of 1 is at the end of the source.
        """
        walk = cache.walk
        columns, lengths = walk.columns[walk.rows], walk.lengths[walk.rows, None]
        N, S = columns.shape
        weights = np.zeros((N, len(cache.steps), S), walk.keys.dtype)
        for t, step in enumerate(cache.steps):
            deleted = np.zeros((N, S + 1), weights.dtype)
            deleted[np.arange(S + 1) < lengths] = step.lattice.moved[:, DELETE]
            here = (step.lattice.reached * (1.0 - deleted))[:, :-1]
            np.put_along_axis(weights[:, t], columns, here * (np.arange(S) < lengths - 1), axis=1)
        return weights.reshape(N * len(cache.steps), S)

    def stack_cache(self, cache: TransducerDecoderCache) -> StackCache:
        """Return what the recurrent layers read in a `forward` of one row, as if it had been there before."""
        steps, T = cache.steps, len(cache.steps)
        rows, layers = np.arange(T, dtype=np.int32)[None], []
        for number in range(len(self.stack.layers)):
            inputs = [step.layers[number] for step in steps]
            table = np.concatenate([one.table if number > 0 else one.constant for one in inputs])
            constant = None
            if number == 0:
                table, constant = np.concatenate([cache.inputs.xs[:, 0], table], axis=1), cache.inputs.constant
            layers.append(GatedCache(table, rows, constant, None, inputs[0].first, inputs[0].steps))
        return StackCache(layers, [None] * len(layers), rows, T, None)
