"""Fine-tuning: a training that starts from a trained model, on new pairs."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from doldari.config import Config, ModelConfig
from doldari.errors import ConfigError, DoldariError
from doldari.inference.predictor import load
from doldari.models.checksum import fingerprint
from doldari.models.model_file import TextModel, describe
from doldari.settings import refused


class Base(NamedTuple):
    """The model that training starts from, with its path and checksum; None where it is no longer what it was."""

    text_model: TextModel | None
    facts: dict[str, str]

    def needed(self) -> TextModel:
        """Return the model, which is needed where there is no checkpoint."""
        if self.text_model is None:
            raise ConfigError(f"{self.facts['path']}: the model to start from is missing or has changed; restore it")
        return self.text_model


def load_base(path: Path) -> Base:
    """Load the model to start from; an ensemble is refused."""
    text_model = load(path).text_model
    members = sum(kind.config.ensemble for kind in text_model.kinds)
    if members > 1:
        run = path if path.is_dir() else path.parent
        raise ConfigError(f"{path}: an ensemble of {members} models; start from one of them, such as {run}/member-1")
    checksum = fingerprint(
        describe(text_model), {name: one.value for name, one in text_model.model.weights().items()}
    )
    return Base(text_model, {"path": str(path.absolute()), "sha256": checksum})


def base_of_record(facts: dict[str, str] | None) -> Base | None:
    """Load the model that a resumed run was started from, if any."""
    if facts is None:
        return None
    try:
        base = load_base(Path(facts["path"]))
    except DoldariError:
        return Base(None, facts)
    return base if base.facts["sha256"] == facts["sha256"] else Base(None, facts)


def settings_besides(base: Base, settings: dict[str, Any]) -> dict[str, Any]:
    """Take of given settings those that are not the model's; one of these that the base has otherwise is refused."""
    theirs = base.needed().config
    besides: dict[str, Any] = {"mix": ()}  # not that of a recipe
    for name, value in settings.items():
        if name == "ensemble" or name not in ModelConfig.__dataclass_fields__:
            besides[name] = value
        elif value != getattr(theirs, name):
            raise refused(name, value, f"the model to start from has {getattr(theirs, name)}; leave it out")
    return besides


def with_model_of(base: Base, config: Config) -> Config:
    """Replace the model settings of a configuration by those of the base, except for `ensemble`."""
    if config.training.mix:
        raise ConfigError("{mix}: cannot be combined with {start_from}", mix=config.training.mix[0], start_from=None)
    model = dataclasses.replace(base.needed().config, ensemble=config.model.ensemble)
    return Config(model=model, training=config.training)
