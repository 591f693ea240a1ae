"""The Python API for training: `doldari.train`, which can do all that the command line can."""

import signal
import sys
import warnings
from os import PathLike
from typing import Any

from doldari.data.formats import Format, Reading, choose_columns
from doldari.data.pairs import SplitBy
from doldari.display import draw_run, run_curves
from doldari.errors import level_of_caller
from doldari.inference.metrics import Evaluation
from doldari.inference.predictor import Predictor
from doldari.percent import percent
from doldari.report.curves import run_figure
from doldari.training.data import Texts
from doldari.training.observer import Observer, Stop
from doldari.training.plan import Request, planned
from doldari.training.run import Run
from doldari.training.train import train as train_by_plan


def train(
    data: Texts | None = None,
    *,
    validation: Texts | None = None,
    out: str | PathLike[str] | None = None,
    overwrite: bool = False,
    resume: str | PathLike[str] | None = None,
    start_from: str | PathLike[str] | None = None,
    recipe: str | None = None,
    source_column: int | str | None = None,
    target_column: int | str | None = None,
    features_column: int | str | None = None,
    split_by: SplitBy | None = None,
    format: Format | None = None,
    count: int | None = None,
    digits: int | None = None,
    progress: bool = True,
    observer: Observer | None = None,
    stop: Stop | None = None,
    **settings: Any,
) -> Predictor:
    """Train a model on pairs of texts and return it, as `doldari.load` would.

    data are pairs, source and target, or triples with the source's features behind them; or a file's path, two of
    parallel files, or a built-in task's name.  Columns are numbers from 1, or names.  Without `validation`, which is
    given likewise, a tenth of the sources is held out, with all of their pairs; split_by="lemma" holds out a tenth of
    the sources without their features, so that no held-out word is trained on in another form.

    recipe names the settings to start from; without it, they are those of the built-in task, or of the recipe that
    suits the pairs: it is printed with its reason, and stands in run.json.  settings are those of the command line,
    with underscores, and change the recipe's: `hidden_size=512`, `budget="5m"`.

    out is the run's directory, with the files that `doldari train` leaves; without it nothing is kept but the model.
    resume is the directory of a run that was stopped, which goes on as if it had not been: to the bit, unless it has
    a budget of time.  Its data are read again from where they were, and pairs that were in no file are given again;
    settings may only make it longer.  start_from is a trained model whose weights are the first ones.

    An observer is told of every step and epoch; without one, and with `progress`, a line is printed after each epoch,
    and in a notebook a curve drawn.  An interruption (Ctrl-C, or the notebook's stop) ends the training, and the best
    model so far is returned; from another thread `stop.signal = 2` does it, where `stop` is a `doldari.Stop()`.

    Raises ConfigError, DataError, RunExistsError, and TrainingError if the loss is no longer a number before an epoch
    is done; after that a warning, and the best model so far is returned.
    """
    request = Request(
        command=["doldari.train"],
        data=data,
        validation=validation,
        reading=Reading(choose_columns(source_column, target_column, features_column), format, count, digits),
        split_by=split_by,
        settings=settings,
        recipe=recipe,
        start_from=start_from,
        out=out,
        overwrite=overwrite,
        resume=resume,
    )
    if observer is None:
        observer = LiveCurve() if progress else Observer()
    with planned(request) as (plan, directory):
        if isinstance(observer, LiveCurve) and plan.recipe is not None and plan.recipe.why is not None:
            print(plan.recipe, file=sys.stderr)
        trained = train_by_plan(plan, directory, observer, Stop((signal.SIGINT,)) if stop is None else stop)
        if out is not None or resume is not None:
            for run in trained.runs:
                draw_run(run)
    if trained.error is not None:
        if trained.last.best is None:
            raise trained.error
        message = f"{trained.error}; the model of epoch {trained.last.best.epoch} is returned"
        warnings.warn(message, stacklevel=level_of_caller())
    return trained.predictor


class LiveCurve(Observer):
    """Shows each epoch: in a notebook in a picture that grows, elsewhere by a line on standard error."""

    def __init__(self) -> None:
        self.handle: Any = None
        if "ipykernel" in sys.modules:
            from IPython.display import display

            self.handle = display(display_id=True)

    def epoch(self, run: Run, evaluation: Evaluation) -> None:
        """Draw the accuracies so far, or print the last."""
        epoch = run.history[-1]
        if self.handle is not None:
            self.handle.update(run_figure(*run_curves(run), f"epoch {epoch.epoch} of {run.epochs}"))
        else:
            text = f"epoch {epoch.epoch}/{run.epochs}   loss {epoch.loss:.4f}   accuracy {percent(epoch.accuracy)}"
            print(text, file=sys.stderr)
