"""What cannot be exported is refused by the name of its setting."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from doldari.config import ModelConfig
from doldari.errors import ConfigError

# The values that an ONNX file knows of these settings, and a page; of any other setting of UNDERSTOOD all.
OF_ONNX: Mapping[str, Collection[Any]] = {
    "model": {"recurrent"},
    "decoder": {"plain", "peeky", "attention"},
    "attention": {"general", "dot"},
    "cell": {"lstm", "gru"},
    "right_to_left": {False},
}
OF_PAGES: Mapping[str, Collection[Any]] = {
    **OF_ONNX,
    "decoder": {"plain", "peeky", "attention", "transducer"},
    "right_to_left": {False, True},
}
UNDERSTOOD = {
    *OF_ONNX,
    *(
        "heads",
        "layers",
        "bidirectional",
        "tie",
        "reverse",
        "embedding_size",
        "hidden_size",
        "ensemble",
        "shared_vocabulary",
    ),
    *("source_symbols", "target_symbols", "source_normalization", "target_normalization"),
}


def refuse_unknown(config: ModelConfig, file: str, choices: Mapping[str, Collection[Any]]) -> None:
    """Raise ConfigError where a model is made of what an exported file knows nothing of; file: an HTML page."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value not in choices.get(field.name, {value}) or (field.name not in UNDERSTOOD and value != field.default):
            page = "; an HTML page can" if value in OF_PAGES.get(field.name, ()) else ""
            raise ConfigError(f"{field.name}={value}: {file} cannot run such a model{page}")
