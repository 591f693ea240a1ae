"""doldari train and doldari compare."""

import signal
from collections.abc import Sequence
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
    OverwriteOption,
    SourceColumnOption,
    TargetColumnOption,
    choose_columns,
    load_split,
)
from doldari.cli.console import stderr, stdout, warn
from doldari.cli.describing import asking, describe
from doldari.cli.settings import with_settings
from doldari.errors import ConfigError, DataError, TrainingError
from doldari.recipes import RECIPES, load_recipe

if TYPE_CHECKING:
    from doldari.config import Config
    from doldari.data.pairs import Pair
    from doldari.training.run import Run


@with_settings
def train(
    data: DataArgument,
    out: Annotated[Path | None, typer.Option(help="The run's directory.", show_default="runs/NAME")] = None,
    validation: Annotated[
        Path | None, typer.Option(help="A file of pairs to validate with.", show_default="a tenth of DATA")
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
    count: CountOption = None,
    digits: DigitsOption = None,
    overwrite: OverwriteOption = False,
    **settings: Any,
) -> None:
    """Train a model: `doldari train addition`, or `doldari train pairs.tsv`.

    After every epoch are printed the training loss, the validation loss and the accuracy, the share of validation
    sources answered exactly; a star marks the best so far.  The run's directory then holds the best epoch's model,
    its settings (config.toml), history.jsonl and the picture accuracy.png.  Ctrl-C stops and keeps the best so far.
    """
    from doldari.data import load_pairs
    from doldari.data.leaks import find_leaks
    from doldari.data.pairs import read_pairs
    from doldari.training.ensemble import member_configs
    from doldari.training.run import Run, claim

    chosen = configure(data, recipe, config, **settings)
    name = Path(data).stem
    out = Path("runs") / name if out is None else out
    columns = choose_columns(source_column, target_column, features_column)
    if validation is None:
        training, held_out = load_split(data, columns, count, digits)
    else:
        training, held_out = load_pairs(data, columns, count, digits), read_pairs(validation, columns)
        same = len(find_leaks(training, held_out).pairs)
        if same:
            warn(f"{same:,} of the pairs to validate with are trained on too")
    configs = list(member_configs(chosen))
    run = Run.prepare(configs[0], training, held_out)
    if validation is not None and not run.spelled:
        raise DataError(
            f"{validation}: every pair has symbols never seen in training ({len(held_out):,} pairs); "
            "validate with pairs like those trained on"
        )
    claim(out, chosen, overwrite)
    if len(configs) > 1:
        return train_ensemble(run, configs, training, held_out, out, overwrite)
    describe(run)
    stopped_by = train_and_draw(run, out, name)
    conclude(run, out, stopped_by)


def train_ensemble(
    run: "Run",
    configs: "Sequence[Config]",
    training: "list[Pair]",
    held_out: "list[Pair]",
    out: Path,
    overwrite: bool,
) -> None:
    """Train members of these settings one after the other, each in a directory of its own, and join them in `out`.

    run is the first member, prepared.
    """
    from doldari.inference.metrics import evaluate
    from doldari.inference.predictor import MODEL_FILE
    from doldari.training.ensemble import join
    from doldari.training.run import Run, claim

    runs: list[Run] = []
    stopped_by = None
    for number, settings in enumerate(configs, start=1):
        directory = out / f"member-{number}"
        claim(directory, settings, overwrite)
        if number == 1:
            describe(run)
        else:
            run = Run.prepare(settings, training, held_out)
        stdout.print(Text(f"model {number} of {len(configs)}", "bold"))
        stopped_by = train_and_draw(run, directory, directory.name)
        if run.best is not None or not runs:
            runs.append(run)
            join(runs).save(out / MODEL_FILE)  # now, so that whatever happens to the next loses none
        if stopped_by is not None:
            break
    if len(runs) > 1:
        evaluation = evaluate(join(runs), held_out, unknown="unknown")
        stdout.print(f"all {len(runs)} together: accuracy", Text(f"{evaluation.accuracy:.2%}", "bold"))
    if stopped_by is not None:
        stderr.print(f"stopped; in {out} is a model of as many members as there are: {len(runs)}")
        raise typer.Exit(128 + stopped_by)
    stdout.print(f"{out} holds the model; ask it: {asking(out, held_out)}")


def conclude(run: "Run", out: Path, stopped_by: int | None) -> None:
    """Say which model a run has left, and how to ask it; exit with the status of the signal that stopped it."""
    best = run.best
    if stopped_by is not None:
        kept = "the model as it stands" if best is None else f"the model of epoch {best.epoch}, the best so far,"
        stderr.print(f"stopped at step {run.trainer.steps:,}; {kept} is in {out}")
        raise typer.Exit(128 + stopped_by)
    if run.out_of_patience:
        stdout.print(f"stopped early: no better epoch in {run.config.training.patience}")
    kept = f"the model of epoch {best.epoch}, the best" if best and best is not run.history[-1] else "the model"
    stdout.print(f"{out} holds {kept}; ask it: {asking(out, run.validation)}")


def configure(data: str, recipe: str | None, path: Path | None, **options: Any) -> "Config":
    """Take the settings of a recipe or a file, or those that suit the data, and change what was given as options."""
    from doldari.config import Config

    if recipe is not None and path is not None:
        raise ConfigError(f"recipe={recipe} and config={path}: give one of them")
    if path is not None:
        base = Config.from_toml(path)
    else:
        base = load_recipe(recipe or (data if data in RECIPES else "general"))
    return base.replace(**{name: value for name, value in options.items() if value is not None})


def train_and_draw(run: "Run", out: Path, title: str) -> int | None:
    """Train a run with everything shown, and draw its picture; return the signal that stopped it, if one did."""
    from doldari.display import TrainingDisplay, samples, stop_on_signals
    from doldari.report.curves import draw_accuracy
    from doldari.training.run import PICTURE_FILE
    from doldari.training.run import train as train_run

    def draw() -> None:
        if run.best is not None:
            curves = {title: [epoch.accuracy for epoch in run.history]}
            draw_accuracy(out / PICTURE_FILE, curves, title, best=run.best.epoch)

    with stop_on_signals() as stop:
        try:
            with TrainingDisplay(run, stop, stdout, stderr) as display:
                finished = train_run(run, out, display.after_step, display.after_epoch)
        except TrainingError as error:
            draw()
            kept = f"the model of epoch {run.best.epoch}" if run.best else "the untrained model"
            raise TrainingError(f"{error}. {out} keeps {kept}") from error
        except BrokenPipeError:  # whoever read the lines has gone
            draw()
            return signal.SIGPIPE
        draw()
    if display.evaluation is not None:
        stdout.print(samples(display.evaluation))
    return None if finished else stop.signal


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
    overwrite: OverwriteOption = False,
) -> None:
    """Train the chapter's models and one with attention, and draw their accuracies in one picture.

    The chapter's are plain, reversed (sources are read backwards), and reversed + peeky.
    """
    from doldari.report.curves import draw_accuracy
    from doldari.training.run import PICTURE_FILE, Run, claim

    name = Path(data).stem
    out = Path("runs") / f"compare-{name}" if out is None else out
    variants = {
        "plain": {"reverse": False, "decoder": "plain"},
        "reversed": {"reverse": True, "decoder": "plain"},
        "reversed + peeky": {"reverse": True, "decoder": "peeky"},
        "reversed + attention": {"reverse": True, "decoder": "attention"},
    }
    if epochs is None:
        epochs = 25 if data == "addition" else 5
    settings = configure(
        data, "chapter", None, epochs=epochs, learning_rate=learning_rate, schedule="constant", seed=seed
    )
    directories = {variant: out / variant.replace(" + ", "-") for variant in variants}
    training, held_out = load_split(data, choose_columns(source_column, target_column, features_column))
    configs = {variant: settings.replace(**changes) for variant, changes in variants.items()}
    for variant, directory in directories.items():
        claim(directory, configs[variant], overwrite)
    curves = {}
    for variant in variants:
        stdout.print(Text(variant, "bold"))
        run = Run.prepare(configs[variant], training, held_out)
        stopped_by = train_and_draw(run, directories[variant], variant)
        curves[variant] = [epoch.accuracy for epoch in run.history]
        draw_accuracy(out / PICTURE_FILE, curves, name)
        if stopped_by is not None:
            stderr.print(f"stopped; what there is, is in {out}")
            raise typer.Exit(128 + stopped_by)
    stdout.print(f"the curves are in {out / 'accuracy.png'}")
