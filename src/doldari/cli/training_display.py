"""The command line's display of a training: a summary first, a line per epoch, a plot, some predictions."""

import signal
from typing import Any

from rich.text import Text

from doldari import mixing
from doldari.cli.console import stderr, tell, warn
from doldari.cli.training_summary import describe
from doldari.display import TrainingDisplay
from doldari.training.observer import Stop
from doldari.training.plan import Plan
from doldari.training.run import Run


class CommandLineDisplay(TrainingDisplay):
    """Shows a training, and stops it if the reader of its output is gone (`| head`)."""

    def __init__(self, plan: Plan, stop: Stop) -> None:
        super().__init__(self.tell_or_stop, stderr)
        self.config, self.repeated, self.stop = plan.config, plan.data.repeated, stop
        self.members = plan.config.model.ensemble
        self.recipe = plan.recipe
        self.has_begun = False

    def started(self, run: Run) -> None:
        """Describe what is about to be trained."""
        if run.member == 1:
            if self.repeated:
                warn(f"{self.repeated:,} of the validation pairs are also training pairs")
            if self.recipe is not None and self.recipe.why is not None:
                stderr.print(str(self.recipe))
            describe(run)
        if self.members > 1:
            differing = mixing.differing(self.config, run.member)
            self.say(Text(f"model {run.member} of {self.members}{differing and f': {differing}'}", "bold"))
        if run.position.steps > 0:
            self.say(f"resumed at step {run.position.steps:,}, epoch {len(run.history) + 1} of {run.epochs}")
        self.has_begun = True
        super().started(run)

    def tell_or_stop(self, *objects: Any) -> None:
        """Print."""
        try:
            tell(*objects)
        except BrokenPipeError:
            self.stop.signal = signal.SIGPIPE
