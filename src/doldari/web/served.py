"""The models that a server serves: one, or all runs in a folder, found anew whenever somebody asks."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from doldari.errors import ModelFileError
from doldari.inference.predictor import Predictor, load
from doldari.models.model_file import model_file, summary
from doldari.report.card import card
from doldari.report.record import Facts, RunFiles, find_runs, is_run, read_run
from doldari.report.table import by_score
from doldari.report.usage import example_sources
from doldari.run_files import MODEL_FILE

MOST_LOADED = 8  # models at a time
MOST_EXAMPLES = 6
MOST_SYMBOLS = 200  # of a source vocabulary that are told


class NoSuchRunError(Exception):
    """A run or model of that name is not served."""


class Served:
    """Runs by name.  read loads a model; private: visitors are the user, who may see the first lines of the data."""

    def __init__(self, path: Path, read: Callable[[Path], Predictor] = load, private: bool = True) -> None:
        self.root, self.single, self.read, self.private = path, path.is_file() or is_run(path), read, private
        self.loaded: OrderedDict[str, tuple[Any, Predictor]] = OrderedDict()
        self.lock = threading.Lock()

    def paths(self) -> dict[str, Path]:
        """Find the runs.  A link out of the folder is not followed."""
        if self.single:
            return {self.root.resolve().name.removesuffix(".safetensors"): self.root}
        root = self.root.resolve()
        return {path.name: path for path in find_runs(self.root) if path.resolve().is_relative_to(root)}

    def path(self, name: str) -> Path:
        """Find a run; names are compared with those that there are, so that none leads elsewhere."""
        try:
            return self.paths()[name]
        except KeyError:
            raise NoSuchRunError(name) from None

    def first(self) -> str:
        """Name the model that is asked where none is named: the most accurate."""
        for run in self.runs():
            if has_model(run):
                return run.name.removesuffix(".safetensors")
        raise NoSuchRunError("no run here has a model yet")

    def runs(self) -> list[RunFiles]:
        """Read all runs, without their models, the most accurate first."""
        return by_score([self.run(name) for name in self.paths()])

    def run(self, name: str, with_model: bool = False) -> RunFiles:
        """Read a run's files."""
        return read_run(self.path(name), with_model)

    def predictor(self, name: str) -> Predictor:
        """Load a model, unless it is loaded; again where its file has changed, as while a training goes on."""
        path = self.path(name)
        if path.is_dir() and not (path / MODEL_FILE).exists():
            raise ModelFileError(f"{name}: no model yet; it is written after the first epoch")
        file = model_file(path)
        root = self.root.resolve()
        if not self.single and not file.resolve().is_relative_to(root):
            raise NoSuchRunError(name)
        status = file.stat()
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        with self.lock:
            if name not in self.loaded or self.loaded[name][0] != version:
                self.loaded[name] = version, self.read(path)
            self.loaded.move_to_end(name)
            while len(self.loaded) > MOST_LOADED:
                self.loaded.popitem(last=False)
            return self.loaded[name][1]

    def page(self, name: str) -> dict[str, Any]:
        """Tell what there is to know of a model."""
        model = self.predictor(name).text_model
        run = self.run(name, with_model=True)
        if not self.private:
            run = replace(run, record=without_paths(run.record))
        return {
            "name": name,
            "summary": summary(model),
            "attention": model.attending is not None,
            "recurrent": model.config.model == "recurrent" and model.config.ensemble == 1 and not model.others,
            "features": list(model.source.features[:MOST_SYMBOLS]),
            "copies": model.copies,
            "symbols": list(model.source.symbols[:MOST_SYMBOLS]),
            "longest_source": model.longest_source,
            "examples": example_sources(run, MOST_EXAMPLES),
            "card": card(run),
        }


def without_paths(record: Facts) -> Facts:
    """Take a record without the places of its data: examples are then made, by built-in tasks, and not read."""
    return Facts(record.value | {"data": [{**data.value, "path": None} for data in record.parts("data")]})


def has_model(run: RunFiles) -> bool:
    """Tell whether a run has a model by now."""
    return run.path.is_file() or (run.path / MODEL_FILE).is_file()


def run_line(run: RunFiles) -> dict[str, Any]:
    """Tell of a run what fits in a line."""
    accuracy = run.scores.get("accuracy")
    return {
        "name": run.name.removesuffix(".safetensors") if run.path.is_file() else run.name,
        "status": run.status,
        "has_model": has_model(run),
        "data": run.data("training").text("name"),
        "kind": " + ".join(config.name for config in run.model_configs) or None,
        "epochs": run.epochs,
        "epochs_planned": run.record.count("epochs_planned"),
        "accuracy": None if accuracy is None else accuracy.value,
    }


def history(name: str, run: RunFiles) -> dict[str, Any]:
    """Tell of each epoch of a run so far."""
    return {
        "name": name,
        "status": run.status,
        "epochs_planned": run.record.count("epochs_planned"),
        "epochs": [epoch_line(epoch, number) for number, epoch in enumerate(run.history, start=1)],
    }


def epoch_line(epoch: Facts, number: int) -> dict[str, Any]:
    """Tell of an epoch what a curve shows."""
    measures = ("loss", "validation_loss", "accuracy", "learning_rate", "seconds")
    return {"epoch": epoch.count("epoch") or number} | {measure: epoch.number(measure) for measure in measures}
