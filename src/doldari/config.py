"""The settings of a model and of its training: checked once, here; in and out as TOML.

[model]
decoder = "peeky"
hidden_size = 128

[training]
epochs = 10

A setting is said once, below: its type, default, help text and range.  The command line makes its options of that.
"""

import dataclasses
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w

from doldari.errors import ConfigError
from doldari.settings import (
    check,
    from_table,
    read_toml,
    require_known,
    seconds,
    setting,
    steps_or_seconds,
    written,
)

__all__ = [
    "Config",
    "Engine",
    "ModelConfig",
    "Normalization",
    "Symbols",
    "TrainingConfig",
    "from_table",
    "seconds",
    "setting",
]

Symbols = Literal["characters", "graphemes", "whitespace", "words", "subwords"]
Engine = Literal["numpy", "torch"]
Normalization = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]


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
    max_length: int | None = setting(
        None, "Leave out pairs with more symbols in source or target; more than 5,000 are refused if not given."
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
    engine: Engine = setting(
        "numpy", "What computes: numpy, on this machine's CPU; torch (PyTorch), on GPUs and many machines too."
    )
    device: str = setting(
        "auto", "Where torch computes: cpu, cuda, cuda:1 (the second GPU), mps; auto is a GPU if there is one."
    )
    precision: Literal["float32", "bf16"] = setting(
        "float32", "Number format of torch's products; bf16 is faster on GPUs that have it."
    )
    accumulate: int = setting(
        1, "Compute each batch in this many parts (gradient accumulation): the same step in less memory."
    )
    checkpoint_every: str = setting(
        "1m",
        "How often a checkpoint is written, by which an interrupted training can go on: 90s, 5m, or 500 (steps).",
    )

    def __post_init__(self) -> None:
        check(self)
        steps_or_seconds(self.checkpoint_every)
        check_device(self.engine, self.device)
        if self.engine == "numpy" and self.precision != "float32":
            raise ConfigError(f"precision={self.precision}: needs engine=torch")
        if self.engine == "numpy" and self.accumulate > 1:
            raise ConfigError(f"accumulate={self.accumulate}: needs engine=torch")
        if self.epochs is not None and self.budget is not None:
            raise ConfigError(f"epochs={self.epochs}, budget={self.budget}: give one of the two")
        if self.budget is not None:
            seconds(self.budget)


def check_device(engine: str, device: object) -> None:
    """Refuse what is no name of a device, or of none that the engine has."""
    if not isinstance(device, str) or not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,4})?", device):
        raise ConfigError(f"device={written(device)}: must be auto, cpu, cuda, cuda:N or mps")
    if engine == "numpy" and device not in ("auto", "cpu"):
        raise ConfigError(f"device={device}: needs engine=torch")


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
        tables = read_toml(path)
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
