"""Whether an exported file answers as the model does."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from doldari.data.symbols import join
from doldari.data.vocabulary import Vocabulary
from doldari.errors import DoldariError, quoted
from doldari.inference.answers import Answer
from doldari.inference.batching import Progress
from doldari.inference.predictor import Predictor

INPUTS = 100
LONGEST = 40  # symbols of an input
CLOSE = 1e-4  # by so much may log-probabilities differ, in nats, or of larger ones in proportion


class ExportError(DoldariError):
    """An exported file does not answer as its model does."""


class Given(NamedTuple):
    """What an exported file answered."""

    text: str
    score: float


def random_sources(model: Predictor, count: int = INPUTS, seed: int = 0) -> list[str]:
    """Write texts of random symbols, of all lengths that there were in training, up to LONGEST."""
    rng = np.random.default_rng(seed)
    source, longest = model.text_model.source, max(1, min(LONGEST, model.text_model.longest_source))
    texts: list[str] = []
    while len(texts) < count:
        text = random_text(source, int(rng.integers(1, longest + 1)), rng)
        if not source.is_blank(text) and model.knows(text):
            texts.append(text)
    return texts


def random_text(source: Vocabulary, length: int, rng: np.random.Generator) -> str:
    """Write a text of random symbols, with up to three features if the source has any."""
    symbols = [source.symbols[n] for n in rng.integers(len(source.symbols), size=length)]
    text = join(symbols, source.kind)
    if source.features:
        chosen = rng.choice(len(source.features), min(3, len(source.features)), replace=False)
        text += "\t" + ";".join(source.features[n] for n in chosen)
    return text


class Check(NamedTuple):
    """Inputs, and the model's answers to them; progress is told how many are compared."""

    texts: list[str]
    expected: list[Answer]
    progress: Progress

    @classmethod
    def of(cls, model: Predictor, progress: Progress) -> Self:
        """Ask a model for its answers to random inputs."""
        texts = random_sources(model)
        return cls(texts, model.predict(texts, unknown="unknown", scores=True), progress)

    def compare(self, what: str, given: Sequence[Given]) -> None:
        """Raise ExportError at the first answer that is not the model's; what: the file that gave them."""
        for text, ours, theirs in zip(self.texts, self.expected, given, strict=True):
            apart = abs(ours.score - theirs.score)
            if ours.text != theirs.text or not apart <= CLOSE * max(1.0, abs(ours.score)):
                raise ExportError(
                    f"{what} does not answer as the model does, and was not written; please report it: to "
                    f"{quoted(text)} {quoted(theirs.text)} ({theirs.score:.5f}), expected {quoted(ours.text)} "
                    f"({ours.score:.5f})"
                )
