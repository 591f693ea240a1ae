"""A model exported to a file: made, checked against the model's own answers, and only then written."""

from pathlib import Path
from typing import NamedTuple

from doldari.errors import ConfigError, RunExistsError
from doldari.export.checking import INPUTS, Given, compare, random_sources
from doldari.export.weights import Weights, exported_weights, with_weights
from doldari.files import write_whole
from doldari.inference.answers import Answer
from doldari.inference.predictor import Predictor


class Exported(NamedTuple):
    """What was written: its size in bytes; how it was checked; how many of the INPUTS are answered as by float32."""

    size: int
    checked: str
    as_float32: int


def check_file(path: Path, overwrite: bool) -> None:
    """Refuse a file that is of neither kind, or there already."""
    if path.suffix.lower() not in (".html", ".onnx"):
        raise ConfigError(f"{path}: the file's name says what is written: it must end in .html or .onnx")
    if path.is_dir():
        raise RunExistsError(f"{path}: is a directory; give a file name")
    if path.exists() and not overwrite:
        raise RunExistsError(f"{path}: exists already; choose another name, or use --overwrite")


def export(model: Predictor, path: Path, *, title: str, int8: bool = False) -> Exported:
    """Write a model as a page, or as an ONNX file, as the path ends in .html or .onnx.

    With int8, its matrices are quantized, and the file is checked against the model that has these weights.
    ExportError where the file would not answer as that; then nothing is written.
    """
    weights = exported_weights(model.text_model, int8)
    exact = Predictor(with_weights(model.text_model, weights)) if int8 else model
    texts = random_sources(model)
    expected = exact.predict(texts, unknown="unknown", scores=True)
    if path.suffix.lower() == ".html":
        content, checked = exported_page(exact, weights, title, texts, expected)
    else:
        content, checked = exported_onnx(exact, weights, title, texts, expected)
    write_whole(path, content)
    before = model.predict(texts, unknown="unknown") if int8 else [answer.text for answer in expected]
    same = sum(answer.text == text for answer, text in zip(expected, before, strict=True))
    return Exported(len(content), checked, same)


def exported_page(
    model: Predictor, weights: Weights, title: str, texts: list[str], expected: list[Answer]
) -> tuple[bytes, str]:
    """Make a page, and check it: its bytes, and how it was checked."""
    from doldari.export.html import page, read_page
    from doldari.export.node import ask_page, node

    text = page(model.text_model, weights, title)
    read = Predictor(read_page(text)).predict(texts, unknown="unknown", scores=True)
    compare("the page", texts, expected, [Given(*answer) for answer in read])
    if node() is None:
        return text.encode(), (
            f"weights and vocabulary read back from the page answer {INPUTS} inputs as the model does; the page's "
            "JavaScript was not run: node is not installed"
        )
    compare("the page", texts, expected, [best for best, *_ in ask_page(text, texts)])
    return text.encode(), f"the page's JavaScript, run by node, answers {INPUTS} inputs as the model does"


def exported_onnx(
    model: Predictor, weights: Weights, title: str, texts: list[str], expected: list[Answer]
) -> tuple[bytes, str]:
    """Make an ONNX model, and check it: its bytes, and how it was checked."""
    from doldari.export.onnx.model import onnx_model
    from doldari.export.onnx.runtime import ask

    content = onnx_model(model.text_model, weights, title)
    compare("the ONNX model", texts, expected, ask(content, model.text_model, texts))
    return content, f"onnxruntime answers {INPUTS} inputs as the model does"
