"""A model from text to text: the network, its settings and vocabularies, and the lengths of its training."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from doldari.config import ModelConfig
from doldari.data.vocabulary import Vocabulary
from doldari.models.inference_model import InferenceModel
from doldari.models.kinds import VOTE, Vote
from doldari.models.tempered import Tempered

ROOM = 2  # the length limit is this multiple of the usual length


class TextModel(NamedTuple):
    """A model with everything needed for inference on texts.

    The lengths, in symbols, are the longest in training; `longer` is how much longer than its source an answer was
    there at most, or None if that is not known.  Scores are divided by the temperature (calibration.py).  copies:
    some target in training had an unknown symbol, in whose place one of the source may be copied.  others: further
    kinds of members of an ensemble, whose answers are chosen by `vote` (inference/voting.py).
    """

    model: InferenceModel
    config: ModelConfig
    source: Vocabulary
    target: Vocabulary
    longest_source: int
    longest_target: int
    longer: int | None = None
    temperature: float = 1.0
    copies: bool = False
    others: tuple["TextModel", ...] = ()
    vote: Vote = VOTE

    @property
    def kinds(self) -> tuple["TextModel", ...]:
        """The kinds of members of an ensemble, each as a model of its own; of any other model itself alone."""
        return (self._replace(others=()), *self.others) if self.others else (self,)

    def with_kinds(self, kinds: Sequence["TextModel"]) -> "TextModel":
        """Return the ensemble with its kinds replaced."""
        first, *others = kinds
        return first._replace(others=tuple(others), vote=self.vote)

    @property
    def copies_unknown(self) -> bool:
        """Whether its decoder copies symbols as they are, also those never seen in training."""
        return self.config.copies and self.target.may_copy(self.source)

    @property
    def attending(self) -> "TextModel | None":
        """The kind whose attention weights are shown: the first that has any."""
        return next((kind for kind in self.kinds if kind.config.attends), None)

    @property
    def size(self) -> int:
        """How many weights it has, those of all members together."""
        return sum(weight.value.size for kind in self.kinds for weight in kind.model.weights().values())

    @property
    def searched(self) -> InferenceModel:
        """The model whose steps are searched: its probabilities are calibrated."""
        return self.model if self.temperature == 1.0 else Tempered(self.model, self.temperature)

    def limit(self, length: int, free: bool = True) -> int:
        """Return the maximum output length, in symbols, for a source of this length: ROOM times the usual."""
        return ROOM * self.usual_length(length, free)

    def usual_length(self, length: int, free: bool = True) -> int:
        """Return the maximum output length, in symbols, to expect from training for a source of this length.

        As many as the longest in training, or in proportion more if the source is longer than any there; if it is
        not, and what may be answered is free, no more symbols longer than the source than any there.
        """
        over = length - self.longest_source
        if over > 0:
            return self.longest_target + math.ceil(self.longest_target * over / max(1, self.longest_source))
        if self.longer is None or not free:
            return self.longest_target
        return min(self.longest_target, length + self.longer)


def summary(text_model: TextModel) -> str:
    """Summarize a model in a line: attention LSTM, bidirectional, 1 layer, D 64, H 256, 11 -> 10 symbols, ..."""
    if text_model.others:
        return f"vote by {text_model.vote} of: " + "; ".join(map(summary, text_model.kinds))
    config, source, target = text_model.config, text_model.source, text_model.target
    recurrent = config.model == "recurrent"
    parts = [
        f"{'dot ' * (config.attention == 'dot')}{config.name}",
        "" if recurrent else f"{config.heads} heads",
        "bidirectional" if recurrent and config.bidirectional else "",
        "reads backwards" if config.reads_backwards else "",
        "writes right to left" if config.right_to_left else "",
        f"{config.layers} layer{'s' * (config.layers > 1)}",
        f"D {config.embedding_size}, H {config.hidden_size}",
        f"{len(source.symbols):,} -> {len(target.symbols):,} symbols",
        f"{len(source.features):,} features" if source.features else "",
        f"ensemble of {config.ensemble}" if config.ensemble > 1 else "",
        f"{text_model.size:,} weights",
    ]
    return ", ".join(part for part in parts if part)
