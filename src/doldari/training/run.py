"""A run: one model in training, what it learns from, and where in its training it stands."""

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from doldari.arrays import Floats
from doldari.config import Config
from doldari.data.batches import shuffled_rows
from doldari.data.pairs import Pair
from doldari.data.ragged import Ragged
from doldari.data.shards import Shards
from doldari.data.vocabulary import PADDING
from doldari.engines import make_learner
from doldari.engines.learner import Learner
from doldari.errors import ConfigError, DataError
from doldari.inference.metrics import Evaluation, evaluate
from doldari.inference.predictor import Predictor
from doldari.models.model_file import TextModel, build_model
from doldari.settings import seconds
from doldari.training.budget import Budget, Clock, seconds_a_step
from doldari.training.directory import RunDirectory
from doldari.training.encoding import encode_pairs, measured, spelled_pairs
from doldari.training.history import Epoch, best_epoch
from doldari.training.start import Start, start_of
from doldari.training.streams import OwnRows, Streamed, in_step
from doldari.training.trainer import warn_of_slow_kernels

PROBED = 500  # pairs that are answered to learn how long validation takes


@dataclass
class Position:
    """Where in its training a run stands; the sums are over the batches of the epoch under way."""

    steps: int = 0
    batches: int = 0
    losses: float = 0.0
    norms: float = 0.0
    seconds: float = 0.0
    order: dict[str, Any] | None = None  # the shuffling generator's state before that epoch


class SharingPredictor(Predictor):
    """Asks a model as its engine computes it; where several processes train it, each answers its share."""

    def __init__(self, text_model: TextModel, learner: Learner) -> None:
        super().__init__(text_model._replace(model=learner.inference_model))
        self.learner = learner

    def predict(self, texts: Sequence[str], **options: Any) -> Any:
        """Answer texts, as `Predictor.predict`."""
        return self.learner.shared_out(partial(super().predict, **options), texts)


