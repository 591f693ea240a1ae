"""The contents of a run directory, or of a model file alone: run.json, config.toml, history.jsonl and the model.

Another version of doldari may have written them; missing values, or those of another type, are None.
"""

import dataclasses
import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from doldari.config import Config, ModelConfig
from doldari.errors import ConfigError, ModelFileError
from doldari.inference.predictor import load
from doldari.inference.scores import Score
from doldari.mixing import kinds
from doldari.models.model_file import TextModel
from doldari.run_files import CONFIG_FILE, HISTORY_FILE, LOCK_FILE, MODEL_FILE, RECORD_FILE


class Facts:
    """A JSON object with access by name and type."""

    def __init__(self, value: object = None) -> None:
        self.value: dict[str, Any] = value if isinstance(value, dict) else {}

    def text(self, name: str) -> str | None:
        """Take a text."""
        value = self.value.get(name)
        return value if isinstance(value, str) else None

    def number(self, name: str) -> float | None:
        """Take a finite number."""
        value = self.value.get(name)
        return value if isinstance(value, int | float) and type(value) is not bool and math.isfinite(value) else None

    def count(self, name: str) -> int | None:
        """Take a whole number."""
        value = self.number(name)
        return value if isinstance(value, int) else None

    def part(self, name: str) -> "Facts":
        """Take an object within this one; an empty one if it is not there."""
        return Facts(self.value.get(name))

    def parts(self, name: str) -> "list[Facts]":
        """Take the objects of a list."""
        value = self.value.get(name)
        return [Facts(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@dataclass(frozen=True)
class RunFiles:
    """The contents of a run's files; for a model file alone, path is the file and only the model is set.

    problem is why its model cannot be read; alive is whether a training holds the run's lock.
    """

    path: Path
    record: Facts
    config: Config | None
    history: Sequence[Facts]
    text_model: TextModel | None
    problem: str | None
    members: Sequence[Path]
    alive: bool

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.resolve().name

    @property
    def model_config(self) -> ModelConfig | None:
        """The settings of its model; of an ensemble of different kinds those of the first."""
        return next(iter(self.model_configs), None)

    @property
    def model_configs(self) -> list[ModelConfig]:
        """The settings of each kind of its members, `ensemble` being how many there are."""
        if self.text_model is not None:
            return [kind.config for kind in self.text_model.kinds]
        return [] if self.config is None else kinds(self.config)

    @property
    def status(self) -> str | None:
        """Say running, stopped, finished; or interrupted, if it was running and no training holds its lock."""
        status = self.record.text("status")
        return "interrupted" if status == "running" and not self.alive else status

    @property
    def weights(self) -> int | None:
        """How many weights its model has, of all members together."""
        if self.text_model is not None:
            return self.text_model.size
        return self.record.count("weights")

    @property
    def epochs(self) -> int | None:
        """How many epochs are trained."""
        return self.record.count("epochs") or len(self.history) or None

    @property
    def seconds(self) -> float | None:
        """How long it has trained; without run.json the sum of its epochs, which leaves validation out."""
        recorded = self.record.number("seconds")
        epochs = [epoch.number("seconds") or 0.0 for epoch in self.history]
        return sum(epochs) or None if recorded is None else recorded

    def data(self, use: str) -> Facts:
        """The record of the training or validation pairs: use is "training" or "validation"."""
        return next((data for data in self.record.parts("data") if data.text("use") == use), Facts())

    @property
    def best(self) -> Facts:
        """The epoch whose model is kept: as run.json has it, or else the history."""
        recorded = self.record.part("best")
        if recorded.value or not self.history:
            return recorded
        by_loss = self.config is not None and self.config.training.metric == "loss"

        def goodness(epoch: Facts) -> tuple[float, float]:
            accuracy, loss = epoch.number("accuracy"), epoch.number("validation_loss")
            return (
                0.0 if by_loss else -math.inf if accuracy is None else accuracy,
                -math.inf if loss is None else -loss,
            )

        epoch = max(self.history, key=goodness)
        return Facts({**epoch.value, "scores": {"accuracy": {"value": epoch.number("accuracy")}}})

    @property
    def scores(self) -> dict[str, Score]:
        """The measures of the best epoch; the ends of an interval that is not known are no numbers."""
        found = {}
        scores = self.best.part("scores")
        for name in scores.value:
            score = scores.part(name)
            value, low, high = (score.number(key) for key in ("value", "low", "high"))
            if value is not None:
                ends = (math.nan, math.nan) if low is None or high is None else (low, high)
                unit = score.text("unit") or ("points" if name in ("BLEU", "chrF") else "share")
                found[name] = Score(value, *ends, unit)
        return found


def without_folders(run: RunFiles) -> RunFiles:
    """Leave out, for whoever else reads of a run, where on this machine its data and the model it began from lie."""
    record = dict(run.record.value)
    record["data"] = [data.value | {"name": file_name(data.text("name"))} for data in run.record.parts("data")]
    if run.record.part("from").value:
        record["from"] = run.record.part("from").value | {"path": file_name(run.record.part("from").text("path"))}
    return dataclasses.replace(run, record=Facts(record))


def file_name(name: str | None) -> str | None:
    """Leave the directory out of a file's name as it was typed, and of two parallel files' names."""
    return None if name is None else " and ".join(Path(part).name or part for part in name.split(" and "))


def is_run(directory: Path) -> bool:
    """Return whether a run is in a directory."""
    return any((directory / name).is_file() for name in (RECORD_FILE, MODEL_FILE))


def find_runs(directory: Path) -> list[Path]:
    """List the directories in a directory that are runs, sorted by name; an ensemble's members are part of it."""
    return [path for path in sorted(directory.iterdir()) if path.is_dir() and is_run(path)]


def read_run(path: Path, with_model: bool = True) -> RunFiles:
    """Read a run's directory, or a model file, with what lies beside it if it is a run's; or raise ModelFileError.

    Without the model only the small files are read.
    """
    directory = path if path.is_dir() else path.parent
    whole_run = path.is_dir() or path.name == MODEL_FILE
    text_model, problem = None, None
    if with_model and (path.is_file() or (path / MODEL_FILE).exists()):
        try:
            text_model = load(path).text_model
        except ModelFileError as error:
            if not (whole_run and (directory / RECORD_FILE).exists()):
                raise
            problem = str(error)
    members = [member for member in find_runs(directory) if member.name.startswith("member-")] if whole_run else []
    config = None
    with suppress(ConfigError):  # another version's
        config = Config.from_toml(directory / CONFIG_FILE) if whole_run else None
    return RunFiles(
        path,
        read_json(directory / RECORD_FILE) if whole_run else Facts(),
        config,
        read_history(directory / HISTORY_FILE) if whole_run else [],
        text_model,
        problem,
        members,
        any(is_locked(place / LOCK_FILE) for place in (directory, *members)),
    )


def read_json(path: Path) -> Facts:
    """Read a file with one JSON object; nothing of one that is not there or broken."""
    try:
        return Facts(json.loads(path.read_bytes()))
    except (OSError, ValueError, RecursionError):
        return Facts()


def read_history(path: Path) -> list[Facts]:
    """Read a file with an object a line, as far as it is whole."""
    history: list[Facts] = []
    with suppress(OSError, ValueError, RecursionError):
        for line in path.read_bytes().splitlines():
            history.append(Facts(json.loads(line)))
    return history


def is_locked(path: Path) -> bool:
    """Return whether another process holds a file's lock; a claim waits for as long as this takes."""
    try:
        import fcntl
    except ImportError:  # a system without such locks: who says that it is running is believed
        return path.exists()
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
