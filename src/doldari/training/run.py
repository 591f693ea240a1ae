"""A run: pairs and settings in, a directory with the best epoch's model, its settings and its history out."""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from doldari.arrays import Ids
from doldari.config import Config, seconds
from doldari.data.pairs import Pair
from doldari.errors import ConfigError, DataError, RunExistsError, TrainingError
from doldari.files import write_whole
from doldari.inference.metrics import Evaluation, evaluate
from doldari.inference.predictor import MODEL_FILE, Predictor
from doldari.models import Seq2seq
from doldari.models.model_file import TextModel, build_model
from doldari.training.averaging import MovingAverage
from doldari.training.budget import Budget, Clock, seconds_a_step
from doldari.training.encoding import build_vocabularies, encode_pairs, most_longer, spelled_pairs
from doldari.training.history import Epoch, best_epoch, write_history
from doldari.training.optimizers import Adam, AdamW
from doldari.training.schedules import make_schedule
from doldari.training.trainer import Trainer
from doldari.training.validation import mean_loss

CONFIG_FILE = "config.toml"
HISTORY_FILE = "history.jsonl"
PICTURE_FILE = "accuracy.png"
STEPS = 3_000  # of a training for which neither epochs nor a budget are given
PROBED = 500  # pairs that are answered to learn how long validation takes


@dataclass
class Run:
    """A model in training: what it learns from, what it is validated with, and how it went so far."""

    config: Config
    predictor: Predictor
    trainer: Trainer[Seq2seq]
    x: Ids
    t: Ids
    validation: Sequence[Pair]
    spelled: Sequence[Pair]  # those to validate with that have no unknown symbol
    validation_arrays: tuple[Ids, Ids]  # of those, or of all if there are none
    clock: Clock = time.perf_counter
    average: MovingAverage | None = None
    budget: Budget | None = None
    history: list[Epoch] = field(default_factory=list)

    @classmethod
    def prepare(
        cls,
        config: Config,
        training: Sequence[Pair],
        validation: Sequence[Pair],
        clock: Clock = time.perf_counter,
    ) -> "Run":
        """Build the vocabularies, from the training pairs alone, and the untrained model.

        A budget of time begins here, and is refused if it is too short for one epoch.
        """
        for pairs, use in (training, "train on"), (validation, "validate with"):
            if not pairs:
                raise DataError(f"there are no pairs to {use}")
        settings = config.training
        sequences = np.random.SeedSequence(settings.seed).spawn(3)
        initial_rng, shuffle_rng, dropout_rng = map(np.random.default_rng, sequences)
        source, target = build_vocabularies(config, training)
        x, t = encode_pairs(training, source, target, config.model.reverse)
        model = build_model(
            config.model,
            source,
            target,
            dropout=settings.dropout,
            label_smoothing=settings.label_smoothing,
            rng=initial_rng,
        )
        rate, decay = settings.learning_rate, settings.weight_decay
        spelled = spelled_pairs(source, target, validation)
        run = cls(
            config,
            Predictor(TextModel(model, config.model, source, target, x.shape[1], t.shape[1] - 2, most_longer(x, t))),
            Trainer(
                model,
                AdamW(rate, weight_decay=decay) if decay else Adam(rate),
                bucketing=settings.bucketing,
                rng=shuffle_rng,
                dropout_rng=dropout_rng,
            ),
            x,
            t,
            validation,
            spelled,
            encode_pairs(spelled or validation, source, target, config.model.reverse),
            clock,
            MovingAverage(model.parameters.values, settings.ema) if settings.ema else None,
        )
        if settings.budget is not None:
            run.budget = run.plan(seconds(settings.budget))
        return run

    def plan(self, seconds: float) -> Budget:
        """Begin a budget of time: measure how long an epoch takes, and refuse a budget too short for one."""
        budget, sample = Budget(seconds, self.clock), self.validation[:PROBED]
        evaluate(self.predictor, sample, unknown="unknown")
        budget.validation = budget.spent() * len(self.validation) / len(sample)
        limit = min(2.0, seconds / 50)
        step = seconds_a_step(self.trainer, self.x, self.t, self.config.training.batch_size, limit, self.clock)
        budget.epoch = self.steps_an_epoch * step + budget.validation
        if budget.spent() + budget.epoch > seconds:
            raise ConfigError(
                f"budget={self.config.training.budget}: too short, one epoch takes about {budget.epoch:.1f} s with "
                "its validation; give it more time, or --epochs 1 in its place"
            )
        return budget

    @property
    def steps_an_epoch(self) -> int:
        """How many batches an epoch has."""
        return math.ceil(len(self.x) / self.config.training.batch_size)

    @property
    def epochs(self) -> int:
        """How many epochs there will be at most; under a budget an estimate, for the last one may be cut short."""
        if self.budget is None:
            return self.config.training.epochs or min(max(5, round(STEPS / self.steps_an_epoch)), 100)
        left = self.budget.seconds - self.budget.validation - self.budget.spent()
        return len(self.history) + max(0, math.ceil(left / self.budget.epoch))

    def progress(self) -> float:
        """How much of the training is done, in [0, 1]: of the steps, or of the time if there is a budget."""
        if self.budget is not None:
            return self.budget.progress()
        return self.trainer.steps / (self.epochs * self.steps_an_epoch)

    @property
    def best(self) -> Epoch | None:
        """The epoch whose model is kept."""
        return best_epoch(self.history, self.config.training.metric)

    @property
    def out_of_patience(self) -> bool:
        """Whether too many epochs in a row were not better."""
        patience = self.config.training.patience
        return self.best is not None and 0 < patience <= len(self.history) - self.best.epoch

    @property
    def over(self) -> bool:
        """Whether nothing is left to do: all epochs are trained, the time is up, or patience is out."""
        return self.progress() >= 1 or self.out_of_patience

    def averaged(self) -> AbstractContextManager[None]:
        """Put the moving average in the weights' place, if there is one, for as long as the `with` block runs."""
        values = self.trainer.model.parameters.values
        return nullcontext() if self.average is None else self.average.in_place_of(values)

    def save(self, directory: Path) -> None:
        """Write the model and its history."""
        self.predictor.save(directory / MODEL_FILE)
        write_history(directory / HISTORY_FILE, self.history)


