"""How the tests train: a run of a few small pairs in a directory, watched by functions."""

from doldari.training import loop
from doldari.training.data import read_training_data
from doldari.training.directory import claim
from doldari.training.files import RunFiles
from doldari.training.observer import Observer, Stop
from doldari.training.record import Facts


class Watching(Observer):
    """Calls functions: after_step with the loss, which says whether to stop; after_epoch with run and evaluation."""

    def __init__(self, after_step=None, after_epoch=None):
        self.after_step, self.after_epoch, self.stop = after_step, after_epoch, Stop()

    def step(self, run, loss):
        if self.after_step is not None and self.after_step(loss):
            self.stop.signal = 2

    def epoch(self, run, evaluation):
        if self.after_epoch is not None:
            self.after_epoch(run.history[-1], evaluation)


def train(run, path, after_step=None, after_epoch=None):
    """Train a run that was prepared; True if to its end."""
    facts = Facts(["test"], read_training_data([("a", "b"), ("b", "c")]), run.config)
    watching = Watching(after_step, after_epoch)
    with claim(path, overwrite=True) as directory:
        files = RunFiles(directory, facts)
        finished = False
        try:
            finished = loop.train_run(run, files, watching, watching.stop)
        finally:
            files.ended(run, "finished" if finished else "stopped")
    return finished
