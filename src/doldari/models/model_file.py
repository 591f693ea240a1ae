"""A trained model in one safetensors file: weights, and as its metadata the configuration and the vocabularies."""

import dataclasses
import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from doldari.config import ModelConfig, from_table
from doldari.data.vocabulary import PADDING, Vocabulary
from doldari.errors import ConfigError, ModelFileError
from doldari.files import write_whole
from doldari.models.seq2seq import PeekySeq2seq, Seq2seq

FORMAT = 1
MODELS = {"plain": Seq2seq, "peeky": PeekySeq2seq}


class TextModel(NamedTuple):
    """A model and all that is needed to ask it in text; the lengths, in symbols, are the longest in training."""

    model: Seq2seq
    config: ModelConfig
    source: Vocabulary
    target: Vocabulary
    longest_source: int
    longest_target: int


def build_model(
    config: ModelConfig, source: Vocabulary, target: Vocabulary, rng: np.random.Generator | None = None
) -> Seq2seq:
    """Make the untrained model that a configuration and two vocabularies ask for."""
    return MODELS[config.decoder](
        len(source),
        config.wordvec_size,
        config.hidden_size,
        target_vocab_size=len(target),
        pad_id=PADDING,
        rng=rng,
    )


def save_model(path: Path, text_model: TextModel) -> None:
    """Write a model's file, whole or not at all."""
    description = {
        "format": FORMAT,
        "model": dataclasses.asdict(text_model.config),
        "source": text_model.source.symbols,
        "target": text_model.target.symbols,
        "longest_source": text_model.longest_source,
        "longest_target": text_model.longest_target,
    }
    weights = {name: parameter.value for name, parameter in text_model.model.parameters.items()}
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
    if "doldari" not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not a doldari model")
    try:
        description = json.loads(metadata["doldari"])
        if description["format"] > FORMAT:
            raise ModelFileError(
                f"{path}: written by a newer doldari (format {description['format']}); upgrade to read it"
            )
        config: ModelConfig = from_table(ModelConfig, description["model"])
        source = Vocabulary(config.source_symbols, tuple(description["source"]))
        target = Vocabulary(config.target_symbols, tuple(description["target"]))
        text_model = TextModel(
            build_model(config, source, target),
            config,
            source,
            target,
            description["longest_source"],
            description["longest_target"],
        )
        expected = dict(text_model.model.parameters.items())
        if weights.keys() != expected.keys():
            raise ModelFileError(f"{path}: its weights are not those of its configuration")
        for name, parameter in expected.items():
            if weights[name].shape != parameter.value.shape:
                raise ModelFileError(f"{path}: {name} is {weights[name].shape}, expected {parameter.value.shape}")
            parameter.value[...] = weights[name]
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise ModelFileError(f"{path}: its description is damaged ({error!r})") from error
    return text_model
