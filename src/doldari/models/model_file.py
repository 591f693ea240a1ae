"""A trained model in one safetensors file: weights, and as its metadata the configuration and the vocabularies."""

import dataclasses
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from doldari.config import ModelConfig, from_table
from doldari.data.subwords import load_subwords
from doldari.data.vocabulary import PADDING, Vocabulary
from doldari.errors import ConfigError, ModelFileError
from doldari.files import write_whole
from doldari.models.ensemble import Ensemble
from doldari.models.seq2seq import AttentionSeq2seq, DotAttentionSeq2seq, PeekySeq2seq, Seq2seq

FORMAT = 1
MODELS = {"plain": Seq2seq, "peeky": PeekySeq2seq, "attention": AttentionSeq2seq}


class TextModel(NamedTuple):
    """A model and all that is needed to ask it in text.

    The lengths, in symbols, are the longest in training; `longer` is how much longer than its source an answer was
    there at most, or None if that is not known.
    """

    model: Seq2seq | Ensemble
    config: ModelConfig
    source: Vocabulary
    target: Vocabulary
    longest_source: int
    longest_target: int
    longer: int | None = None

    def longest_answer(self, length: int, free: bool = True) -> int:
        """Say how many symbols the answer to a source of so many symbols may have.

        As many as the longest in training, or in proportion more if the source is longer than any there; if it is
        not, and what may be answered is free, no more symbols longer than the source than any there.
        """
        over = length - self.longest_source
        if over > 0:
            return self.longest_target + math.ceil(self.longest_target * over / max(1, self.longest_source))
        if self.longer is None or not free:
            return self.longest_target
        return min(self.longest_target, length + self.longer)


def build_model(
    config: ModelConfig,
    source: Vocabulary,
    target: Vocabulary,
    *,
    dropout: float = 0.0,
    label_smoothing: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Seq2seq:
    """Make the untrained model, or a member of the ensemble, that a configuration and two vocabularies ask for.

    dropout and label_smoothing are of training.
    """
    model_class = MODELS[config.decoder]
    if model_class is AttentionSeq2seq and config.attention == "dot":
        model_class = DotAttentionSeq2seq
    return model_class(
        len(source),
        config.wordvec_size,
        config.hidden_size,
        target_vocab_size=len(target),
        pad_id=PADDING,
        cell=config.cell,
        layers=config.layers,
        bidirectional=config.bidirectional,
        tie=config.tie,
        dropout=dropout,
        label_smoothing=label_smoothing,
        rng=rng,
    )


def save_model(path: Path, text_model: TextModel) -> None:
    """Write a model's file, whole or not at all."""
    description = {
        "format": FORMAT,
        "model": dataclasses.asdict(text_model.config),
        "source": text_model.source.symbols,
        "target": text_model.target.symbols,
        "source_features": text_model.source.features,
        "source_subwords": text_model.source.subwords,
        "target_subwords": text_model.target.subwords,
        "target_written": text_model.target.written,
        "longest_source": text_model.longest_source,
        "longest_target": text_model.longest_target,
        "longer": text_model.longer,
    }
    weights = {name: parameter.value for name, parameter in text_model.model.weights().items()}
    write_whole(path, save(weights, {"doldari": json.dumps(description, ensure_ascii=False)}))


def load_model(path: Path) -> TextModel:
    """Read what `save_model` wrote; a file that is not such a one, or not whole, is refused."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelFileError(f"{path}: not a safetensors file, or cut short ({error})") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (TypeError, AttributeError) as error:  # of a number format that NumPy lacks
        raise ModelFileError(f"{path}: its weights are not float32 or float64 ({error})") from error
    if "doldari" not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not a doldari model")
    try:
        text_model = described_model(json.loads(metadata["doldari"]), weights)
    except (ValueError, KeyError, TypeError, ConfigError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a whole doldari model: {error}") from error
    for name, parameter in text_model.model.weights().items():
        parameter.value[...] = weights[name]
    return text_model


def described_model(description: dict[str, Any], weights: Mapping[str, NDArray[Any]]) -> TextModel:
    """Make the model that a file describes, its weights still random; ValueError where the weights do not fit."""
    if description["format"] != FORMAT:
        raise ValueError(f"format {description['format']}, expected {FORMAT}; another version of doldari wrote it")
    config: ModelConfig = from_table(ModelConfig, description["model"])
    lengths = description["longest_source"], description["longest_target"], description.get("longer")
    if not all(type(length) is int and 0 <= length < 2**31 for length in lengths[: 2 if lengths[2] is None else 3]):
        raise ValueError(f"lengths {lengths}")
    source, target = (described_vocabulary(side, config, description) for side in ("source", "target"))
    check_sizes(config, weights)
    members = [build_model(config, source, target) for _ in range(config.ensemble)]
    model = Ensemble(members) if config.ensemble > 1 else members[0]
    named = model.weights()
    if weights.keys() != named.keys():
        raise ValueError("the weights are not those of its configuration")
    for name, parameter in named.items():
        array = weights[name]
        if array.shape != parameter.value.shape:
            raise ValueError(f"{name} is {array.shape}, expected {parameter.value.shape}")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise ValueError(f"{name} holds what is no finite number")
    return TextModel(model, config, source, target, *lengths)


def check_sizes(config: ModelConfig, weights: Mapping[str, NDArray[Any]]) -> None:
    """Refuse a configuration of which the weights are not there, before a model of any size is made."""
    matrices = [name for name in weights if name.endswith(".Wh")]
    directions = 2 if config.bidirectional else 1
    if len(matrices) != config.ensemble * config.layers * (directions + 1):
        raise ValueError("the weights are not those of its configuration")
    for name in matrices:
        H = config.hidden_size // directions if ".encoder." in f".{name}" else config.hidden_size
        if weights[name].ndim != 2 or weights[name].shape[0] != H:
            raise ValueError(f"{name} is {weights[name].shape}, expected {H} rows")
    for name, array in weights.items():
        if name.endswith("embed.W") and array.shape[1:] != (config.wordvec_size,):
            raise ValueError(f"{name} is {array.shape}, expected {config.wordvec_size} columns")


def described_vocabulary(side: str, config: ModelConfig, description: dict[str, Any]) -> Vocabulary:
    """Take a side's vocabulary from a file's description; ValueError where there is something wrong with it."""
    vocabulary = Vocabulary(
        getattr(config, f"{side}_symbols"),
        checked_symbols(description[side]),
        checked_symbols(description.get(f"{side}_features", [])),
        getattr(config, f"{side}_normalization"),
        description.get(f"{side}_written", "none"),
        description.get(f"{side}_subwords", ""),
    )
    if vocabulary.written not in ("none", "NFC", "NFD"):
        raise ValueError(f"{side}_written={vocabulary.written!r}: must be none, NFC or NFD")
    if vocabulary.kind == "subwords" and side == "source":
        load_subwords(vocabulary.subwords)
    return vocabulary


def checked_symbols(symbols: list[str]) -> tuple[str, ...]:
    """Take the symbols of a vocabulary: different texts."""
    if not all(isinstance(symbol, str) for symbol in symbols) or len(set(symbols)) != len(symbols):
        raise ValueError("its symbols are not different texts")
    return tuple(symbols)
