"""Text in, text out: what `doldari.load` returns."""

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, START
from doldari.errors import ModelFileError
from doldari.models.model_file import TextModel, load_model, save_model

MODEL_FILE = "model.safetensors"
BATCH_SYMBOLS = 1 << 12  # of sources, padding included: a batch that fits the caches, a fifth faster than 1 << 14


class LongSourceWarning(UserWarning):
    """A source is much longer than any in training."""


class Predictor:
    """A trained model asked in text: `model("16+75")` or `model.predict(["1+1", "2+2"])`."""

    def __init__(self, text_model: TextModel) -> None:
        self.text_model = text_model

    def __call__(self, text: str) -> str:
        """Answer one text."""
        return self.predict([text])[0]

    def predict(self, texts: Sequence[str], *, unknown: bool = False) -> list[str]:
        """Answer texts, greedily, each as if it were alone.

        An answer ends at the latest where the longest in training did.  A symbol never seen in training is refused
        with UnknownSymbolError, or let through as unknown; a text much longer than any in training is warned about.
        """
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts; for the answer to one, call the model: model(text)")
        model, config, source, target, _, longest_target = self.text_model
        encoded = [source.encode(text, unknown) for text in texts]
        self._warn_of_long(encoded)
        if config.reverse:
            encoded = [ids[::-1] for ids in encoded]
        answers = [""] * len(encoded)
        for batch in batches_by_length(encoded):
            xs = pad([encoded[index] for index in batch], PADDING)
            for index, ids in zip(batch, model.generate(xs, START, longest_target).tolist(), strict=True):
                answers[index] = target.decode(ids)
        return answers

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file."""
        save_model(Path(path), self.text_model)

    def _warn_of_long(self, encoded: Sequence[Sequence[int]]) -> None:
        seen = self.text_model.longest_source
        too_long = [len(ids) for ids in encoded if len(ids) > 1.5 * seen]
        if too_long:
            message = f"a source of {max(too_long)} symbols, the longest in training had {seen}; distrust its answer"
            others = f" (and those of {len(too_long) - 1:,} others)" if len(too_long) > 1 else ""
            warnings.warn(message + others, LongSourceWarning, stacklevel=3)


def batches_by_length(encoded: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Group the indices of sources of about one length into batches of at most BATCH_SYMBOLS, or of one source."""
    batch: list[int] = []
    for index in sorted(range(len(encoded)), key=lambda index: len(encoded[index])):
        if batch and (len(batch) + 1) * len(encoded[index]) > BATCH_SYMBOLS:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def load(path: str | os.PathLike[str]) -> Predictor:
    """Load a trained model from its run's directory or from the model file itself."""
    path = Path(path)
    file = path / MODEL_FILE if path.is_dir() else path
    if not file.exists():
        what = "no model file in this directory" if path.is_dir() else "no such model"
        raise ModelFileError(f"{path}: {what}; train one with: doldari train DATA --out {path}")
    return Predictor(load_model(file))
