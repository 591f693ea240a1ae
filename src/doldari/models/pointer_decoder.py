"""The pointer-generator: a decoder with attention that writes symbols or copies them from the source."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeAffine, TimePointer
from doldari.layers.affine import AffineCache
from doldari.layers.attention import Memory
from doldari.layers.parameters import prefixed
from doldari.layers.places import PlacedAttention
from doldari.layers.pointer import PointerCache
from doldari.layers.positions import at_positions, real_positions
from doldari.models.attention_decoder import AttentionDecoder, LookCache
from doldari.models.decoder import DecoderState
from doldari.models.encoder import Encoded

START = -2.0  # of the gate's bias: at first seven of eight parts are copied


class PointerScoreCache(NamedTuple):
    """What `PointerDecoder.score_backward` needs."""

    affine: AffineCache
    gate: AffineCache
    pointer: PointerCache
    mask: Mask | None


class PointerDecoder(AttentionDecoder):
    """An attention decoder whose attention also copies (See et al. 2017; for inflection, Sharma et al. 2018).

    In every step a gate, which sees the features that are scored, weighs what the scores say against copying the
    symbol looked at; its scores are log-probabilities.  copies (source's V,) says as which of the target's ids a
    source's id is copied; None: as itself.
    """

    has_kernel = False
    copies: Ids | None = None

    def add_look(self, D: int, H: int, tie: bool, rng: np.random.Generator, dtype: DTypeLike) -> int:
        """Make the layers that `look` and `score` need; return how many features they have."""
        size = super().add_look(D, H, tie, rng, dtype)
        assert self.attention.W is not None
        self.attention = PlacedAttention(self.attention.W, PlacedAttention.first_places(dtype))
        self.gate = TimeAffine(
            Parameter.normal(rng, (size, 1), size**-0.5, dtype), Parameter(np.full((1,), START, dtype))
        )
        self.pointer = TimePointer()
        return size

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: those of `AttentionDecoder`, gate.W (F, 1), gate.b (1,)."""
        return super().parameters() | prefixed("gate", self.gate.parameters())

    def start(self, encoded: Encoded) -> DecoderState:
        """Cross the bridge, with the ids that can be copied in attention's memory."""
        state = super().start(encoded)
        assert isinstance(state.memory, Memory)
        ids = encoded.xs if self.copies is None else self.copies[encoded.xs]
        return state._replace(memory=state.memory._replace(ids=ids))

    def score(self, features: Floats, peeked: Floats | None, look: LookCache) -> tuple[Floats, Any]:
        """Score features (N, T, F), and mix in what can be copied: log-probabilities (N, T, V), cache."""
        memory, weights, mask = look.attention.memory, look.attention.weights, look.mask
        assert memory.ids is not None
        scores, affine_cache = super().score(features, peeked, look)
        gates, gate_cache = self.gate.forward(features)
        real_scores, real_gates = real_positions(scores, mask), real_positions(gates, mask)
        logs, pointer_cache = self.pointer.forward(real_scores, real_gates, weights, memory.ids[memory.rows])
        cache = PointerScoreCache(affine_cache, gate_cache, pointer_cache, mask)
        return at_positions(logs, scores.shape[:2], mask), cache

    def score_backward(
        self, dscores: Floats, cache: PointerScoreCache
    ) -> tuple[Floats, Floats | None, Floats | None]:
        """Turn dscores (N, T, V) into dfeatures (N, T, F), None, and dweights (P, S), that of attention's weights."""
        shape, mask = dscores.shape[:2], cache.mask
        dlogs = real_positions(dscores, mask)
        dwritten, dgates, dweights = self.pointer.backward(dlogs, cache.pointer)
        dfeatures, dpeeked, _ = super().score_backward(at_positions(dwritten, shape, mask), cache.affine)
        dfeatures += self.gate.backward(at_positions(dgates, shape, mask), cache.gate)[0]
        return dfeatures, dpeeked, dweights
