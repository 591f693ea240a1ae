"""Experiment trackers: where a run's settings and the numbers of its epochs go, if it is asked for; else nowhere.

`Tracking` is the observer of a training; a `Tracker` is where it writes.  No data, paths or code go there, nor what a
tracker would collect of the machine by itself: that is turned off.
"""

import os
import sys
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import asdict
from functools import cached_property
from importlib import import_module
from typing import Any

import doldari
from doldari.errors import ConfigError, MissingPackageError
from doldari.inference.metrics import Evaluation
from doldari.training.directory import RunDirectory
from doldari.training.observer import Observer
from doldari.training.run import Run

PROJECT = "doldari"  # under which trackers that have projects keep all runs
# What their packages tell their makers by themselves is turned off, unless the user has said otherwise.
PRIVATE = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "WANDB_ERROR_REPORTING": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
Numbers = Mapping[str, float]


class Tracker:
    """Keeps nothing; the others do what this says."""

    def where(self, directory: RunDirectory) -> str:
        """Say where everything goes, and how to look at it; empty for nowhere."""
        return ""

    def start(self, name: str, settings: Mapping[str, Any], directory: RunDirectory) -> None:
        """Begin with a run."""

    def log(self, numbers: Numbers, epoch: int) -> None:
        """Keep the numbers of an epoch."""

    def end(self, best: Numbers, finished: bool) -> None:
        """Keep the best epoch's numbers, and end; the run is finished, or stopped before its time."""


class Trackio(Tracker):
    """Trackio: files on this machine, or a Hugging Face Space or a server that the environment names."""

    def __init__(self) -> None:
        self.trackio = imported("trackio")

    def where(self, directory: RunDirectory) -> str:
        remote = os.environ.get("TRACKIO_SPACE_ID") or os.environ.get("TRACKIO_SERVER_URL")
        return remote or f"Trackio's files on this machine; look at them with: trackio show --project {PROJECT}"

    def start(self, name: str, settings: Mapping[str, Any], directory: RunDirectory) -> None:
        with redirect_stdout(sys.stderr):
            self.trackio.init(
                PROJECT, name=name, config=dict(settings), embed=False, auto_log_cpu=False, auto_log_gpu=False
            )

    def log(self, numbers: Numbers, epoch: int) -> None:
        self.trackio.log(dict(numbers), step=epoch)

    def end(self, best: Numbers, finished: bool) -> None:
        with redirect_stdout(sys.stderr):
            self.trackio.log(dict(best))
            self.trackio.finish()


class Wandb(Tracker):
    """Weights & Biases: its server; or ./wandb on this machine, with WANDB_MODE=offline."""

    def __init__(self) -> None:
        self.wandb = imported("wandb")

    def where(self, directory: RunDirectory) -> str:
        settings = self.wandb.setup().settings
        if settings.mode in ("offline", "disabled"):
            return f"./wandb on this machine ({settings.mode})"
        return f"{settings.base_url} (with WANDB_MODE=offline: to ./wandb on this machine)"

    def start(self, name: str, settings: Mapping[str, Any], directory: RunDirectory) -> None:
        of_machine = {f"x_disable_{what}": True for what in ("meta", "stats", "machine_info")}
        quiet = self.wandb.Settings(
            console="off", disable_git=True, disable_code=True, x_save_requirements=False, **of_machine
        )
        self.run: Any = self.wandb.init(project=PROJECT, name=name, config=dict(settings), settings=quiet)

    def log(self, numbers: Numbers, epoch: int) -> None:
        self.run.log(dict(numbers), step=epoch)

    def end(self, best: Numbers, finished: bool) -> None:
        self.run.summary.update(dict(best))
        self.run.finish(exit_code=0 if finished else 1)


class TensorBoard(Tracker):
    """TensorBoard: files in the run's directory."""

    def __init__(self) -> None:
        self.tensorboard = imported("tensorboardX", "tensorboard")

    def where(self, directory: RunDirectory) -> str:
        return f"{directory.shown / 'tensorboard'}; look at them with: tensorboard --logdir {directory.shown.parent}"

    def start(self, name: str, settings: Mapping[str, Any], directory: RunDirectory) -> None:
        self.settings, self.directory = settings, directory
        self.writer: Any = None

    def log(self, numbers: Numbers, epoch: int) -> None:
        if self.writer is None:  # only now has the run taken an older one's place
            place = self.directory.path / "tensorboard"
            for older in place.glob("events.out.tfevents.*") if epoch == 1 else ():
                older.unlink()
            self.writer = self.tensorboard.SummaryWriter(str(place))
            self.writer.add_text(
                "settings", "\n".join(f"    {name} = {self.settings[name]}" for name in self.settings)
            )
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()

    def end(self, best: Numbers, finished: bool) -> None:
        if self.writer is not None:
            self.writer.close()


