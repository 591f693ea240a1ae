"""The settings of a model and of its training: checked once, here; in and out as TOML.

[model]
decoder = "peeky"
hidden_size = 128

[training]
epochs = 10

A setting is said once, below: its type, default, help text and range.  The command line makes its options of that.
"""

import dataclasses
import difflib
import math
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any, Literal, Self, get_args, get_origin

import tomli_w

from doldari.errors import ConfigError

Symbols = Literal["characters", "graphemes", "whitespace", "words", "subwords"]
Normalization = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]
KIND_NAMES = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def setting(default: Any, help: str, *, at_least: float | None = None, below: float = math.inf) -> Any:
    """Declare a setting.

    Numbers lie in [at_least, below); without at_least whole ones are at least 1, others greater than 0.
    """
    return field(default=default, metadata={"help": help, "at_least": at_least, "below": below})


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What a model is made of: what it cannot be loaded without."""

    decoder: Literal["plain", "peeky", "attention"] = setting(
        "attention",
        "What it sees of the source in every step: plain, nothing; peeky, the encoder's last state; attention, all "
        "of its states.",
    )
    attention: Literal["general", "dot"] = setting("general", "How attention scores a state: h W v, or h v.")
    cell: Literal["lstm", "gru"] = setting("lstm", "The recurrent layers.")
    layers: int = setting(1, "Recurrent layers of encoder and of decoder.", below=1_000)
    bidirectional: bool = setting(True, "The encoder reads in both directions, with half of its units each.")
    tie: bool = setting(False, "Read and write target symbols by the same vectors.")
    reverse: bool = setting(False, "Read sources backwards.")
    wordvec_size: int = setting(64, "Size of the vector a symbol becomes.")
    hidden_size: int = setting(256, "Units of each recurrent layer.")
    ensemble: int = setting(1, "Models, of as many seeds, that answer together.", below=1_000)
    source_symbols: Symbols = setting("characters", "How sources are cut into symbols.")
    target_symbols: Symbols = setting("characters", "How targets are cut into symbols.")
    source_normalization: Normalization = setting("none", "Unicode form into which sources are brought.")
    target_normalization: Normalization = setting(
        "none", "The same of targets; answers come in the form that they had."
    )
    shared_vocabulary: bool = setting(False, "One set of symbols for both sides.")

    def __post_init__(self) -> None:
        check(self)
        if self.shared_vocabulary and self.source_symbols != self.target_symbols:
            raise ConfigError("shared_vocabulary=True: needs source_symbols and target_symbols to be the same")
        if self.shared_vocabulary and self.source_normalization != self.target_normalization:
            raise ConfigError("shared_vocabulary=True: needs source_ and target_normalization to be the same")
        if self.attention != "general" and self.decoder != "attention":
            raise ConfigError(f"attention={self.attention}: needs decoder=attention, not {self.decoder}")
        if self.bidirectional and self.hidden_size % 2 != 0:
            raise ConfigError(f"hidden_size={self.hidden_size}: bidirectional halves it, so that it must be even")
        if self.tie and self.decoder == "peeky":
            raise ConfigError("tie=True: goes with decoder plain or attention, not peeky, which scores more than h")
        if self.tie and self.decoder == "plain" and self.wordvec_size != self.hidden_size:
            raise ConfigError(
                f"tie=True: decoder plain scores by vectors of hidden_size={self.hidden_size}, so that wordvec_size="
                f"{self.wordvec_size} must be as large; or take decoder attention"
            )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained."""

    epochs: int | None = setting(
        None,
        "Passes over the training pairs; if neither this nor a budget is given, 3,000 steps, but 5 to 100 epochs.",
    )
    budget: str | None = setting(
        None,
        "Instead of epochs, the time to train in, validation included: 90s, 5m, 1h30m. The learning rate follows the "
        "clock, so two runs are not alike to the bit.",
    )
    batch_size: int = setting(64, "Pairs in a training step.")
    bucketing: bool = setting(False, "Put pairs of about one length into a batch: less padding to compute.")
    learning_rate: float = setting(3e-3, "The highest learning rate of the schedule.")
    schedule: Literal["one-cycle", "cosine", "plateau", "constant"] = setting(
        "one-cycle",
        "How the learning rate goes. one-cycle: up, then down to 0. cosine: up quickly, then down to 0. plateau: "
        "halved whenever 3 epochs in a row brought no better one. constant: as it is.",
    )
    warmup: float | None = setting(
        None,
        "The share of the training in which the learning rate rises; 0.2 for one-cycle, 0.05 for cosine, else 0 if "
        "not given.",
        at_least=0,
        below=1,
    )
    weight_decay: float = setting(
        0.0,
        "Draw all weights but the biases towards 0 (AdamW): in a step by this times the learning rate, 0.01 say.",
        at_least=0,
    )
    max_grad: float = setting(5.0, "Gradients longer than this are shortened to it.")
    dropout: float = setting(0.2, "How much of each layer's input is left out at random.", at_least=0, below=1)
    label_smoothing: float = setting(
        0.1, "How much probability all symbols share beside the right one.", at_least=0, below=1
    )
    min_count: int = setting(1, "Symbols seen fewer times in training become unknown.")
    subword_count: int = setting(8_000, "The most subwords, where these are the symbols.")
    ema: float = setting(
        0.0,
        "Validate and keep, instead of the weights, their moving average with this decay, 0.999 say; 0: do not.",
        at_least=0,
        below=1,
    )
    metric: Literal["accuracy", "loss"] = setting(
        "accuracy",
        "Which epoch's model is kept: that of the highest validation accuracy, of equal ones that of the lowest "
        "validation loss; or by that loss alone.",
    )
    patience: int = setting(0, "Stop after so many epochs in a row without a better one; 0: never.", at_least=0)
    seed: int = setting(0, "Of first weights and shuffling.", at_least=0)
    checkpoint_every: str = setting(
        "1m",
        "How often a checkpoint is written, by which an interrupted training can go on: 90s, 5m, or 500 (steps).",
    )

    def __post_init__(self) -> None:
        check(self)
        steps_or_seconds(self.checkpoint_every)
        if self.epochs is not None and self.budget is not None:
            raise ConfigError(f"epochs={self.epochs}, budget={self.budget}: give one of the two")
        if self.budget is not None:
            seconds(self.budget)


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings of a run."""

    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        count, symbols = self.training.subword_count, {self.model.source_symbols, self.model.target_symbols}
        if "subwords" not in symbols and count != TrainingConfig.subword_count:
            raise ConfigError(f"subword_count={count}: needs source_symbols or target_symbols to be subwords")

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
        tables = dataclasses.asdict(self)
        return tomli_w.dumps(
            {
                name: {key: value for key, value in table.items() if value is not None}
                for name, table in tables.items()
            }
        )

    def replace(self, **settings: Any) -> Self:
        """Return a copy with some settings, of either table, changed; epochs replace a budget, a budget epochs."""
        for one, other in (("epochs", "budget"), ("budget", "epochs")):
            if one in settings:
                settings.setdefault(other, None)
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
        name, value = item.name, getattr(config, item.name)
        kind: Any = item.type
        if get_origin(kind) is Literal:
            if value not in get_args(kind):
                raise ConfigError(f"{name}={value}: must be one of {', '.join(get_args(kind))}")
            continue
        if NoneType in get_args(kind):
            if value is None:
                continue
            kind = get_args(kind)[0]
        if kind is float and type(value) is int and abs(value) < 2**53:
            value = float(value)
            object.__setattr__(config, name, value)
        if type(value) is not kind:
            raise ConfigError(f"{name}={value!r}: must be {KIND_NAMES[kind]}")
        if kind in (int, float):
            check_range(name, value, item.metadata["at_least"], item.metadata["below"])


def check_range(name: str, value: float, at_least: float | None, below: float) -> None:
    """Refuse a number out of its range, which is as in `setting`."""
    if isinstance(value, int):
        lowest, highest = 1 if at_least is None else int(at_least), min(below, 2**31)
        if not lowest <= value < highest:
            raise ConfigError(f"{name}={value}: must be at least {lowest}, and below {highest:,}")
    else:
        low_enough = "finite" if below == math.inf else f"below {below:g}"
        high_enough = "greater than 0" if at_least is None else f"at least {at_least:g}"
        if not (value > 0 if at_least is None else value >= at_least) or not value < below:
            raise ConfigError(f"{name}={value}: must be {low_enough} and {high_enough}")


def seconds(time: str, name: str = "budget") -> float:
    """Read a time, as 90s, 5m, 1.5h or 1h30m: in seconds.  `name` is the setting that an error is about."""
    number = r"(\d+(?:\.\d+)?)"
    match = re.fullmatch(f"(?:{number}h)?(?:{number}m)?(?:{number}s)?", time)
    total = (
        sum(float(part or 0) * unit for part, unit in zip(match.groups(), (3600, 60, 1), strict=True)) if match else 0
    )
    if not 0 < total < math.inf:
        raise ConfigError(f"{name}={time}: must be a time such as 90s, 5m or 1h30m")
    return total


def steps_or_seconds(every: str) -> tuple[float, float]:
    """Read how often a checkpoint is written: in steps, or in seconds; the other is infinite."""
    if every.isdecimal() and int(every) > 0:
        return int(every), math.inf
    try:
        return math.inf, seconds(every, "checkpoint_every")
    except ConfigError as error:
        raise ConfigError(f"{error}, or a number of steps such as 500") from error
