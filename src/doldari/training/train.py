"""Training from data and settings to a finished run or ensemble; the one implementation behind every interface.

The command line, `doldari.train` and `compare` only choose settings and a directory, pass an `Observer`, and show the
result.
"""

import warnings
from contextlib import suppress
from typing import NamedTuple

import numpy as np

from doldari.config import Config
from doldari.data.hallucination import hallucinate
from doldari.data.pairs import Pairs
from doldari.data.shards import Shards
from doldari.errors import ConfigError, DataError, DoldariError, ModelFileError, TrainingError, level_of_caller
from doldari.inference.predictor import Predictor
from doldari.models.model_file import load_model
from doldari.run_files import CHECKPOINT_FILE, MODEL_FILE
from doldari.training import loop
from doldari.training.checkpoint import read_checkpoint
from doldari.training.directory import RunDirectory
from doldari.training.ensemble import EnsembleFiles, joined, member_configs
from doldari.training.files import RunFiles
from doldari.training.observer import Observer, Stop, stop_on_signals
from doldari.training.plan import Plan
from doldari.training.record import Facts
from doldari.training.run import Run
from doldari.training.start import Start, start_of
from doldari.training.suitability import suitable, warn_of_hopeless, warn_of_nothing_right


class Trained(NamedTuple):
    """The result of a training: the model, its run or those of its members, and what ended it early, if anything."""

    predictor: Predictor
    runs: list[Run]
    last: Run  # the one that was trained last; it is not among the others where it was stopped before an epoch
    stopped_by: int | None = None
    error: TrainingError | None = None
    together: float | None = None  # the accuracy of an ensemble of several members


def train(plan: Plan, directory: RunDirectory, observer: Observer, stop: Stop | None = None) -> Trained:
    """Train a model, or an ensemble's members one after the other, each in a directory of its own.

    A training that is stopped, or whose loss becomes NaN, returns what it has.  ConfigError and DataError where
    settings and data do not fit each other, OSError where a file cannot be written.
    """
    stop = Stop() if stop is None else stop
    plan = plan._replace(data=suitable(plan.data, plan.config))
    configs = list(member_configs(plan.config))
    base = None if plan.base is None else plan.base.facts
    facts = Facts(plan.command, plan.data, plan.config, base, len(configs), plan.recipe)
    ensemble = EnsembleFiles(directory, plan.config, facts, plan.resume) if len(configs) > 1 else None
    runs: list[Run] = []
    error = None
    for number, config in enumerate(configs, start=1):
        place = directory if ensemble is None else directory.part(f"member-{number}")
        run = prepare(plan, config, place)
        run.member, run.directory = number, place
        if number == 1:
            warn_of_hopeless(run)
        if plan.resume and number == 1 and (ensemble is not None or not run.over):
            warn_of_calibration(directory)
        if run.budget is None:
            run.plan()
        if ensemble is not None:
            ensemble.started([*runs, run])
        first_epoch = ensemble.first_epoch if ensemble is not None and number == 1 else None
        own = facts._replace(config=config, members=1)
        files = RunFiles(place, own, resume=plan.resume, first_epoch=first_epoch)
        error = train_one(run, files, observer, stop)
        if run.best is not None or not runs:
            runs.append(run)
            if ensemble is not None:
                ensemble.member_trained(runs)
        if loop.is_stopped(run, stop) or error is not None:
            break
    warn_of_nothing_right(runs[-1])
    is_whole = error is None and run.over and run.member == len(configs)
    trained = Trained(joined(runs), runs, run, None if is_whole else stop.signal, error)
    if ensemble is None:
        return trained
    return trained._replace(together=ensemble.ended(trained.predictor, runs, run, is_whole))


def warn_of_calibration(directory: RunDirectory) -> None:
    """Warn that a calibrated model loses its temperature, which does not fit weights that are trained further."""
    with suppress(DoldariError):
        if load_model(directory.path / MODEL_FILE).temperature != 1.0:
            message = f"the calibration of {directory.shown} is lost; afterwards run: doldari calibrate"
            warnings.warn(message, UserWarning, stacklevel=level_of_caller())


def prepare(plan: Plan, config: Config, place: RunDirectory) -> Run:
    """Prepare a run: a new one, or from its checkpoint when it is resumed and has one."""
    training, validation = with_artificial(plan.data.training, config), plan.data.validation
    if plan.resume and place.exists(CHECKPOINT_FILE):
        return resumed(plan, config, place, training)
    base = None if plan.base is None else plan.base.needed()
    run = Run.prepare(config, training, validation, start=start_of(config, training, base))
    if not run.spelled and not plan.data.reading["split"]:
        raise DataError(
            f"{plan.data.origins[1].name}: every pair has symbols not seen in training "
            f"({len(validation):,} pairs); use validation pairs like the training pairs"
        )
    return run


def with_artificial(training: Pairs | Shards, config: Config) -> Pairs | Shards:
    """Add the artificial pairs that the settings ask for, by the seed: each member of an ensemble has its own."""
    if isinstance(training, Shards):
        return training
    seed = np.random.SeedSequence(config.training.seed, spawn_key=(3,))  # Run.prepare has 0, 1 and 2
    symbols = {config.model.source_symbols, config.model.target_symbols}
    kind = "graphemes" if "graphemes" in symbols else "characters"
    return hallucinate(training, config.training.hallucinate, np.random.default_rng(seed), kind)


def resumed(plan: Plan, config: Config, place: RunDirectory, training: Pairs | Shards) -> Run:
    """Prepare a run from its checkpoint."""
    checkpoint = read_checkpoint(place.path / CHECKPOINT_FILE)
    described = checkpoint.described
    start = Start(described.source, described.target, lengths=described[3:6])
    run = Run.prepare(config, training, plan.data.validation, start=start)
    try:
        checkpoint.restore(run)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(
            f"{place.shown / CHECKPOINT_FILE}: does not fit the run's settings and data: {error}; start again with "
            "--overwrite"
        ) from error
    if run.budget is None and config.training.budget is None and run.epochs < len(run.history):
        raise ConfigError(f"{{epochs}}: the run has {len(run.history)} already", epochs=run.epochs)
    return run


def train_one(run: Run, files: RunFiles, observer: Observer, stop: Stop) -> TrainingError | None:
    """Train one model until it ends or is stopped; return the error if its loss becomes NaN."""
    if run.over:
        run.use_best()
        return None
    finished, error = False, None
    with stop_on_signals(stop):
        try:
            finished = loop.train_run(run, files, observer, stop)
        except TrainingError as no_number:
            error = no_number
        except DoldariError:
            files.ended(run, "stopped")
            raise
        status = "failed" if error is not None else "finished" if finished else "stopped"
        files.ended(run, status, None if error is None else str(error))
        (observer.finished if finished else observer.stopped)(run)
    return error
