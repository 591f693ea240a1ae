"""What cannot be exported is refused by the name of its setting."""

import dataclasses
from collections.abc import Collection, Mapping
from typing import Any

from doldari.config import ModelConfig
from doldari.errors import ConfigError

# The values that an exported file knows of these settings; of any other setting of UNDERSTOOD all.
KNOWN: Mapping[str, Collection[Any]] = {
    "model": {"recurrent"},
    "decoder": {"plain", "peeky", "attention", "transducer"},
    "attention": {"general", "dot"},
    "cell": {"lstm", "gru"},
}
UNDERSTOOD = {
    *KNOWN,
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
        "right_to_left",
    ),
    *("source_symbols", "target_symbols", "source_normalization", "target_normalization"),
}


def refuse_unknown(config: ModelConfig, file: str) -> None:
    """Raise ConfigError where a model is made of what an exported file knows nothing of; file: an HTML page."""
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if value not in KNOWN.get(field.name, {value}) or (field.name not in UNDERSTOOD and value != field.default):
            raise ConfigError(f"{field.name}={value}: {file} cannot run such a model")
