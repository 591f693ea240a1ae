"""The decoders: what the encoder made in, scores for a sequence of ids out (chapter 7.3.2).

A decoder reads the id before each position (the right one in training, its own choice when generating) and
scores what stands there.  All start from the encoder's last hidden states.  The peeky decoder also looks at the
last one in every step, in the recurrent layers and in the scores; the attention decoder, in attention_decoder.py,
looks in every step at the encoder's states of all positions.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask
from doldari.layers import (
    Parameter,
    PlacedEmbedding,
    TimeAffine,
    TimeDropout,
    TimeEmbedding,
    TimeLSTM,
    TimeTiedAffine,
)
from doldari.layers.attention import Memory
from doldari.layers.parameters import prefixed
from doldari.layers.stack import StackCache
from doldari.layers.transducer import Walk
from doldari.models.encoder import Encoded, EncodedGradient
from doldari.models.recurrent import check_settings, recurrent_stack


class DecoderState(NamedTuple):
    """What a decoder carries from step to step.

    Every layer's state; and, the same in every step, what the recurrent layers see besides symbols, the h (N, H) that
    a peeky decoder looks at or a source's features (N, D), and the memory of attention: None where there is none.
    """

    layers: tuple[Any, ...]
    peeked: Floats | None
    memory: Memory | Walk | None
    place: Ids  # how many symbols each row (N,) has read
    arrivals: Floats | None = None  # (N, S, V), of a transducer: `TransducerCache.arrivals`

    def select(self, rows: NDArray[np.intp]) -> "DecoderState":
        """Take some rows, any of them as often as wanted; the memory itself stays where it is."""
        layers = tuple(type(layer)(*(array[rows] for array in layer)) for layer in self.layers)
        memory = None if self.memory is None else self.memory._replace(rows=self.memory.rows[rows])
        peeked = None if self.peeked is None else self.peeked[rows]
        arrivals = None if self.arrivals is None else self.arrivals[rows]
        return DecoderState(layers, peeked, memory, self.place[rows], arrivals)

    def join(self, other: "DecoderState") -> "DecoderState":
        """Put the rows of another state, with the same memory, below its own."""
        layers = tuple(
            type(mine)(*(np.concatenate(pair) for pair in zip(mine, others, strict=True)))
            for mine, others in zip(self.layers, other.layers, strict=True)
        )
        peeked, memory = self.peeked, self.memory
        if peeked is not None and other.peeked is not None:
            peeked = np.concatenate([peeked, other.peeked])
        if memory is not None and other.memory is not None:
            memory = memory._replace(rows=np.concatenate([memory.rows, other.memory.rows]))
        arrivals = self.arrivals
        if arrivals is not None and other.arrivals is not None:
            arrivals = np.concatenate([arrivals, other.arrivals])
        return DecoderState(layers, peeked, memory, np.concatenate([self.place, other.place]), arrivals)


class DecoderCache(NamedTuple):
    """What `Decoder.backward` needs of its `forward`."""

    embed: Ids | None
    stack: StackCache
    look: Any
    dropout: Floats | None
    score: Any


LookOfKernel = tuple[Floats | None, Floats | None, Mask | None, Floats | None, Floats | None]


class Decoder:
    """Embedding, recurrent layers and affine scores; each layer's first hidden state is the encoder's last."""

    peeks = False
    has_kernel = True  # whether `kernels.lstm_greedy` knows its scores
    follows = False  # whether its recurrent layers read, in every step, a vector of H of the source

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
        dropout: float = 0.0,
        tie: bool = False,
        embedding_scale: float = 0.01,
        rng: np.random.Generator,
        dtype: DTypeLike = np.float32,
    ) -> None:
        sizes = {"vocab_size": vocab_size, "wordvec_size": wordvec_size, "hidden_size": hidden_size, "layers": layers}
        check_settings(type(self).__name__, sizes, cell, False, dropout, rng, dtype)
        V, D, H = vocab_size, wordvec_size, hidden_size
        self.peeked_size = C = H if self.peeks else D if features else 0
        self.cell = cell
        W = Parameter.normal(rng, (V, D), embedding_scale, dtype)
        self.embed = PlacedEmbedding(W) if places else TimeEmbedding(W)
        self.stack = recurrent_stack(
            cell,
            C + D + (H if self.follows else 0),
            H,
            layers=layers,
            bidirectional=False,
            dropout=dropout,
            each_step=False,
            rng=rng,
            dtype=dtype,
        )
        self.dropout = TimeDropout(dropout)
        size = self.add_look(D, H, tie, rng, dtype) + (H if self.peeks else 0)
        b = Parameter.zeros((V,), dtype)
        if not tie:
            self.affine = TimeAffine(Parameter.normal(rng, (size, V), size**-0.5, dtype), b)
        elif size == D:
            self.affine = TimeTiedAffine(self.embed.W, b)
        else:
            sizes_met = f"the scores are of {size} features, the embedding of {D}"
            raise ValueError(f"{type(self).__name__}: tie: {sizes_met}: must be as many")

    def add_look(self, D: int, H: int, tie: bool, rng: np.random.Generator, dtype: DTypeLike) -> int:
        """Make the layers that `look` needs; return how many features it makes."""
        return H

    def parameters(self) -> dict[str, Parameter]:
        """Name every parameter: embed.W, lstm.Wx, lstm.Wh, lstm.b, affine.W, affine.b; more layers as `TimeStack`."""
        return (
            prefixed("embed", self.embed.parameters())
            | prefixed(self.cell, self.stack.parameters())
            | prefixed("affine", self.affine.parameters())
        )

    def start(self, encoded: Encoded) -> DecoderState:
        """Cross the bridge: the state before the first step."""
        peeked = encoded.last[-1] if self.peeks else encoded.features
        place = np.zeros(len(encoded.hs), np.int32)
        return DecoderState(self.stack.first_states(encoded.last), peeked, None, place)

    def forward(
        self, xs: Ids, state: DecoderState, mask: Mask | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Floats, DecoderState, DecoderCache]:
        """Read the ids before each position, xs (N, T) -> scores (N, T, V), state after the last, cache.

        Where mask (N, T) is False xs is padding: the state passes unchanged and the scores are exactly 0.  With rng
        there is dropout: of every recurrent layer's input and of the features that are scored.
        """
        table, rows, embed_cache = self.embed.forward_table(xs, mask, state.place)
        hs, lasts, stack_cache = self.stack.forward_table(table, rows, state.layers, mask, state.peeked, rng)
        features, look_cache = self.look(hs, state, mask)
        features, dropout_cache = self.dropout.forward(features, rng)
        scores, score_cache = self.score(features, state.peeked if self.peeks else None, look_cache)
        if mask is not None:
            scores[~mask] = 0.0
        cache = DecoderCache(embed_cache, stack_cache, look_cache, dropout_cache, score_cache)
        read = xs.shape[1] if mask is None else mask.sum(axis=1, dtype=np.int32)
        return scores, state._replace(layers=lasts, place=state.place + read), cache

    def backward(self, dscores: Floats, cache: DecoderCache) -> EncodedGradient:
        """Add to the parameters' gradients, given dscores (N, T, V), 0 where masked; return the encoder's."""
        dfeatures, dpeeked, dweights = self.score_backward(dscores, cache.score)
        dfeatures = self.dropout.backward(dfeatures, cache.dropout)
        dhs, dmemory = self.look_backward(dfeatures, cache.look, dweights)
        dtable, dfirsts, dpeeked_below = self.stack.backward_table(dhs, cache.stack)
        self.embed.backward_table(dtable, cache.embed)
        dlast = tuple(dfirst.h for dfirst in dfirsts)
        if dpeeked is None or dpeeked_below is None:
            return EncodedGradient(dlast, dmemory, dpeeked_below)
        dlast[-1][...] += dpeeked + dpeeked_below
        return EncodedGradient(dlast, dmemory, None)

    def look(self, hs: Floats, state: DecoderState, mask: Mask | None) -> tuple[Floats, Any]:
        """Make of every step's hidden state, hs (N, T, H), the features that are scored, and a cache.

        Where mask (N, T) is False they do not matter.
        """
        return hs, None

    def look_backward(self, dfeatures: Floats, cache: Any, dweights: Floats | None) -> tuple[Floats, Floats | None]:
        """Turn the features' gradient into dhs (N, T, H) and that of the encoder's hidden states or None.

        dweights is the gradient of what else `score` took from `look`'s cache: attention's weights, if it did.
        """
        return dfeatures, None

    def attention_weights(self, cache: Any) -> Floats | None:
        """Return where it looked in every step of a `forward` without mask, (N T, S); None without attention."""
        return None

    def stack_cache(self, cache: Any) -> StackCache:
        """Return what the recurrent layers read in a `forward` of one row."""
        stack: StackCache = cache.stack
        return stack

    def score(self, features: Floats, peeked: Floats | None, look: Any) -> tuple[Floats, Any]:
        """Score features (N, T, F), and peeked (N, C): scores (N, T, V), cache; look is the cache of `look`."""
        return self.affine.forward(features, peeked)

    def score_backward(self, dscores: Floats, cache: Any) -> tuple[Floats, Floats | None, Floats | None]:
        """Turn dscores (N, T, V) into the gradients of features, peeked, and attention's weights if it took them."""
        return *self.affine.backward(dscores, cache), None

    def greedy(
        self, state: DecoderState, start_id: int, pad_id: int | None, steps: int, never: Sequence[int] = ()
    ) -> Ids | None:
        """Write greedily, as `models.greedy.greedy` does but in one call of a kernel: ids (N, steps).

        None if the kernel does not know such a decoder: it knows those of one LSTM.
        """
        layer = self.stack.layers[0]
        if not self.has_kernel or len(self.stack.layers) > 1 or not isinstance(layer, TimeLSTM):
            return None
        h, c = state.layers[0]
        table, context = layer.input_products(self.embed.W.value, state.peeked)
        look = self.look_of_kernel(state)
        W, bias = self.affine.split(h.shape[1], state.peeked)
        W, every_bias = np.ascontiguousarray(W), np.empty((len(h), W.shape[1]), W.dtype)
        every_bias[...] = bias
        every_bias[:, list(never)] = -np.inf
        answers = np.empty((len(h), steps), np.int32)
        kernels.lstm_greedy(table, context, layer.Wh.value, *look, W, every_bias, h, c, start_id, pad_id, answers)
        return answers

    def look_of_kernel(self, state: DecoderState) -> LookOfKernel:
        """Give keys, values, mask, Wq and bq, by which `kernels.lstm_greedy` does what `look` does."""
        return None, None, None, None, None


class PeekyDecoder(Decoder):
    """A decoder that looks at h in every step: LSTM input [h, x], affine input [h, LSTM output].

    After the context vector of Cho et al. 2014 (arXiv:1406.1078), section 2.2.
    """

    peeks = True
