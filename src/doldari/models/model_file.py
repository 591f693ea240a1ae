"""A trained model in one safetensors file: weights, and as its metadata a description and a checksum of both.

The description is the configuration, the vocabularies and the lengths seen in training, as JSON.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from doldari.config import ModelConfig
from doldari.data.vocabulary import PADDING, UNKNOWN, Vocabulary
from doldari.errors import ConfigError, ModelFileError
from doldari.files import write_whole
from doldari.models.checksum import fingerprint
from doldari.models.description import FORMAT, check_numbers, check_shape, check_sizes, read_description
from doldari.models.ensemble import Ensemble
from doldari.models.kinds import arrays_apart, arrays_together, descriptions_of
from doldari.models.pointer_decoder import PointerDecoder
from doldari.models.seq2seq import Seq2seq
from doldari.models.text_model import ROOM, TextModel, summary
from doldari.models.transducer_decoder import TransducerDecoder
from doldari.models.transformer import Transformer
from doldari.models.transformer_pointer import PointerTransformer, PointerTransformerDecoder
from doldari.models.variants import BY_DECODER, AttentionSeq2seq, DotAttentionSeq2seq
from doldari.run_files import MODEL_FILE
from doldari.settings import written

__all__ = [
    "ROOM",
    "TextModel",
    "build_model",
    "describe",
    "described_model",
    "load_model",
    "model_bytes",
    "model_file",
    "read_safetensors",
    "save_model",
    "summary",
]


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
    if config.model == "transformer":
        transformer_class = PointerTransformer if config.copies else Transformer
        transformer = transformer_class(
            len(source),
            config.embedding_size,
            config.hidden_size,
            heads=config.heads,
            layers=config.layers,
            target_vocab_size=len(target),
            pad_id=PADDING,
            tie=config.tie,
            dropout=dropout,
            label_smoothing=label_smoothing,
            rng=rng,
        )
        if isinstance(transformer.decoder, PointerTransformerDecoder):
            transformer.decoder.copies = target.ids_of(source)
            transformer.decoder.copies[len(source) - len(source.features) :] = -1
        return transformer
    model_class = BY_DECODER[config.decoder]
    if model_class is AttentionSeq2seq and config.attention == "dot":
        model_class = DotAttentionSeq2seq
    model = model_class(
        len(source),
        config.embedding_size,
        config.hidden_size,
        target_vocab_size=len(target),
        pad_id=PADDING,
        features=len(source.features) if config.copies else 0,
        cell=config.cell,
        layers=config.layers,
        bidirectional=config.bidirectional,
        tie=config.tie,
        dropout=dropout,
        label_smoothing=label_smoothing,
        rng=rng,
    )
    if isinstance(model.decoder, PointerDecoder):
        model.decoder.copies = target.ids_of(source)
    if isinstance(model.decoder, TransducerDecoder):
        ids = target.ids_of(source)
        model.decoder.copies = np.where((ids == UNKNOWN) & (np.arange(len(ids)) != UNKNOWN), -1, ids).astype(np.int32)
    return model


def describe(text_model: TextModel) -> dict[str, Any]:
    """Return a JSON-compatible description of a model without its weights."""
    mixed = {"others": [describe(kind) for kind in text_model.others], "vote": text_model.vote}
    return {
        "format": FORMAT,
        "model": dataclasses.asdict(text_model.config),
        "source": list(text_model.source.symbols),
        "target": list(text_model.target.symbols),
        "source_features": list(text_model.source.features),
        "source_subwords": text_model.source.subwords,
        "target_subwords": text_model.target.subwords,
        "target_written": text_model.target.written,
        "longest_source": text_model.longest_source,
        "longest_target": text_model.longest_target,
        "longer": text_model.longer,
        "temperature": text_model.temperature,
        "copies": text_model.copies,
    } | (mixed if text_model.others else {})


def described_model(description: Any, weights: Mapping[str, NDArray[Any]]) -> TextModel:
    """Make the model from its description and weights, which are copied; ModelFileError where they do not fit.

    MissingPackageError if its sources are cut into subwords and the package for that is not installed.
    """
    try:
        descriptions, vote = descriptions_of(description)
        apart = arrays_apart(weights, len(descriptions))
        kinds = [described_kind(one, arrays) for one, arrays in zip(descriptions, apart, strict=True)]
        if len({bool(kind.source.features) for kind in kinds}) > 1:
            raise ValueError("some of its members read features, and others none")
    except (ValueError, KeyError, TypeError, ConfigError, RecursionError) as error:
        raise ModelFileError(f"not a valid doldari model: {error}") from error
    return kinds[0]._replace(vote=vote).with_kinds(kinds)


def described_kind(description: Any, weights: Mapping[str, NDArray[Any]]) -> TextModel:
    """Make the model of one kind of members, or the only one."""
    described = read_description(description)
    check_sizes(described, weights)
    config = described.config
    members = [build_model(config, described.source, described.target) for _ in range(config.ensemble)]
    model: Seq2seq | Ensemble = Ensemble(members) if config.ensemble > 1 else members[0]
    named = model.weights()
    if weights.keys() != named.keys():
        raise ValueError("the weights do not fit its configuration")
    for name, parameter in named.items():
        check_shape(name, weights, parameter.value.shape)
        check_numbers(name, weights[name])
        parameter.value[...] = weights[name]
    return TextModel(model, *described)


def save_model(path: Path, text_model: TextModel) -> None:
    """Write a model file atomically."""
    write_whole(path, model_bytes(text_model))


def model_bytes(text_model: TextModel) -> bytes:
    """Return the content of a model file."""
    description = describe(text_model)
    weights = arrays_together(
        [{name: one.value for name, one in kind.model.weights().items()} for kind in text_model.kinds]
    )
    description["sha256"] = fingerprint(description, weights)
    return save(weights, {"doldari": json.dumps(description, ensure_ascii=False)})


def model_file(path: Path) -> Path:
    """Find the model file in a run's directory, or take the file itself; ModelFileError where there is none."""
    shown = written(str(path), 500)
    try:
        file = path / MODEL_FILE if path.is_dir() else path
        if not file.exists():
            what = "no such model" if file is path else "no model file in this directory"
            raise ModelFileError(f"{shown}: {what}; train one with: doldari train DATA --out {shown}")
    except OSError as error:
        raise ModelFileError(f"{shown}: cannot be read: {error.strerror}") from error
    return file


