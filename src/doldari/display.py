"""Display of a training: a line per epoch on stdout; on a terminal, a bar with the time left on stderr."""

from collections.abc import Callable, Mapping, Sequence
from typing import Self

from rich.cells import cell_len
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from doldari.data.opening import printable_name
from doldari.inference.metrics import Evaluation
from doldari.inference.scores import Score
from doldari.percent import percent
from doldari.report import curves
from doldari.run_files import PICTURE_FILE
from doldari.training.observer import Observer
from doldari.training.run import Run

SAMPLES = 10


class TrainingDisplay(Observer):
    """Shows each run while it trains, and plots it when it ends.

    say prints on standard output; the bar is shown on standard error if that is a terminal.
    """

    def __init__(self, say: Callable[..., None], stderr: Console) -> None:
        self.say = say
        self.evaluation: Evaluation | None = None  # of the best epoch
        columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
        self.progress = Progress(*columns, TextColumn("left"), console=stderr)
        self.task = self.progress.add_task("training", total=1.0)
        self.live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hide()

    def show(self) -> None:
        """Show the best epoch's samples and, below them, the bar, if standard error is a terminal."""
        if self.progress.console.is_terminal:
            parts = [self.progress] if self.evaluation is None else [samples(self.evaluation), self.progress]
            self.live = Live(Group(*parts), console=self.progress.console, transient=True, redirect_stdout=False)
            self.live.start()

    def hide(self) -> None:
        """Clear what `show` shows, for lines to be printed."""
        if self.live is not None:
            self.live.stop()
            self.live = None

    def started(self, run: Run) -> None:
        """Begin with the bar."""
        self.evaluation = None
        self.progress.reset(self.task, total=1.0, completed=0)
        self.progress.update(self.task, completed=run.progress())
        self.show()

    def step(self, run: Run, loss: float) -> None:
        """Move the bar."""
        self.progress.update(self.task, completed=run.progress(), description=f"loss {loss:.3f}")

    def epoch(self, run: Run, evaluation: Evaluation) -> None:
        """Print the epoch's line, with a star at the metric if it is the best so far."""
        epoch = run.history[-1]
        epochs, star = str(run.epochs), {"loss": " ", "accuracy": " "}
        if epoch is run.best:
            star[run.config.training.metric] = "*"
            self.evaluation = evaluation
        self.hide()
        self.say(
            f"epoch {epoch.epoch:{len(epochs)}}/{epochs}   loss {epoch.loss:.4f}   "
            f"validation {epoch.validation_loss:.4f}{star['loss']}  accuracy",
            Text(f"{percent(epoch.accuracy):>7}{star['accuracy']}", "bold"),
            f" {epoch.seconds:.1f} s",
        )
        if not run.over:
            self.show()

    def stopped(self, run: Run) -> None:
        """Clear the bar, and plot the epochs so far."""
        self.hide()
        draw_run(run)

    def finished(self, run: Run) -> None:
        """Plot the run, and print some predictions of the best epoch."""
        self.stopped(run)
        if self.evaluation is not None:
            self.say(samples(self.evaluation))


def draw_run(run: Run) -> None:
    """Plot a run into its directory, once there is an epoch."""
    if run.best is not None and run.directory is not None:
        path, title = run.directory.path / PICTURE_FILE, printable_name(run.directory.shown.name)
        curves.draw_run(path, *run_curves(run), title, best=run.best.epoch)


def run_curves(run: Run) -> tuple[list[float], list[float], list[float]]:
    """List a run's accuracies, losses and validation losses so far."""
    return (
        [epoch.accuracy for epoch in run.history],
        [epoch.loss for epoch in run.history],
        [epoch.validation_loss for epoch in run.history],
    )


def samples(evaluation: Evaluation, chosen: Sequence[int] | None = None) -> Text:
    """Format some pairs, by default the first ten, with predictions, correct and wrong ones marked."""
    indices = range(len(evaluation.pairs))[:SAMPLES] if chosen is None else chosen
    sources = [printable(evaluation.pairs[index].source) for index in indices]
    width = max(map(cell_len, sources), default=0)
    lines = []
    for index, source in zip(indices, sources, strict=True):
        answer, right = with_blank_ends(evaluation.answers[index]), evaluation.right[index]
        mark = ("  ✓  ", "green") if right else ("  ✗  ", "red")
        target = "" if right else f"   expected {with_blank_ends(evaluation.pairs[index].target)}"
        lines.append(Text.assemble(mark, source + " " * (width - cell_len(source) + 2), answer, (target, "dim")))
    return Text("\n").join(lines)


def score_table(evaluation: Evaluation, scores: Mapping[str, Score]) -> Text:
    """Format a line for every metric, with its interval and meaning."""
    what = {
        "accuracy": f"{sum(evaluation.right):,} of {len(evaluation.pairs):,} correct",
        "WER": "word (sequence) error rate, 1 - accuracy",
        "PER": "edit distance per target symbol",
        "CER": "edit distance per target character",
    }
    lines = []
    for name, score in scores.items():
        value = (f"{score!s:<7}", "bold" if name == "accuracy" else "")
        line = Text.assemble(f"{name:<8} ", value, f"  {score.interval:<18}  {what.get(name, '')}")
        line.rstrip()
        lines.append(line)
    if evaluation.kind in ("words", "subwords") and "BLEU" not in scores:
        lines.append(Text("BLEU and chrF need sacrebleu: pip install 'doldari[metrics]'"))
    return Text("\n").join(lines)


def with_blank_ends(text: str) -> str:
    """Write a text as `printable` does, with visible leading and trailing blanks, since they count."""
    inner = text.strip(" ")
    at = text.find(inner) if inner else len(text)
    return "␣" * at + printable(inner) + "␣" * (len(text) - at - len(inner))


def printable(text: str) -> str:
    """Write control characters, which a terminal would obey, as \\x1b; but the tab before features as blanks."""
    text = text.replace("\t", "  ")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