def claim(directory: Path, config: Config, overwrite: bool) -> None:
    """Make the directory of a new run and put its settings there.

    A directory that holds a run is refused, or with `overwrite` emptied of it and of an ensemble's members.
    """
    places, files = (directory, *directory.glob("member-*")), (MODEL_FILE, HISTORY_FILE, PICTURE_FILE, CONFIG_FILE)
    held = [place / name for place in places for name in files if (place / name).exists()]
    if held and not overwrite:
        raise RunExistsError(f"{directory}: holds a run already ({held[0].name}); give another --out, or --overwrite")
    try:
        for path in held:
            path.unlink()
        write_whole(directory / CONFIG_FILE, config.to_toml().encode())
    except OSError as error:
        raise RunExistsError(f"{directory}: cannot be made a directory for the run: {error.strerror}") from error


AfterStep = Callable[[float], bool]
AfterEpoch = Callable[[Epoch, Evaluation], None]


def train(run: Run, directory: Path, after_step: AfterStep, after_epoch: AfterEpoch) -> bool:
    """Train a run to its end; the directory, and at the end the run, hold the model of the best epoch.

    after_step is given each step's loss and says whether to stop: False is then returned, and a model that has not
    seen one whole epoch is kept as it stands.  If the loss is no longer a number, TrainingError is raised.
    """
    values = run.trainer.model.parameters.values
    kept = values.copy()
    try:
        while not run.over:
            start = run.clock()
            loss = train_epoch(run, after_step)
            seconds = run.clock() - start
            with run.averaged():
                if loss is None:
                    if not run.history:
                        kept = values.copy()
                    return False
                evaluation = validate(run, loss, seconds)
                if run.best is run.history[-1]:
                    kept = values.copy()
                    run.predictor.save(directory / MODEL_FILE)
            write_history(directory / HISTORY_FILE, run.history)
            after_epoch(run.history[-1], evaluation)
    except TrainingError as error:
        rate = run.config.training.learning_rate
        raise TrainingError(f"{error}; try a learning rate lower than {rate:g}") from error
    finally:
        values[...] = kept
        if not run.history:
            run.save(directory)
    return True


def train_epoch(run: Run, after_step: AfterStep) -> float | None:
    """Train on every pair once, or until a budget's time is up: the mean loss, or None if after_step said to stop."""
    settings = run.config.training
    values = run.trainer.model.parameters.values
    rate = make_schedule(settings, [epoch.score(settings.metric) for epoch in run.history])
    run.trainer.schedule = lambda step: rate(run.progress())
    losses = []
    for loss in run.trainer.epoch(run.x, run.t, settings.batch_size, settings.max_grad):
        losses.append(loss)
        if run.average is not None:
            run.average.update(values)
        if after_step(loss):
            return None
        if run.progress() >= 1:
            break
    if not np.isfinite(values).all():
        raise TrainingError(f"weights became infinite at step {run.trainer.steps:,} (epoch {run.trainer.epochs})")
    return sum(losses) / len(losses)


def validate(run: Run, loss: float, seconds: float) -> Evaluation:
    """Measure the model on the pairs held out, and add its epoch to the history."""
    start = run.clock()
    with np.errstate(all="ignore"):
        evaluation = evaluate(run.predictor, run.validation, unknown="unknown")
        validation_loss = mean_loss(run.trainer.model, *run.validation_arrays, run.config.training.batch_size)
    if run.budget is not None:
        run.budget.validation = run.clock() - start
        run.budget.epoch = seconds + run.budget.validation
    rate = run.trainer.optimizer.learning_rate
    run.history.append(Epoch(len(run.history) + 1, loss, evaluation.accuracy, validation_loss, rate, seconds))
    return evaluation
