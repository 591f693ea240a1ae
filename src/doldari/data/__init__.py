"""Text in, arrays out."""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from doldari.data.addition import addition_pairs, sums
from doldari.data.dates import date_pairs
from doldari.data.formats import Reading, read_pairs, read_parallel
from doldari.data.opening import printable_name
from doldari.data.pairs import Pair, Pairs
from doldari.data.string_tasks import copied_rows, reversed_rows
from doldari.errors import ConfigError, DataError


class Task(NamedTuple):
    """A built-in task: the function that generates its pairs, and their default number."""

    make: Callable[..., Iterable[Pair]]  # (count, seed=...), (count, digits=..., seed=...)
    usual: int = 50_000
    has_digits: bool = False


TASKS = {
    "addition": Task(sums, 218_000, has_digits=True),
    "copy": Task(copied_rows),
    "dates": Task(date_pairs),
    "reverse": Task(reversed_rows),
    "chapter": Task(addition_pairs, has_digits=True),
}


def task_pairs(
    task: str, count: int | None = None, digits: int | None = None, seed: int = 0, *, unseen: bool = False
) -> Iterator[Pair]:
    """Generate `count` pairs of a built-in task, with numbers of at most `digits` digits; None is the task's default.

    unseen: the pairs that follow and are not among these, a tenth as many, which no training has seen.  ConfigError
    where there are not that many, or the task has no digits.
    """
    make, usual, has_digits = TASKS[task]
    if digits is not None and not has_digits:
        raise ConfigError(f"{{digits}}: the task {task} has no digits", digits=digits)
    size = {"seed": seed} if digits is None else {"seed": seed, "digits": digits}
    count = usual if count is None else count
    pairs = make(count, **size)
    if not unseen:
        return iter(pairs)
    try:
        return iter(make(max(1, count // 10), **size, after=count))
    except ConfigError as error:
        raise ConfigError(f"{{count}}: leaves too few other pairs of {task} to evaluate with", count=count) from error


def load_pairs(data: str | Sequence[str], reading: Reading | None = None, *, unseen: bool = False) -> Pairs:
    """Read the pairs of a file, of `-` (standard input), or of two parallel files; or generate those of a task.

    `unseen` is as in `task_pairs`.  DataError or ConfigError where that fails.
    """
    names = [data] if isinstance(data, str) else list(data)
    how = reading or Reading()
    if len(names) > 2:
        raise ConfigError(f"{len(names)} files: give one file of pairs, or two parallel files, sources and targets")
    if names[0] in TASKS and len(names) == 1:
        for what, chosen in (("columns", how.columns), ("format", how.format)):
            if chosen is not None:
                raise ConfigError(f"{names[0]}: a built-in task; it has no {what} to choose")
        return Pairs.of(task_pairs(names[0], how.count, how.digits, unseen=unseen), names[0])
    if names.count("-") > 1:
        raise DataError("-: standard input can be only one of the two files")
    for name in names:
        require_file(name)
    for setting, number in (("count", how.count), ("digits", how.digits)):
        if number is not None:
            raise ConfigError(f"{{{setting}}}: only for built-in tasks, not for files", **{setting: number})
    if len(names) == 1:
        return read_pairs(Path(names[0]), how.columns, how.format)
    if how.columns is not None or how.format is not None:
        raise ConfigError(f"{' and '.join(names)}: parallel files have no columns or format to choose")
    return read_parallel(Path(names[0]), Path(names[1]))


def require_file(name: str) -> None:
    """Raise DataError for a file that does not exist, and suggest a built-in task with a similar name."""
    if name != "-" and not Path(name).exists():
        nearest = difflib.get_close_matches(name, TASKS, 1)
        hint = f"; did you mean {nearest[0]}?" if nearest else ""
        what = f"no such file or built-in task (tasks: {', '.join(TASKS)}){hint}"
        raise DataError(f"{printable_name(name)}: {what}")
