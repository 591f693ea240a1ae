"""The decoders with attention: they look, in every step, at the encoder's hidden states of all positions."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Mask
from doldari.layers import Parameter, TimeAffine, TimeAttention
from doldari.layers.affine import AffineCache
from doldari.layers.attention import AttentionCache, Memory
from doldari.layers.parameters import prefixed
from doldari.layers.places import places_of
from doldari.layers.positions import at_positions, of_real_positions, product_at_positions, real_positions
from doldari.models.decoder import Decoder, DecoderCache, DecoderState, LookOfKernel
from doldari.models.encoder import Encoded


class LookCache(NamedTuple):
    """What `AttentionDecoder.look_backward` needs; attention.weights is what a picture of attention shows."""

    attention: AttentionCache
    combine: AffineCache
    features: Floats
    mask: Mask | None


class AttentionDecoder(Decoder):
    """A decoder that attends to all hidden states of the encoder in every step.

    Its scores are of the features tanh([context, h] W + b) (Luong et al. 2015, equation 5), as many as h has, or,
    tied, as many as the embedding has.  What fits is told by the "general" score.
    """

    general = True
    attention: TimeAttention

    def add_look(self, D: int, H: int, tie: bool, rng: np.random.Generator, dtype: DTypeLike) -> int:
        """Make the layers that `look` needs; return how many features it makes."""
        size = D if tie else H
        self.attention = TimeAttention(Parameter.normal(rng, (H, H), H**-0.5, dtype) if self.general else None)
        self.combine = TimeAffine(
            Parameter.normal(rng, (2 * H, size), (2 * H) ** -0.5, dtype), Parameter.zeros((size,), dtype)
        )
        return size

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: those of `Decoder`, attention.W where it has one, combine.W, combine.b."""
        return (
            super().parameters()
            | prefixed("attention", self.attention.parameters())
            | prefixed("combine", self.combine.parameters())
        )

    def start(self, encoded: Encoded) -> DecoderState:
        """Cross the bridge: the state before the first step."""
        return super().start(encoded)._replace(memory=self.attention.remember(encoded.hs, encoded.mask))

    def look(self, hs: Floats, state: DecoderState, mask: Mask | None) -> tuple[Floats, Any]:
        """Attend to the memory: features (N, T, D or H), 0 where mask (N, T) is False, and a cache."""
        memory = state.memory
        assert isinstance(memory, Memory)
        N, T, _ = hs.shape
        queries, rows = real_positions(hs, mask), of_real_positions(memory.rows, T, mask)
        places = places_of((N, T), mask, state.place)
        places = places.ravel() if mask is None else places[mask]
        contexts, attention_cache = self.attention.forward(queries, memory._replace(rows=rows), places)
        features, combine_cache = self.combine.forward(queries[:, None], contexts)
        np.tanh(features, out=features)
        return at_positions(features[:, 0], (N, T), mask), LookCache(attention_cache, combine_cache, features, mask)

    def look_backward(
        self, dfeatures: Floats, cache: LookCache, dweights: Floats | None
    ) -> tuple[Floats, Floats | None]:
        """Turn the features' gradient into dhs (N, T, H) and that of the encoder's hidden states (N, S, H)."""
        attention_cache, combine_cache, features, mask = cache
        dcombined = real_positions(dfeatures, mask)[:, None] * (1.0 - features * features)
        dqueries, dcontexts = self.combine.backward(dcombined, combine_cache)
        assert dcontexts is not None
        dlooked, dvalues = self.attention.backward(dcontexts, attention_cache, dweights)
        dlooked += dqueries[:, 0]
        return at_positions(dlooked, dfeatures.shape[:2], mask), dvalues

    def attention_weights(self, cache: DecoderCache) -> Floats:
        """Return where it looked in every step of a `forward` without mask: (N T, S)."""
        weights: Floats = cache.look.attention.weights
        return weights

    def look_of_kernel(self, state: DecoderState) -> LookOfKernel:
        """Give keys, values, mask, Wq and bq, by which `kernels.lstm_greedy` does what `look` does.

        The values are multiplied by their part of the combining weights once, rather than every context.
        """
        memory = state.memory
        assert isinstance(memory, Memory)
        W, b = self.combine.W.value, self.combine.b.value
        M = memory.values.shape[2]
        return memory.keys, product_at_positions(memory.values, W[:M], memory.mask), memory.mask, W[M:], b


class DotAttentionDecoder(AttentionDecoder):
    """An attention decoder that tells what fits by the "dot" score, without weights of its own."""

    general = False
