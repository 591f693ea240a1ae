"""From pairs to a model within Python: `doldari.train`; in a notebook the accuracy is drawn as it grows."""

import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from doldari.data.pairs import Pair, split_pairs
from doldari.display import Stop, stop_on_signals
from doldari.errors import DataError, TrainingError, level_of_caller
from doldari.inference.metrics import Evaluation
from doldari.inference.predictor import Predictor
from doldari.recipes import load_recipe
from doldari.report.curves import accuracy_figure
from doldari.training.ensemble import join, member_configs
from doldari.training.history import Epoch
from doldari.training.run import Run
from doldari.training.run import train as train_run


def train(
    pairs: Iterable[tuple[str, str]],
    *,
    validation: Iterable[tuple[str, str]] | None = None,
    recipe: str = "general",
    progress: bool = True,
    **settings: Any,
) -> Predictor:
    """Train a model on pairs of texts, source and target, and return it as `doldari.load` would.

    Without `validation` a tenth of the sources, with their pairs, is held out.  settings are those of the command
    line, with underscores: `hidden_size=512`, `budget="5m"`.  An interruption (Ctrl-C, or the notebook's stop) ends
    the training, and the best model so far is returned.  Raises ConfigError, DataError, and TrainingError if the loss
    is no longer a number before an epoch is done; after that a warning, and the best model so far is returned.
    """
    config = load_recipe(recipe).replace(**settings)
    training = text_pairs(pairs)
    if validation is None:
        training, held_out = split_pairs(training)
    else:
        held_out = text_pairs(validation)
    after_epoch = live_curve() if progress else lambda run: None
    runs: list[Run] = []
    for settings_of_one in member_configs(config):
        run = Run.prepare(settings_of_one, training, held_out)
        finished = train_one(run, after_epoch)
        if run.best is not None or not runs:
            runs.append(run)
        if not finished:
            break
    return join(runs)


def text_pairs(pairs: Iterable[tuple[str, str]]) -> list[Pair]:
    """Take pairs of texts; what is no such pair is refused."""
    taken = []
    for number, pair in enumerate(pairs):
        if isinstance(pair, str) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise DataError(f"pairs[{number}]={pair!r}: must be two texts, source and target")
        taken.append(Pair(*pair))
    return taken


def train_one(run: Run, after_epoch: Callable[[Run], None]) -> bool:
    """Train one model to its end; False if it was interrupted."""

    def show(_: Epoch, __: Evaluation) -> None:
        after_epoch(run)

    # An interruption stops after the step under way; only the main thread is told of signals.
    main = threading.current_thread() is threading.main_thread()
    with tempfile.TemporaryDirectory() as directory, stop_on_signals() if main else nullcontext(Stop()) as stop:
        try:
            return train_run(run, Path(directory), lambda loss: stop.signal is not None, show)
        except KeyboardInterrupt:
            return False
        except TrainingError as error:
            if run.best is None:
                raise
            warnings.warn(f"{error}; the model of epoch {run.best.epoch} is returned", stacklevel=level_of_caller())
            return True


def live_curve() -> Callable[[Run], None]:
    """Make what shows a run after each epoch: in a notebook a picture that grows, elsewhere a line on stderr."""
    if "ipykernel" in sys.modules:
        from IPython.display import display

        handle = display(display_id=True)

        def draw(run: Run) -> None:
            accuracies: Sequence[float] = [epoch.accuracy for epoch in run.history]
            handle.update(accuracy_figure({"accuracy": accuracies}, f"epoch {len(accuracies)} of {run.epochs}"))

        return draw

    def say(run: Run) -> None:
        epoch = run.history[-1]
        text = f"epoch {epoch.epoch}/{run.epochs}   loss {epoch.loss:.4f}   accuracy {epoch.accuracy:.2%}"
        print(text, file=sys.stderr)

    return say
