"""doldari compare: the chapter's kinds of model; settings and recipes on one file; or finished runs."""

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from doldari.cli.arguments import (
    BeamOption,
    FeaturesColumnOption,
    FormatOption,
    OverwriteOption,
    SourceColumnOption,
    TargetColumnOption,
    reading_of,
    run_name,
)
from doldari.cli.console import errors, stdout, tell
from doldari.cli.settings import with_settings
from doldari.cli.training import train_shown
from doldari.errors import ConfigError

if TYPE_CHECKING:
    from doldari.data.formats import Reading


@with_settings
def compare(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA|RUN...",
            help="File of pairs, two parallel files or a built-in task, as for doldari train; or finished runs.",
        ),
    ],
    vary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=A,B",
            help="A setting and its values, such as decoder=attention,peeky or recipe=g2p,general; may be repeated.",
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", min=1, help="Number of seeds of each model.")] = None,
    recipe: Annotated[str | None, typer.Option(metavar="NAME", help="Recipe of all models.")] = None,
    validation: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Validation pairs; give it twice for two parallel files."),
    ] = None,
    test: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE",
            help="Pairs to compare on; give it twice for two parallel files.",
            show_default="the validation pairs",
        ),
    ] = None,
    beam: BeamOption = 1,
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
    **settings: Any,
) -> None:
    """Compare settings, recipes, finished runs, or kinds of model.

    doldari compare pairs.tsv --vary decoder=attention,peeky --seeds 3 trains every combination with every seed, and
    prints mean accuracy, standard deviation over seeds, 95 % bootstrap interval, and p of the best one being better
    (paired bootstrap over the same examples, Koehn 2004).  Runs are kept in the output directory: repeated, the
    command trains only what is not finished.  All options of doldari train are accepted, and are the same for all.

    doldari compare RUN RUN ... compares finished runs likewise.

    Without --vary and --seeds, it trains the book chapter's plain, reversed (source sequences) and reversed + peeky
    models, and reversed + attention, and plots their accuracies; 25 epochs for addition, otherwise 5.  For addition,
    the pairs are those of the chapter (doldari generate chapter).
    """
    from doldari.cli.comparison import compare_runs, compare_variants
    from doldari.training.plan import Request

    reading = reading_of(source_column, target_column, features_column, format)
    given = {name: value for name, value in settings.items() if value is not None}
    runs = [Path(name) for name in data]
    if all(is_model(path) for path in runs):
        for name, value in ({"recipe": recipe, "vary": vary, "seeds": seeds} | given).items():
            if value is not None:
                raise ConfigError(
                    f"{{{name}}}: not for finished runs, which are compared as they are", **{name: None}
                )
        compare_runs(
            runs, test, reading, beam, out or Path("runs") / f"compare-{'-'.join(r.name for r in runs)}"[:80]
        )
        return
    out = Path("runs") / f"compare-{run_name(data)}" if out is None else out
    if all(option is None for option in (vary, seeds, recipe, validation, test)):
        compare_four(data, given, reading, out, overwrite)
        return
    request = Request(
        command=["doldari", *sys.argv[1:]],
        data=data,
        validation=validation,
        reading=reading,
        recipe=recipe,
        settings=given,
        out=out,
        overwrite=overwrite,
    )
    compare_variants(request, vary or [], seeds or 1, test, beam)


def is_model(path: Path) -> bool:
    """Tell whether a path is a run's directory or a model file."""
    return path.is_dir() or path.suffix == ".safetensors"


def compare_four(data: list[str], given: dict[str, Any], reading: "Reading", out: Path, overwrite: bool) -> None:
    """Train the chapter's four kinds of model and plot their accuracies."""
    from doldari.data.opening import printable_name
    from doldari.report.curves import draw_accuracy
    from doldari.run_files import PICTURE_FILE
    from doldari.training.data import read_training_data
    from doldari.training.directory import claim
    from doldari.training.observer import Stop
    from doldari.training.plan import Plan, choose_settings

    name = run_name(data)
    variants = {
        "plain": {"reverse": False, "decoder": "plain"},
        "reversed": {"reverse": True, "decoder": "plain"},
        "reversed + peeky": {"reverse": True, "decoder": "peeky"},
        "reversed + attention": {"reverse": True, "decoder": "attention"},
    }
    chapter = {"epochs": 25 if data in (["addition"], ["chapter"]) else 5} | given
    settings = choose_settings(data, "chapter", None, chapter)
    places = {variant: variant.replace(" + ", "-") for variant in variants}
    curves, stop = {}, Stop()
    with claim(out, overwrite=overwrite, parts=tuple(places.values())) as directory:
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
