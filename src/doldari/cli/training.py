"""doldari train and doldari compare."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from doldari.cli.arguments import (
    ConfigOption,
    CountOption,
    DataArgument,
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
from doldari.cli.console import UsageError, stderr, tell
from doldari.cli.describing import asking
from doldari.cli.settings import with_settings
from doldari.errors import ConfigError, TrainingError
from doldari.percent import percent
from doldari.recipes import RECIPES
from doldari.report.usage import resume_command
from doldari.torchrun import is_restarted, may_restart, rank

if TYPE_CHECKING:
    from doldari.training.directory import RunDirectory
    from doldari.training.observer import Stop
    from doldari.training.plan import Plan, Request
    from doldari.training.run import Run
    from doldari.training.train import Trained


@with_settings
def train(
    context: typer.Context,
    data: OptionalDataArgument = None,
    out: Annotated[Path | None, typer.Option(help="The run's directory.", show_default="runs/NAME")] = None,
    validation: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Pairs to validate with; given twice where they are two parallel files.",
            show_default="a tenth of DATA",
        ),
    ] = None,
    recipe: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"Settings known to do well for a kind of task: {', '.join(RECIPES)}.",
            show_default="the task's own, or general",
        ),
    ] = None,
    config: ConfigOption = None,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    format: FormatOption = None,
    count: CountOption = None,
    digits: DigitsOption = None,
    overwrite: OverwriteOption = False,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with a run that was stopped, with its data and settings; epochs, budget, patience and "
            "checkpoint-every may be given anew.",
        ),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option("--from", metavar="MODEL", help="Start from a model's weights, on new pairs (fine-tuning)."),
    ] = None,
    **settings: Any,
) -> None:
    """Train a model: `doldari train addition`, or `doldari train pairs.tsv`.

    After every epoch are printed the training loss, the validation loss and the accuracy, the share of validation
    sources answered exactly; a star marks the best so far.  The run's directory then holds the best epoch's model,
    its settings (config.toml), what it was made of (run.json), history.jsonl, a checkpoint, and the picture
    accuracy.png.  Ctrl-C stops and keeps the best so far; `doldari train --resume RUN` goes on.
    """
    from doldari.training.plan import Request

    request = Request(
        command=["doldari", *sys.argv[1:]],
        data=data or None,
        validation=validation,
        reading=reading_of(source_column, target_column, features_column, format, count, digits),
        settings={name: value for name, value in settings.items() if value is not None},
        recipe=recipe,
        config=config,
        start_from=start_from,
        out=out if out is not None or not data or resume is not None else Path("runs") / run_name(data),
        overwrite=overwrite,
        resume=resume,
    )
    if resume is None and not data:
        raise UsageError("Missing argument 'DATA'", ctx=context)
    if overwrite and may_restart():
        raise ConfigError("overwrite: not with torchrun --max-restarts; remove the older run, or give a new --out")
    train_and_tell(after_restart(request))


def after_restart(request: "Request") -> "Request":
    """Go on with the run that the same command has begun, if torchrun restarted the processes."""
    from doldari.training.directory import NoClaim, RunDirectory
    from doldari.training.plan import Request
    from doldari.training.record import read_record

    if not is_restarted() or request.out is None:
        return request
    record = read_record(RunDirectory(NoClaim(Path(request.out))))
    begun = record is not None and record.get("command") == request.command
    return Request(command=request.command, resume=request.out) if begun else request


def train_and_tell(request: "Request") -> None:
    """Train with everything shown, say what there is then and how to use it; exit with the status of a signal."""
    from doldari.training.observer import Stop
    from doldari.training.plan import planned

    with planned(request) as (plan, directory):
        trained = train_shown(plan, directory, Stop())
        if rank() == 0:  # of several processes the first alone says how it ended
            conclude(trained, directory, plan.config.model.ensemble)


def train_shown(plan: "Plan", directory: "RunDirectory", stop: "Stop") -> "Trained":
    """Train with everything shown."""
    from doldari.cli.watching import CommandLineDisplay
    from doldari.training.observer import Observer
    from doldari.training.train import train

    if rank() > 0:
        return train(plan, directory, Observer(), stop)
    with CommandLineDisplay(plan, stop) as display:
        trained = train(plan, directory, display, stop)
    if not display.has_begun:
        tell(f"nothing left to train: {why_over(trained.last)}")
    return trained


def why_over(run: "Run") -> str:
    """Say what ended a run that is resumed, and how it can be made longer."""
    settings = run.config.training
    if run.out_of_patience:
        return (
            f"no better epoch in {settings.patience} ended it at epoch {len(run.history)}; "
            "give more with --patience, or 0"
        )
    if settings.budget is not None:
        return f"its budget of {settings.budget} is spent; give more with --budget"
    return f"all {run.epochs} epochs are done; give more with --epochs"


def conclude(trained: "Trained", directory: "RunDirectory", members: int) -> None:
    """Say which model there is, and how to ask it."""
    run, out = trained.last, directory.shown
    best = run.best
    if trained.together is not None:
        tell(f"all {len(trained.runs)} together: accuracy", Text(percent(trained.together), "bold"))
    kept, go_on = kept_model(trained, directory, members), f"; go on: {resume_command(out)}"
    if trained.error is not None:
        raise TrainingError(f"{trained.error}. {out} keeps {kept}") from trained.error
    if trained.stopped_by is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is saved: one more Ctrl-C has nothing to say
        member = f" of model {run.member} of {members}" if members > 1 else ""
        place = f"stopped at step {run.position.steps:,}{member}"
        stderr.print(f"{place}; {kept} is in {out}{'' if directory.claim.beside_older else go_on}")
        raise typer.Exit(128 + trained.stopped_by)
    if members > 1:
        tell(f"{out} holds the model; ask it: {asking(out, run.validation)}")
        return
    if run.out_of_patience:
        tell(f"stopped early: no better epoch in {run.config.training.patience}")
    kept = f"the model of epoch {best.epoch}, the best" if best and best is not run.history[-1] else "the model"
    tell(f"{out} holds {kept}; ask it: {asking(out, run.validation)}")


def kept_model(trained: "Trained", directory: "RunDirectory", members: int) -> str:
    """Say which model a training that was stopped, or failed, leaves in its directory."""
    best = trained.last.best
    if directory.claim.beside_older:
        return "no epoch was done, and the run that was there before"
    if members > 1:
        return f"a model of the members that there are ({len(trained.runs)})"
    if best is None:
        return "the model as it stands" if trained.error is None else "the untrained model"
    return f"the model of epoch {best.epoch}" + ", the best so far," * (trained.error is None)


def compare(
    data: DataArgument,
    out: Annotated[Path | None, typer.Option(help="The directory.", show_default="runs/compare-NAME")] = None,
    epochs: Annotated[
        int | None,
        typer.Option(help="Passes over the training pairs.", show_default="25 of addition, otherwise 5"),
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="Constant, as in the chapter.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Of first weights and shuffling.")] = 0,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    format: FormatOption = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Train the chapter's models and one with attention, and draw their accuracies in one picture.

    The chapter's are plain, reversed (sources are read backwards), and reversed + peeky.  Of addition they learn the
    chapter's own questions, those of `doldari generate chapter`.
    """
    from doldari.data.opening import printable_name
    from doldari.report.curves import draw_accuracy
    from doldari.run_files import PICTURE_FILE
    from doldari.training.data import read_training_data
    from doldari.training.directory import claim
    from doldari.training.observer import Stop
    from doldari.training.plan import Plan, choose_settings

    name = run_name(data)
    out = Path("runs") / f"compare-{name}" if out is None else out
    variants = {
        "plain": {"reverse": False, "decoder": "plain"},
        "reversed": {"reverse": True, "decoder": "plain"},
        "reversed + peeky": {"reverse": True, "decoder": "peeky"},
        "reversed + attention": {"reverse": True, "decoder": "attention"},
    }
    if epochs is None:
        epochs = 25 if data in (["addition"], ["chapter"]) else 5
    chapter = {"epochs": epochs, "learning_rate": learning_rate, "schedule": "constant", "seed": seed}
    settings = choose_settings(data, "chapter", None, chapter)
    places = {variant: variant.replace(" + ", "-") for variant in variants}
    curves, stop = {}, Stop()
    with claim(out, overwrite=overwrite, parts=tuple(places.values())) as directory:
        reading = reading_of(source_column, target_column, features_column, format)
        texts = read_training_data(["chapter"] if data == ["addition"] else data, None, reading)
        for variant, changes in variants.items():
            tell(Text(variant, "bold"))
            plan = Plan(settings.replace(**changes), texts, ["doldari", *sys.argv[1:]])
            trained = train_shown(plan, directory.part(places[variant]), stop)
            curves[variant] = [epoch.accuracy for epoch in trained.runs[0].history]
            draw_accuracy(directory.path / PICTURE_FILE, curves, printable_name(name))
            if trained.error is not None:
                raise trained.error
            if stop.signal is not None:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                stderr.print(f"stopped; what there is, is in {out}")
                raise typer.Exit(128 + stop.signal)
    tell(f"the curves are in {out / PICTURE_FILE}")
