"""doldari train."""

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.text import Text

from doldari.cli.arguments import (
    ConfigOption,
    CountOption,
    DigitsOption,
    FeaturesColumnOption,
    FormatOption,
    OptionalDataArgument,
    OverwriteOption,
    SourceColumnOption,
    TargetColumnOption,
    reading_of,
    run_name,
)
from doldari.cli.console import UsageError, errors, stderr, stdout, tell, working
from doldari.cli.settings import with_settings
from doldari.cli.training_summary import example_command, kept_model, why_over
from doldari.errors import ConfigError, TrainingError
from doldari.percent import percent
from doldari.recipes import RECIPES
from doldari.report.usage import resume_command
from doldari.torchrun import attempt, may_restart, rank

if TYPE_CHECKING:
    from doldari.training.directory import RunDirectory
    from doldari.training.observer import Stop
    from doldari.training.plan import Plan, Request
    from doldari.training.trackers import Tracking
    from doldari.training.train import Trained


@with_settings
def train(
    context: typer.Context,
    data: OptionalDataArgument = None,
    validation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Validation pairs; give it twice for two parallel files.",
            show_default="a tenth of DATA",
            rich_help_panel="Data",
        ),
    ] = None,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    split_by: Annotated[
        Literal["source", "lemma"] | None,
        typer.Option(
            metavar="source|lemma",
            help="What training and validation pairs must not share. source: source and features; lemma: the source "
            "alone, so that no validation word is seen in training in another form. (default: source)",
            rich_help_panel="Data",
            hidden=True,
        ),
    ] = None,
    format: FormatOption = None,
    count: CountOption = None,
    digits: DigitsOption = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Proven settings for a kind of task: {', '.join(RECIPES)}.",
            show_default="chosen by the data",
            rich_help_panel="Training",
        ),
    ] = None,
    config: ConfigOption = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Fine-tune: start from the weights of this model.",
            rich_help_panel="Training",
            hidden=True,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Resume an interrupted run with its data and settings, or extend it: only --epochs, --budget, "
            "--patience and --checkpoint-every can be changed.",
            rich_help_panel="Training",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Output directory of the run.",
            show_default="runs/NAME",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    track: Annotated[
        Literal["trackio", "wandb", "tensorboard", "mlflow"] | None,
        typer.Option(
            metavar="trackio|wandb|tensorboard|mlflow",
            help="Experiment tracker for the settings and the numbers of each epoch; where they go is printed first.",
            show_default="none: nothing leaves the machine",
            rich_help_panel="Output",
            hidden=True,
        ),
    ] = None,
    **settings: Any,
) -> None:
    """Train a model on text pairs.

    \b
    Examples: doldari train pairs.tsv
              doldari train addition        (a built-in task)

    Each epoch prints the training loss, the validation loss and the validation accuracy (exact matches); * marks the
    best epoch, whose model is saved.  The output directory also holds the settings (config.toml), the record of the
    run (run.json), its history (history.jsonl), a checkpoint and a plot (accuracy.png).  Ctrl-C stops and keeps the
    best model so far.
    """
    from doldari.training.plan import Request

    request = Request(
        command=["doldari", *sys.argv[1:]],
        data=data or None,
        validation=validation,
        reading=reading_of(source_column, target_column, features_column, format, count, digits),
        split_by=split_by,
        settings={name: value for name, value in settings.items() if value is not None},
        recipe=recipe,
        config=config,
        start_from=start_from,
        out=out if out is not None or not data or resume is not None else Path("runs") / run_name(data),
        overwrite=overwrite,
        resume=resume,
    )
    if resume is None and not data:
        example = "doldari train pairs.tsv, or: doldari train addition"
        raise UsageError(f"Missing argument 'DATA', a file of pairs or a built-in task: {example}", ctx=context)
    if overwrite and may_restart():
        raise ConfigError(
            "--overwrite: not with torchrun --max-restarts; remove the older run, or choose another --out"
        )
    train_and_tell(after_restart(request), track)


def after_restart(request: "Request") -> "Request":
    """Resume the run that the same command began, if torchrun has restarted the processes."""
    from doldari.training.directory import NoClaim, RunDirectory
    from doldari.training.plan import Request
    from doldari.training.record import read_record

    if attempt() == 0 or request.out is None:
        return request
    record = read_record(RunDirectory(NoClaim(Path(request.out))))
    begun = record is not None and record.get("command") == request.command
    return Request(command=request.command, resume=request.out) if begun else request


def train_and_tell(request: "Request", track: str | None) -> None:
    """Train, show progress, and print how to use the model; exit with the status of a signal."""
    from doldari.training.observer import Stop
    from doldari.training.plan import planned
    from doldari.training.trackers import Tracking

    tracking = None if track is None or rank() > 0 else Tracking(track, stderr.print)
    with ExitStack() as stack:
        with working("reading data"):
            plan, directory = stack.enter_context(planned(request))
        trained = train_shown(plan, directory, Stop(), tracking)
        try:
            if rank() == 0:  # of several processes the first alone says how it ended
                conclude(trained, directory, plan.config.model.ensemble)
        finally:
            if trained.error is None:
                trained.last.learner.agreed(False)  # the others wait: torchrun ends all when one leaves badly


def train_shown(
    plan: "Plan", directory: "RunDirectory", stop: "Stop", tracking: "Tracking | None" = None
) -> "Trained":
    """Train and show progress; with a tracker, send it the figures."""
    from doldari.cli.training_display import CommandLineDisplay
    from doldari.training.observer import Observer, Observers
    from doldari.training.train import train

    if rank() > 0:
        return train(plan, directory, Observer(), stop)
    with CommandLineDisplay(plan, stop) as display:
        trained = train(plan, directory, display if tracking is None else Observers(tracking, display), stop)
    if not display.has_begun:
        tell(f"nothing left to train: {why_over(trained.last)}")
    return trained


def conclude(trained: "Trained", directory: "RunDirectory", members: int) -> None:
    """Print which model was saved, and how to use it."""
    run, out = trained.last, directory.shown
    best = run.best
    if trained.together is not None:
        tell(f"ensemble of {len(trained.runs)}: accuracy", Text(percent(trained.together), "bold"))
    kept, go_on = kept_model(trained, directory, members), f". Resume with: {resume_command(out)}"
    if trained.error is not None:
        raise TrainingError(f"{trained.error}. {out} keeps {kept}") from trained.error
    if trained.stopped_by is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is saved: one more Ctrl-C has nothing to say
        member = f" of model {run.member} of {members}" if members > 1 else ""
        place = f"stopped at step {run.position.steps:,}{member}"
        errors.print(f"{place}; {out} keeps {kept}{'' if directory.claim.beside_older else go_on}")
        raise typer.Exit(128 + trained.stopped_by)
    if run.out_of_patience and members == 1:
        tell(f"stopped early: no improvement for {run.config.training.patience} epochs")
    saved = f"Model of the best epoch ({best.epoch})" if best and best is not run.history[-1] else "Model"
    saved = "Ensemble" if members > 1 else saved
    stdout.print(f"{saved} saved to {out}. Try: {example_command(out, run.validation)}")
