"""evaluate and score read a file by the columns that the model was trained on."""

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from doldari.data import TASKS
from doldari.data.formats import format_of
from doldari.errors import DataError, DoldariError
from doldari.run_files import RECORD_FILE

OPTIONS = ("source_column", "target_column", "features_column")


@contextmanager
def columns_of_model(parameters: dict[str, Any]) -> Iterator[None]:
    """Fill in the columns of the model's run if a command reads data and no columns were given.

    Where the data do not fit them, the error also says which they are.
    """
    taken = {}
    asks = isinstance(parameters.get("model"), Path) and {"data", *OPTIONS} <= parameters.keys()
    if asks and not any(parameters[name] for name in OPTIONS):
        taken = recorded(parameters["model"], parameters["data"])
        if parameters["format"] is not None:
            taken.pop("format", None)
    parameters |= taken
    try:
        yield
    except DoldariError as error:
        if not taken or not any(name in str(error) for name in parameters["data"]):
            raise
        options = [word for name, value in taken.items() for word in (f"--{name.replace('_', '-')}", value)]
        raise DataError(f"{error}; read as in training: {shlex.join(options)}") from error


def recorded(model: Path, data: list[str]) -> dict[str, str]:
    """Return the columns and the format of a run's data, as far as they apply to these data."""
    if len(data) > 1 or data[0] in TASKS:
        return {}
    try:
        record = json.loads(((model if model.is_dir() else model.parent) / RECORD_FILE).read_bytes())
        columns, format = record["reading"]["columns"], record["reading"].get("format")
        found = {name: str(column) for name, column in zip(OPTIONS, columns or (), strict=False) if column}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # no record, or not one that doldari writes
        return {}
    return found | ({"format": str(format)} if format and format_of(Path(data[0])) is None else {})
