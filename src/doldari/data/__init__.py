"""Text in, arrays out."""

import difflib
from pathlib import Path
from typing import Protocol

from doldari.data.addition import addition_pairs
from doldari.data.copying import copy_pairs, reverse_pairs
from doldari.data.dates import date_pairs
from doldari.data.pairs import Columns, Pair, read_lines, read_pairs
from doldari.errors import ConfigError, DataError


class Task(Protocol):
    """Makes the pairs of a built-in task."""

    def __call__(self, count: int = ..., *, seed: int = ...) -> list[Pair]:
        """Make `count` different pairs."""


TASKS: dict[str, Task] = {
    "addition": addition_pairs,
    "copy": copy_pairs,
    "dates": date_pairs,
    "reverse": reverse_pairs,
}


def task_pairs(task: str, count: int | None = None, digits: int | None = None, seed: int = 0) -> list[Pair]:
    """Make the pairs of a built-in task: `count` of them, with numbers of at most `digits` digits.

    None is as the task has it.  Raises ConfigError where it cannot make so many, or has no digits.
    """
    size = {} if count is None else {"count": count}
    if digits is None:
        return TASKS[task](**size, seed=seed)
    if task != "addition":
        raise ConfigError(f"digits={digits}: {task} has none")
    return addition_pairs(**size, digits=digits, seed=seed)


def load_pairs(
    data: str, columns: Columns | None = None, count: int | None = None, digits: int | None = None
) -> list[Pair]:
    """Read the pairs of a file; or, if `data` is the name of a built-in task, make its pairs as `task_pairs` does."""
    if data in TASKS and columns is not None:
        raise ConfigError(f"{data}: a built-in task, which has no columns to choose from")
    if data in TASKS:
        return task_pairs(data, count, digits)
    path = Path(data)
    if not path.exists():
        nearest = difflib.get_close_matches(data, TASKS, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        raise DataError(f"{data}: no such file, and no built-in task of that name (known: {', '.join(TASKS)}){hint}")
    for name, value in (("count", count), ("digits", digits)):
        if value is not None:
            raise ConfigError(f"{name}={value}: only a built-in task has it, not the file {data}")
    return read_pairs(path, columns)


def place(data: str, index: int) -> str:
    """Say where the pair of that index, from 0, stands: `pairs.tsv:3`, or just the name of a built-in task."""
    if data in TASKS:
        return data
    number = [number for number, _ in read_lines(Path(data))][index]
    return f"{data}:{number}"
