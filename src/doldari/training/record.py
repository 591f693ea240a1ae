"""What a run was made of, for `run.json`: status, times, command, versions, kernels, data, seed, the best epoch."""

import dataclasses
import json
import platform
import sys
import time
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

import doldari
from doldari import kernels
from doldari.config import Config
from doldari.inference.scores import scores
from doldari.recipes.choice import Choice
from doldari.run_files import RECORD_FILE
from doldari.training.data import TrainingData
from doldari.training.directory import RunDirectory
from doldari.training.run import Run

FORMAT = 1


class Facts(NamedTuple):
    """Facts about a run from outside: its command, its data, and the model it starts from."""

    command: list[str]
    data: TrainingData
    config: Config
    base: dict[str, str] | None = None  # its path, and the checksum of its weights and description
    members: int = 1
    recipe: Choice | None = None


class Record:
    """The record of a run in its directory: a new one, or continued if the run is resumed."""

    def __init__(self, directory: RunDirectory, facts: Facts, *, resume: bool) -> None:
        self.directory, self.start = directory, time.monotonic()
        before = read_record(directory) if resume else None
        self.content = new_record(facts) if before is None else resumed_record(before, facts)
        self.seconds_before = self.content["seconds"]

    def write(self, known: dict[str, Any], status: str) -> None:
        """Write it, with what is known by now; status is running, stopped or finished."""
        self.content |= known | {
            "status": status,
            "ended": None if status == "running" else now(),
            "seconds": round(self.seconds_before + time.monotonic() - self.start, 3),
        }
        text = json.dumps(self.content, ensure_ascii=False, indent=1) + "\n"
        self.directory.write(RECORD_FILE, text.encode("utf-8", "backslashreplace"))


def new_record(facts: Facts) -> dict[str, Any]:
    """Describe what a run that starts now is made of, and what it runs on."""
    return {
        "format": FORMAT,
        "status": "running",
        "started": now(),
        "ended": None,
        "seconds": 0.0,
        "resumes": 0,
        "command": facts.command,
        "versions": {
            "doldari": doldari.__version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "engine": None,
        "kernels": kernels.name,
        "instruction_set": getattr(sys.modules.get("doldari.kernels._native"), "instruction_set", None),
        "threads": kernels.get_num_threads(),
        "platform": f"{platform.system()}-{platform.machine()}",
        "members": facts.members,
        "from": facts.base,
        "data": facts.data.described(),
        "reading": facts.data.reading,
        "recipe": None if facts.recipe is None else {"name": facts.recipe.recipe, "why": facts.recipe.why},
        "settings": dataclasses.asdict(facts.config),
        "best": None,
    }


def resumed_record(record: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """Go on with the record of a run that was stopped: what it runs on may be another machine now."""
    data = [old | {"path": new["path"]} for old, new in zip(record["data"], facts.data.described(), strict=True)]
    kept = {
        name: record[name] for name in ("started", "seconds", "command", "from", "recipe", "best") if name in record
    }
    return new_record(facts) | kept | {"data": data, "resumes": record.get("resumes", 0) + 1}


def read_record(directory: RunDirectory) -> dict[str, Any] | None:
    """Read the record of the run in a directory; None if there is none, or it is not whole."""
    try:
        record = json.loads((directory.path / RECORD_FILE).read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) else None


def now() -> str:
    """Write the time, in UTC to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def run_facts(run: Run) -> dict[str, Any]:
    """Return the facts a run knows itself; the scores of its best epoch are computed here, once."""
    text_model, best = run.predictor.text_model, run.best
    if run.best_evaluation is not None:
        measured = scores(run.best_evaluation)
        run.best_scores = {name: dataclasses.asdict(score) for name, score in measured.items()}
        run.best_evaluation = None
    return {
        "source_symbols": len(text_model.source.symbols),
        "target_symbols": len(text_model.target.symbols),
        "features": len(text_model.source.features),
        "engine": run.learner.facts(),
        "weights": len(run.learner.values),
        "seed": run.config.training.seed,
        "epochs": len(run.history),
        "epochs_planned": run.epochs,
        "steps": run.position.steps,
        "best": None if best is None else best.as_object() | {"scores": run.best_scores},
    }
