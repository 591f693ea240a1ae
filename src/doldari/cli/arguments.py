"""Arguments and options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from doldari.cli.console import warn
from doldari.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doldari.data.formats import Format, Reading
    from doldari.inference.predictor import Predictor

DATA = (
    "File of pairs (TSV: source TAB target; CSV; JSON lines; Parquet; may be compressed; - for stdin), two parallel "
    "files (sources, targets), or a built-in task: addition, copy, dates, reverse, chapter."
)
DataArgument = Annotated[list[str], typer.Argument(metavar="DATA", help=DATA)]
OptionalDataArgument = Annotated[list[str] | None, typer.Argument(metavar="DATA", help=DATA)]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="Run directory, or model file.")]
CountOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Number of pairs of a built-in task.",
        show_default="50,000; addition: 218,000",
        rich_help_panel="Data",
    ),
]
DigitsOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Maximum digits of a number (task addition).",
        show_default="3",
        rich_help_panel="Data",
        hidden=True,
    ),
]


def column(text: str | None) -> str | None:
    """Refuse a column 0."""
    if text is not None and text.isdecimal() and int(text) < 1:
        raise typer.BadParameter(f"{text}: columns are numbered from 1")
    return text


SourceColumnOption = Annotated[
    str | None,
    typer.Option(
        callback=column,
        metavar="COLUMN",
        help="Column of the sources: number or name.",
        show_default="1, or source",
        rich_help_panel="Data",
    ),
]
TargetColumnOption = Annotated[
    str | None,
    typer.Option(
        callback=column,
        metavar="COLUMN",
        help="Column of the targets: number or name.",
        show_default="2, or target",
        rich_help_panel="Data",
    ),
]
FeaturesColumnOption = Annotated[
    str | None,
    typer.Option(
        callback=column,
        metavar="COLUMN",
        help="Column of source features such as V;PST, each of which becomes a symbol of its own.",
        rich_help_panel="Data",
        hidden=True,
    ),
]
FormatOption = Annotated[
    Literal["tsv", "csv", "jsonl", "chapter", "parquet", "arrow"] | None,
    typer.Option(
        metavar="tsv|csv|jsonl|chapter|parquet|arrow",
        help="Format of DATA. tsv: tab-separated; csv: comma-separated, quoted; jsonl: one JSON object per line; "
        "chapter: fixed width, such as 16+75_91; parquet, arrow: tables with named columns.",
        show_default="from the file name",
        rich_help_panel="Data",
        hidden=True,
    ),
]
UnknownOption = Annotated[
    Literal["error", "unknown", "copy"],
    typer.Option(
        metavar="error|unknown|copy",
        help="Symbols never seen in training. error: refuse the text; unknown: map them to unknown, which a decoder "
        "that copies copies; copy: also copy them into the prediction in place of unknown symbols, in order.",
    ),
]
BeamOption = Annotated[int, typer.Option("--beam-size", "--beam", metavar="N", help="Beam size; 1 is greedy.")]
VoteOption = Annotated[
    Literal["log-probability", "majority"] | None,
    typer.Option(
        metavar="log-probability|majority",
        help="How an ensemble of different kinds of models chooses an output: highest mean log-probability, or the "
        "best output of most members.",
        show_default="as in the model",
    ),
]
OverwriteOption = Annotated[
    bool,
    typer.Option("--overwrite", help="Replace the run in the output directory.", rich_help_panel="Output"),
]
EngineOption = Annotated[
    Literal["numpy", "torch"],
    typer.Option(metavar="numpy|torch", help="Compute engine: numpy (CPU), or torch (PyTorch; GPUs)."),
]
DeviceOption = Annotated[
    str, typer.Option(metavar="DEVICE", help="Device of engine torch: auto, cpu, cuda, cuda:1, mps.")
]
MaxLengthOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Maximum output length in symbols.",
        show_default="twice that of training, more for longer sources",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE.toml",
        help="Settings file to start from, such as a run's config.toml.",
        rich_help_panel="Training",
        hidden=True,
    ),
]


def unknown_hint(predictor: "Predictor", source: str) -> str:
    """Suggest an option for symbols never seen in training, where the source has others too."""
    if not predictor.knows(source):
        return ""
    model = predictor.text_model
    if model.copies_unknown:
        return "; let such symbols through with --unknown copy"
    copy = ", or --unknown copy" if model.copies else ""
    return f"; let such symbols through with --unknown unknown{copy}"


def warn_of_copy(predictor: "Predictor", unknown: str) -> None:
    """Warn if symbols are to be copied by a model that has not learned where to."""
    if unknown == "copy" and not predictor.text_model.copies:
        warn("--unknown copy: no training target of this model had an unknown symbol, so nothing can be copied")


def features_column_of(predictor: "Predictor", model: Path, given: str | None) -> str | None:
    """Return the features' column: as given, or column 3 for a model with features; ConfigError without features."""
    has_features = bool(predictor.text_model.source.features)
    if given and not has_features:
        raise ConfigError(f"--features-column {given}: {model} has no features")
    return given or ("3" if has_features else None)


def reading_of(
    source: str | None,
    target: str | None,
    features: str | None,
    format: "Format | None",
    count: int | None = None,
    digits: int | None = None,
) -> "Reading":
    """Return how data are read, given the options."""
    from doldari.data.formats import Reading, choose_columns

    columns = [int(one) if one is not None and one.isdecimal() else one for one in (source, target, features)]
    return Reading(choose_columns(*columns), format, count, digits)


def run_name(data: "Sequence[str]") -> str:
    """Name a run after its data: `words` of words.tsv.gz, and `train` of train.de and train.en."""
    from doldari.data.formats import PACKED

    name = Path(data[0]).name
    for ending in PACKED:
        name = name.removesuffix(ending)
    return "stdin" if name == "-" else Path(name).stem
