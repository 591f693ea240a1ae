"""A transformer's decoder: the ids before each position in, scores of what follows out.

Every layer looks at the positions so far and at the encoder's.  A step is a forward of length one: the state keeps
the keys and values of what was read, beside those of the source, which are made once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeAffine, TimeLayerNorm, TimeTiedAffine
from doldari.layers.affine import AffineCache
from doldari.layers.layer_norm import LayerNormCache
from doldari.layers.layout import Layout
from doldari.layers.multi_head_attention import KeysValues
from doldari.layers.parameters import prefixed
from doldari.models.encoder import Encoded, EncodedGradient
from doldari.models.transformer_encoder import EmbeddedCache, ScaledEmbedding
from doldari.models.transformer_layer import LayerCache, Seen, TransformerLayer


class Source(NamedTuple):
    """What is remembered of Q sources: the encoder's vectors (P, D) as laid out, every layer's keys and values."""

    vectors: Floats
    layout: Layout
    layers: tuple[KeysValues, ...]


class TransformerState(NamedTuple):
    """What the decoder carries from step to step: R rows, of which each has read as many ids.

    Every layer's keys and values (R, t, D) of these ids; mask (R, t), False where one was padding, None if none was;
    how many it has read (R,), padding not counted; and the source, of which row r looks at that numbered rows[r], or,
    where rows is None, at its own.
    """

    layers: tuple[KeysValues, ...]
    mask: Mask | None
    read: Ids
    source: Source
    rows: Ids | None

    def select(self, rows: NDArray[np.intp]) -> "TransformerState":
        """Take some rows, any of them as often as wanted; the source itself stays where it is."""
        layers = tuple(layer.select(rows.astype(np.int32)) for layer in self.layers)
        mask = None if self.mask is None else self.mask[rows]
        return TransformerState(layers, mask, self.read[rows], self.source, self.every_row()[rows])

    def join(self, other: "TransformerState") -> "TransformerState":
        """Put the rows of another state, of the same sources and as many ids, below its own."""
        layers = tuple(
            KeysValues(*(np.concatenate(pair) for pair in zip(mine, others, strict=True)))
            for mine, others in zip(self.layers, other.layers, strict=True)
        )
        mask = None
        if self.mask is not None or other.mask is not None:
            mask = np.concatenate([self.unpadded(), other.unpadded()])
        rows = np.concatenate([self.every_row(), other.every_row()])
        return TransformerState(layers, mask, np.concatenate([self.read, other.read]), self.source, rows)

    def every_row(self) -> Ids:
        """Give the source's number for each row, also where that is its own."""
        return np.arange(len(self.read), dtype=np.int32) if self.rows is None else self.rows

    def unpadded(self) -> Mask:
        """Give the mask (R, t), also where nothing is padding."""
        return np.ones(self.layers[0].keys.shape[:2], np.bool_) if self.mask is None else self.mask


class TransformerDecoderCache(NamedTuple):
    """What `TransformerDecoder.backward` needs of its `forward`."""

    layout: Layout
    source: Source
    embed: EmbeddedCache
    layers: list[LayerCache]
    norm: LayerNormCache
    affine: AffineCache


class TransformerDecoder:
    """Embedding, layers, a last norm, and affine scores."""

    peeks = False

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
        self.embed = ScaledEmbedding(vocab_size, size, dropout, rng, dtype)
        self.layers = [
            TransformerLayer(size, hidden_size, heads, crosses=True, dropout=dropout, rng=rng, dtype=dtype)
            for _ in range(layers)
        ]
        self.norm = TimeLayerNorm(Parameter.ones((size,), dtype), Parameter.zeros((size,), dtype))
        b = Parameter.zeros((vocab_size,), dtype)
        self.affine = (
            TimeTiedAffine(self.embed.embed.W, b)
            if tie
            else TimeAffine(Parameter.normal(rng, (size, vocab_size), size**-0.5, dtype), b)
        )

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: embed.W, 1.attention.Wq and so on, norm.g, norm.b, affine.W, affine.b."""
        named = prefixed("embed", self.embed.embed.parameters())
        for number, layer in enumerate(self.layers, start=1):
            named |= prefixed(str(number), layer.parameters())
        return named | prefixed("norm", self.norm.parameters()) | prefixed("affine", self.affine.parameters())

    def start(self, encoded: Encoded) -> TransformerState:
        """Make the state before the first step."""
        N, S, D = encoded.hs.shape
        layout = Layout.of((N, S), encoded.mask)
        vectors = layout.together(encoded.hs)
        layers = tuple(layer.cross.remember(vectors, layout) for layer in self.layers if layer.cross is not None)
        nothing = KeysValues(*(np.zeros((N, 0, D), vectors.dtype) for _ in range(2)))
        source = Source(vectors, layout, layers)
        first = tuple(nothing for _ in layers)
        return TransformerState(first, None, np.zeros(N, np.int32), source, None)

    def forward(
        self, xs: Ids, state: TransformerState, mask: Mask | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Floats, TransformerState, TransformerDecoderCache]:
        """Read the ids before each position, xs (N, T) -> scores (N, T, V), state after the last, cache.

        Where mask (N, T) is False xs is padding, which nothing looks at, and the scores are exactly 0.  With rng
        there is dropout: of the embeddings, and of what every part of a layer adds.
        """
        layout = Layout.of(xs.shape, mask, state.read)
        seen = None
        if state.mask is not None or mask is not None:
            seen = np.concatenate([state.unpadded(), np.ones(xs.shape, np.bool_) if mask is None else mask], axis=1)
        vectors, embed_cache = self.embed.forward(xs, layout, rng)
        caches, layers = [], []
        for layer, before, source in zip(self.layers, state.layers, state.source.layers, strict=True):
            across = Seen(source, state.source.layout.mask, state.rows)
            vectors, memory, cache = layer.forward(vectors, layout, Seen(before, seen), across, rng)
            caches.append(cache)
            layers.append(memory)
        vectors, norm_cache = self.norm.forward(vectors)
        scores, affine_cache = self.affine.forward(vectors[:, None])
        read = state.read + (np.int32(xs.shape[1]) if mask is None else mask.sum(axis=1, dtype=np.int32))
        after = TransformerState(tuple(layers), seen, read, state.source, state.rows)
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