@dataclass
class Run:
    """A model in training: its training and validation data, and its history so far.

    x and t are all questions and answers to train on; of a stream the first few.
    """

    config: Config
    predictor: Predictor
    learner: Learner
    x: Ragged
    t: Ragged
    validation: Sequence[Pair]
    spelled: Sequence[Pair]  # those to validate with that have no unknown symbol
    validation_arrays: tuple[Ragged, Ragged]  # of those, or of all if there are none
    rng: np.random.Generator  # shuffles
    stream: Streamed | None = None
    clock: Clock = time.perf_counter
    member: int = 1  # of an ensemble
    directory: RunDirectory | None = None
    new_symbols: tuple[int, int] | None = None  # of each side, when fine-tuning
    budget: Budget | None = None
    position: Position = field(default_factory=Position)
    history: list[Epoch] = field(default_factory=list)
    best_weights: Floats | None = None
    best_evaluation: Evaluation | None = None  # until its scores are computed
    best_scores: dict[str, Any] | None = None
    looked_at: bool = False  # whether it has learned something by now

    @classmethod
    def prepare(
        cls,
        config: Config,
        training: Sequence[Pair] | Shards,
        validation: Sequence[Pair],
        clock: Clock = time.perf_counter,
        *,
        start: Start | None = None,
    ) -> "Run":
        """Build the vocabularies, from the training pairs alone, and the untrained model; or begin from a `start`."""
        for pairs, use in (training, "train on"), (validation, "validate with"):
            if not pairs:
                raise DataError(f"there are no pairs to {use}")
        settings = config.training
        sequences = np.random.SeedSequence(settings.seed).spawn(3)
        initial_rng, shuffle_rng, dropout_rng = map(np.random.default_rng, sequences)
        start = start_of(config, training) if start is None else start
        source, target = start.source, start.target
        backwards, apart = config.model.reads_backwards, config.model.copies
        encode = partial(encode_pairs, source=source, target=target, reverse=backwards, apart=apart)
        stream = None
        if isinstance(training, Shards):
            stream = Streamed(training, encode, settings.shuffle_buffer)
            x, t = next(stream.windows())
        else:
            x, t = encode(training)
        model = build_model(
            config.model,
            source,
            target,
            dropout=settings.dropout,
            label_smoothing=settings.label_smoothing,
            rng=initial_rng,
        )
        start.write_weights(model)
        spelled = spelled_pairs(source, target, validation)
        lengths, copies = measured([(x, t)] if stream is None else stream.windows())
        longest = start.longest(*lengths)
        copies = copies or config.model.copies
        warn_of_slow_kernels()
        return cls(
            config,
            Predictor(TextModel(model, config.model, source, target, *longest, copies=copies)),
            make_learner(settings, model, dropout_rng),
            x,
            t,
            validation,
            spelled,
            encode(spelled or validation),
            shuffle_rng,
            stream,
            clock,
            new_symbols=start.new_symbols,
        )

    def plan(self) -> None:
        """Begin the budget of time, if there is one: measure how long an epoch takes, refuse too short a budget."""
        if self.config.training.budget is None:
            return
        total = seconds(self.config.training.budget)
        budget, sample = Budget(total, self.clock), self.validation[:PROBED]
        evaluate(self.current, sample, unknown="unknown")
        budget.validation = budget.spent() * len(self.validation) / len(sample)
        step = seconds_a_step(self, min(2.0, total / 50))
        budget.epoch = self.steps_an_epoch * step + budget.validation
        if budget.spent() + budget.epoch > total:
            raise ConfigError(
                f"{{budget}}: too short, one epoch takes about {budget.epoch:.1f} s including validation; allow more "
                "time, or replace it by {epochs}",
                budget=self.config.training.budget,
                epochs=1,
            )
        self.budget = budget

    @property
    def current(self) -> Predictor:
        """The model as its engine computes it: the weights of now, where `predictor` has those that are kept."""
        return SharingPredictor(self.predictor.text_model, self.learner)

    def batches(self, rng: np.random.Generator) -> Iterator[OwnRows]:
        """Yield the batches of an epoch in the order that the generator gives: this process's rows of each."""
        settings = self.config.training
        if self.stream is not None:
            batches = self.stream.batches(settings.batch_size, rng, settings.bucketing)
            yield from in_step(batches, self.learner.agreed, settings.batch_size)
            return
        for rows in shuffled_rows(self.x, self.t, settings.batch_size, PADDING, rng, settings.bucketing):
            own = rows[self.learner.rows(len(rows))]
            yield OwnRows(self.x.padded(PADDING, own), self.t.padded(PADDING, own, keep=1), len(rows))

    def batches_left(self) -> Iterator[OwnRows]:
        """Yield what is left of the epoch under way, or a new one."""
        if self.position.order is None:
            self.position.order = dict(self.rng.bit_generator.state)
        else:
            self.rng.bit_generator.state = self.position.order
        return islice(self.batches(self.rng), self.position.batches, None)

    @property
    def steps_an_epoch(self) -> int:
        """How many batches an epoch has."""
        batch_size = self.config.training.batch_size
        return math.ceil(len(self.x) / batch_size) if self.stream is None else self.stream.steps(batch_size)

    @property
    def pairs(self) -> int:
        """How many pairs there are to train on."""
        return len(self.x if self.stream is None else self.stream)

    @property
    def epochs(self) -> int:
        """How many epochs there will be at most; under a budget an estimate, for the last one may be cut short."""
        if self.budget is None:
            settings = self.config.training
            return settings.epochs or min(max(5, round(settings.steps / self.steps_an_epoch)), 100)
        left = self.budget.seconds - self.budget.validation - self.budget.spent()
        return len(self.history) + max(0, math.ceil(left / self.budget.epoch))

    def progress(self) -> float:
        """How much of the training is done, in [0, 1]: of the steps, or of the time if there is a budget."""
        if self.budget is not None:
            return self.budget.progress()
        # Of an epoch, what has a batch of its own for its length is beside the count.
        steps = len(self.history) * self.steps_an_epoch + min(self.position.batches, self.steps_an_epoch)
        return steps / (self.epochs * self.steps_an_epoch)

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
        return self.position.batches == 0 and (self.progress() >= 1 or self.out_of_patience)

    @contextmanager
    def best_in_model(self) -> Iterator[None]:
        """Load the best epoch's weights into the model during the block; there must be a best epoch."""
        values = self.learner.model.parameters.values
        before = values.copy()
        values[...] = self.best_weights
        try:
            yield
        finally:
            values[...] = before

    def use_best(self) -> None:
        """Replace the last weights by those of the best epoch."""
        if self.best_weights is not None:
            self.learner.values[...] = self.best_weights
