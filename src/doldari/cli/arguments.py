"""Arguments and options that several commands have."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from doldari.errors import ConfigError, DataError

if TYPE_CHECKING:
    from doldari.data.formats import Columns
    from doldari.data.pairs import Pairs
    from doldari.inference.predictor import Predictor

UNKNOWN_HINT = "; let such symbols through with --unknown unknown, or --unknown copy"

DataArgument = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="A UTF-8 file with a pair a line, source TAB target, or other columns by option; "
        "or a task: addition, copy, dates, reverse.",
    ),
]
OptionalDataArgument = Annotated[str | None, *DataArgument.__metadata__]
ModelArgument = Annotated[Path, typer.Argument(metavar="MODEL", help="A run's directory, or the model file in it.")]
CountOption = Annotated[
    int | None, typer.Option(metavar="N", help="How many different pairs; of a built-in task.", show_default="50,000")
]
DigitsOption = Annotated[
    int | None, typer.Option(metavar="N", help="The most a number has; of the task addition.", show_default="3")
]
SourceColumnOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The column of the sources.", show_default="1")
]
TargetColumnOption = Annotated[
    int | None, typer.Option(min=1, metavar="N", help="The column of the targets.", show_default="2")
]
FeaturesColumnOption = Annotated[
    int | None,
    typer.Option(
        min=1,
        metavar="N",
        help="The column of the sources' features, such as V;PST, which become symbols of their own kind.",
        show_default="none; for a model with features 3",
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
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the run that is in the directory.")]
ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings to start from, as a run's config.toml.")
]


def features_column_of(predictor: "Predictor", model: Path, given: int | None) -> int | None:
    """Take the features' column that was given, or of a model with features the third; refuse one without."""
    has_features = bool(predictor.text_model.source.features)
    if given and not has_features:
        raise ConfigError(f"--features-column {given}: {model} was trained without features")
    return given or (3 if has_features else None)


def load_split(
    data: str, columns: "Columns | None" = None, count: int | None = None, digits: int | None = None
) -> "tuple[Pairs, Pairs]":
    """Load pairs, as `load_pairs`, and split them into those to train on and those to validate with."""
    from doldari.data import load_pairs
    from doldari.data.pairs import split_pairs

    pairs = load_pairs(data, columns, count, digits)
    try:
        return split_pairs(pairs)
    except DataError as error:
        raise DataError(f"{data}: {error}") from error
