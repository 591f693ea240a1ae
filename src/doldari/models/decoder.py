"""The decoders: a vector h in, scores for a sequence of ids out (chapter 7.3.2).

A decoder reads the id before each position (the right one in training, its own choice when generating) and
scores what stands there.  The plain decoder is given h once, as its LSTM's first hidden state; the peeky decoder
also looks at it in every step, in the LSTM and in the scores.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers import LSTMState, Parameter, TimeAffine, TimeEmbedding, TimeLSTM
from doldari.layers.affine import AffineCache
from doldari.layers.lstm import LSTMCache
from doldari.layers.parameters import prefixed


class DecoderState(NamedTuple):
    """What a decoder carries from step to step: its LSTM's state, and what it peeks at, (N, H) or None."""

    lstm: LSTMState
    peeked: Floats | None


class DecoderCache(NamedTuple):
    """What `Decoder.backward` needs of its `forward`."""

    embed: Ids | None
    lstm: LSTMCache
    affine: AffineCache


class Decoder:
    """Embedding, LSTM and affine scores; h is the LSTM's first hidden state, its first cell is zero."""

    peeks = False

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
        C = H if self.peeks else 0
        self.embed = TimeEmbedding(Parameter.normal(rng, (V, D), 0.01, dtype))
        self.lstm = TimeLSTM(
            Wx=Parameter.normal(rng, (C + D, 4 * H), (C + D) ** -0.5, dtype),
            Wh=Parameter.normal(rng, (H, 4 * H), H**-0.5, dtype),
            b=Parameter.zeros((4 * H,), dtype),
        )
        self.affine = TimeAffine(
            W=Parameter.normal(rng, (C + H, V), (C + H) ** -0.5, dtype),
            b=Parameter.zeros((V,), dtype),
        )

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: embed.W, lstm.Wx, lstm.Wh, lstm.b, affine.W, affine.b."""
        return (
            prefixed("embed", self.embed.parameters())
            | prefixed("lstm", self.lstm.parameters())
            | prefixed("affine", self.affine.parameters())
        )

    def start(self, h: Floats) -> DecoderState:
        """Cross the bridge: the state before the first step, from the encoder's h (N, H)."""
        return DecoderState(LSTMState(h, np.zeros_like(h)), h if self.peeks else None)

    def forward(
        self, xs: Ids, state: DecoderState, mask: Mask | None = None
    ) -> tuple[Floats, DecoderState, DecoderCache]:
        """Read the ids before each position, xs (N, T) -> scores (N, T, V), state after the last, cache.

        Where mask (N, T) is False xs is padding: the state passes unchanged and the scores are exactly 0.
        """
        table, rows, embed_cache = self.embed.forward_table(xs)
        hs, last, lstm_cache = self.lstm.forward_table(table, rows, state.lstm, mask, state.peeked)
        scores, affine_cache = self.affine.forward(hs, state.peeked)
        if mask is not None:
            scores[~mask] = 0.0
        return scores, DecoderState(last, state.peeked), DecoderCache(embed_cache, lstm_cache, affine_cache)

    def greedy(self, state: DecoderState, start_id: int, pad_id: int | None, steps: int) -> Ids:
        """Read its own choices: at each step the id with the highest score -> ids (N, steps).

        With pad_id, an answer ends at its first padding, and padding follows.
        """
        h, c = state.lstm
        N, H = h.shape
        table, context = self.lstm.products(self.embed.W.value, state.peeked)
        W, bias = self.affine.W.value[-H:], np.tile(self.affine.b.value, (N, 1))
        if state.peeked is not None:
            bias += state.peeked @ self.affine.W.value[:-H]
        answers = np.empty((N, steps), np.int32)
        kernels.lstm_greedy(table, context, self.lstm.Wh.value, W, bias, h, c, start_id, pad_id, answers)
        return answers

    def backward(self, dscores: Floats, cache: DecoderCache) -> Floats:
        """Add to the parameters' gradients, given dscores (N, T, V), 0 where masked; return dh (N, H)."""
        dhs, dpeeked_affine = self.affine.backward(dscores, cache.affine)
        dtable, dfirst, dpeeked_lstm = self.lstm.backward_table(dhs, cache.lstm)
        self.embed.backward_table(dtable, cache.embed)
        dh = dfirst.h
        if dpeeked_affine is not None and dpeeked_lstm is not None:
            dh += dpeeked_affine + dpeeked_lstm
        return dh


class PeekyDecoder(Decoder):
    """A decoder that looks at h in every step: LSTM input [h, x], affine input [h, LSTM output].

    After the context vector of Cho et al. 2014 (arXiv:1406.1078), section 2.2.
    """

    peeks = True