class MLflow(Tracker):
    """MLflow: the server or the directory that MLFLOW_TRACKING_URI names, or a file or directory beside the runs."""

    def __init__(self) -> None:
        self.mlflow, self.id = imported("mlflow"), ""

    @cached_property
    def client(self) -> Any:
        return self.mlflow.MlflowClient()

    def where(self, directory: RunDirectory) -> str:
        return f"{self.client.tracking_uri} (set by MLFLOW_TRACKING_URI); look at them with: mlflow ui"

    def start(self, name: str, settings: Mapping[str, Any], directory: RunDirectory) -> None:
        there = self.client.get_experiment_by_name(PROJECT)
        experiment = self.client.create_experiment(PROJECT) if there is None else there.experiment_id
        self.id = self.client.create_run(experiment, run_name=name).info.run_id
        for key, value in settings.items():
            self.client.log_param(self.id, key, value)

    def log(self, numbers: Numbers, epoch: int) -> None:
        for key, value in numbers.items():
            self.client.log_metric(self.id, key, value, step=epoch)

    def end(self, best: Numbers, finished: bool) -> None:
        for key, value in best.items():
            self.client.log_metric(self.id, key, value)
        self.client.set_terminated(self.id, "FINISHED" if finished else "KILLED")


TRACKERS = {"trackio": Trackio, "wandb": Wandb, "tensorboard": TensorBoard, "mlflow": MLflow}


def imported(package: str, extra: str = "") -> Any:
    """Import a tracker's package; MissingPackageError where it is not installed."""
    for variable, value in PRIVATE.items():
        os.environ.setdefault(variable, value)
    try:
        return import_module(package)
    except ImportError as error:
        name = extra or package
        message = f"track={name}: needs {package}; install it with: pip install 'doldari[{name}]'"
        raise MissingPackageError(message) from error


class Tracking(Observer):
    """Gives a tracker what it keeps; before anything goes there, `say` is called with what goes where.

    ConfigError for a name that is none, or a tracker that cannot be started; one that fails later is a warning.
    """

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        if name not in TRACKERS:
            raise ConfigError(f"{{track}}: must be one of {', '.join(TRACKERS)}", track=name)
        self.name, self.say = name, say
        self.tracker: Tracker = TRACKERS[name]()

    def started(self, run: Run) -> None:
        """Say what goes where, and begin."""
        directory = run.directory
        if directory is None:
            return
        if run.member > 1:
            self.attempt(lambda: self.tracker.start(run_name(directory), described(run), directory))
            return
        try:
            where = self.tracker.where(directory)
            self.say(f"tracking: the run's name, settings and the numbers of each epoch go to {where}")
            self.tracker.start(run_name(directory), described(run), directory)
        except Exception as error:
            raise ConfigError(f"{{track}}: cannot be started: {reason(error)}", track=self.name) from error

    def epoch(self, run: Run, evaluation: Evaluation) -> None:
        """Give the tracker the epoch's numbers."""
        epoch = run.history[-1]
        numbers = {name: value for name, value in epoch.as_object().items() if value is not None and name != "epoch"}
        self.attempt(lambda: self.tracker.log(numbers, epoch.epoch))

    def stopped(self, run: Run) -> None:
        """End what was begun."""
        self.ended(run, finished=False)

    def finished(self, run: Run) -> None:
        """End."""
        self.ended(run, finished=True)

    def ended(self, run: Run, finished: bool) -> None:
        """Give the tracker the best epoch's numbers, if there is one."""
        best = {} if run.best is None else {"best_epoch": run.best.epoch, "best_accuracy": run.best.accuracy}
        self.attempt(lambda: self.tracker.end(best, finished))

    def attempt(self, what: Callable[[], None]) -> None:
        """Let the tracker do something; if it fails, warn and go on without a tracker."""
        try:
            what()
        except Exception as error:
            self.tracker = Tracker()
            warnings.warn(f"{self.name} failed: {reason(error)}; the training goes on without it", stacklevel=2)


def reason(error: Exception) -> str:
    """Say in a line what went wrong."""
    return next(iter(str(error).strip().splitlines()), type(error).__name__)


def run_name(directory: RunDirectory) -> str:
    """Name a run as its directory, and a member of an ensemble as that and its own."""
    root = directory.claim.root.resolve().name
    return f"{root}/{directory.name}" if directory.name else root


def described(run: Run) -> dict[str, Any]:
    """List a run's settings, and its sizes."""
    sizes = {
        "weights": len(run.learner.values),
        "training_pairs": len(run.x) - run.config.training.hallucinate,
        "validation_pairs": len(run.validation),
    }
    settings = asdict(run.config.model) | asdict(run.config.training) | sizes | {"doldari": doldari.__version__}
    return {name: value for name, value in settings.items() if value is not None}
