"""One layer of a transformer, pre-norm: what each part makes of the normalised vectors is added to them.

    xs += dropout(self_attention(norm(xs)))
    xs += dropout(cross_attention(norm(xs), memory))        the decoder's layers only
    xs += dropout(feed_forward(norm(xs)))

Vaswani et al. 2017 (arXiv:1706.03762), with the norm in front of each part (Xiong et al. 2020, arXiv:2002.04745).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeDropout, TimeFeedForward, TimeLayerNorm, TimeMultiHeadAttention
from doldari.layers.layout import Layout
from doldari.layers.multi_head_attention import KeysValues, MultiHeadCache
from doldari.layers.parameters import prefixed


class Seen(NamedTuple):
    """What an attention looks at: keys and values (Q, S, D), mask (Q, S) of what is no padding; row n at rows[n]."""

    memory: KeysValues
    mask: Mask | None
    rows: Ids | None = None


class Before(NamedTuple):
    """What stands before the positions of a forward: row n in row rows[n] of keys and values (R, room, D).

    The first `read` positions are written.  mask (N, read + T) is False at padding, T positions further on.
    """

    memory: KeysValues
    rows: Ids | None
    read: int
    mask: Mask | None

    def followed_by(self, own: KeysValues) -> Seen:
        """Write what follows, (N, T, D), behind: all that is seen."""
        end = self.read + own.keys.shape[1]
        for array, new in zip(self.memory, own, strict=True):
            array[slice(None) if self.rows is None else self.rows, self.read : end] = new
        return Seen(KeysValues(*(array[:, :end] for array in self.memory)), self.mask, self.rows)


class PartCache(NamedTuple):
    """What the backward of one part needs: that of its norm, its own, and that of its dropout."""

    norm: Any
    part: Any
    dropout: Floats | None


class LayerCache(NamedTuple):
    """What `TransformerLayer.backward` needs; `cross` is None in an encoder."""

    layout: Layout
    own: PartCache
    remembered: Floats
    cross: PartCache | None
    feed_forward: PartCache


class TransformerLayer:
    """Self-attention, in a decoder attention to the encoder's memory, and the feed-forward network."""

    def __init__(
        self,
        size: int,
        hidden_size: int,
        heads: int,
        *,
        crosses: bool,
        dropout: float,
        rng: np.random.Generator,
        dtype: DTypeLike,
    ) -> None:
        D, H = size, hidden_size

        def attention(rotary: bool) -> TimeMultiHeadAttention:
            Wq, Wkv, Wo = (Parameter.normal(rng, (D, width), D**-0.5, dtype) for width in (D, 2 * D, D))
            return TimeMultiHeadAttention(Wq, Wkv, Wo, heads, rotary)

        def norm() -> TimeLayerNorm:
            return TimeLayerNorm(Parameter.ones((D,), dtype), Parameter.zeros((D,), dtype))

        self.attention, self.attention_norm = attention(rotary=True), norm()
        self.cross = attention(rotary=False) if crosses else None
        self.cross_norm = norm() if crosses else None
        W1, W2 = Parameter.normal(rng, (D, H), D**-0.5, dtype), Parameter.normal(rng, (H, D), H**-0.5, dtype)
        self.feed_forward = TimeFeedForward(W1, Parameter.zeros((H,), dtype), W2, Parameter.zeros((D,), dtype))
        self.feed_forward_norm = norm()
        self.dropout = TimeDropout(dropout)

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: attention.Wq, attention_norm.g, cross.Wq, feed_forward.W1 and so on."""
        parts = ("attention", "attention_norm", "cross", "cross_norm", "feed_forward", "feed_forward_norm")
        named: dict[str, Parameter] = {}
        for name in parts:
            part = getattr(self, name)
            named |= {} if part is None else prefixed(name, part.parameters())
        return named

    def forward(
        self,
        xs: Floats,
        layout: Layout,
        before: Before | None = None,
        across: Seen | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Floats, KeysValues, LayerCache]:
        """Run over vectors xs (P, D) -> ys (P, D), the keys and values of these positions, cache.

        A decoder's layer is given what it looks at across, and sees of its own positions those up to each, behind
        those `before`, if there are any; an encoder's sees all.
        """
        normed, norm_cache = self.attention_norm.forward(xs)
        own = self.attention.remember(normed, layout)
        seen = Seen(own, layout.mask) if before is None else before.followed_by(own)
        ys, part_cache = self.attention.forward(
            normed, layout, seen.memory, seen.mask, rows=seen.rows, causal=across is not None
        )
        xs, dropped = self.added(xs, ys, layout, rng)
        own_cache, cross_cache = PartCache(norm_cache, part_cache, dropped), None
        if self.cross is not None and self.cross_norm is not None:
            assert across is not None
            queries, norm_cache = self.cross_norm.forward(xs)
            ys, part_cache = self.cross.forward(queries, layout, across.memory, across.mask, rows=across.rows)
            xs, dropped = self.added(xs, ys, layout, rng)
            cross_cache = PartCache(norm_cache, part_cache, dropped)
        inputs, norm_cache = self.feed_forward_norm.forward(xs)
        ys, feed_cache = self.feed_forward.forward(inputs)
        xs, dropped = self.added(xs, ys, layout, rng)
        feed_forward_cache = PartCache(norm_cache, feed_cache, dropped)
        return xs, own, LayerCache(layout, own_cache, normed, cross_cache, feed_forward_cache)

    def added(
        self, xs: Floats, ys: Floats, layout: Layout, rng: np.random.Generator | None
    ) -> tuple[Floats, Floats | None]:
        """Add to xs (P, D) what a part made of them, with dropout: the sum, and dropout's cache."""
        ys, cache = self.dropout.forward_rows(ys, layout.rows, layout.shape[0], rng)
        return xs + ys, cache

    def backward(self, dxs: Floats, cache: LayerCache) -> tuple[Floats, KeysValues | None]:
        """Add to the parameters' gradients; the gradient (P, D) of ys -> that of xs, that of what is seen across.

        Only where nothing was before.
        """
        norm, part, dropped = cache.feed_forward
        dys = self.feed_forward.backward(self.dropout.backward(dxs, dropped), part)
        dxs = dxs + self.feed_forward_norm.backward(dys, norm)
        dacross = None
        if self.cross is not None and self.cross_norm is not None and cache.cross is not None:
            norm, part, dropped = cache.cross
            dys, dacross = self.cross.backward(self.dropout.backward(dxs, dropped), part)
            dxs = dxs + self.cross_norm.backward(dys, norm)
        norm, part, dropped = cache.own
        dys, dmemory = self.attention.backward(self.dropout.backward(dxs, dropped), part)
        dys += self.attention.remember_backward(dmemory, cache.remembered, cache.layout)
        return dxs + self.attention_norm.backward(dys, norm), dacross


def cross_weights(cache: LayerCache) -> Floats:
    """Give the weights (N, T, S) with which a decoder's layer looked across, averaged over its heads."""
    assert cache.cross is not None
    part: MultiHeadCache = cache.cross.part
    averaged: Floats = part.weights.mean(axis=1)
    return averaged
