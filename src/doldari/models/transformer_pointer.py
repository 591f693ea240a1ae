"""A transformer's decoder that writes symbols or copies them from the source: a pointer-generator."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids
from doldari.layers import Parameter, TimeAffine, TimePointer
from doldari.layers.affine import AffineCache
from doldari.layers.attention import AttentionCache
from doldari.layers.layout import Layout
from doldari.layers.parameters import prefixed
from doldari.layers.places import PlacedAttention
from doldari.layers.pointer import PointerCache
from doldari.models.encoder import Encoded
from doldari.models.pointer_decoder import START
from doldari.models.transformer import Transformer
from doldari.models.transformer_decoder import TransformerDecoder, TransformerDecoderCache
from doldari.models.transformer_state import TransformerState


class PointedCache(NamedTuple):
    """What `PointerTransformerDecoder.score_backward` needs."""

    affine: AffineCache
    attention: AttentionCache
    gate: AffineCache
    pointer: PointerCache


class PointerTransformerDecoder(TransformerDecoder):
    """A transformer's decoder with one more attention, which copies (See et al. 2017, equations 8 and 9).

    From the last layer's vectors it looks, with a single head and also by places, at the encoder's.  A gate, which
    sees a vector and what it found, weighs its scores against copying; what comes out are log-probabilities.

    copies (source's V,) says as which of the target's ids a source's id is copied, -1 for none; None: as itself.
    """

    copies: Ids | None = None

    def add_scores(self, size: int, tie: bool, rng: np.random.Generator, dtype: DTypeLike) -> None:
        """Make the layers that `score` needs."""
        super().add_scores(size, tie, rng, dtype)
        W = Parameter.normal(rng, (size, size), 1.0 / size, dtype)
        self.attention = PlacedAttention(W, PlacedAttention.first_places(dtype))
        gate = Parameter.normal(rng, (2 * size, 1), (2 * size) ** -0.5, dtype)
        self.gate = TimeAffine(gate, Parameter(np.full((1,), START, dtype)))
        self.pointer = TimePointer()

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: `TransformerDecoder`'s; attention.W (D, D), attention.U, gate.W (2D, 1), gate.b."""
        own = prefixed("attention", self.attention.parameters()) | prefixed("gate", self.gate.parameters())
        return super().parameters() | own

    def start(self, encoded: Encoded) -> TransformerState:
        """Make the state before the first step, with what can be copied."""
        state, mask = super().start(encoded), encoded.mask
        ids = encoded.xs if self.copies is None else self.copies[encoded.xs]
        if (ids < 0).any():
            mask = ids >= 0 if mask is None else mask & (ids >= 0)
        memory = self.attention.remember(encoded.hs, mask)._replace(ids=np.maximum(ids, 0))
        return state._replace(source=state.source._replace(copied=memory))

    def score(self, vectors: Floats, layout: Layout, state: TransformerState) -> tuple[Floats, PointedCache]:
        """Score vectors (P, D), and mix in what can be copied: log-probabilities (P, V), cache."""
        memory = state.source.copied
        assert memory is not None and memory.ids is not None
        rows = layout.rows if state.rows is None else state.rows[layout.rows]
        scores, affine = self.affine.forward(vectors[:, None])
        contexts, attention = self.attention.forward(vectors, memory._replace(rows=rows), layout.ranks)
        gates, gate = self.gate.forward(np.concatenate([contexts, vectors], axis=1)[:, None])
        logs, pointer = self.pointer.forward(scores[:, 0], gates[:, 0], attention.weights, memory.ids[rows])
        return logs, PointedCache(affine, attention, gate, pointer)

    def score_backward(self, dlogs: Floats, cache: PointedCache) -> tuple[Floats, Floats | None]:
        """Turn dlogs (P, V) into the gradients of vectors (P, D) and of the encoder's (N, S, D)."""
        dscores, dgates, dweights = self.pointer.backward(dlogs, cache.pointer)
        dgated = self.gate.backward(dgates[:, None], cache.gate)[0][:, 0]
        D = dgated.shape[1] // 2
        dqueries, dhs = self.attention.backward(np.ascontiguousarray(dgated[:, :D]), cache.attention, dweights)
        dvectors, _ = self.affine.backward(dscores[:, None], cache.affine)
        return dvectors[:, 0] + dqueries + dgated[:, D:], dhs

    def attention_weights(self, cache: TransformerDecoderCache) -> Floats:
        """Return where it looked for what to copy, in a `forward` without mask: (N, T, S)."""
        weights: Floats = cache.scores.attention.weights
        return weights.reshape(*cache.layout.shape, weights.shape[1])


class PointerTransformer(Transformer):
    """A `Transformer` that also copies from the source; `decoder.copies` says what as which id."""

    decoder_class = PointerTransformerDecoder
