"""The Python API for training: `doldari.train` can do everything that the command line can."""

import io
import signal
import sys
import warnings
from os import PathLike
from typing import TYPE_CHECKING, Any

from doldari.data.formats import Format, Reading, choose_columns
from doldari.data.pairs import SplitBy
from doldari.display import draw_run, run_curves
from doldari.errors import level_of_caller
from doldari.inference.metrics import Evaluation
from doldari.inference.predictor import Predictor
from doldari.percent import percent
from doldari.report.curves import run_figure
from doldari.torchrun import rank
from doldari.training.data import Texts
from doldari.training.observer import Observer, Observers, Stop
from doldari.training.plan import Request, planned
from doldari.training.run import Run
from doldari.training.trackers import Tracking
from doldari.training.train import train as train_by_plan

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
    track: str | None = None,
    stop: Stop | None = None,
    **settings: Any,
) -> Predictor:
    """Train a model on text pairs and return it, as `doldari.load` would.

    data: (source, target) pairs, or triples with the source's features; or a file, two parallel files, or the name of
        a built-in task.  validation likewise; without it, a tenth of the sources is held out, or
        with split_by="lemma" of the sources without their features: no validation word is trained on in another form.
    source_column, target_column, features_column, format, count, digits: how to read a file or generate a task, as on
        the command line; columns are numbers from 1, or names.
    settings: those of the command line, with underscores, such as `hidden_size=512` or `budget="5m"`.  recipe: the
        settings to start from; without it those of the task, or those that suit the pairs, which is printed with the
        reason.  start_from: a trained model to fine-tune.
    out: the run directory; without it nothing is saved.  overwrite: replace the run in it.
    resume: the directory of a stopped run.  It continues on its own data, which must be given again if they were not
        in a file, with the same result to the bit as without the stop, unless it has a time budget.
    observer: is told of every step and epoch; by default each epoch is printed or, in a notebook, plotted, unless
        progress is False.  stop: a `doldari.Stop()`; set `stop.signal = 2` in another thread to stop.
    track: an experiment tracker that receives the settings and each epoch's figures: "trackio", "wandb",
        "tensorboard" or "mlflow"; what is sent where is printed to standard error first.

    Ctrl-C, or a notebook's stop button, ends the training and returns the best model so far.  Raises ConfigError,
    DataError, RunExistsError; and TrainingError if the loss becomes NaN in the first epoch.  If that happens later, a
    warning is given and the best model so far is returned.
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
    if track is not None and rank() == 0:
        observer = Observers(Tracking(track, lambda text: print(text, file=sys.stderr)), observer)
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
    """Shows each epoch: in a notebook as a live plot, elsewhere as a line on standard error."""

    def __init__(self) -> None:
        self.handle: Any = None
        if "ipykernel" in sys.modules:
            from IPython.display import display

            self.handle = display(display_id=True)

    def epoch(self, run: Run, evaluation: Evaluation) -> None:
        """Plot the accuracies so far, or print the last."""
        epoch = run.history[-1]
        if self.handle is not None:
            self.handle.update(shown_as_png(run_figure(*run_curves(run), f"epoch {epoch.epoch} of {run.epochs}")))
        else:
            text = f"epoch {epoch.epoch}/{run.epochs}   loss {epoch.loss:.4f}   accuracy {percent(epoch.accuracy)}"
            print(text, file=sys.stderr)


def shown_as_png(figure: "Figure") -> "Figure":
    """Let a notebook show a figure, whether or not it was told to show matplotlib's."""

    def png() -> bytes:
        image = io.BytesIO()
        figure.savefig(image, format="png", dpi=100)
        return image.getvalue()

    figure._repr_png_ = png  # type: ignore[attr-defined]  # IPython asks an object for this
    return figure
