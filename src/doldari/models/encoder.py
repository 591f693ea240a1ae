"""The encoder: a sequence of ids in, one vector h out (chapter 7.3.1)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Parameter, TimeEmbedding, TimeLSTM
from doldari.layers.lstm import LSTMCache, LSTMState
from doldari.layers.parameters import prefixed


class EncoderCache(NamedTuple):
    """What `Encoder.backward` needs of its `forward`."""

    embed: Ids | None
    lstm: LSTMCache


class Encoder:
    """Embedding and LSTM; the LSTM's last hidden state is what the decoder is given."""

    def __init__(
        self,
        vocab_size: int,
        wordvec_size: int,
        hidden_size: int,
        *,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        V, D, H = vocab_size, wordvec_size, hidden_size
        self.embed = TimeEmbedding(Parameter.normal(rng, (V, D), 0.01, dtype))
        self.lstm = TimeLSTM(
            Wx=Parameter.normal(rng, (D, 4 * H), D**-0.5, dtype),
            Wh=Parameter.normal(rng, (H, 4 * H), H**-0.5, dtype),
            b=Parameter.zeros((4 * H,), dtype),
        )

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: embed.W, lstm.Wx, lstm.Wh, lstm.b."""
        return prefixed("embed", self.embed.parameters()) | prefixed("lstm", self.lstm.parameters())

    def forward(self, xs: Ids, mask: Mask | None = None) -> tuple[Floats, EncoderCache]:
        """Read ids xs (N, S), padding where mask (N, S) is False -> h (N, H), cache."""
        table, rows, embed_cache = self.embed.forward_table(xs)
        _, last, lstm_cache = self.lstm.forward_table(table, rows, mask=mask)
        return last.h, EncoderCache(embed_cache, lstm_cache)

    def backward(self, dh: Floats, cache: EncoderCache) -> None:
        """Add to the parameters' gradients, given that of h, dh (N, H)."""
        dlast = LSTMState(dh, np.zeros_like(dh))
        dtable, _, _ = self.lstm.backward_table(None, cache.lstm, dlast)
        self.embed.backward_table(dtable, cache.embed)
