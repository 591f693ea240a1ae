"""doldari compare."""

import signal
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from doldari.cli.arguments import (
    DataArgument,
    FeaturesColumnOption,
    FormatOption,
    OverwriteOption,
    SourceColumnOption,
    TargetColumnOption,
    reading_of,
    run_name,
)
from doldari.cli.console import errors, stdout, tell
from doldari.cli.training import train_shown


def compare(
    data: DataArgument,
    epochs: Annotated[
        int | None,
        typer.Option(metavar="N", help="Number of epochs.", show_default="25 for addition, otherwise 5"),
    ] = None,
    learning_rate: Annotated[
        float, typer.Option("--learning-rate", "--lr", metavar="X", help="Learning rate (constant).")
    ] = 1e-3,
    seed: Annotated[int, typer.Option(metavar="N", help="Random seed (initialisation and shuffling).")] = 0,
    source_column: SourceColumnOption = None,
    target_column: TargetColumnOption = None,
    features_column: FeaturesColumnOption = None,
    format: FormatOption = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Output directory.",
            show_default="runs/compare-NAME",
            rich_help_panel="Output",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Train four kinds of model and plot their accuracies.

    They are the book chapter's plain, reversed (source sequences) and reversed + peeky models, and reversed +
    attention.  For addition, the pairs are those of the chapter (doldari generate chapter).
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
                errors.print(f"stopped; the results so far are in {out}")
                raise typer.Exit(128 + stop.signal)
    stdout.print(f"Plot saved to {out / PICTURE_FILE}")
