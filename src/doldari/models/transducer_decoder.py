"""The decoder that walks along the source and edits it: a transducer, for targets in the order of their source."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeAffine, TimeFed, TimeJoint, TimeLSTM, TimeTransducer, TimeWalk
from doldari.layers.fed import FedInputs
from doldari.layers.parameters import prefixed
from doldari.layers.stack import StackCache
from doldari.layers.transducer import Walk
from doldari.layers.walk import WalkCache
from doldari.models.decoder import Decoder, DecoderState
from doldari.models.encoder import Encoded, EncodedGradient
from doldari.models.transducer_dropout import Dropped, draw, scaled
from doldari.models.transducer_steps import StepsCache, TransducerSteps


class TransducerDecoderCache(NamedTuple):
    """What `TransducerDecoder.backward` needs of its `forward`."""

    embed: Ids | None
    rows: Ids
    height: int
    dropped: Dropped
    inputs: FedInputs
    walk: Walk
    walked: WalkCache | StepsCache


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
        walk = state.memory
        assert isinstance(walk, Walk)
        table, rows, embed_cache = self.embed.forward_table(xs, mask, state.place)
        symbols, sizes = table[rows], [layer.h.shape[1] for layer in state.layers]
        dropped = draw(self.dropout, symbols, state.peeked, sizes, mask, rng)
        features = None if state.peeked is None else scaled(state.peeked, dropped.features)
        inputs = TimeFed(self.stack.layers[0]).begin(scaled(symbols, dropped.symbols), features)
        lasts: tuple[Any, ...]
        cache: WalkCache | StepsCache
        xs = np.ascontiguousarray(xs)
        if self.whole is not None:
            scales, before = (dropped.h, dropped.joint), state.arrivals
            logs, last, arrivals, cache = self.whole.forward(inputs, xs, mask, state.layers[0], walk, scales, before)
            lasts = (last,)
        else:
            given = xs, mask, state.layers, walk, dropped, state.arrivals
            logs, lasts, arrivals, cache = self.steps.forward(inputs, *given)
        read = xs.shape[1] if mask is None else mask.sum(axis=1, dtype=np.int32)
        state = state._replace(layers=lasts, place=state.place + read, arrivals=arrivals)
        return logs, state, TransducerDecoderCache(embed_cache, rows, len(table), dropped, inputs, walk, cache)

    @property
    def whole(self) -> TimeWalk | None:
        """What runs all steps in one call, if that knows the recurrent layers: it knows one LSTM."""
        lowest, *above = self.stack.layers
        if above or not isinstance(lowest, TimeLSTM):
            return None
        return TimeWalk(lowest, self.joint, self.affine, self.moves, self.transducer)

    @property
    def steps(self) -> TransducerSteps:
        """What runs them one by one."""
        return TransducerSteps(self.stack, self.joint, self.affine, self.moves, self.transducer)

    def backward(self, dscores: Floats, cache: TransducerDecoderCache) -> EncodedGradient:  # type: ignore[override]
        """Add to the parameters' gradients, given dscores (N, T, V), 0 where masked; return the encoder's."""
        walked, inputs, dropped = cache.walked, cache.inputs, cache.dropped
        if isinstance(walked, WalkCache):
            assert self.whole is not None
            gradient = self.whole.backward(dscores, walked)
        else:
            gradient = self.steps.backward(dscores, walked)
        fed = TimeFed(self.stack.layers[0])
        dsymbols, dfeatures = fed.end_backward(gradient.dproducts, inputs, walked.averages)
        dtable = np.zeros((cache.height, dsymbols.shape[2]), dscores.dtype)
        dsymbols = scaled(dsymbols, dropped.symbols)
        kernels.scatter_rows(dtable, cache.rows, dsymbols)
        self.embed.backward_table(dtable, cache.embed)
        dhs = self.joint.remember_backward(gradient.dkeys, gradient.dvalues, cache.walk)
        if dfeatures is not None and gradient.dfeatures is not None:
            dfeatures = scaled(dfeatures + gradient.dfeatures, dropped.features)
        return EncodedGradient(gradient.dfirsts, dhs, dfeatures)

    def attention_weights(self, cache: TransducerDecoderCache) -> Floats:
        """Return where the next symbol is inserted or copied, in every step of a `forward` without mask: (N T, S).

        What is missing to a sum of 1 is at the end of the source.
        """
        walk, (reached, deleted) = cache.walk, cache.walked.moved()
        columns, lengths = walk.columns[walk.rows], walk.lengths[walk.rows, None]
        (N, S), T = columns.shape, len(reached)
        weights = np.zeros((N, T, S), walk.keys.dtype)
        for t in range(T):
            moved = np.zeros((N, S + 1), weights.dtype)
            moved[np.arange(S + 1) < lengths] = deleted[t]
            here = (reached[t] * (1.0 - moved))[:, :-1]
            np.put_along_axis(weights[:, t], columns, here * (np.arange(S) < lengths - 1), axis=1)
        return weights.reshape(N * T, S)

    def stack_cache(self, cache: TransducerDecoderCache) -> StackCache:
        """Return what the recurrent layers read in a `forward` of one row, as if it had been there before."""
        layers = cache.walked.read()
        rows = layers[0].rows
        return StackCache(layers, [None] * len(layers), rows, rows.shape[1], None)
