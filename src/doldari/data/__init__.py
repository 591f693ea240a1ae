"""Text in, arrays out."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from doldari.data.addition import addition_pairs
from doldari.data.copying import copy_pairs, reverse_pairs
from doldari.data.dates import date_pairs
from doldari.data.formats import Reading, read_pairs, read_parallel
from doldari.data.opening import printable_name
from doldari.data.pairs import Pair, Pairs
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


def load_pairs(data: str | Sequence[str], reading: Reading | None = None) -> Pairs:
    """Read the pairs of a file, of `-` (standard input), or of two parallel files; or make those of a built-in task.

    The latter is what the name of a task asks for.  DataError and ConfigError where that cannot be.
    """
    names = [data] if isinstance(data, str) else list(data)
    how = reading or Reading()
    if len(names) > 2:
        raise ConfigError(f"{len(names)} files: give one of pairs, or two parallel ones, of sources and of targets")
    if names[0] in TASKS and len(names) == 1:
        for what, chosen in (("columns", how.columns), ("format", how.format)):
            if chosen is not None:
                raise ConfigError(f"{names[0]}: a built-in task, which has no {what} to choose")
        return Pairs.of(task_pairs(names[0], how.count, how.digits), names[0])
    for name in names:
        require_file(name)
    for setting, number in (("count", how.count), ("digits", how.digits)):
        if number is not None:
            raise ConfigError(f"{setting}={number}: only a built-in task has it, not the file {names[0]}")
    if len(names) == 1:
        return read_pairs(Path(names[0]), how.columns, how.format)
    if how.columns is not None or how.format is not None:
        raise ConfigError(f"{' and '.join(names)}: parallel files have no columns and no format to choose")
    return read_parallel(Path(names[0]), Path(names[1]))


def require_file(name: str) -> None:
    """Refuse a name that is of no file, with the built-in task that may have been meant."""
    if name != "-" and not Path(name).exists():
        nearest = difflib.get_close_matches(name, TASKS, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        what = f"no such file, and no built-in task of that name (known: {', '.join(TASKS)}){hint}"
        raise DataError(f"{printable_name(name)}: {what}")
