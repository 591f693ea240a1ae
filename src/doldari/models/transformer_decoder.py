"""A transformer's decoder: the ids before each position in, scores of what follows out.

Every layer looks at the positions so far and at the encoder's.  A step is a forward of length one: the state keeps
the keys and values of what was read, beside those of the source, which are made once.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeAffine, TimeTiedAffine
from doldari.layers.layer_norm import LayerNormCache
from doldari.layers.layout import Layout
from doldari.layers.parameters import prefixed
from doldari.models.encoder import Encoded, EncodedGradient
from doldari.models.transformer_encoder import EmbeddedCache, TransformerSide
from doldari.models.transformer_layer import LayerCache, Seen, cross_weights
from doldari.models.transformer_state import Past, Source, TransformerState


class TransformerDecoderCache(NamedTuple):
    """What `TransformerDecoder.backward` needs of its `forward`."""

    layout: Layout
    source: Source
    embed: EmbeddedCache
    layers: list[LayerCache]
    norm: LayerNormCache
    scores: Any


class TransformerDecoder(TransformerSide):
    """Embedding, layers, a last norm, and affine scores."""

    peeks, crosses = False, True

    def __init__(
        self,
        vocab_size: int,
        size: int,
        hidden_size: int,
        *,
        heads: int,
        layers: int,
        tie: bool,
        dropout: float,
        rng: np.random.Generator,
        dtype: DTypeLike,
    ) -> None:
        super().__init__(
            vocab_size, size, hidden_size, heads=heads, layers=layers, dropout=dropout, rng=rng, dtype=dtype
        )
        self.add_scores(size, tie, rng, dtype)

    def add_scores(self, size: int, tie: bool, rng: np.random.Generator, dtype: DTypeLike) -> None:
        """Make the layers that `score` needs."""
        W = self.embed.embed.W
        V = len(W.value)
        b = Parameter.zeros((V,), dtype)
        self.affine = (
            TimeTiedAffine(W, b) if tie else TimeAffine(Parameter.normal(rng, (size, V), size**-0.5, dtype), b)
        )

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: embed.W, 1.attention.Wq and so on, norm.g, norm.b, affine.W, affine.b."""
        return super().parameters() | prefixed("affine", self.affine.parameters())

    def start(self, encoded: Encoded) -> TransformerState:
        """Make the state before the first step."""
        N, S, _ = encoded.hs.shape
        layout = Layout.of((N, S), encoded.mask)
        vectors = layout.together(encoded.hs)
        layers = tuple(layer.cross.remember(vectors, layout) for layer in self.layers if layer.cross is not None)
        source = Source(vectors, layout, layers)
        return TransformerState(0, None, None, None, np.zeros(N, np.int32), source, None)

    def forward(
        self, xs: Ids, state: TransformerState, mask: Mask | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Floats, TransformerState, TransformerDecoderCache]:
        """Read the ids before each position, xs (N, T) -> scores (N, T, V), state after the last, cache.

        Where mask (N, T) is False xs is padding, which nothing looks at, and the scores are exactly 0.  With rng
        there is dropout: of the embeddings, and of what every part of a layer adds.
        """
        layout = Layout.of(xs.shape, mask, state.read)
        after, befores = state.followed_by(xs.shape[1], mask)
        vectors, embed_cache = self.embed.forward(xs, layout, rng)
        caches, remembered = [], []
        for layer, before, source in zip(self.layers, befores, state.source.layers, strict=True):
            across = Seen(source, state.source.layout.mask, state.rows)
            vectors, own, cache = layer.forward(vectors, layout, before, across, rng)
            caches.append(cache)
            remembered.append(own)
        if after.past is None:
            after = after._replace(past=Past(tuple(remembered), xs.shape[1]))
        vectors, norm_cache = self.norm.forward(vectors)
        scores, scores_cache = self.score(vectors, layout, state)
        cache_of_all = TransformerDecoderCache(layout, state.source, embed_cache, caches, norm_cache, scores_cache)
        return layout.apart(scores), after, cache_of_all

    def score(self, vectors: Floats, layout: Layout, state: TransformerState) -> tuple[Floats, Any]:
        """Score vectors (P, D), which stand as the layout says: (P, V), cache."""
        scores, cache = self.affine.forward(vectors[:, None])
        return scores[:, 0], cache

    def score_backward(self, dscores: Floats, cache: Any) -> tuple[Floats, Floats | None]:
        """Turn dscores (P, V) into the gradients of vectors (P, D) and, if looked at, of the encoder's (N, S, D)."""
        return self.affine.backward(dscores[:, None], cache)[0][:, 0], None

    def backward(self, dscores: Floats, cache: TransformerDecoderCache) -> EncodedGradient:
        """Add to the parameters' gradients, given dscores (N, T, V), 0 where masked; return the encoder's.

        Only of a forward from the first state.
        """
        layout, source = cache.layout, cache.source
        dxs, dhs = self.score_backward(layout.together(dscores), cache.scores)
        dxs = self.norm.backward(dxs, cache.norm)
        dvectors = np.zeros_like(source.vectors) if dhs is None else source.layout.together(dhs)
        for layer, layer_cache in zip(reversed(self.layers), reversed(cache.layers), strict=True):
            dxs, dacross = layer.backward(dxs, layer_cache)
            assert layer.cross is not None and dacross is not None
            dvectors += layer.cross.remember_backward(dacross, source.vectors, source.layout)
        self.embed.backward(dxs, cache.embed)
        return EncodedGradient((), source.layout.apart(dvectors))

    def attention_weights(self, cache: TransformerDecoderCache) -> Floats:
        """Return where the last layer looked, averaged over its heads, in a `forward` without mask: (N, T, S)."""
        return cross_weights(cache.layers[-1])

    def greedy(self, *_: object) -> None:
        """Leave greedy search to `models.greedy`: no kernel knows a transformer."""
