"""doldari export: a trained model as one file that needs nothing of doldari."""

from pathlib import Path
from typing import Annotated

import typer

from doldari.cli.arguments import ModelArgument
from doldari.cli.console import stdout, working


def export(
    model: ModelArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Output file: NAME.html or NAME.onnx.")],
    int8: Annotated[
        bool, typer.Option("--int8", help="Quantize the weight matrices to 8 bits: a quarter of the size.")
    ] = False,
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
    predictor = load(model)
    name = model.resolve().parent.name if model.is_file() else model.resolve().name
    with working(f"checking {file.name}", INPUTS) as progress:
        done = to_file.export(predictor, file, title=name, int8=int8, progress=progress)
    stdout.print(f"{file}: {done.size / 1e6:.2f} MB")
    stdout.print(f"checked: {done.checked}")
    if int8:
        stdout.print(
            f"int8: {done.as_float32} of these {INPUTS} random inputs are answered as by the float32 weights"
        )
