"""doldari show."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from doldari.cli.console import stdout, warn
from doldari.errors import ConfigError, ModelFileError
from doldari.report.usage import resume_command

if TYPE_CHECKING:
    from doldari.report.record import RunFiles


def show(
    path: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory, model file, or a directory of runs.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: an object, or a list for several runs.")
    ] = False,
    card: Annotated[
        bool, typer.Option("--card", help="Write a model card, README.md, into the run directory.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a README.md that doldari did not write (with --card).")
    ] = False,
) -> None:
    """Summarize a run: data, model size, training, scores, usage.

    The exit code is 1 if its model cannot be read.

    For a directory of runs: a table of them, sorted by accuracy, the best first.
    """
    from doldari.cli.usage import check_spelling
    from doldari.report.card import write_card
    from doldari.report.record import find_runs, is_run, read_run
    from doldari.report.summary import as_object

    if overwrite and not card:
        raise ConfigError("--overwrite: needs --card")
    if not path.exists():
        check_spelling(path, f"{path}: no such run")
        raise ModelFileError(f"{path}: no such run; train one: doldari train DATA --out {path}")
    if path.is_file() or is_run(path):
        run = read_run(path)
        if card:
            written = write_card(run, overwrite)
        if as_json:
            print(json.dumps(as_object(run), allow_nan=False))
        elif card:
            stdout.print(f"model card written to {written}")
            if run.problem is not None:
                warn(run.problem)
        else:
            print_summary(run)
        if run.problem is not None:  # which is said above, with all that can be read
            raise typer.Exit(1)
        return
    if card:
        raise ConfigError(f"{path}: not a single run; --card needs one")
    show_all(path, find_runs(path), as_json)


def show_all(path: Path, directories: list[Path], as_json: bool) -> None:
    """Print the table of runs, or their list; ModelFileError if there are none."""
    from doldari.display import printable
    from doldari.report.record import find_runs, read_run
    from doldari.report.summary import as_object
    from doldari.report.table import by_score, table

    deeper = [place for place in sorted(path.iterdir()) if place.is_dir() and place not in directories]
    deeper = [place for place in deeper if find_runs(place)]
    if not directories and not deeper:
        raise ModelFileError(f"{path}: no run or model in it; train one: doldari train DATA --out {path}/NAME")
    runs = []
    for directory in directories:
        try:
            runs.append(read_run(directory))
        except ModelFileError as error:
            warn(str(error))
    runs = by_score(runs)
    if as_json:
        print(json.dumps([as_object(run) for run in runs], allow_nan=False))
        return
    if runs:
        head, *lines = map(printable, table(runs))
        stdout.print(Text(head, "bold"))
        for line in lines:
            stdout.print(line)
    for run in runs:
        if run.status == "interrupted":
            stdout.print(f"{run.path}: interrupted; resume with: {resume_command(run.path)}")
    for place in deeper:
        stdout.print(f"more runs: doldari show {shlex.quote(str(place))}")


def print_summary(run: "RunFiles") -> None:
    """Print what is known of a run, the labels in a column."""
    from doldari.display import printable
    from doldari.report.summary import summary

    (_, title), *rows = summary(run)
    stdout.print(Text(printable(title), "bold"))
    width = max((len(label) for label, _ in rows), default=0)
    for label, line in rows:
        stdout.print(Text.assemble((f"  {label:<{width}}  ", "dim"), printable(line)))
