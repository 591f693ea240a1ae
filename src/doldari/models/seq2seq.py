"""Encoder, decoder and loss joined into one model (chapter 7.3.3)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from doldari.arrays import Floats, Ids, Mask
from doldari.layers import Optimizer, Parameter, Parameters, TimeSoftmaxWithLoss
from doldari.layers.arguments import check_flag, check_rate, check_size
from doldari.layers.parameters import prefixed
from doldari.layers.softmax_loss import LossCache
from doldari.models.decoder import Decoder, DecoderCache, DecoderState
from doldari.models.encoder import Encoder, EncoderCache
from doldari.models.greedy import greedy
from doldari.models.ids import check_id, check_ids
from doldari.models.recurrent import check_settings


class Seq2seqCache(NamedTuple):
    """What `Seq2seq.backward` needs of the last `forward`."""

    encoder: EncoderCache
    decoder: DecoderCache
    loss: LossCache


class Seq2seq:
    """Encoder-decoder (Sutskever et al. 2014; Cho et al. 2014): ids (N, S) to ids (N, T).

    pad_id is the id of padding: the encoder passes over it at either end, the loss leaves it out where it is the
    decoder's input, and the first after an answer is the end signal.  None makes padding a symbol like any other,
    as in the book.  Source and target share the ids below vocab_size unless target_vocab_size is given.  The last
    `features` ids of sources are features, of which the decoder sees the sum in every step.

    cell is "lstm" or "gru"; encoder and decoder have as many `layers` of it, of hidden_size units each, which a
    bidirectional encoder shares out between its two directions.  tie: what is read and what is written has one
    embedding.  dropout, in [0, 1), and label_smoothing, in [0, 1), are of training.
    """

    decoder_class: type[Decoder] = Decoder
    batch_factor = 1  # of batches in inference
    features = 0  # how many of the source's ids are features
    embedding_scale = 0.01  # the standard deviation of the first embeddings, as in the book
    places = False  # whether a symbol's vector says where it stands
    each_step = False  # whether dropout is drawn anew at every step

    def __init__(
        self,
        vocab_size: int,
        wordvec_size: int,
        hidden_size: int,
        *,
        target_vocab_size: int | None = None,
        pad_id: int | None = None,
        features: int = 0,
        cell: str = "lstm",
        layers: int = 1,
        bidirectional: bool = False,
        tie: bool = False,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        rng: np.random.Generator | None = None,
        dtype: DTypeLike = np.float32,
    ) -> None:
        target_vocab_size = vocab_size if target_vocab_size is None else target_vocab_size
        rng = np.random.default_rng() if rng is None else rng
        owner = type(self).__name__
        sizes = {"vocab_size": vocab_size, "wordvec_size": wordvec_size, "hidden_size": hidden_size, "layers": layers}
        sizes["target_vocab_size"] = target_vocab_size
        check_settings(owner, sizes, cell, bidirectional, dropout, rng, dtype)
        check_rate(owner, "label_smoothing", label_smoothing)
        check_flag(owner, "tie", tie)
        check_size(owner, "features", features, least=0)
        if features >= vocab_size or (features and self.decoder_class.peeks):
            where = (
                "a peeky decoder has no place for them" if self.decoder_class.peeks else f"{vocab_size} ids in all"
            )
            raise ValueError(f"{owner}: features={features}: {where}")
        self.features = features
        encoder = Encoder(
            vocab_size,
            wordvec_size,
            hidden_size,
            features=features,
            places=self.places,
            cell=cell,
            layers=layers,
            bidirectional=bidirectional,
            dropout=dropout,
            each_step=self.each_step,
            embedding_scale=self.embedding_scale,
            rng=rng,
            dtype=dtype,
        )
        decoder = self.decoder_class(
            target_vocab_size,
            wordvec_size,
            hidden_size,
            features=features,
            places=self.places,
            cell=cell,
            layers=layers,
            dropout=dropout,
            tie=tie,
            embedding_scale=self.embedding_scale,
            rng=rng,
            dtype=dtype,
        )
        self.assemble(encoder, decoder, (vocab_size, target_vocab_size), pad_id, label_smoothing)

    def assemble(
        self, encoder: Encoder, decoder: Decoder, sizes: tuple[int, int], pad_id: int | None, smoothing: float
    ) -> None:
        """Join the parts, of vocabularies of these sizes, into the model, all of their parameters in one vector."""
        if pad_id is not None:
            check_id(f"{type(self).__name__}: pad_id", pad_id, min(sizes))
        self.encoder, self.decoder = encoder, decoder
        (self.vocab_size, self.target_vocab_size), self.pad_id = sizes, pad_id
        self.loss = TimeSoftmaxWithLoss(smoothing)
        self.parameters = Parameters(
            prefixed("encoder", self.encoder.parameters()) | prefixed("decoder", self.decoder.parameters())
        )
        self._cache: Seq2seqCache | None = None

    def forward(self, xs: ArrayLike, ts: ArrayLike, rng: np.random.Generator | None = None) -> float:
        """Mean loss, in nats a symbol, of the answers ts (N, T), start symbol first, to the questions xs (N, S).

        With rng, as in training, there is dropout, if the model has any.
        """
        xs, ts = check_ids("xs", xs, self.vocab_size), check_ids("ts", ts, self.target_vocab_size)
        if len(xs) != len(ts):
            raise ValueError(f"{len(xs)} questions xs and {len(ts)} answers ts: must be as many")
        decoder_xs, targets = np.ascontiguousarray(ts[:, :-1]), np.ascontiguousarray(ts[:, 1:])
        mask = self._mask(decoder_xs)
        encoded, encoder_cache = self.encoder.forward(xs, self.read(xs), rng)
        scores, _, decoder_cache = self.decoder.forward(decoder_xs, self.decoder.start(encoded), mask, rng)
        loss, loss_cache = self.loss.forward(scores, targets, mask)
        self._cache = Seq2seqCache(encoder_cache, decoder_cache, loss_cache)
        return loss

    def backward(self) -> None:
        """Add the gradient of the last `forward`'s loss to `parameters.gradients`."""
        if self._cache is None:
            raise RuntimeError("backward() needs a forward() before it")
        cache, self._cache = self._cache, None
        dscores = self.loss.backward(cache.loss)
        gradient = self.decoder.backward(dscores, cache.decoder)
        self.encoder.backward(gradient, cache.encoder)

    def forward_backward(self, xs: ArrayLike, ts: ArrayLike, rng: np.random.Generator | None = None) -> float:
        """Return the loss of `forward`; `parameters.gradients` is then its gradient."""
        self.parameters.gradients[...] = 0.0
        loss = self.forward(xs, ts, rng)
        self.backward()
        return loss

    def update(self, optimizer: Optimizer, max_grad: float | None = None) -> float:
        """Let the optimizer take a step along the gradient; return its norm before clipping to max_grad."""
        return optimizer.step(self.parameters, max_grad)

    def encode(self, xs: ArrayLike) -> DecoderState:
        """Read questions xs (N, S) -> the decoder's state before its first step."""
        xs = check_ids("xs", xs, self.vocab_size)
        encoded, _ = self.encoder.forward(xs, self.read(xs))
        return self.decoder.start(encoded)

    def step(self, ids: Ids, state: DecoderState) -> tuple[Floats, DecoderState]:
        """Read one more id each, ids (N,) -> scores (N, V) of what follows, next state."""
        scores, state, _ = self.decoder.forward(np.ascontiguousarray(ids[:, None]), state)
        return scores[:, 0], state

    def select(self, state: DecoderState, rows: NDArray[np.intp]) -> DecoderState:
        """Select rows of a state, as `DecoderState.select`, with which a search continues."""
        return state.select(rows)

    def join(self, state: DecoderState, other: DecoderState) -> DecoderState:
        """Put the rows of two states of the same questions together, as `DecoderState.join`."""
        return state.join(other)

    def generate(self, xs: ArrayLike, start_id: int, sample_size: int, never: Sequence[int] = ()) -> Ids:
        """Answer questions xs (N, S) greedily, the highest score at each step -> ids (N, sample_size).

        Ids of `never` are not written.  With pad_id set, an answer ends at its first padding, and padding follows.
        """
        owner = f"{type(self).__name__}.generate"
        check_id(f"{owner}: start_id", start_id, self.target_vocab_size)
        check_size(owner, "sample_size", sample_size, least=0)
        state = self.encode(xs)
        answers = self.decoder.greedy(state, start_id, self.pad_id, sample_size, never)
        if answers is None:
            N = len(np.asarray(xs))
            answers = greedy(self.step, self.select, state, N, start_id, self.pad_id, sample_size, never)
        return answers

    def attention(self, xs: ArrayLike, read: ArrayLike) -> Floats:
        """Return where in questions xs (N, S) it looks while it reads `read` (N, T), start symbol first.

        Returns weights (N, T, S), that sum to 1 over S: at [n, t], for the symbol that follows read[n, t].  What a
        transducer's lack of 1 is at the end of the source.
        TypeError if the decoder has no attention.
        """
        read = check_ids("read", read, self.target_vocab_size)
        _, _, cache = self.decoder.forward(read, self.encode(xs))
        weights = self.decoder.attention_weights(cache)
        if weights is None:
            raise TypeError(f"{type(self.decoder).__name__} has no attention")
        return weights.reshape(*read.shape, weights.shape[1])

    def weights(self) -> dict[str, Parameter]:
        """Name every parameter."""
        return dict(self.parameters.items())

    def read(self, xs: Ids) -> Mask | None:
        """Tell what of questions xs (N, S) is read in a row: False at padding and features; None if all is."""
        mask = self._mask(xs)
        if self.features:
            symbols = xs < self.vocab_size - self.features
            mask = symbols if mask is None else mask & symbols
        return mask

    def _mask(self, ids: Ids) -> Mask | None:
        """Tell padding from symbols: False where ids (N, T) are padding; None if nothing is."""
        if self.pad_id is None:
            return None
        mask = ids != self.pad_id
        return None if mask.all() else mask
