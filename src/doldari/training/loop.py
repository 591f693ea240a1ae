"""The loop of a run: epochs of training steps, each validated, the best one's model kept."""

import math
import signal
import warnings

import numpy as np

from doldari.errors import TrainingError, level_of_caller
from doldari.inference.metrics import Evaluation, evaluate
from doldari.models.description import LARGEST_WEIGHT
from doldari.training.files import RunFiles
from doldari.training.history import Epoch
from doldari.training.observer import Observer, Stop
from doldari.training.run import Position, Run
from doldari.training.schedules import make_schedule
from doldari.training.stuck import warn_if_stuck
from doldari.training.validation import mean_loss

HARDLY = 0.1  # a learning rate, or what weight decay takes in a step, above which it is the likely cause of ruin


def train_run(run: Run, files: RunFiles, observer: Observer, stop: Stop) -> bool:
    """Train a run to its end; the files, and at the end the run, hold the model of the best epoch.

    If it was stopped before, False is returned, and a model that has not seen one whole epoch is kept as it stands.
    Raises TrainingError if the loss becomes NaN or infinite.
    """
    files.started(run)
    observer.started(run)
    values = run.learner.values
    as_it_stands = values.copy()
    try:
        while not run.over:
            if is_stopped(run, stop) or not train_epoch(run, files, observer, stop):
                files.checkpoint(run)
                with run.learner.averaged():
                    as_it_stands = values.copy()
                break
            with run.learner.averaged():
                evaluation = validate(run)
                if run.best is run.history[-1]:
                    run.best_weights, run.best_evaluation = values.copy(), evaluation
                files.epoch(run)
                warn_if_stuck(run)
            if len(run.history) == 1:
                files.checkpoint(run)
            warn_of_ruin(run)
            observer.epoch(run, evaluation)
        else:
            files.checkpoint(run)
    except TrainingError as error:
        place = f"at step {run.position.steps:,} (epoch {len(run.history) + 1})"
        raise TrainingError(f"{error} {place}; {remedy(run)}") from error
    finally:
        values[...] = as_it_stands
        run.use_best()
    return run.over


def train_epoch(run: Run, files: RunFiles, observer: Observer, stop: Stop) -> bool:
    """Train on what is left of an epoch's batches, or until a budget's time is up; False if stopped before."""
    settings, position = run.config.training, run.position
    rate = make_schedule(settings, [epoch.score(settings.metric) for epoch in run.history])
    start = run.clock()
    for x, t, whole in run.batches_left():
        if run.budget is not None and position.batches > 0 and run.progress() >= 1:
            break
        run.learner.learning_rate = rate(run.progress())
        position.steps += 1
        loss, norm = run.learner.step(x, t, settings.max_grad_norm, whole)
        position.batches += 1
        position.losses += loss
        position.norms += norm
        observer.step(run, loss)
        now = run.clock()
        position.seconds, start = position.seconds + now - start, now
        if is_stopped(run, stop):
            return False
        files.step(run)
    values = run.learner.values
    if not np.isfinite(values).all():
        raise TrainingError("weights became infinite")
    if np.abs(values).max() > LARGEST_WEIGHT:
        raise TrainingError(f"weights became larger than {LARGEST_WEIGHT:g}, which no model file may hold")
    return True


def is_stopped(run: Run, stop: Stop) -> bool:
    """Return whether this process, or any that trains with it, was asked to stop; then it was too."""
    if not run.learner.agreed(stop.signal is not None):
        return False  # a signal that came meanwhile is for the next step: the others know nothing of it yet
    stop.signal = stop.signal or signal.SIGTERM
    return True


def validate(run: Run) -> Evaluation:
    """Measure the model on the pairs held out, and add its epoch to the history."""
    start, settings, position = run.clock(), run.config.training, run.position
    with np.errstate(all="ignore"):
        evaluation = evaluate(run.current, run.validation, unknown="unknown")
        validation_loss = mean_loss(run.learner, *run.validation_arrays, settings.batch_size)
    if run.budget is not None:
        run.budget.validation = run.clock() - start
        run.budget.epoch = position.seconds + run.budget.validation
    pairs = min(position.batches * settings.batch_size, run.pairs)
    run.history.append(
        Epoch(
            len(run.history) + 1,
            position.losses / position.batches,
            evaluation.accuracy,
            validation_loss,
            run.learner.learning_rate,
            position.seconds,
            position.norms / position.batches,
            pairs / max(position.seconds, 1e-9),
        )
    )
    run.position = Position(position.steps)
    return evaluation


def warn_of_ruin(run: Run) -> None:
    """Say, once, that an epoch's loss is far above that of guessing, and what the likely cause is."""
    guessing = math.log(len(run.predictor.text_model.target))
    ruined = [epoch.loss > 2 * guessing + 1 for epoch in run.history]
    if ruined[-1] and sum(ruined) == 1:
        warnings.warn(
            f"the loss of epoch {run.history[-1].epoch}, {run.history[-1].loss:.3g}, is far above that of "
            f"random guessing, {guessing:.2f}; {remedy(run)}",
            stacklevel=level_of_caller(),
        )


def remedy(run: Run) -> str:
    """Name the option that is likely to have ruined a training."""
    settings = run.config.training
    rate, decay = settings.learning_rate, settings.weight_decay
    if rate <= HARDLY < rate * decay:
        return f"try a weight decay lower than {decay:g}"
    return f"try a learning rate lower than {rate:g}"
