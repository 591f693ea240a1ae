"""What a model's file says of it, taken apart and checked: nothing in it fails later than here.

A description is JSON: settings, both vocabularies, and the longest texts in training.  Every function here raises
ValueError, or ConfigError for the settings, where it is not what `describe` writes (model_file.py).
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from doldari.config import ModelConfig
from doldari.data.subwords import check_subwords
from doldari.data.symbols import normalize
from doldari.data.vocabulary import Vocabulary
from doldari.errors import MissingPackageError, brief
from doldari.models.recurrent import CELLS
from doldari.settings import from_table

FORMAT = 1
ENTRIES = {
    *("format", "model", "source", "target", "longest_source", "longest_target", "longer", "temperature", "copies"),
    *("source_features", "source_subwords", "target_subwords", "target_written"),
}
MOST_SYMBOLS = 10_000_000  # of a text: an answer has as many at most, and training on longer ones needs a terabyte
# A score is a sum of products of two weights at most; of a million products it is then still below float32's 3e38.
LARGEST_WEIGHT = 1e15


class Described(NamedTuple):
    """The parts of a description; where none is written longer is None, the temperature 1, and copies False."""

    config: ModelConfig
    source: Vocabulary
    target: Vocabulary
    longest_source: int
    longest_target: int
    longer: int | None
    temperature: float
    copies: bool


def read_description(description: Any) -> Described:
    """Take a description apart; KeyError where an entry is missing."""
    if not isinstance(description, dict):
        raise ValueError(f"its description is {brief(description)}")
    form = description["format"]
    if type(form) is not int or form != FORMAT:
        raise ValueError(f"format {brief(form)}, expected {FORMAT}; another version of doldari wrote it")
    unknown = sorted(description.keys() - ENTRIES)
    if unknown:
        raise ValueError(f"{brief(unknown[0])}: no such entry; another version of doldari wrote it, or it is damaged")
    config: ModelConfig = from_table(ModelConfig, description["model"])
    source, target = (described_vocabulary(side, config, description) for side in ("source", "target"))
    if config.shared_vocabulary and (source.symbols, source.subwords) != (target.symbols, target.subwords):
        raise ValueError("its sides share a vocabulary, but have different symbols")
    lengths, temperature = described_lengths(description), described_temperature(description)
    copies = description.get("copies", False)
    if type(copies) is not bool:
        raise ValueError(f"copies {brief(copies)}: must be true or false")
    return Described(config, source, target, *lengths, temperature, copies)


def described_temperature(description: dict[str, Any]) -> float:
    """Take the temperature by which scores are divided."""
    temperature = description.get("temperature", 1.0)
    if type(temperature) not in (int, float) or not 1e-3 <= temperature <= 1e3:
        raise ValueError(f"temperature {brief(temperature)}: must be a number from 0.001 to 1000")
    return float(temperature)


def described_lengths(description: dict[str, Any]) -> tuple[int, int, int | None]:
    """Take longest_source, longest_target and longer, all in symbols."""
    source, target = description["longest_source"], description["longest_target"]
    longer = description.get("longer")
    numbers = (source, target) if longer is None else (source, target, longer)
    if not all(type(number) is int and 0 <= number <= MOST_SYMBOLS for number in numbers):
        raise ValueError(
            f"lengths {brief((source, target, longer))}: must be whole numbers of at most {MOST_SYMBOLS:,}"
        )
    if longer is not None and not target - source <= longer <= target:
        raise ValueError(f"lengths {(source, target, longer)}: do not fit each other")
    return source, target, longer


def described_vocabulary(side: str, config: ModelConfig, description: dict[str, Any]) -> Vocabulary:
    """Take a side's vocabulary."""
    vocabulary = Vocabulary(
        getattr(config, f"{side}_symbols"),
        checked_texts(f"{side} symbols", description[side]),
        checked_texts(f"{side} features", description.get(f"{side}_features", [])),
        getattr(config, f"{side}_normalization"),
        description.get(f"{side}_written", "none"),
        description.get(f"{side}_subwords", ""),
        right_to_left=side == "target" and config.right_to_left,
    )
    if vocabulary.written not in ("none", "NFC", "NFD"):
        raise ValueError(f"{side}_written={brief(vocabulary.written)}: must be none, NFC or NFD")
    if vocabulary.written != "none" and vocabulary.normalization == "none":
        raise ValueError(f"{side}_written={brief(vocabulary.written)}: must be none where nothing is normalised")
    for symbol in vocabulary.symbols:
        if not may_be_symbol(symbol, vocabulary):
            raise ValueError(f"{side}: {brief(symbol)} is no symbol of {vocabulary.kind}, {vocabulary.normalization}")
    for feature in vocabulary.features:
        if feature != feature.strip() or ";" in feature:
            raise ValueError(f"{side}_features: {brief(feature)} is no feature")
    described_subwords(side, vocabulary)
    return vocabulary


