"""Arguments and options that several commands have."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from doldari.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from doldari.data.formats import Format, Reading
    from doldari.inference.predictor import Predictor

DATA = (
    "A file of pairs: source TAB target a line, CSV, or JSON lines, compressed or not, - for stdin; or two parallel "
    "files, sources and targets line by line; or a task: addition, copy, dates, reverse, or chapter (addition as in "
    "the book's file)."
)
DataArgument = Annotated[list[str], typer.Argument(metavar="DATA", help=DATA)]
OptionalDataArgument = Annotated[list[str] | None, typer.Argument(metavar="DATA", help=DATA)]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A run's directory, or the model file in it.")]
CountOption = Annotated[
    int | None,
    typer.Option(
        metavar="N", help="How many different pairs; of a built-in task.", show_default="50,000, of addition 140,000"
    ),
]
DigitsOption = Annotated[
    int | None, typer.Option(metavar="N", help="The most a number has; of the task addition.", show_default="3")
]


def column(text: str | None) -> str | None:
    """Refuse a column 0."""
    if text is not None and text.isdecimal() and int(text) < 1:
        raise typer.BadParameter(f"{text} is not in the range x>=1")
    return text


SourceColumnOption = Annotated[
    str | None,
    typer.Option(
        callback=column, metavar="COLUMN", help="The sources: a number, or a name.", show_default="1, source"
    ),
]
TargetColumnOption = Annotated[
    str | None,
    typer.Option(
        callback=column, metavar="COLUMN", help="The targets: a number, or a name.", show_default="2, target"
    ),
]
FeaturesColumnOption = Annotated[
    str | None,
    typer.Option(
        callback=column,
        metavar="COLUMN",
        help="The column of the sources' features, such as V;PST, which become symbols of their own kind.",
        show_default="none; for a model with features 3",
    ),
]
FormatOption = Annotated[
    Literal["tsv", "csv", "jsonl", "chapter"] | None,
    typer.Option(
        help="Format of DATA. tsv: columns with tabs between them; csv: with commas, quoted; jsonl: a JSON object a "
        "line; chapter: question_answer, padded with blanks.  Columns that are chosen by name have their names in "
        "the first row, or in each JSON object.",
        show_default="by the file's name",
    ),
]
UnknownOption = Annotated[
    Literal["error", "unknown", "copy"],
    typer.Option(
        help="Symbols never seen in training are refused, or let through as unknown, "
        "or also copied: the first stands for the first unknown symbol of the answer, and so on."
    ),
]
BeamOption = Annotated[
    int, typer.Option(metavar="N", help="Follow so many answers at a time, not only the likeliest (beam search).")
]
EngineOption = Annotated[
    Literal["numpy", "torch"], typer.Option(help="What computes: numpy, or torch (PyTorch), which has GPUs.")
]
DeviceOption = Annotated[str, typer.Option(help="Where torch computes: auto, cpu, cuda, cuda:1, mps.")]
MaxLengthOption = Annotated[
    int | None,
    typer.Option(
        metavar="N",
        help="Maximum length of an answer, in its symbols.",
        show_default="twice that of training, more for longer sources",
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in the directory.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings to start from, as a run's config.toml.")
]


def unknown_hint(predictor: "Predictor", source: str) -> str:
    """Say how symbols never seen in training are let through, where the model can do with a source that has them."""
    if not predictor.knows(source):
        return ""
    copy = ", or --unknown copy" if predictor.text_model.copies else ""
    return f"; let such symbols through with --unknown unknown{copy}"


def features_column_of(predictor: "Predictor", model: Path, given: str | None) -> str | None:
    """Take the features' column that was given, or of a model with features the third; refuse one without."""
    has_features = bool(predictor.text_model.source.features)
    if given and not has_features:
        raise ConfigError(f"--features-column {given}: {model} was trained without features")
    return given or ("3" if has_features else None)


def reading_of(
    source: str | None,
    target: str | None,
    features: str | None,
    format: "Format | None",
    count: int | None = None,
    digits: int | None = None,
) -> "Reading":
    """Say how data are read, as the options have it."""
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
