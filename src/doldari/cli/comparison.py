"""Comparing trainings that vary, or finished runs, on the same examples: a table and a picture."""

import dataclasses
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.text import Text

from doldari.cli.console import errors, stdout, tell, working
from doldari.cli.training import train_shown
from doldari.errors import ConfigError

if TYPE_CHECKING:
    from doldari.data.formats import Reading
    from doldari.data.pairs import Pairs
    from doldari.report.comparison import Compared
    from doldari.training.plan import Request


def compare_variants(
    request: "Request", vary: Sequence[str], seeds: int, test: Sequence[str] | None, beam: int
) -> None:
    """Train what varies with every seed, each run in a directory of its own in request.out, and compare them."""
    from doldari.report.comparison import Compared
    from doldari.training.comparing import finished_run, request_of, variants
    from doldari.training.data import file_names
    from doldari.training.observer import Stop

    if "-" in (file_names(request.data or ()) or ()):
        raise ConfigError("-: standard input is read once, and these are several trainings; give a file")
    made = [(variant, request_of(request, variant)) for variant in variants(vary)]
    out, stop, first = Path(str(request.out)), Stop(), request.settings.get("seed", 0)
    places = []
    for variant, asked in made:
        for seed in range(first, first + seeds):
            place = out / variant.place(seed)
            own = dataclasses.replace(asked, settings=asked.settings | {"seed": seed}, out=place)
            tell(Text(place.name, "bold"))
            trained = finished_run(own, partial(train_shown, stop=stop))
            if trained is None:
                tell("trained already")
            elif trained.error is not None:
                raise trained.error
            if stop.signal is not None:
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                errors.print(f"stopped; {out} keeps what is trained; the same command goes on")
                raise typer.Exit(128 + stop.signal)
            places.append((variant.name or "run", place))
    pairs = examples([place for _, place in places], test, request.reading, request)
    by_name: dict[str, list[Path]] = {}
    for name, place in places:
        by_name.setdefault(name, []).append(place)
    compared = []
    for name, runs in by_name.items():
        found = [measured(run, pairs, beam) for run in runs]
        compared.append(Compared(name, [right for right, _ in found], [seconds for _, seconds in found]))
    show(compared, out, pairs)


def compare_runs(runs: Sequence[Path], test: Sequence[str] | None, reading: "Reading", beam: int, out: Path) -> None:
    """Compare finished runs, or model files, as they are."""
    from doldari.report.comparison import Compared

    if len(runs) < 2:
        raise ConfigError(f"{runs[0]}: only one run; give at least two, or a file of pairs to train on")
    pairs = examples(runs, test, reading)
    compared = []
    for run in runs:
        right, seconds = measured(run, pairs, beam)
        compared.append(Compared(str(run), [right], [seconds]))
    show(compared, out, pairs)


def examples(
    runs: Sequence[Path], test: Sequence[str] | None, reading: "Reading", request: "Request | None" = None
) -> "Pairs":
    """Read the pairs to compare on: those of `test`, or those that all runs were validated with.

    ConfigError where the runs were validated with different ones, or these are in no file.
    """
    from doldari.data import load_pairs
    from doldari.errors import DataError
    from doldari.training.data import read_again
    from doldari.training.directory import NoClaim, RunDirectory
    from doldari.training.record import read_record

    if test is not None:
        return load_pairs(test, reading)
    records = [read_record(RunDirectory(NoClaim(run))) or {} for run in runs]
    hint = "give pairs to compare on ({test})"
    for run, record in zip(runs, records, strict=True):
        if not record.get("data"):
            raise ConfigError(f"{run}: no record of the validation pairs (run.json); {hint}", test=None)
        if validated_with(record) != validated_with(records[0]):
            raise ConfigError(f"{run}: was validated with other pairs than {runs[0]}; {hint}", test=None)
    try:
        data, held_out = (None, None) if request is None else (request.data, request.validation)
        return read_again(records[0]["reading"], data, held_out).validation
    except (ConfigError, DataError) as error:
        raise ConfigError(
            f"{runs[0]}: its validation pairs cannot be read again: {error}; {hint}", test=None
        ) from error


def validated_with(record: dict[str, Any]) -> list[Any]:
    """Say of a run's record which pairs it was validated with: their file, how many, and how they were held out."""
    held_out, reading = record["data"][1], record["reading"]
    return [held_out["sha256"], held_out["pairs"], *map(reading.get, ("split", "split_by", "columns", "format"))]


def measured(run: Path, pairs: "Pairs", beam: int) -> tuple[list[bool], float | None]:
    """Ask a model for every example: which answers are right, and how many seconds its training took, if known."""
    from doldari.inference.metrics import evaluate
    from doldari.inference.predictor import load
    from doldari.report.record import read_json
    from doldari.run_files import RECORD_FILE

    with working(f"evaluating {run}"):
        evaluation = evaluate(load(run), pairs, unknown="unknown", beam=beam)
    record = read_json((run if run.is_dir() else run.parent) / RECORD_FILE)
    return list(evaluation.right), record.number("seconds")


def show(compared: "Sequence[Compared]", out: Path, pairs: "Pairs") -> None:
    """Print the table, and draw the picture."""
    from doldari.data.opening import printable_name
    from doldari.report.comparison import comparison_table, draw_comparison
    from doldari.run_files import PICTURE_FILE

    for line in comparison_table(compared):
        stdout.print(line)
    examples = f"{len(compared[0].right[0]):,} examples of {' and '.join(one.name for one in pairs.origins)}"
    stdout.print(f"{examples}; deviation: standard deviation over seeds, in points; p: the best is not better")
    draw_comparison(out / PICTURE_FILE, compared, printable_name(examples))
    stdout.print(f"Plot saved to {out / PICTURE_FILE}")
