"""The settings of a model and of its training: checked once, here; in and out as TOML.

[model]
decoder = "peeky"
hidden_size = 128

[training]
epochs = 10
"""

import dataclasses
import difflib
import math
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import tomli_w

from doldari.errors import ConfigError

CHOICES = {
    "decoder": ("plain", "peeky"),
    "source_symbols": ("characters", "graphemes", "whitespace", "words", "subwords"),
    "target_symbols": ("characters", "graphemes", "whitespace", "words", "subwords"),
    "source_normalization": ("none", "NFC", "NFD", "NFKC", "NFKD"),
    "target_normalization": ("none", "NFC", "NFD", "NFKC", "NFKD"),
    "schedule": ("one-cycle", "constant"),
}
KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What a model is made of: what it cannot be loaded without."""

    decoder: str = "peeky"
    reverse: bool = True
    wordvec_size: int = 16
    hidden_size: int = 128
    source_symbols: str = "characters"
    target_symbols: str = "characters"
    source_normalization: str = "none"
    target_normalization: str = "none"
    shared_vocabulary: bool = False

    def __post_init__(self) -> None:
        check(self)
        if self.shared_vocabulary and self.source_symbols != self.target_symbols:
            raise ConfigError("shared_vocabulary=True: needs source_symbols and target_symbols to be the same")
        if self.shared_vocabulary and self.source_normalization != self.target_normalization:
            raise ConfigError("shared_vocabulary=True: needs source_ and target_normalization to be the same")


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained; learning_rate is the peak of a one-cycle schedule."""

    epochs: int = 10
    batch_size: int = 128
    learning_rate: float = 5e-3
    schedule: str = "one-cycle"
    max_grad: float = 5.0
    min_count: int = 1
    subword_count: int = 8_000
    seed: int = 0

    def __post_init__(self) -> None:
        check(self)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a run."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a TOML file with the tables [model] and [training]; what it leaves out keeps its default."""
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ConfigError(f"{path}: cannot be read as TOML: {reason}") from error
        try:
            require_known(tables, ("model", "training"), "table")
            return cls(
                model=from_table(ModelConfig, tables.get("model", {})),
                training=from_table(TrainingConfig, tables.get("training", {})),
            )
        except ConfigError as error:
            raise ConfigError(f"{path}: {error}") from error

    def to_toml(self) -> str:
        """Write what `from_toml` reads."""
        return tomli_w.dumps(dataclasses.asdict(self))

    def replace(self, **settings: Any) -> Self:
        """Return a copy with some settings, of either table, changed."""
        in_model = {item.name for item in dataclasses.fields(ModelConfig)}
        in_training = {item.name for item in dataclasses.fields(TrainingConfig)}
        require_known(settings, (*in_model, *in_training), "setting")
        return dataclasses.replace(
            self,
            model=dataclasses.replace(self.model, **{k: v for k, v in settings.items() if k in in_model}),
            training=dataclasses.replace(self.training, **{k: v for k, v in settings.items() if k in in_training}),
        )


def from_table(kind: type[Any], table: dict[str, Any]) -> Any:
    """Make a `ModelConfig` or `TrainingConfig` of a table of names and values; unknown names are refused."""
    if not isinstance(table, dict):
        raise ConfigError(f"{table!r}: must be a table of settings")
    require_known(table, tuple(item.name for item in dataclasses.fields(kind)), "setting")
    return kind(**table)


def require_known(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    """Refuse a name that is not known, with the nearest that is."""
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {nearest[0]}?" if nearest else f"known: {', '.join(known)}"
            raise ConfigError(f"{name}: no such {what}; {hint}")


def check(config: ModelConfig | TrainingConfig) -> None:
    """Refuse a value of the wrong type or out of range."""
    for item in dataclasses.fields(config):
        name: str = item.name
        value: Any = getattr(config, name)
        kind: Any = type(item.default)
        if kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
            object.__setattr__(config, name, value)
        lowest = 0 if name == "seed" else 1
        if type(value) is not kind:
            raise ConfigError(f"{name}={value!r}: must be {KIND_NAMES[kind]}")
        if name in CHOICES and value not in CHOICES[name]:
            raise ConfigError(f"{name}={value}: must be one of {', '.join(CHOICES[name])}")
        if kind is float and not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{name}={value}: must be finite and greater than 0")
        if kind is int and not lowest <= value < 2**31:
            raise ConfigError(f"{name}={value}: must be at least {lowest}, and below 2,147,483,648")
