"""What a training starts from: vocabularies, and the weights of a model that is gone on from.

Usually the vocabularies are those of the training pairs, and the weights are drawn at random.  Fine-tuning starts
from a trained model: its symbols keep their vectors, and symbols that are new get new rows.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from doldari.config import Config
from doldari.data.pairs import Pair
from doldari.data.vocabulary import SPECIALS, Vocabulary
from doldari.errors import ConfigError
from doldari.models import Seq2seq
from doldari.models.model_file import TextModel
from doldari.training.encoding import build_vocabularies

SOURCE_ROWS, TARGET_ROWS = ("encoder.embed.W",), ("decoder.embed.W", "decoder.affine.b")  # a row for each symbol
TARGET_COLUMNS = ("decoder.affine.W",)  # a column for each; tied, it is decoder.embed.W again and not named


@dataclass(frozen=True)
class Start:
    """Vocabularies; the model, if any, whose weights come first; longest lengths where a checkpoint has them."""

    source: Vocabulary
    target: Vocabulary
    base: TextModel | None = None
    lengths: tuple[int, int, int | None] | None = None

    @property
    def new_symbols(self) -> tuple[int, int] | None:
        """How many symbols and features of each side the base does not have; None without a base."""
        if self.base is None:
            return None
        return len(self.source) - len(self.base.source), len(self.target) - len(self.base.target)

    def longest(self, source: int, target: int, longer: int) -> tuple[int, int, int | None]:
        """Take the longest lengths of training, in symbols, or those of the base's where they are longer."""
        if self.lengths is not None:
            return self.lengths
        if self.base is None:
            return source, target, longer
        base_longer = self.base.longer
        return (
            max(source, self.base.longest_source),
            max(target, self.base.longest_target),
            None if base_longer is None else max(longer, base_longer),
        )

    def write_weights(self, model: Seq2seq) -> None:
        """Write the base's weights into a new model, whose rows for new symbols stay as they were drawn."""
        if self.base is None:
            return
        sources = places_of(self.base.source, self.source)
        targets = places_of(self.base.target, self.target)
        for name, parameter in self.base.model.weights().items():
            value = model.parameters[name].value
            if name in SOURCE_ROWS:
                value[sources] = parameter.value
            elif name in TARGET_ROWS:
                value[targets] = parameter.value
            elif name in TARGET_COLUMNS:
                value[:, targets] = parameter.value
            else:
                value[...] = parameter.value


def start_of(config: Config, training: Iterable[Pair], base: TextModel | None = None) -> Start:
    """Start from the training pairs' own symbols, or from a model and the symbols that are new to it."""
    source, target = build_vocabularies(config, training)
    if base is None:
        return Start(source, target)
    if config.model.copies and source.features and not base.source.features:
        raise ConfigError("the pairs have features, and the model to start from knows none; train without it")
    return Start(extended(base.source, source), extended(base.target, target), base)


def extended(vocabulary: Vocabulary, other: Vocabulary) -> Vocabulary:
    """Add the symbols and features of another vocabulary behind those that are there; subwords stay as they are."""
    if vocabulary.kind == "subwords":
        return replace(vocabulary, features=joined(vocabulary.features, other.features))
    return replace(
        vocabulary,
        symbols=joined(vocabulary.symbols, other.symbols),
        features=joined(vocabulary.features, other.features),
    )


def joined(names: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """Put the names that are new behind the others."""
    return tuple(dict.fromkeys(names + more))


def places_of(old: Vocabulary, new: Vocabulary) -> NDArray[np.intp]:
    """Find the id in the new vocabulary of every id of the old one."""
    ids = [*range(SPECIALS), *(new.ids[symbol] for symbol in old.symbols)]
    return np.array(ids + [new.feature_ids[feature] for feature in old.features])
