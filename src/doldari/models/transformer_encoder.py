"""A transformer's encoder: a sequence of ids in, a vector for each position out, which has looked at all others."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeDropout, TimeEmbedding, TimeLayerNorm
from doldari.layers.layer_norm import LayerNormCache
from doldari.layers.layout import Layout
from doldari.layers.parameters import prefixed
from doldari.models.encoder import Encoded, EncodedGradient
from doldari.models.transformer_layer import LayerCache, TransformerLayer


class EmbeddedCache(NamedTuple):
    """What the backward of `ScaledEmbedding` needs."""

    ids: Ids
    dropout: Floats | None


class ScaledEmbedding:
    """Vectors of ids times sqrt(D) (Vaswani et al. 2017, section 3.4), with dropout, in a layout's order.

    The vectors themselves, drawn with a standard deviation of 1 / sqrt(D), may then score what is written, too.
    """

    def __init__(
        self, vocab_size: int, size: int, dropout: float, rng: np.random.Generator, dtype: DTypeLike
    ) -> None:
        self.embed = TimeEmbedding(Parameter.normal(rng, (vocab_size, size), size**-0.5, dtype))
        self.dropout, self.scale = TimeDropout(dropout), size**0.5

    def forward(self, ids: Ids, layout: Layout, rng: np.random.Generator | None) -> tuple[Floats, EmbeddedCache]:
        """Look up ids (N, T) -> vectors (P, D) of those that are no padding, cache."""
        real = (ids if layout.mask is None else ids[layout.mask]).reshape(-1, 1)
        xs, _ = self.embed.forward(real)
        dropped, cache = self.dropout.forward_rows(xs[:, 0] * self.scale, layout.rows, layout.shape[0], rng)
        return dropped, EmbeddedCache(real, cache)

    def backward(self, dxs: Floats, cache: EmbeddedCache) -> None:
        """Add to the gradient of the vectors."""
        dxs = self.dropout.backward(dxs, cache.dropout) * self.scale
        self.embed.backward(dxs[:, None], cache.ids)


class TransformerEncoderCache(NamedTuple):
    """What `TransformerEncoder.backward` needs of its `forward`."""

    layout: Layout
    embed: EmbeddedCache
    layers: list[LayerCache]
    norm: LayerNormCache


class TransformerSide:
    """What encoder and decoder have in common: an embedding, layers, and a last norm."""

    crosses: bool  # whether its layers look at another side

    def __init__(
        self,
        vocab_size: int,
        size: int,
        hidden_size: int,
        *,
        heads: int,
        layers: int,
        dropout: float,
        rng: np.random.Generator,
        dtype: DTypeLike,
    ) -> None:
        self.embed = ScaledEmbedding(vocab_size, size, dropout, rng, dtype)
        self.layers = [
            TransformerLayer(size, hidden_size, heads, crosses=self.crosses, dropout=dropout, rng=rng, dtype=dtype)
            for _ in range(layers)
        ]
        self.norm = TimeLayerNorm(Parameter.ones((size,), dtype), Parameter.zeros((size,), dtype))

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: embed.W, 1.attention.Wq and so on of the first layer, norm.g, norm.b."""
        named = prefixed("embed", self.embed.embed.parameters())
        for number, layer in enumerate(self.layers, start=1):
            named |= prefixed(str(number), layer.parameters())
        return named | prefixed("norm", self.norm.parameters())


class TransformerEncoder(TransformerSide):
    """Vectors of the positions, of which each has looked at all others."""

    crosses = False

    def forward(
        self, xs: Ids, mask: Mask | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Encoded, TransformerEncoderCache]:
        """Read ids xs (N, S), padding where mask (N, S) is False; with rng, with dropout."""
        layout = Layout.of(xs.shape, mask)
        vectors, embed_cache = self.embed.forward(xs, layout, rng)
        caches = []
        for layer in self.layers:
            vectors, _, cache = layer.forward(vectors, layout, rng=rng)
            caches.append(cache)
        vectors, norm_cache = self.norm.forward(vectors)
        return Encoded((), layout.apart(vectors), mask, xs), TransformerEncoderCache(
            layout, embed_cache, caches, norm_cache
        )

    def backward(self, gradient: EncodedGradient, cache: TransformerEncoderCache) -> None:
        """Add to the parameters' gradients."""
        assert gradient.dhs is not None
        dxs = self.norm.backward(cache.layout.together(gradient.dhs), cache.norm)
        for layer, layer_cache in zip(reversed(self.layers), reversed(cache.layers), strict=True):
            dxs, _ = layer.backward(dxs, layer_cache)
        self.embed.backward(dxs, cache.embed)
