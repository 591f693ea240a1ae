"""Text in, text out: what `doldari.load` returns."""

import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, get_args

from doldari.arrays import Floats
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, START, UNKNOWN, Unknown
from doldari.errors import ConfigError, ModelFileError, UnknownSymbolError
from doldari.models.model_file import TextModel, load_model, save_model

MODEL_FILE = "model.safetensors"
END = "⏎"  # how the end of an answer is shown
BATCH_SYMBOLS = 1 << 14  # of sources, padding included: bounds the memory that a batch takes


class LongSourceWarning(UserWarning):
    """A source is much longer than any in training."""


class Attention(NamedTuple):
    """Where a model looked: weights (T, S), for each symbol of its answer and the end how much it saw of each source
    symbol; a row sums to 1.
    """

    source: list[str]
    answer: list[str]
    weights: Floats


class Predictor:
    """A trained model asked in text: `model("16+75")` or `model.predict(["1+1", "2+2"])`."""

    def __init__(self, text_model: TextModel) -> None:
        self.text_model = text_model

    def __call__(self, text: str) -> str:
        """Answer one text."""
        return self.predict([text])[0]

    def predict(self, texts: Sequence[str], *, unknown: Unknown = "error") -> list[str]:
        """Answer texts, greedily, each as if it were alone; of a model with features, `text TAB one;two`.

        An answer ends at the latest where the longest in training did.  A symbol never seen in training is refused
        with UnknownSymbolError, or with "unknown" let through; with "copy" it also stands in the answer where that is
        unknown: the first for the first, and so on.  A text of only such symbols is always refused; one that is much
        longer than any in training is warned about.
        """
        if isinstance(texts, str):
            raise TypeError("predict takes a list of texts; for the answer to one, call the model: model(text)")
        if unknown not in get_args(Unknown):
            raise ConfigError(f"unknown={unknown!r}: must be one of {', '.join(get_args(Unknown))}")
        model, config, source, target, _, longest_target = self.text_model
        encoded = [self.encode(text, unknown) for text in texts]
        self._warn_of_long(encoded)
        if config.reverse:
            encoded = [ids[::-1] for ids in encoded]
        answers = [""] * len(encoded)
        for batch in batches_by_length(encoded):
            xs = pad([encoded[index] for index in batch], PADDING)
            for index, ids in zip(batch, model.generate(xs, START, longest_target).tolist(), strict=True):
                copied = source.unknown_symbols(texts[index]) if unknown == "copy" and UNKNOWN in ids else ()
                answers[index] = target.decode(ids, copied)
        return answers

    def attention(self, text: str, *, unknown: Unknown = "error") -> Attention:
        """Answer one text, and tell where the model looked; only of models with the attention decoder."""
        model, config, source, target, _, longest_target = self.text_model
        if config.decoder != "attention":
            raise ConfigError(f"decoder={config.decoder}: a model without attention; train with --decoder attention")
        ids = self.encode(text, unknown)
        xs = pad([ids[::-1] if config.reverse else ids], PADDING)
        answer = model.generate(xs, START, longest_target)[0].tolist()
        answer = answer[: answer.index(PADDING)] if PADDING in answer else answer
        weights = model.attention(xs, pad([[START, *answer]], PADDING))[0]
        if config.reverse:
            weights = weights[:, ::-1]
        symbols = [target.decode([id]) for id in answer]
        return Attention(list(source.cut(text)), [*symbols, END], weights)

    def encode(self, text: str, unknown: Unknown = "error") -> list[int]:
        """Turn a source into ids; UnknownSymbolError and `unknown` as in `predict`."""
        ids = self.text_model.source.encode(text, unknown != "error")
        if ids and set(ids) == {UNKNOWN}:
            raise UnknownSymbolError(f"{text!r}: none of its symbols was ever seen in training")
        return ids

    def knows(self, text: str) -> bool:
        """Say whether any symbol of a source, if it has one, was seen in training."""
        return set(self.text_model.source.encode(text, unknown=True)) != {UNKNOWN}

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
