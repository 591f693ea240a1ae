"""Reading the pairs to evaluate or calibrate a model with, by the columns and sizes of its training."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

from doldari.cli.arguments import features_column_of, reading_of
from doldari.cli.console import working

if TYPE_CHECKING:
    from doldari.data.formats import Format, Reading
    from doldari.data.pairs import Pairs
    from doldari.inference.predictor import Predictor


def reading_for(
    predictor: "Predictor",
    model: Path,
    data: list[str],
    columns: tuple[str | None, str | None, str | None],
    format: "Format | None",
    count: int | None = None,
    digits: int | None = None,
) -> "Reading":
    """Return how to read data for a model, given the options: columns are those of source, target and features."""
    from doldari.data import TASKS

    source, target, features = columns
    features = features_column_of(predictor, model, features)
    reading = reading_of(source, target, features, format, count, digits)
    return sized_as_in_training(model, data[0], reading) if data[0] in TASKS else reading


def read_shown(data: list[str], reading: "Reading | None" = None, *, unseen: bool = False) -> "Pairs":
    """Read pairs as `load_pairs` does, and show that on a terminal if it takes long."""
    from doldari.data import load_pairs

    with working(f"reading {' and '.join(data)}"):
        return load_pairs(data, reading, unseen=unseen)


def sized_as_in_training(model: Path, task: str, reading: "Reading") -> "Reading":
    """Take count and digits of a built-in task from the run, if it was trained on that task and none were given."""
    from doldari.report.record import read_json
    from doldari.run_files import RECORD_FILE

    if (reading.count, reading.digits) != (None, None):
        return reading
    trained = read_json((model if model.is_dir() else model.parent) / RECORD_FILE).part("reading")
    if trained.text("data") != task:
        return reading
    return dataclasses.replace(reading, count=trained.count("count"), digits=trained.count("digits"))


def is_training_data(model: Path, pairs: "Pairs") -> bool:
    """Return whether pairs come from the very file that the model's run was trained on."""
    from doldari.report.record import read_run
    from doldari.training.data import origin_of

    trained = read_run(model).data("training").text("sha256")
    return trained is not None and trained == origin_of(pairs).sha256
