"""Fine-tuning: a training that starts from a trained model, on new pairs."""

from pathlib import Path
from typing import Any, NamedTuple

from doldari.config import Config, ModelConfig
from doldari.errors import ConfigError, DoldariError
from doldari.inference.predictor import load
from doldari.models.checksum import fingerprint
from doldari.models.ensemble import Ensemble
from doldari.models.model_file import TextModel, describe


class Base(NamedTuple):
    """The model that training starts from, with its path and checksum; None where it is no longer what it was."""

    text_model: TextModel | None
    facts: dict[str, str]

    def needed(self) -> TextModel:
        """Give the model to whoever has no checkpoint to go on from."""
        if self.text_model is None:
            raise ConfigError(f"{self.facts['path']}: the model to start from is gone or has changed; restore it")
        return self.text_model


def load_base(path: Path) -> Base:
    """Load the model to start from; an ensemble is refused."""
    text_model = load(path).text_model
    if isinstance(text_model.model, Ensemble):
        members = len(text_model.model.members)
        raise ConfigError(f"{path}: is an ensemble of {members}; start from one of its members, as {path}/member-1")
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


def with_model_of(config: Config, base: Base, given: dict[str, Any]) -> Config:
    """Take the settings of the model from the base; a given option that says otherwise is refused."""
    theirs = base.needed().config
    for name, value in given.items():
        if name in ModelConfig.__dataclass_fields__ and name != "ensemble" and value != getattr(theirs, name):
            raise ConfigError(f"{name}={value}: the model to start from has {getattr(theirs, name)}; leave it out")
    members = config.model.ensemble
    return Config(model=theirs, training=config.training).replace(ensemble=members)
