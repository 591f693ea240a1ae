"""doldari export: a trained model as one file that needs nothing of doldari."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from doldari.cli.arguments import ModelArgument
from doldari.cli.console import stdout, working
from doldari.errors import ConfigError
from doldari.run_files import MODEL_FILE

if TYPE_CHECKING:
    from doldari.inference.predictor import Predictor


def export(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Output file: NAME.html or NAME.onnx.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantize the weight matrices to 8 bits: a quarter of the size.")
    ] = False,
    example: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Text that the page opens with.",
            show_default="of a built-in task, one of its sources",
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the output file if it exists.")] = False,
) -> None:
    """Export a trained model to a web page that runs it, or to ONNX.

    FILE.html is one page with the model in it, which opens in any browser, offline.  FILE.onnx
    (pip install 'doldari[onnx]') runs in onnxruntime and the like; its metadata hold the vocabulary.  Either is
    checked against the model's own predictions on 100 inputs before it is written.
    """
    from doldari.export import to_file
    from doldari.export.checking import INPUTS
    from doldari.inference.predictor import load

    to_file.check_path(file, overwrite)
    if example is not None and file.suffix.lower() != ".html":
        raise ConfigError("--example: needs a FILE.html")
    predictor = load(model)
    if example is None:
        example = example_of_task(model, predictor)
    elif example:
        predictor.encode(example)  # which refuses what the model does not know
    with working(f"checking {file.name}", INPUTS) as progress:
        done = to_file.export(predictor, file, title=title_of(model), example=example, int8=int8, progress=progress)
    stdout.print(f"{file}: {done.size / 1e6:.2f} MB")
    stdout.print(f"checked: {done.checked}")
    if int8:
        stdout.print(
            f"int8: {done.as_float32} of these {INPUTS} random inputs are answered as by the float32 weights"
        )


def title_of(model: Path) -> str:
    """Name a model after its run, or after its file if that is of no run."""
    path = model.resolve()
    if path.is_dir():
        return path.name
    return path.parent.name if path.name == MODEL_FILE else path.stem


def example_of_task(model: Path, predictor: "Predictor") -> str:
    """Make a source of the built-in task that a model was trained on; of others "", for data may be private."""
    from doldari.report.record import read_run
    from doldari.report.usage import knows, task_sources

    data = read_run(model).data("training")
    sources = task_sources(data.text("name")) if data.text("path") is None else []
    return next((source for source in sources if knows(predictor.text_model.source, source)), "")
