"""A transformer's decoder: the ids before each position in, scores of what follows out.

Every layer looks at the positions so far and at the encoder's.  A step is a forward of length one: the state keeps
the keys and values of what was read, beside those of the source, which are made once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeAffine, TimeTiedAffine
from doldari.layers.affine import AffineCache
from doldari.layers.layer_norm import LayerNormCache
from doldari.layers.layout import Layout
from doldari.layers.parameters import prefixed
from doldari.models.encoder import Encoded, EncodedGradient
from doldari.models.transformer_encoder import EmbeddedCache, TransformerSide
from doldari.models.transformer_layer import LayerCache, Seen
from doldari.models.transformer_state import Past, Source, TransformerState


class TransformerDecoderCache(NamedTuple):
    """What `TransformerDecoder.backward` needs of its `forward`."""

    layout: Layout
    source: Source
    embed: EmbeddedCache
    layers: list[LayerCache]
    norm: LayerNormCache
    affine: AffineCache


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
        b = Parameter.zeros((vocab_size,), dtype)
        self.affine = (
            TimeTiedAffine(self.embed.embed.W, b)
            if tie
            else TimeAffine(Parameter.normal(rng, (size, vocab_size), size**-0.5, dtype), b)
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
        scores, affine_cache = self.affine.forward(vectors[:, None])
        cache_of_all = TransformerDecoderCache(layout, state.source, embed_cache, caches, norm_cache, affine_cache)
        return layout.apart(scores[:, 0]), after, cache_of_all

    def backward(self, dscores: Floats, cache: TransformerDecoderCache) -> EncodedGradient:
        """Add to the parameters' gradients, given dscores (N, T, V), 0 where masked; return the encoder's.

        Only of a forward from the first state.
        """
        layout, source = cache.layout, cache.source
        dxs, _ = self.affine.backward(layout.together(dscores)[:, None], cache.affine)
        dxs = self.norm.backward(dxs[:, 0], cache.norm)
        dvectors = np.zeros_like(source.vectors)
        for layer, layer_cache in zip(reversed(self.layers), reversed(cache.layers), strict=True):
            dxs, dacross = layer.backward(dxs, layer_cache)
            assert layer.cross is not None and dacross is not None
            dvectors += layer.cross.remember_backward(dacross, source.vectors, source.layout)
        self.embed.backward(dxs, cache.embed)
        return EncodedGradient((), source.layout.apart(dvectors))

    def greedy(self, *_: object) -> None:
        """Leave greedy search to `models.greedy`: no kernel knows a transformer."""