def load_model(path: Path) -> TextModel:
    """Read a model file; ModelFileError if it is not one, is incomplete, or was changed.

    Files of 0.1.0 have no checksum, so changed weights are not noticed there.
    """
    metadata, weights = read_safetensors(path)
    if "doldari" not in metadata:
        raise ModelFileError(f"{path}: a safetensors file, but not a doldari model")
    try:
        description = json.loads(metadata["doldari"])
        if isinstance(description, dict) and description.get("format") == FORMAT and "sha256" in description:
            checksum = description.pop("sha256")
            if checksum != fingerprint(description, weights):
                raise ModelFileError(
                    "damaged: its checksum does not fit its weights and vocabulary; copy it again, or restore it "
                    "from a backup"
                )
        return described_model(description, weights)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path}: not a valid doldari model: {error}") from error
    except ModelFileError as error:
        raise ModelFileError(f"{path}: {error}") from error


def read_safetensors(path: Path) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Read the metadata and the arrays of a safetensors file."""
    try:
        with safe_open(path, framework="numpy") as file:
            return file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelFileError(f"{path}: not a safetensors file, or cut short ({error})") from error
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (TypeError, AttributeError) as error:  # of a number format that NumPy lacks
        raise ModelFileError(f"{path}: its weights are not float32 or float64 ({error})") from error
