"""Text in, text out: what `doldari.load` returns."""

import math
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple, TypeVar, get_args, overload

import numpy as np

from doldari.arrays import Floats, Ids
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, START, UNKNOWN, Unknown
from doldari.errors import ConfigError, ModelFileError, UnknownSymbolError, level_of_caller
from doldari.inference.batching import batches_by_length, side_by_side
from doldari.inference.beam import beam_search
from doldari.inference.constraints import Automaton, matching, one_of
from doldari.inference.search import Bounds, Hypothesis, forced_scores, sample
from doldari.models.model_file import TextModel, load_model, save_model

MODEL_FILE = "model.safetensors"
END = "⏎"  # how the end of an answer is shown
# The size of a batch in symbols of sources, padding included.  What greedy answers need fits the second-level cache,
# a fifth faster than four times as many; a beam of 5 takes an eighth less with 10,000 than with a quarter of them.
GREEDY_SYMBOLS, BEAM_SYMBOLS = 1 << 12, 50_000  # of a beam: the symbols times its width


class LongSourceWarning(UserWarning):
    """A source is much longer than any in training."""


class Attention(NamedTuple):
    """Where a model looked: weights (T, S), for each symbol of its answer and the end how much it saw of each source
    symbol; a row sums to 1, if there are any.  text is the answer as `predict` gives it.
    """

    source: list[str]
    answer: list[str]
    weights: Floats
    text: str


class Answer(NamedTuple):
    """An answer, and its log-probability in nats, that of its end included."""

    text: str
    score: float


Found = TypeVar("Found")
# A regular expression that answers match whole, or the list of them; or what `Predictor.allowing` made of that.
Allowed = str | Sequence[str] | Automaton


