"""A run: pairs and settings in, a directory with the trained model, its settings and its history out."""

import dataclasses
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from doldari.arrays import Ids
from doldari.config import Config
from doldari.data.batches import pad
from doldari.data.pairs import Pair
from doldari.data.vocabulary import PADDING, START, Vocabulary, split_features
from doldari.errors import RunExistsError, TrainingError
from doldari.files import write_whole
from doldari.inference.metrics import Evaluation, evaluate
from doldari.inference.predictor import MODEL_FILE, Predictor
from doldari.models.model_file import TextModel, build_model
from doldari.training.history import Epoch, write_history
from doldari.training.optimizers import Adam
from doldari.training.schedules import constant, one_cycle
from doldari.training.trainer import Trainer

CONFIG_FILE = "config.toml"
HISTORY_FILE = "history.jsonl"
PICTURE_FILE = "accuracy.png"


@dataclass
class Run:
    """A model in training: what it learns from, what it is validated with, and how it went so far."""

    config: Config
    predictor: Predictor
    trainer: Trainer
    x: Ids
    t: Ids
    validation: Sequence[Pair]
    history: list[Epoch] = field(default_factory=list)

    @classmethod
    def prepare(cls, config: Config, training: Sequence[Pair], validation: Sequence[Pair]) -> "Run":
        """Build the vocabularies, from the training pairs alone, and the untrained model."""
        settings = config.training
        sequences = np.random.SeedSequence(settings.seed).spawn(3)
        initial_rng, shuffle_rng, dropout_rng = map(np.random.default_rng, sequences)
        source, target = build_vocabularies(config, training)
        encoded_x = [source.encode(pair.source, unknown=True) for pair in training]
        encoded_t = [target.encode(pair.target, unknown=True) for pair in training]
        longest_source, longest_target = max(map(len, encoded_x)), max(map(len, encoded_t))
        if config.model.reverse:
            encoded_x = [ids[::-1] for ids in encoded_x]
        t = pad([[START, *ids] for ids in encoded_t], PADDING, longest_target + 2)
        model = build_model(
            config.model,
            source,
            target,
            dropout=settings.dropout,
            label_smoothing=settings.label_smoothing,
            rng=initial_rng,
        )
        steps = settings.epochs * math.ceil(len(training) / settings.batch_size)
        rate = settings.learning_rate
        schedule = one_cycle(rate, steps) if settings.schedule == "one-cycle" else constant(rate)
        return cls(
            config,
            Predictor(TextModel(model, config.model, source, target, longest_source, longest_target)),
            Trainer(model, Adam(rate), schedule=schedule, rng=shuffle_rng, dropout_rng=dropout_rng),
            pad(encoded_x, PADDING),
            t,
            validation,
        )

    @property
    def steps_an_epoch(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.x) / self.config.training.batch_size)

    def save(self, directory: Path) -> None:
        """Write the model and its history."""
        self.predictor.save(directory / MODEL_FILE)
        write_history(directory / HISTORY_FILE, self.history)


def build_vocabularies(config: Config, training: Sequence[Pair]) -> tuple[Vocabulary, Vocabulary]:
    """Collect the symbols of each side, or of both sides for both, and the features of sources that have any."""
    model, settings = config.model, config.training
    sources, targets = [pair.source for pair in training], [pair.target for pair in training]
    features: list[list[str]] = []
    if any("\t" in source for source in sources):
        split = [split_features(source) for source in sources]
        sources, features = [text for text, _ in split], [row for _, row in split]
    build = partial(Vocabulary.build, min_count=settings.min_count, subword_count=settings.subword_count)
    build_source = partial(build, kind=model.source_symbols, normalization=model.source_normalization)
    if model.shared_vocabulary:
        source = build_source(sources + targets, features=features)
        return source, dataclasses.replace(source, features=())
    return (
        build_source(sources, features=features),
        build(targets, kind=model.target_symbols, normalization=model.target_normalization),
    )


def claim(directory: Path, config: Config, overwrite: bool) -> None:
    """Make the directory of a new run and put its settings there.

    A directory that holds a run is refused, or with `overwrite` emptied of it.
    """
    held = [directory / name for name in (MODEL_FILE, HISTORY_FILE, PICTURE_FILE, CONFIG_FILE)]
    held = [path for path in held if path.exists()]
    if held and not overwrite:
        raise RunExistsError(f"{directory}: holds a run already ({held[0].name}); give another --out, or --overwrite")
    try:
        for path in held:
            path.unlink()
        write_whole(directory / CONFIG_FILE, config.to_toml().encode())
    except OSError as error:
        raise RunExistsError(f"{directory}: cannot be made a directory for the run: {error.strerror}") from error


def train(
    run: Run,
    directory: Path,
    after_step: Callable[[float], bool],
    after_epoch: Callable[[Epoch, Evaluation], None],
) -> bool:
    """Train a run to its end, saving it after every epoch.

    after_step is given each step's loss and says whether to stop; the run is then saved as it stands and False
    returned.  If the loss is no longer a number, the model from before that epoch is saved and TrainingError raised.
    """
    settings = run.config.training
    parameters = run.trainer.model.parameters
    for number in range(len(run.history) + 1, settings.epochs + 1):
        good = parameters.values.copy()
        start, losses = time.perf_counter(), []
        try:
            for loss in run.trainer.epoch(run.x, run.t, settings.batch_size, settings.max_grad):
                losses.append(loss)
                if after_step(loss):
                    run.save(directory)
                    return False
            if not np.isfinite(parameters.values).all():
                raise TrainingError(f"weights became infinite at step {run.trainer.steps:,} (epoch {number})")
        except TrainingError as error:
            parameters.values[...] = good
            run.save(directory)
            kept = f"the model of epoch {number - 1}" if number > 1 else "the untrained model"
            raise TrainingError(
                f"{error}; try a learning rate lower than {settings.learning_rate:g}. {directory} keeps {kept}"
            ) from error
        seconds = time.perf_counter() - start
        with np.errstate(all="ignore"):
            evaluation = evaluate(run.predictor, run.validation, unknown="unknown")
        rate = run.trainer.optimizer.learning_rate
        epoch = Epoch(number, sum(losses) / len(losses), evaluation.accuracy, rate, seconds)
        run.history.append(epoch)
        run.save(directory)
        after_epoch(epoch, evaluation)
    return True
