"""One training behind every door: from data and settings to a finished run or ensemble.

Whoever starts one chooses settings and a directory, gives an `Observer`, and shows what comes back.  The command
line, `doldari.train` and `compare` do no more than that.
"""

from typing import NamedTuple

from doldari.config import Config
from doldari.errors import DataError, DoldariError, TrainingError
from doldari.inference.predictor import Predictor
from doldari.training import loop
from doldari.training.checkpoint import read_checkpoint
from doldari.training.directory import CHECKPOINT_FILE, RunDirectory
from doldari.training.ensemble import EnsembleFiles, joined, member_configs
from doldari.training.files import RunFiles
from doldari.training.observer import Observer, Stop, stop_on_signals
from doldari.training.plan import Plan
from doldari.training.record import Facts
from doldari.training.run import Run
from doldari.training.start import Start, start_of
from doldari.training.suitability import suitable, warn_of_hopeless, warn_of_nothing_right


class Trained(NamedTuple):
    """What came of a training: the model, its run or its members', and what ended it before its time, if anything."""

    predictor: Predictor
    runs: list[Run]
    stopped_by: int | None = None
    error: TrainingError | None = None
    together: float | None = None  # the accuracy of an ensemble of several members


def train(
    plan: Plan, directory: RunDirectory, observer: Observer, stop: Stop | None = None, *, resume: bool = False
) -> Trained:
    """Train a model, or an ensemble's members one after the other, each in a directory of its own.

    resume goes on with what is in the directory.  A training that is stopped returns what it has, and so does one
    whose loss is no longer a number.  ConfigError and DataError where settings and data do not go together, OSError
    where a file cannot be written.
    """
    stop = Stop() if stop is None else stop
    plan = plan._replace(data=suitable(plan.data, plan.config))
    configs = list(member_configs(plan.config))
    facts = Facts(plan.command, plan.data, None if plan.base is None else plan.base.facts, len(configs))
    ensemble = EnsembleFiles(directory, plan.config, facts, resume) if len(configs) > 1 else None
    runs: list[Run] = []
    error = None
    for number, config in enumerate(configs, start=1):
        place = directory if ensemble is None else directory.part(f"member-{number}")
        run = prepare(plan, config, place if resume else None)
        run.member, run.directory = number, place
        if number == 1:
            warn_of_hopeless(run)
        if run.budget is None:
            run.plan()
        if ensemble is not None:
            ensemble.started([*runs, run])
        first_epoch = ensemble.first_epoch if ensemble is not None and number == 1 else None
        files = RunFiles(place, facts._replace(members=1), resume=resume, first_epoch=first_epoch)
        error = train_one(run, files, observer, stop)
        if run.best is not None or not runs:
            runs.append(run)
            if ensemble is not None:
                ensemble.member_trained(runs)
        if loop.is_stopped(run, stop) or error is not None:
            break
    warn_of_nothing_right(runs[-1])
    is_whole = error is None and run.over and run.member == len(configs)
    trained = Trained(joined(runs), runs, None if is_whole else stop.signal, error)
    if ensemble is None:
        return trained
    return trained._replace(together=ensemble.ended(trained.predictor, runs, is_whole))


def prepare(plan: Plan, config: Config, resumed: RunDirectory | None) -> Run:
    """Make a run ready to train: anew, or as its checkpoint says, if there already is one."""
    training, validation = plan.data.training, plan.data.validation
    if resumed is not None and resumed.exists(CHECKPOINT_FILE):
        checkpoint = read_checkpoint(resumed.path / CHECKPOINT_FILE)
        source, target = checkpoint.described.source, checkpoint.described.target
        start = Start(source, target, lengths=checkpoint.described[3:])
        run = Run.prepare(config, training, validation, start=start)
        checkpoint.restore(run)
        return run
    base = None if plan.base is None else plan.base.needed()
    run = Run.prepare(config, training, validation, start=start_of(config, training, base))
    if not run.spelled and plan.data.origins[0] != plan.data.origins[1]:
        raise DataError(
            f"{plan.data.origins[1].name}: every pair has symbols never seen in training "
            f"({len(validation):,} pairs); validate with pairs like those trained on"
        )
    return run


def train_one(run: Run, files: RunFiles, observer: Observer, stop: Stop) -> TrainingError | None:
    """Train one model to its end, or until it is stopped or its loss is no longer a number: then the error."""
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
        files.ended(run, "finished" if finished else "stopped")
        (observer.finished if finished else observer.stopped)(run)
    return error
