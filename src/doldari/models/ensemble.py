"""Several models that answer together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from doldari.arrays import Floats, Ids
from doldari.layers import Parameter
from doldari.layers.parameters import prefixed
from doldari.layers.softmax_loss import log_softmax
from doldari.models.decoder import DecoderState
from doldari.models.greedy import greedy
from doldari.models.inference_model import InferenceModel


class Ensemble:
    """Models over the same ids: a symbol's score is the mean of the log-probabilities that they give it."""

    def __init__(self, members: Sequence[InferenceModel]) -> None:
        self.members = list(members)
        if not self.members:
            raise ValueError("Ensemble: members must be at least one model, got none")
        self.pad_id, self.batch_factor = self.members[0].pad_id, self.members[0].batch_factor

    def weights(self) -> dict[str, Parameter]:
        """Name every parameter: those of the first member are 0.encoder.embed.W and so on."""
        named: dict[str, Parameter] = {}
        for number, member in enumerate(self.members):
            named |= prefixed(str(number), member.weights())
        return named

    def encode(self, xs: ArrayLike) -> tuple[DecoderState, ...]:
        """Read questions xs (N, S) -> every member's state before the first step."""
        return tuple(member.encode(xs) for member in self.members)

    def step(self, ids: Ids, states: tuple[DecoderState, ...]) -> tuple[Floats, tuple[DecoderState, ...]]:
        """Read one more id each, ids (N,) -> mean log-probabilities (N, V) of what follows, next states."""
        steps = [member.step(ids, state) for member, state in zip(self.members, states, strict=True)]
        scores = np.mean([log_softmax(scores) for scores, _ in steps], axis=0)
        return scores, tuple(state for _, state in steps)

    def select(self, states: tuple[DecoderState, ...], rows: NDArray[np.intp]) -> tuple[DecoderState, ...]:
        """Take rows of every member's state, as `Seq2seq.select`."""
        return tuple(state.select(rows) for state in states)

    def join(self, states: tuple[DecoderState, ...], others: tuple[DecoderState, ...]) -> tuple[DecoderState, ...]:
        """Put the rows of every member's two states together, as `Seq2seq.join`."""
        return tuple(state.join(other) for state, other in zip(states, others, strict=True))

    def generate(self, xs: ArrayLike, start_id: int, sample_size: int, never: Sequence[int] = ()) -> Ids:
        """Answer questions xs (N, S) greedily, as `Seq2seq.generate` -> ids (N, sample_size)."""
        states, N = self.encode(xs), len(np.asarray(xs))
        return greedy(self.step, self.select, states, N, start_id, self.pad_id, sample_size, never)

    def attention(self, xs: ArrayLike, read: ArrayLike) -> Floats:
        """Return where the members look, on average: weights (N, T, S), as `Seq2seq.attention`."""
        weights = [member.attention(xs, read) for member in self.members]
        return sum(weights[1:], weights[0]) / len(weights)
