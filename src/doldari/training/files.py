"""The files of a run while it trains: settings, record, history, the best epoch's model, and checkpoints."""

import math
import time
from collections.abc import Callable

from doldari.inference.predictor import Predictor
from doldari.models.model_file import model_bytes
from doldari.run_files import CHECKPOINT_FILE, CONFIG_FILE, HISTORY_FILE, MODEL_FILE
from doldari.settings import steps_or_seconds
from doldari.training.checkpoint import checkpoint_bytes
from doldari.training.directory import RunDirectory
from doldari.training.history import history_lines
from doldari.training.record import Facts, Record, run_facts
from doldari.training.run import Run


class RunFiles:
    """Writes a run's files during training, each atomically.

    first_epoch is called when the first epoch's model is written.
    """

    def __init__(
        self,
        directory: RunDirectory,
        facts: Facts,
        *,
        resume: bool = False,
        first_epoch: Callable[[Predictor], None] | None = None,
    ) -> None:
        self.directory, self.first_epoch = directory, first_epoch
        self.record = Record(directory, facts, resume=resume)
        self.saved, self.saved_steps = time.monotonic(), 0
        self.every = math.inf, math.inf  # steps and seconds

    def started(self, run: Run) -> None:
        """Write the record, without which no file counts as a run's, and the settings.

        Rewrite history and model, which may be ahead of the checkpoint after a crash.
        """
        self.write_record(run, "running")
        self.directory.write(CONFIG_FILE, run.config.to_toml().encode())
        self.saved_steps, self.every = run.position.steps, steps_or_seconds(run.config.training.checkpoint_every)
        self.directory.write(HISTORY_FILE, history_lines(run.history))
        if run.best_weights is not None:
            with run.best_in_model():
                self.directory.write(MODEL_FILE, model_bytes(run.predictor.text_model))

    def step(self, run: Run) -> None:
        """Write a checkpoint if one is due."""
        steps, seconds = self.every
        if run.position.steps - self.saved_steps >= steps or time.monotonic() - self.saved >= seconds:
            self.checkpoint(run)

    def epoch(self, run: Run) -> None:
        """Write an epoch's line, and its model if it is the best so far, whose weights the run has just then."""
        if run.best is run.history[-1]:
            self.directory.write(MODEL_FILE, model_bytes(run.predictor.text_model))
        self.directory.append(HISTORY_FILE, history_lines(run.history[-1:]))
        if len(run.history) == 1:
            if self.first_epoch is not None:
                self.first_epoch(run.predictor)
            self.directory.claim.replace_older()

    def checkpoint(self, run: Run) -> None:
        """Write a checkpoint."""
        self.write_record(run, "running")
        self.directory.write(CHECKPOINT_FILE, checkpoint_bytes(run))
        self.saved, self.saved_steps = time.monotonic(), run.position.steps

    def ended(self, run: Run, status: str, error: str | None = None) -> None:
        """Write how a run ended; and its model as it stands, if there is no other."""
        if not run.history and not self.directory.exists(MODEL_FILE):
            self.directory.write(MODEL_FILE, model_bytes(run.predictor.text_model))
        self.record.content["error"] = error
        self.write_record(run, status)

    def write_record(self, run: Run, status: str) -> None:
        """Write what the run was made of, and how it stands."""
        self.record.content["data"][1]["unknown"] = len(run.validation) - len(run.spelled)
        self.record.write(run_facts(run), status)
