"""Checkpoints: everything needed to resume a training with the same result to the bit.

One safetensors file has the weights, the optimizer's moments, the averaged weights and those of the best epoch, each
under the parameters' names; and, as JSON, the description of the model, the counters, the states of the generators of
random numbers, the history, and a checksum of it all.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray
from safetensors.numpy import save

from doldari.errors import ConfigError, ModelFileError
from doldari.models.checksum import fingerprint
from doldari.models.description import Described, read_description
from doldari.models.model_file import describe, read_safetensors
from doldari.settings import seconds
from doldari.training.budget import Budget
from doldari.training.history import Epoch
from doldari.training.run import Position, Run

FORMAT = 1


class Checkpoint(NamedTuple):
    """What a checkpoint's file holds: the model's description, named arrays, and plain numbers."""

    described: Described
    arrays: dict[str, NDArray[Any]]
    state: dict[str, Any]

    def restore(self, run: Run) -> None:
        """Restore a newly prepared run to the state of the checkpoint."""
        state = self.state
        run.learner.restore(self.arrays, state["learner"])
        run.rng.bit_generator.state = state["shuffle_rng"]
        run.position = Position(**state["position"])
        run.history = [Epoch.from_object(epoch) for epoch in state["history"]]
        run.best_scores = state["best_scores"]
        if state["has_best"]:
            run.best_weights = run.learner.values.copy()
            for name, view in run.learner.model.parameters.views(run.best_weights).items():
                view[...] = self.arrays[f"best.{name}"]
        spent = state["budget"]
        if run.config.training.budget is not None and spent is not None:
            run.budget = Budget(seconds(run.config.training.budget), run.clock, spent["spent"])
            run.budget.epoch, run.budget.validation = spent["epoch"], spent["validation"]


def checkpoint_bytes(run: Run) -> bytes:
    """Write a checkpoint's file."""
    arrays = run.learner.arrays()
    if run.best_weights is not None:
        views = run.learner.model.parameters.views(run.best_weights)
        arrays |= {f"best.{name}": view for name, view in views.items()}
    budget = run.budget
    content = {
        "format": FORMAT,
        "description": describe(run.predictor.text_model),
        "state": {
            "learner": run.learner.counters(),
            "shuffle_rng": run.position.order or run.rng.bit_generator.state,
            "position": dataclasses.asdict(run.position),
            "history": [epoch.as_object() for epoch in run.history],
            "has_best": run.best_weights is not None,
            "best_scores": run.best_scores,
            "budget": None
            if budget is None
            else {"spent": budget.spent(), "epoch": budget.epoch, "validation": budget.validation},
        },
    }
    content["sha256"] = fingerprint(content, arrays)
    return save(arrays, {"checkpoint": json.dumps(content)})


def read_checkpoint(path: Path) -> Checkpoint:
    """Read what `checkpoint_bytes` wrote; ModelFileError where it is something else, or damaged."""
    metadata, arrays = read_safetensors(path)
    try:
        content = json.loads(metadata["checkpoint"])
        checksum = content.pop("sha256")
        if checksum != fingerprint(content, arrays):
            raise ValueError("its checksum does not match")
        if content["format"] != FORMAT:
            raise ValueError(f"format {content['format']}, expected {FORMAT}; another version of doldari wrote it")
        return Checkpoint(read_description(content["description"]), arrays, content["state"])
    except (ValueError, KeyError, TypeError, ConfigError) as error:
        raise ModelFileError(f"{path}: not a valid checkpoint: {error}; start again with --overwrite") from error
