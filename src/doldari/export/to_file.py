"""A model exported to a file: made, checked against the model's own answers, and only then written."""

from operator import eq
from pathlib import Path
from typing import NamedTuple

from doldari.errors import ConfigError, RunExistsError
from doldari.export.checking import INPUTS, Check, Given
from doldari.export.weights import Weights, exported_weights, with_weights
from doldari.files import write_whole
from doldari.inference.batching import Progress
from doldari.inference.predictor import Predictor
from doldari.models.joining import refuse_mixed
from doldari.models.model_file import TextModel


class Exported(NamedTuple):
    """What was written: its size in bytes; how it was checked; how many of the INPUTS are answered as by float32."""

    size: int
    checked: str
    as_float32: int


def check_path(path: Path, overwrite: bool) -> None:
    """Refuse a file that is of neither kind, or there already."""
    if path.suffix.lower() not in (".html", ".onnx"):
        raise ConfigError(f"{path}: must end in .html (a page) or .onnx (an ONNX model)")
    if path.is_dir():
        raise RunExistsError(f"{path}: is a directory; give a file name")
    if path.exists() and not overwrite:
        raise RunExistsError(f"{path}: exists already; choose another name, or use --overwrite")


def export(
    model: Predictor,
    path: Path,
    *,
    title: str,
    example: str = "",
    int8: bool = False,
    progress: Progress = lambda compared: None,
) -> Exported:
    """Write a model as a page, or as an ONNX file, as the path ends in .html or .onnx.

    A page opens with the example.  progress is told how many of the INPUTS are compared.  With int8 the matrices are
    quantized, and the file is compared with the model that has these weights.  ExportError where the file would not
    answer as that; then nothing is written.
    """
    refuse_mixed(model.text_model, f"{path}: an export")
    weights = exported_weights(model.text_model, int8)
    exact = Predictor(with_weights(model.text_model, weights)) if int8 else model
    check = Check.of(exact, progress)
    if path.suffix.lower() == ".html":
        content, checked = checked_page(exact.text_model, weights, title, example, check)
    else:
        content, checked = checked_onnx(exact.text_model, weights, title, check)
    write_whole(path, content)
    texts = [answer.text for answer in check.expected]
    before = model.predict(check.texts, unknown="unknown") if int8 else texts
    return Exported(len(content), checked, sum(map(eq, texts, before)))


def checked_page(model: TextModel, weights: Weights, title: str, example: str, check: Check) -> tuple[bytes, str]:
    """Make a page, and check it: its bytes, and how it was checked."""
    from doldari.export.html import page, read_page
    from doldari.export.node import ask_page, node

    text = page(model, weights, title, example)
    if node() is not None:
        check.compare("the page", [best for best, *_ in ask_page(text, check.texts, check.progress)])
        return text.encode(), f"the page's JavaScript, run by node, answers {INPUTS} inputs as the model does"
    read = Predictor(read_page(text)).predict(check.texts, unknown="unknown", scores=True)
    check.compare("the page", [Given(*answer) for answer in read])
    return text.encode(), (
        f"weights and vocabulary read back from the page answer {INPUTS} inputs as the model does; its JavaScript "
        "was not run: node is not installed"
    )


def checked_onnx(model: TextModel, weights: Weights, title: str, check: Check) -> tuple[bytes, str]:
    """Make an ONNX model, and check it: its bytes, and how it was checked."""
    from doldari.export.onnx.model import onnx_model
    from doldari.export.onnx.runtime import ask

    content = onnx_model(model, weights, title)
    check.compare("the ONNX model", ask(content, model, check.texts, check.progress))
    return content, f"onnxruntime answers {INPUTS} inputs as the model does"
