"""An ONNX model asked in onnxruntime."""

from collections.abc import Sequence
from typing import Any

from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING
from doldari.errors import MissingPackageError
from doldari.export.checking import Given
from doldari.models.model_file import TextModel


def session(content: bytes) -> Any:
    """Open a model in onnxruntime."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError("an ONNX file is checked with onnxruntime: pip install 'doldari[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of every input that may be left out
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def ask(content: bytes, model: TextModel, texts: Sequence[str]) -> list[Given]:
    """Answer texts, all in one batch; `model` has their vocabularies."""
    source = pad([model.source.encode(text, unknown=True) for text in texts], PADDING)
    ids, scores = session(content).run(["answer", "score"], {"source": source.astype("int64")})
    return [Given(model.target.decode(row), float(score)) for row, score in zip(ids.tolist(), scores, strict=True)]
