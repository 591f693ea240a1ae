"""Output of the commands: results on stdout; progress, warnings and errors on stderr."""

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Timer
from typing import cast

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from doldari.torchrun import rank, world_size

PATIENCE = 2.0  # seconds before progress is shown
# The base of usage errors, in Typer or in Click depending on the version.
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__base__)


class Results(Console):
    """A console that raises BrokenPipeError when its reader is gone, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError."""
        try:
            super().on_broken_pipe()
        except SystemExit as ended:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from ended


# Much of what is printed is the user's own text, so markup is not interpreted.
stdout = Results(highlight=False, soft_wrap=True, markup=False, emoji=False)
stderr = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)  # news and warnings
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def quieten(quiet: bool) -> None:
    """Turn progress, tips and warnings off or on."""
    stderr.quiet = quiet


@contextmanager
def working(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error, if it is a terminal, for work that takes longer than two seconds.

    Yields a function to call with the number of items done; with a total, the time left is shown.
    """
    if not stderr.is_terminal:
        yield lambda done: None
        return
    known = (
        (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()) if total is not None else (TimeElapsedColumn(),)
    )
    bar = Progress(SpinnerColumn(), TextColumn("{task.description}"), *known, console=stderr, transient=True)
    task = bar.add_task(what, total=total)
    timer = Timer(PATIENCE, bar.start)
    timer.start()
    try:
        yield lambda done: bar.update(task, completed=done)
    finally:
        timer.cancel()
        timer.join()
        bar.stop()


@contextmanager
def counting(progress: Console, results: Console | None, what: str = "predicted") -> Iterator[Callable[[int], None]]:
    """Show the number of items done, on a terminal that does not show the results; results None go to a file."""
    if not progress.is_terminal or (results is not None and results.is_terminal):
        yield lambda done: None
        return
    columns = TextColumn(f"{{task.completed:,.0f}} {what}, {{task.speed:,.0f}}/s")
    with Progress(columns, console=progress, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda number: bar.update(task, completed=number)


def answers_in_utf8() -> None:
    """Make standard output UTF-8 whatever the locale, for output that is data."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def fail(message: str, status: int = 1) -> None:
    """Print an error, unless the message is empty, and exit; under torchrun the process is named."""
    if message and world_size() > 1:
        message = f"process {rank()} of {world_size()}: {message}"
    if message:
        complain(message)
    sys.exit(status)


def complain(message: str) -> None:
    """Print an error on standard error."""
    errors.print(Text.assemble(("error: ", "red"), message))


def warn(message: str, always: bool = False) -> None:
    """Print a warning on standard error, unless --quiet was given; `always` even then."""
    if rank() == 0:
        (errors if always else stderr).print(Text.assemble(("warning: ", "yellow"), message))


def tell(*objects: object) -> None:
    """Print news, which are not results, on standard output; if it cannot be written, warn once and go on.

    BrokenPipeError if the reader has closed the pipe.
    """
    if rank() > 0 or stderr.quiet:
        return
    try:
        stdout.print(*objects)
    except BrokenPipeError:
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        warn(f"standard output: {error.strerror}; further output is lost; the training continues")
