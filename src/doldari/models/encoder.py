"""The encoder: a sequence of ids in, hidden states out (chapter 7.3.1).

The chapter's decoders are given the last hidden state; attention looks at those of all positions.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeEmbedding
from doldari.layers.parameters import prefixed
from doldari.layers.stack import StackCache
from doldari.models.recurrent import check_settings, recurrent_stack


class Encoded(NamedTuple):
    """What a decoder is given: every layer's last hidden state, each (N, H), and the top's at every position.

    hs is (N, S, H); mask (N, S) is False at padding, or None if there is none; xs (N, S) are the ids that were read.
    """

    last: tuple[Floats, ...]
    hs: Floats
    mask: Mask | None
    xs: Ids


class EncodedGradient(NamedTuple):
    """The gradient of an `Encoded`: dlast of last, and dhs of hs or, where nobody looked at them, None."""

    dlast: tuple[Floats, ...]
    dhs: Floats | None


class EncoderCache(NamedTuple):
    """What `Encoder.backward` needs of its `forward`."""

    embed: Ids | None
    stack: StackCache


class Encoder:
    """Embedding and recurrent layers."""

    def __init__(
        self,
        vocab_size: int,
        wordvec_size: int,
        hidden_size: int,
        *,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        embedding_scale: float = 0.01,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        sizes = {"vocab_size": vocab_size, "wordvec_size": wordvec_size, "hidden_size": hidden_size, "layers": layers}
        check_settings(type(self).__name__, sizes, cell, bidirectional, dropout, rng, dtype)
        V, D, H = vocab_size, wordvec_size, hidden_size
        self.cell = cell
        self.embed = TimeEmbedding(Parameter.normal(rng, (V, D), embedding_scale, dtype))
        self.stack = recurrent_stack(
            cell, D, H, layers=layers, bidirectional=bidirectional, dropout=dropout, rng=rng, dtype=dtype
        )

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: embed.W, lstm.Wx, lstm.Wh, lstm.b, and as `TimeStack` and `TimeBidirectional` do."""
        return prefixed("embed", self.embed.parameters()) | prefixed(self.cell, self.stack.parameters())

    def forward(
        self, xs: Ids, mask: Mask | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Encoded, EncoderCache]:
        """Read ids xs (N, S), padding where mask (N, S) is False; with rng, with dropout."""
        table, rows, embed_cache = self.embed.forward_table(xs)
        hs, lasts, stack_cache = self.stack.forward_table(table, rows, mask=mask, rng=rng)
        return Encoded(tuple(last.h for last in lasts), hs, mask, xs), EncoderCache(embed_cache, stack_cache)

    def backward(self, gradient: EncodedGradient, cache: EncoderCache) -> None:
        """Add to the parameters' gradients."""
        dlasts = self.stack.first_states(gradient.dlast)
        dtable, _, _ = self.stack.backward_table(gradient.dhs, cache.stack, dlasts)
        self.embed.backward_table(dtable, cache.embed)