class Predictor:
    """A trained model asked in text: `model("16+75")` or `model.predict(["1+1", "2+2"])`."""

    def __init__(self, text_model: TextModel) -> None:
        self.text_model = text_model

    def __call__(self, text: str) -> str:
        """Answer one text."""
        return self.predict([text])[0]

    @overload
    def predict(
        self, texts: Sequence[str], *, unknown: Unknown = ..., beam: int = ..., allowed: Allowed | None = ...
    ) -> list[str]: ...

    @overload
    def predict(
        self,
        texts: Sequence[str],
        *,
        n_best: int,
        unknown: Unknown = ...,
        beam: int = ...,
        allowed: Allowed | None = ...,
    ) -> list[list[Answer]]: ...

    def predict(
        self,
        texts: Sequence[str],
        *,
        unknown: Unknown = "error",
        beam: int = 1,
        n_best: int | None = None,
        allowed: Allowed | None = None,
    ) -> list[str] | list[list[Answer]]:
        """Answer texts, each as if it were alone; of a model with features, `text TAB one;two`.

        beam is how many answers are followed at a time; 1 is greedy.  With n_best, at most the beam, each text gets a
        list of answers with their scores, the best first.  `allowed` says what an answer may be.

        The best answers are those of the highest log-probability a symbol, end included.  An answer has at most as
        many symbols as the longest in training, in proportion more where its source is longer than any there; and,
        unless that is so or `allowed` says what it may be, it is no more symbols longer than its source than any in
        training.  A symbol never seen in training is refused with UnknownSymbolError, or with "unknown" let through;
        with "copy" answers may be unknown in places too, where it then stands: the first for the first, and so on.
        A text of only such symbols is always refused; one that is much longer than any in training is warned about.
        """
        check_beam(beam, n_best)
        if beam == 1 and n_best is None and allowed is None:
            return self._greedy(texts, unknown)
        automaton = None if allowed is None else self.allowing(allowed)

        # Subwords spell one text in several ways: then more is searched for than asked.
        searched = beam if n_best and self.text_model.target.kind == "subwords" else n_best or 1

        def search(batch: list[int], xs: Ids, bounds: Bounds) -> list[list[Hypothesis]]:
            return beam_search(self.text_model.model, xs, START, PADDING, bounds, beam, searched)

        found = self._in_batches(search, texts, unknown, beam, automaton)
        if n_best is None:
            return [self._decode(text, best.ids, unknown) for text, (best, *_) in zip(texts, found, strict=True)]
        return [
            different([self._answer(text, hypothesis, unknown) for hypothesis in hypotheses])[:n_best]
            for text, hypotheses in zip(texts, found, strict=True)
        ]

    def _greedy(self, texts: Sequence[str], unknown: Unknown) -> list[str]:
        """Answer texts by the likeliest symbol at each step."""
        model = self.text_model.model

        def write(batch: list[int], xs: Ids, bounds: Bounds) -> list[list[int]]:
            written = model.generate(xs, START, int(bounds.longest.max(initial=0)), bounds.never).tolist()
            return [ids[:most] for ids, most in zip(written, bounds.longest.tolist(), strict=True)]

        written = self._in_batches(write, texts, unknown)
        return [self._decode(text, ids, unknown) for text, ids in zip(texts, written, strict=True)]

    def sample(
        self,
        texts: Sequence[str],
        *,
        temperature: float = 1.0,
        top_k: int | None = None,
        seed: int = 0,
        first: int = 0,
        unknown: Unknown = "error",
        allowed: Allowed | None = None,
    ) -> list[Answer]:
        """Draw an answer to each text: the higher the temperature, the more freely; of the top_k likeliest symbols.

        The seed and a text's number decide, not the batch it is in; the texts' numbers begin with `first`.
        """
        if not (math.isfinite(temperature) and temperature > 0):
            raise ConfigError(f"temperature={temperature}: must be a number greater than 0")
        if top_k is not None and top_k < 1:
            raise ConfigError(f"top_k={top_k}: must be at least 1")
        if seed < 0 or first < 0:
            raise ConfigError(f"seed={seed}, first={first}: must be at least 0")
        automaton = None if allowed is None else self.allowing(allowed)

        def draw(batch: list[int], xs: Ids, bounds: Bounds) -> list[Hypothesis]:
            rngs = [np.random.default_rng([seed, first + index]) for index in batch]
            return sample(self.text_model.model, xs, START, PADDING, bounds, rngs, temperature, top_k)

        drawn = self._in_batches(draw, texts, unknown, automaton=automaton)
        return [self._answer(text, hypothesis, unknown) for text, hypothesis in zip(texts, drawn, strict=True)]

    def score(self, pairs: Sequence[tuple[str, str]], *, unknown: Unknown = "error") -> list[float]:
        """Tell the log-probability, in nats, of each pair's target, its end included, as the answer to its source."""
        target = self.text_model.target
        written = [[START, *target.encode(text, unknown != "error"), PADDING] for _, text in pairs]

        def force(batch: list[int], xs: Ids, bounds: Bounds) -> list[float]:
            ts = pad([written[index] for index in batch], PADDING)
            return list(map(float, forced_scores(self.text_model.model, xs, ts, PADDING)))

        return self._in_batches(force, [source for source, _ in pairs], unknown)

    def attention(self, text: str, *, unknown: Unknown = "error", beam: int = 1) -> Attention:
        """Answer one text as `predict` does, and tell where the model looked; only of models that have attention."""
        model, config, target = self.text_model.model, self.text_model.config, self.text_model.target
        if config.decoder != "attention":
            raise ConfigError(f"decoder={config.decoder}: a model without attention; train with --decoder attention")
        check_beam(beam)
        ((_, xs, bounds),) = self._batches([text], unknown)
        ((best, *_),) = beam_search(model, xs, START, PADDING, bounds, beam)
        weights = model.attention(xs, pad([[START, *best.ids]], PADDING))[0]
        if config.reverse:
            weights = weights[:, ::-1]
        symbols = [target.decode([id]) for id in best.ids]
        source = self.text_model.source.spell(text)
        return Attention(source, [*symbols, END], weights, self._decode(text, best.ids, unknown))

    def _in_batches(
        self,
        answer: Callable[[list[int], Ids, Bounds], list[Found]],
        texts: Sequence[str],
        unknown: Unknown,
        beam: int = 1,
        automaton: Automaton | None = None,
    ) -> list[Found]:
        """Let `answer` find something for each text, given a batch of `_batches`; one batch on each thread."""
        batches = list(self._batches(texts, unknown, beam, automaton))
        found = chain.from_iterable(side_by_side(answer, batches))
        answers = dict(zip(chain.from_iterable(indices for indices, _, _ in batches), found, strict=True))
        return [answers[index] for index in range(len(texts))]

    def _batches(
        self, texts: Sequence[str], unknown: Unknown, beam: int = 1, automaton: Automaton | None = None
    ) -> Iterator[tuple[list[int], Ids, Bounds]]:
        """Encode texts: yield batches as their indices, ids xs (N, S), and what the answers may be."""
        if isinstance(texts, str):
            raise TypeError("expected a list of texts; for the answer to one, call the model: model(text)")
        if unknown not in get_args(Unknown):
            raise ConfigError(f"unknown={unknown!r}: must be one of {', '.join(get_args(Unknown))}")
        # An answer has no start symbol in it, and an unknown one only where a symbol of the source takes its place.
        never = (START,) if unknown == "copy" else (START, UNKNOWN)
        encoded = [self.encode(text, unknown) for text in texts]
        self._warn_of_long(encoded)
        if self.text_model.config.reverse:
            encoded = [ids[::-1] for ids in encoded]
        for batch in batches_by_length(encoded, GREEDY_SYMBOLS if beam == 1 else BEAM_SYMBOLS // beam):
            chosen = [encoded[index] for index in batch]
            longest = [self.text_model.longest_answer(len(ids), free=automaton is None) for ids in chosen]
            if automaton is not None:
                longest = [max(most, automaton.longest) for most in longest]
            yield batch, pad(chosen, PADDING), Bounds(np.array(longest, np.int32), automaton, never)

    def _answer(self, text: str, hypothesis: Hypothesis, unknown: Unknown) -> Answer:
        """Write what a search found as text, with its score."""
        return Answer(self._decode(text, hypothesis.ids, unknown), hypothesis.score)

    def _decode(self, text: str, ids: Sequence[int], unknown: Unknown) -> str:
        """Write the answer to a text as text."""
        source, target = self.text_model.source, self.text_model.target
        copied = source.unknown_symbols(text) if unknown == "copy" and UNKNOWN in ids else ()
        return target.decode(ids, copied)

    def allowing(self, allowed: Allowed) -> Automaton:
        """Make what says what an answer may be, for whoever asks many times; ConfigError if it allows nothing."""
        target, longest = self.text_model.target, self.text_model.longest_target
        if isinstance(allowed, Automaton):
            return allowed
        return matching(allowed, target, longest) if isinstance(allowed, str) else one_of(allowed, target)

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
            warnings.warn(message + others, LongSourceWarning, stacklevel=level_of_caller())


def different(answers: Sequence[Answer]) -> list[Answer]:
    """Leave out answers whose text stands before them."""
    return list({answer.text: answer for answer in reversed(answers)}.values())[::-1]


def check_beam(beam: int, n_best: int | None = None) -> None:
    """Refuse a beam that is no beam, or too narrow for so many answers."""
    if beam < 1 or not 1 <= (1 if n_best is None else n_best) <= beam:
        given = f"beam={beam}" if n_best is None else f"beam={beam}, n_best={n_best}"
        raise ConfigError(f"{given}: the beam must be at least 1, and at least n_best")


def load(path: str | os.PathLike[str]) -> Predictor:
    """Load a trained model from its run's directory or from the model file itself."""
    path = Path(path)
    file = path / MODEL_FILE if path.is_dir() else path
    if not file.exists():
        what = "no model file in this directory" if path.is_dir() else "no such model"
        raise ModelFileError(f"{path}: {what}; train one with: doldari train DATA --out {path}")
    return Predictor(load_model(file))