def described_subwords(side: str, vocabulary: Vocabulary) -> None:
    """Check a side's subwords; of targets only if the package is there, for answers are written without it."""
    if vocabulary.kind != "subwords":
        if vocabulary.subwords != "":
            raise ValueError(f"{side}_subwords: must be empty where symbols are {vocabulary.kind}")
        return
    try:
        check_subwords(vocabulary.subwords, vocabulary.symbols)
    except MissingPackageError:
        if side == "source":
            raise
    except ValueError as error:
        raise ValueError(f"{side}_subwords: {error}") from error


def may_be_symbol(symbol: str, vocabulary: Vocabulary) -> bool:
    """Return whether cutting a text can give such a symbol; of words and graphemes, which follow Unicode, loosely."""
    if normalize(symbol, vocabulary.normalization) != symbol:
        return False
    if vocabulary.kind == "characters":
        return len(symbol) == 1
    return vocabulary.kind != "whitespace" or symbol.split() == [symbol]


def checked_texts(what: str, texts: Any) -> tuple[str, ...]:
    """Take symbols or features: different texts, none of them empty."""
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise ValueError(f"the {what} are not different texts")
    if len(set(texts)) != len(texts):
        raise ValueError(f"the {what} are not different texts: one is there twice")
    broken = next((text for text in texts if any("\ud800" <= char <= "\udfff" for char in text)), None)
    if broken is not None:
        raise ValueError(f"the {what} hold {brief(broken)}, half a surrogate pair, which is no character")
    return tuple(texts)


def check_sizes(of: Described, weights: Mapping[str, NDArray[Any]]) -> None:
    """Refuse a configuration that its weights do not fit, before a model is made, which may be of any size."""
    config, D = of.config, of.config.embedding_size
    if config.model == "transformer":
        check_matrices(weights, ".W1", 2 * config.layers * config.ensemble, lambda _: (D, config.hidden_size))
    else:
        gates, directions = CELLS[config.cell][1], 2 if config.bidirectional else 1

        def shape(name: str) -> tuple[int, int]:
            H = config.hidden_size // directions if ".encoder." in f".{name}" else config.hidden_size
            return H, gates * H

        check_matrices(weights, ".Wh", config.ensemble * config.layers * (directions + 1), shape)
    for prefix in [""] if config.ensemble == 1 else [f"{number}." for number in range(config.ensemble)]:
        check_shape(f"{prefix}encoder.embed.W", weights, (len(of.source), D))
        check_shape(f"{prefix}decoder.embed.W", weights, (len(of.target), D))


def check_matrices(
    weights: Mapping[str, NDArray[Any]], end: str, count: int, shape: Callable[[str], tuple[int, ...]]
) -> None:
    """Refuse others than so many weights whose names have this end, of the shapes that their names call for."""
    matrices = [name for name in weights if name.endswith(end)]
    if len(matrices) != count:
        raise ValueError("the weights do not fit its configuration")
    for name in matrices:
        check_shape(name, weights, shape(name))


def check_shape(name: str, weights: Mapping[str, NDArray[Any]], shape: tuple[int, ...]) -> None:
    """Refuse a weight that is not there or has another shape."""
    if name not in weights:
        raise ValueError("the weights do not fit its configuration")
    if weights[name].shape != shape:
        raise ValueError(f"{name} is {weights[name].shape}, expected {shape}")


def check_numbers(name: str, array: NDArray[Any]) -> None:
    """Refuse weights that are no numbers, or so large that answers would be none."""
    if array.dtype.kind != "f" or not np.isfinite(array).all():
        raise ValueError(f"{name} holds what is no finite number")
    largest = float(np.abs(array).max(initial=0))
    if largest > LARGEST_WEIGHT:
        raise ValueError(f"{name} holds {largest:.1e}; weights above {LARGEST_WEIGHT:g} make no scores")
