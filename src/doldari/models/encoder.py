"""The encoder: a sequence of ids in, hidden states out (chapter 7.3.1).

The chapter's decoders are given the last hidden state; attention looks at those of all positions.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import EmbeddingBag, Parameter, PlacedEmbedding, TimeDropout, TimeEmbedding
from doldari.layers.parameters import prefixed
from doldari.layers.stack import StackCache
from doldari.models.recurrent import check_settings, recurrent_stack


class Encoded(NamedTuple):
    """What a decoder is given: every layer's last hidden state, each (N, H), and the top's at every position.

    hs is (N, S, H); mask (N, S) is False where nothing was read, or None if there is no such place; xs (N, S) are the
    ids that were read; features (N, D) is the sum of the features' vectors, None where there can be none.
    """

    last: tuple[Floats, ...]
    hs: Floats
    mask: Mask | None
    xs: Ids
    features: Floats | None = None


class EncodedGradient(NamedTuple):
    """The gradient of an `Encoded`: dlast of last, and of hs and features, where nobody looked at them, None."""

    dlast: tuple[Floats, ...]
    dhs: Floats | None
    dfeatures: Floats | None = None


class EncoderCache(NamedTuple):
    """What `Encoder.backward` needs of its `forward`."""

    embed: Ids | None
    stack: StackCache
    dropout: Floats | None
    features: Floats | None


class Encoder:
    """Embedding and recurrent layers.

    The last `features` of the ids are a source's features: they are not read in a row, but summed up.  places: where
    a symbol stands is added to its vector.  each_step: dropout is drawn anew at every step, also of the states that a
    decoder sees at all positions.
    """

    def __init__(
        self,
        vocab_size: int,
        wordvec_size: int,
        hidden_size: int,
        *,
        features: int = 0,
        places: bool = False,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
        each_step: bool = False,
        embedding_scale: float = 0.01,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        sizes = {"vocab_size": vocab_size, "wordvec_size": wordvec_size, "hidden_size": hidden_size, "layers": layers}
        check_settings(type(self).__name__, sizes, cell, bidirectional, dropout, rng, dtype)
        V, D, H = vocab_size, wordvec_size, hidden_size
        self.cell = cell
        W = Parameter.normal(rng, (V, D), embedding_scale, dtype)
        self.embed = PlacedEmbedding(W) if places else TimeEmbedding(W)
        self.bag = EmbeddingBag(self.embed.W, V - features) if features else None
        self.stack = recurrent_stack(
            cell,
            D,
            H,
            layers=layers,
            bidirectional=bidirectional,
            dropout=dropout,
            each_step=each_step,
            rng=rng,
            dtype=dtype,
        )
        self.dropout = TimeDropout(dropout if each_step else 0.0, each_step)

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: embed.W, lstm.Wx, lstm.Wh, lstm.b, and as `TimeStack` and `TimeBidirectional` do."""
        return prefixed("embed", self.embed.parameters()) | prefixed(self.cell, self.stack.parameters())

    def forward(
        self, xs: Ids, mask: Mask | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Encoded, EncoderCache]:
        """Read ids xs (N, S), padding or features where mask (N, S) is False; with rng, with dropout."""
        features, bag_cache = (None, None) if self.bag is None else self.bag.forward(xs)
        table, rows, embed_cache = self.embed.forward_table(xs, mask)
        hs, lasts, stack_cache = self.stack.forward_table(table, rows, mask=mask, rng=rng)
        hs, dropout_cache = self.dropout.forward(hs, rng, mask)
        encoded = Encoded(tuple(last.h for last in lasts), hs, mask, xs, features)
        return encoded, EncoderCache(embed_cache, stack_cache, dropout_cache, bag_cache)

    def backward(self, gradient: EncodedGradient, cache: EncoderCache) -> None:
        """Add to the parameters' gradients."""
        dlasts = self.stack.first_states(gradient.dlast)
        dhs = None if gradient.dhs is None else self.dropout.backward(gradient.dhs, cache.dropout)
        dtable, _, _ = self.stack.backward_table(dhs, cache.stack, dlasts)
        self.embed.backward_table(dtable, cache.embed)
        if self.bag is not None and cache.features is not None and gradient.dfeatures is not None:
            self.bag.backward(gradient.dfeatures, cache.features)
