"""The settings of a model and of its training: checked once, here; in and out as TOML.

[model]
decoder = "peeky"
hidden_size = 128

[training]
epochs = 10

A setting is declared once, below: its type, default, help text, group and range.  The command line makes its options
of that.
"""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import tomli_w

from doldari import mixing
from doldari.errors import ConfigError
from doldari.settings import (
    check,
    check_device,
    check_hallucination,
    check_model,
    from_table,
    read_toml,
    refuse_of_others,
    require_known,
    seconds,
    setting,
    steps_or_seconds,
    with_todays_names,
)

Symbols = Literal["characters", "graphemes", "whitespace", "words", "subwords"]
Engine = Literal["numpy", "torch"]
Normalization = Literal["none", "NFC", "NFD", "NFKC", "NFKD"]


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """What a model is made of: what it cannot be loaded without."""

    model: Literal["recurrent", "transformer"] = setting("recurrent", "Model type.", "Model", basic=True)
    decoder: Literal["plain", "peeky", "attention", "pointer", "transducer"] = setting(
        "attention",
        "Decoder type. plain: starts from the encoder's final state; peeky: also sees that state at every step; "
        "attention: attends to all encoder states; pointer: attends, and can copy source symbols; "
        "transducer: edits the source from left to right, symbol by symbol.",
        "Model",
        basic=True,
    )
    attention: Literal["general", "dot"] = setting(
        "general", "Attention score: general (bilinear, h W v) or dot (h v).", "Model"
    )
    cell: Literal["lstm", "gru"] = setting("lstm", "Recurrent cell.", "Model")
    heads: int = setting(4, "Attention heads of a transformer.", "Model", below=1_000)
    layers: int = setting(1, "Layers in encoder and decoder each.", "Model", basic=True, below=1_000)
    bidirectional: bool = setting(
        True, "Bidirectional encoder; each direction has half of the hidden units.", "Model"
    )
    tie: bool = setting(False, "Tie the decoder's input and output embeddings.", "Model")
    reverse: bool = setting(False, "Reverse the source sequences.", "Model")
    right_to_left: bool = setting(
        False, "Write targets from right to left, the last symbol first; predictions read as usual.", "Model"
    )
    embedding_size: int = setting(64, "Embedding size.", "Model", basic=True, former=("wordvec_size",))
    hidden_size: int = setting(
        256, "Number of hidden (transformer: feed-forward) units.", "Model", basic=True, former=("hidden",)
    )
    ensemble: int = setting(1, "Number of models in the ensemble (one seed each).", "Model", below=1_000)
    source_symbols: Symbols = setting("characters", "Source tokenization.", "Data")
    target_symbols: Symbols = setting("characters", "Target tokenization.", "Data")
    source_normalization: Normalization = setting("none", "Unicode normalization of sources.", "Data")
    target_normalization: Normalization = setting(
        "none", "Unicode normalization of targets; predictions keep their form in training.", "Data"
    )
    shared_vocabulary: bool = setting(False, "Share one vocabulary between source and target.", "Data")

    @property
    def name(self) -> str:
        """The kind of model: attention LSTM, transformer, pointer transformer."""
        if self.model == "transformer":
            return "pointer transformer" if self.decoder == "pointer" else "transformer"
        return f"{self.decoder} {self.cell.upper()}"

    @property
    def attends(self) -> bool:
        """Whether the decoder has attention."""
        return self.decoder in ("attention", "pointer", "transducer")

    @property
    def copies(self) -> bool:
        """Whether the decoder can copy symbols of the source."""
        return self.decoder in ("pointer", "transducer")

    @property
    def reads_backwards(self) -> bool:
        """Whether sources are read from their last symbol on; a decoder that copies reads as it writes."""
        return self.reverse != (self.right_to_left and self.copies)

    def __post_init__(self) -> None:
        check(self)
        check_model(self)
        for what in ("symbols", "normalization"):
            source, target = f"source_{what}", f"target_{what}"
            if self.shared_vocabulary and getattr(self, source) != getattr(self, target):
                names: dict[str, Any] = {"shared_vocabulary": True, source: None, target: None}
                raise ConfigError(
                    f"{{shared_vocabulary}}: needs {{{source}}} and {{{target}}} to be the same", **names
                )
        if self.attention != "general" and self.decoder != "attention":
            raise ConfigError("{attention}: needs {decoder}", attention=self.attention, decoder="attention")
        if self.model == "recurrent" and self.bidirectional and self.hidden_size % 2 != 0:
            raise ConfigError(
                "{hidden_size}: must be even for a bidirectional encoder, which has half in each direction",
                hidden_size=self.hidden_size,
            )
        if self.tie and self.decoder in ("peeky", "transducer"):
            raise ConfigError("{tie}: cannot be combined with {decoder}", tie=True, decoder=self.decoder)
        if self.tie and self.decoder == "plain" and self.embedding_size != self.hidden_size:
            raise ConfigError(
                "{tie}: with a plain decoder {embedding_size} must equal {hidden_size}; or choose decoder attention",
                tie=True,
                embedding_size=self.embedding_size,
                hidden_size=self.hidden_size,
            )


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a model is trained."""

    epochs: int | None = setting(
        None,
        "Number of epochs. Without it, and without a time budget: as many as make --steps, from 5 to 100.",
        "Training",
        basic=True,
    )
    steps: int = setting(
        3_000, "Training steps that the number of epochs is chosen by where it is not given.", "Training"
    )
    budget: str | None = setting(
        None,
        "Training time, in place of a number of epochs: 90s, 5m, 1h30m. The learning rate follows the clock, so "
        "results are not reproducible to the bit.",
        "Training",
        basic=True,
    )
    batch_size: int = setting(64, "Number of pairs per training step.", "Training", basic=True, former=("batch",))
    bucketing: bool = setting(False, "Batch pairs of similar length together (less padding).", "Training")
    learning_rate: float = setting(3e-3, "Peak learning rate.", "Training", basic=True, short="lr")
    schedule: Literal["one-cycle", "cosine", "plateau", "constant"] = setting(
        "one-cycle",
        "Learning-rate schedule. one-cycle: warm-up, then decay to 0; cosine: short warm-up, then decay to 0; "
        "plateau: halved after 3 epochs without improvement; constant.",
        "Training",
    )
    warmup: float | None = setting(
        None,
        "Fraction of the training spent on learning-rate warm-up. Without it: 0.2 for one-cycle, 0.05 for cosine, "
        "otherwise 0.",
        "Training",
        at_least=0,
        below=1,
    )
    weight_decay: float = setting(
        0.0, "Decoupled weight decay (AdamW), such as 0.01; biases excluded.", "Regularisation", at_least=0
    )
    max_grad_norm: float = setting(5.0, "Clip the gradient to this norm.", "Training", former=("max_grad",))
    dropout: float = setting(0.2, "Dropout probability.", "Regularisation", basic=True, at_least=0, below=1)
    label_smoothing: float = setting(
        0.1, "Label-smoothing factor.", "Regularisation", basic=True, at_least=0, below=1
    )
    max_length: int | None = setting(
        None,
        "Skip pairs with more symbols in source or target. Without it, more than 5,000 symbols are an error.",
        "Data",
    )
    stream: bool = setting(
        False,
        "Read DATA, any number of files (shards) or folders of them, as a stream: for data larger than memory.",
        "Data",
    )
    shuffle_buffer: int = setting(100_000, "Pairs that are shuffled together in a stream, per process.", "Data")
    hallucinate: int = setting(
        0,
        "Data hallucination (augmentation): also train on this many artificial pairs, copies of pairs with random "
        "letters in the stem. For inflection with few pairs.",
        "Data",
        at_least=0,
    )
    min_count: int = setting(1, "Minimum frequency; rarer symbols map to unknown.", "Data")
    subword_count: int = setting(8_000, "Subword vocabulary size.", "Data")
    ema: float = setting(
        0.0,
        "Decay of the weights' moving average (EMA), such as 0.999, which is validated and saved; 0 turns it off.",
        "Regularisation",
        at_least=0,
        below=1,
    )
    metric: Literal["accuracy", "loss"] = setting(
        "accuracy",
        "Validation metric that selects the best epoch: accuracy (ties broken by validation loss) or loss.",
        "Training",
    )
    patience: int = setting(
        0, "Early-stopping patience in epochs; 0 turns it off.", "Regularisation", basic=True, at_least=0
    )
    mix: tuple[str, ...] = setting(
        (),
        "What differs between an ensemble's members: a setting and its values in turn, such as "
        "decoder=attention,pointer. May be given several times; see also --vote of predict.",
        "Model",
    )
    seed: int = setting(0, "Random seed (initialisation and shuffling).", "Training", basic=True, at_least=0)
    engine: Engine = setting(
        "numpy", "Compute engine: numpy (CPU), or torch (PyTorch; GPUs, several machines).", "Training", basic=True
    )
    device: str = setting(
        "auto", "Device of engine torch: cpu, cuda, cuda:1 (second GPU), mps; auto: a GPU if available.", "Training"
    )
    precision: Literal["float32", "bf16"] = setting(
        "float32", "Precision of engine torch; bf16 is faster on GPUs that support it.", "Training"
    )
    accumulate: int = setting(
        1, "Gradient accumulation: compute each batch in this many parts, with less memory (torch).", "Training"
    )
    checkpoint_every: str = setting(
        "1m", "Checkpoint interval: a time (90s, 5m) or a number of steps (500).", "Output"
    )

    def __post_init__(self) -> None:
        check(self)
        steps_or_seconds(self.checkpoint_every)
        check_device(self.engine, self.device)
        if self.engine == "numpy" and self.precision != "float32":
            raise ConfigError("{precision}: needs {engine}", precision=self.precision, engine="torch")
        if self.engine == "numpy" and self.accumulate > 1:
            raise ConfigError("{accumulate}: needs {engine}", accumulate=self.accumulate, engine="torch")
        if not self.stream and self.shuffle_buffer != TrainingConfig.shuffle_buffer:
            raise ConfigError("{shuffle_buffer}: needs {stream}", shuffle_buffer=self.shuffle_buffer, stream=True)
        if self.epochs is not None and self.budget is not None:
            raise ConfigError("{epochs}, {budget}: give one of the two", epochs=self.epochs, budget=self.budget)
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
            raise ConfigError(
                "{subword_count}: needs {source_symbols} or {target_symbols}",
                subword_count=count,
                source_symbols="subwords",
                target_symbols="subwords",
            )
        if self.training.hallucinate:
            check_hallucination(self)
        if self.training.mix and self.model.ensemble > 1:
            mixing.members(self)

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
        written = {name: {k: v for k, v in table.items() if v is not None} for name, table in tables.items()}
        return tomli_w.dumps(written)

    def replace(self, **settings: Any) -> Self:
        """Return a copy with some settings, of either table, changed.

        Epochs replace a budget, a budget epochs; a decoder without a choice of attention score drops the score.  A
        mix that is not given, as a recipe's, stays only for an ensemble, and without the settings that are given.
        """
        settings = with_todays_names(settings, ModelConfig, TrainingConfig)
        for one, other in (("epochs", "budget"), ("budget", "epochs")):
            if one in settings:
                settings.setdefault(other, None)
        if self.model.attention != "general" and settings.get("decoder", "attention") != "attention":
            settings.setdefault("attention", "general")
        tables = [[item.name for item in dataclasses.fields(kind)] for kind in (ModelConfig, TrainingConfig)]
        require_known(settings, (*tables[0], *tables[1]), "setting")
        model, training = ({k: v for k, v in settings.items() if k in names} for names in tables)
        changed = dataclasses.replace(self.model, **model), dataclasses.replace(self.training, **training)
        refuse_of_others(model, changed[0].model)
        if "mix" not in settings:
            left = mixing.without(changed[1].mix, settings) if changed[0].ensemble > 1 else ()
            changed = changed[0], dataclasses.replace(changed[1], mix=left)
        whole = dataclasses.replace(self, model=changed[0], training=changed[1])
        if whole.training.mix:
            mixing.members(whole)
        return whole
