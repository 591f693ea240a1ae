"""An ONNX model asked in onnxruntime."""

from collections.abc import Callable, Sequence
from typing import Any

from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING
from doldari.errors import MissingPackageError
from doldari.export.checking import Given
from doldari.models.model_file import TextModel

BATCH = 25


def session(content: bytes) -> Any:
    """Open a model in onnxruntime."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackageError("an ONNX file is checked with onnxruntime: pip install 'doldari[onnx]'") from error
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors; it warns of every input that may be left out
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def ask(
    content: bytes, model: TextModel, texts: Sequence[str], progress: Callable[[int], None] | None = None
) -> list[Given]:
    """Answer texts; `model` has their vocabularies; progress is told how many are answered."""
    onnx, found = session(content), []
    for start in range(0, len(texts), BATCH):
        batch = texts[start : start + BATCH]
        source = pad([model.source.encode(text, unknown=True) for text in batch], PADDING)
        ids, scores = onnx.run(["answer", "score"], {"source": source.astype("int64")})
        found += [
            Given(model.target.decode(row), float(score)) for row, score in zip(ids.tolist(), scores, strict=True)
        ]
        if progress is not None:
            progress(len(found))
    return found
