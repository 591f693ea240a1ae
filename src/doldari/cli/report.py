"""doldari report."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from doldari.cli.arguments import DATA, reading_of
from doldari.cli.console import stdout, working
from doldari.cli.reading import sized_as_in_training
from doldari.errors import ConfigError, DoldariError
from doldari.run_files import REPORT_FILE

if TYPE_CHECKING:
    from doldari.data.pairs import Pairs
    from doldari.report.record import RunFiles
    from doldari.report.run import Evaluated


def report(
    model: Annotated[Path, typer.Argument(metavar="RUN", help="Run directory, or model file.")],
    data: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DATA]", help=f"Test pairs, in place of the run's validation pairs. {DATA}"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="FILE.html", help="The report.", show_default="RUN/report.html"),
    ] = None,
) -> None:
    """Write an HTML report of a run.

    One file, to be read without a network: scores with intervals, the curves of the training, accuracy by length and
    position, the worst errors, attention heat maps, data, settings, and how to reproduce it.  The model is evaluated
    on the validation pairs of its run, or on DATA.  It does not say in which directories the data lie.
    """
    from doldari.errors import ModelFileError
    from doldari.files import write_whole
    from doldari.report.record import is_run, read_run
    from doldari.report.run import run_report

    if not model.exists():
        raise ModelFileError(f"{model}: no such run; train one: doldari train DATA --out {model}")
    if model.is_dir() and not is_run(model):
        raise ModelFileError(f"{model}: no run or model in it; train one: doldari train DATA --out {model}/NAME")
    out = (model if model.is_dir() else model.parent) / REPORT_FILE if out is None else out
    if out.is_dir():
        raise ConfigError(f"{out}: is a directory; give the name of a file for the report")
    run, evaluated, why_not = read_run(model), None, ""
    try:
        evaluated = evaluate_run(run, data)
    except DoldariError as error:
        if data:
            raise
        why_not = str(error)
    members = [read_run(member) for member in run.members] or [run]
    write_whole(out, run_report(run, members, evaluated, why_not).encode())
    stdout.print(f"report written to {out}" + (f", without predictions: {why_not}" if why_not else ""))


def evaluate_run(run: "RunFiles", data: list[str] | None) -> "Evaluated":
    """Evaluate the model of a run on data, or on its validation pairs; DoldariError where that cannot be."""
    from doldari.errors import ModelFileError
    from doldari.inference.metrics import evaluate
    from doldari.inference.predictor import Predictor
    from doldari.report.run import Evaluated

    if run.text_model is None:
        raise ModelFileError(run.problem or "there is no model yet")
    predictor = Predictor(run.text_model)
    with working("reading the data"):
        pairs = validation_pairs(run) if not data else test_pairs(run, data)
    with working("answering", len(pairs)) as progress:
        evaluation = evaluate(predictor, pairs, unknown="unknown", detailed=True, progress=progress)
    return Evaluated(predictor, evaluation, " and ".join(data) if data else None)


def validation_pairs(run: "RunFiles") -> "Pairs":
    """Read the validation pairs of a run, from where they were; refuse those that have changed."""
    from doldari.errors import DataError
    from doldari.training.data import read_again

    reading, data = run.record.part("reading").value, run.record.value.get("data")
    try:
        read = read_again(reading, None, None)
        read.check_unchanged(data or [])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError("its record does not say which its validation pairs were; give DATA") from error
    return read.validation


def test_pairs(run: "RunFiles", data: list[str]) -> "Pairs":
    """Read test pairs by the columns of the run's training; of a built-in task, pairs that are new."""
    from doldari.cli.columns import recorded
    from doldari.data import TASKS, load_pairs

    columns: dict[str, Any] = recorded(run.path, data)
    source, target, features = (columns.get(f"{name}_column") for name in ("source", "target", "features"))
    reading = reading_of(source, target, features, columns.get("format"))
    if data[0] in TASKS:
        reading = sized_as_in_training(run.path, data[0], reading)
    return load_pairs(data, reading, unseen=True)
