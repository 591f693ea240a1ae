"""Where commands print: results on stdout, progress, warnings and errors on stderr."""

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

PATIENCE = 2.0  # seconds after which it is shown that something is going on
# What Typer raises where a command is not called rightly; of Typer's own or of Click's, as the version has it.
UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__base__)


class Results(Console):
    """A console that says when nobody reads it any more, rather than end the program."""

    def on_broken_pipe(self) -> None:
        """Leave the pipe alone, and raise BrokenPipeError."""
        try:
            super().on_broken_pipe()
        except SystemExit as ended:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)) from ended


# What is printed is often the user's own text: no markup is read in it.
stdout = Results(highlight=False, soft_wrap=True, markup=False, emoji=False)
stderr = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)  # news and warnings
errors = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def quieten(quiet: bool) -> None:
    """Print results and errors only, or everything again: no progress, no tips, no warnings."""
    stderr.quiet = quiet


@contextmanager
def working(what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
    """Show on standard error, if that is a terminal, what takes longer than two seconds; and how much is done."""
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
    """Show how many are done, on a terminal to which the results do not go; they go to none if it is None."""
    if not progress.is_terminal or (results is not None and results.is_terminal):
        yield lambda done: None
        return
    columns = TextColumn(f"{{task.completed:,.0f}} {what}, {{task.speed:,.0f}}/s")
    with Progress(columns, console=progress, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda number: bar.update(task, completed=number)


def answers_in_utf8() -> None:
    """Let standard output be UTF-8 whatever the terminal says: what is printed is data, to be read by programs."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")


def fail(message: str, status: int = 1) -> None:
    """Print an error, if there is something to say, and exit with that status.

    Of several processes that train together each says which it is.
    """
    if message and world_size() > 1:
        message = f"process {rank()} of {world_size()}: {message}"
    if message:
        complain(message)
    sys.exit(status)


def complain(message: str) -> None:
    """Print an error on standard error."""
    errors.print(Text.assemble(("error: ", "red"), message))


def warn(message: str) -> None:
    """Print a warning on standard error."""
    if rank() == 0:
        stderr.print(Text.assemble(("warning: ", "yellow"), message))


def tell(*objects: object) -> None:
    """Print on standard output what is no result but news: where it cannot be written, that is said once.

    BrokenPipeError where nobody reads it any more.
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
