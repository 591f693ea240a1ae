"""Text in, text out: what `doldari.load` returns."""

import os
from collections.abc import Callable, Sequence
from typing import TypeVar, overload

import numpy as np

from doldari.arrays import Floats, Ids
from doldari.config import Engine
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, START, UNKNOWN, Unknown
from doldari.engines import asked_on
from doldari.errors import ConfigError, DataError, ModelFileError, UnknownSymbolError, quoted
from doldari.inference.answers import END, Answer, Attention, different
from doldari.inference.arguments import (
    LongSourceWarning,
    check_beam,
    check_sampling,
    check_text,
    check_unknown,
    checked_pairs,
    checked_path,
    checked_texts,
    warn_of_long,
)
from doldari.inference.batching import answers_in_batches
from doldari.inference.beam import beam_search
from doldari.inference.constraints import Allowed, Automaton, automaton_of
from doldari.inference.search import Bounds, Hypothesis, forced_scores, sample
from doldari.models.model_file import TextModel, load_model, save_model, summary
from doldari.run_files import MODEL_FILE
from doldari.settings import written

__all__ = ["END", "Answer", "Attention", "LongSourceWarning", "Predictor", "check_beam", "load"]

NOTHING = Hypothesis([], 0.0)  # the answer, for certain, to a text of nothing but white space
# The size of a batch in symbols of sources, padding included.  What greedy answers need fits the second-level cache,
# a fifth faster than four times as many; a beam of 5 takes an eighth less with 10,000 than with a quarter of them.
GREEDY_SYMBOLS, BEAM_SYMBOLS = 1 << 12, 50_000  # of a beam: the symbols times its width


Found = TypeVar("Found")


class Predictor:
    """A trained model asked in text: `model("16+75")` or `model.predict(["1+1", "2+2"])`."""

    def __init__(self, text_model: TextModel) -> None:
        self.text_model = text_model

    def __repr__(self) -> str:
        return f"Predictor({summary(self.text_model)})"

    def __call__(self, text: str) -> str:
        """Answer one text."""
        check_text("text", text)
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
        The answer to a text that is empty but for white space, features aside, is empty.
        """
        texts = checked_texts("texts", texts)
        check_beam(beam, n_best)
        if beam == 1 and n_best is None and allowed is None:
            return self._greedy(texts, unknown)
        automaton = None if allowed is None else self.allowing(allowed)

        # Subwords spell one text in several ways: then more is searched for than asked.
        searched = beam if n_best and self.text_model.target.kind == "subwords" else n_best or 1

        def search(batch: list[int], xs: Ids, bounds: Bounds) -> list[list[Hypothesis]]:
            return beam_search(self.text_model.model, xs, START, PADDING, bounds, beam, searched)

        found = self._in_batches(search, texts, unknown, [NOTHING], beam, automaton)
        if n_best is None:
            return [self._decode(text, best.ids, unknown) for text, (best, *_) in zip(texts, found, strict=True)]
        return [
            different([Answer(self._decode(text, one.ids, unknown), one.score) for one in hypotheses])[:n_best]
            for text, hypotheses in zip(texts, found, strict=True)
        ]

    def _greedy(self, texts: Sequence[str], unknown: Unknown) -> list[str]:
        """Answer texts by the likeliest symbol at each step."""
        model = self.text_model.model

        def write(batch: list[int], xs: Ids, bounds: Bounds) -> list[list[int]]:
            written = model.generate(xs, START, int(bounds.longest.max(initial=0)), bounds.never).tolist()
            return [ids[:most] for ids, most in zip(written, bounds.longest.tolist(), strict=True)]

        nothing: list[int] = []
        written = self._in_batches(write, texts, unknown, nothing)
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
        texts = checked_texts("texts", texts)
        check_sampling(temperature, top_k, seed, first)
        automaton = None if allowed is None else self.allowing(allowed)

        def draw(batch: list[int], xs: Ids, bounds: Bounds) -> list[Hypothesis]:
            rngs = [np.random.default_rng([seed, first + index]) for index in batch]
            return sample(self.text_model.model, xs, START, PADDING, bounds, rngs, temperature, top_k)

        drawn = self._in_batches(draw, texts, unknown, NOTHING, automaton=automaton)
        return [
            Answer(self._decode(text, one.ids, unknown), one.score) for text, one in zip(texts, drawn, strict=True)
        ]

    def score(self, pairs: Sequence[tuple[str, str]], *, unknown: Unknown = "error") -> list[float]:
        """Tell the log-probability, in nats, of each pair's target, its end included, as the answer to its source.

        DataError where a source is empty but for white space.
        """
        pairs, target = checked_pairs(pairs), self.text_model.target
        for number, (source, _) in enumerate(pairs):
            if self.text_model.source.is_blank(source):
                raise DataError(f"pairs[{number}]: the source is empty")
        check_unknown(unknown)
        forced = [[START, *target.encode(text, unknown != "error"), PADDING] for _, text in pairs]

        def force(batch: list[int], xs: Ids, bounds: Bounds) -> list[float]:
            ts = pad([forced[index] for index in batch], PADDING)
            return list(map(float, forced_scores(self.text_model.model, xs, ts, PADDING)))

        return self._in_batches(force, [source for source, _ in pairs], unknown, 0.0)

    def attention(self, text: str, *, unknown: Unknown = "error", beam: int = 1) -> Attention:
        """Answer one text as `predict` does, and tell where the model looked; only of models that have attention."""
        model, config, target = self.text_model.model, self.text_model.config, self.text_model.target
        if config.decoder != "attention":
            raise ConfigError(f"decoder={config.decoder}: a model without attention; train with --decoder attention")
        check_text("text", text)
        check_beam(beam)
        if self.text_model.source.is_blank(text):
            raise DataError("the text is empty: there is nothing to look at")

        def look(batch: list[int], xs: Ids, bounds: Bounds) -> list[tuple[Hypothesis, Floats]]:
            ((first, *_),) = beam_search(model, xs, START, PADDING, bounds, beam)
            return [(first, model.attention(xs, pad([[START, *first.ids]], PADDING))[0])]

        nothing: tuple[Hypothesis, Floats] = NOTHING, np.zeros((0, 0))
        ((best, weights),) = self._in_batches(look, [text], unknown, nothing)
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
        blank: Found,
        beam: int = 1,
        automaton: Automaton | None = None,
    ) -> list[Found]:
        """Let `answer` find something for each text, given a batch as `answers_in_batches` says; `blank` for none."""
        check_unknown(unknown)
        numbers = [number for number, text in enumerate(texts) if not self.text_model.source.is_blank(text)]
        # An answer has no start symbol in it, and an unknown one only where a symbol of the source takes its place.
        never = (START,) if unknown == "copy" else (START, UNKNOWN)
        encoded = [self.encode(texts[number], unknown) for number in numbers]
        warn_of_long(encoded, self.text_model.longest_source)
        longest = [self.text_model.longest_answer(len(ids), free=automaton is None) for ids in encoded]
        if automaton is not None:
            longest = [max(most, automaton.longest) for most in longest]
        if self.text_model.config.reverse:
            encoded = [ids[::-1] for ids in encoded]
        symbols = (GREEDY_SYMBOLS if beam == 1 else BEAM_SYMBOLS // beam) * self.text_model.model.batch_factor

        def answer_batch(batch: list[int], xs: Ids) -> list[Found]:
            bounds = Bounds(np.array([longest[n] for n in batch], np.int32), automaton, never)
            return answer([numbers[n] for n in batch], xs, bounds)

        found = dict(zip(numbers, answers_in_batches(answer_batch, encoded, symbols), strict=True))
        return [found.get(number, blank) for number in range(len(texts))]

    def _decode(self, text: str, ids: Sequence[int], unknown: Unknown) -> str:
        """Write the answer to a text as text."""
        source, target = self.text_model.source, self.text_model.target
        copied = source.unknown_symbols(text) if unknown == "copy" and UNKNOWN in ids else ()
        return target.decode(ids, copied)

    def allowing(self, allowed: Allowed) -> Automaton:
        """Make what says what an answer may be, for whoever asks many times; ConfigError if it allows nothing."""
        return automaton_of(allowed, self.text_model.target, self.text_model.longest_target)

    def encode(self, text: str, unknown: Unknown = "error") -> list[int]:
        """Turn a source into ids; UnknownSymbolError and `unknown` as in `predict`."""
        check_text("text", text)
        ids = self.text_model.source.encode(text, unknown != "error")
        if ids and set(ids) == {UNKNOWN}:
            raise UnknownSymbolError(f"{quoted(text)}: none of its symbols was ever seen in training")
        return ids

    def knows(self, text: str) -> bool:
        """Say whether any symbol of a source, if it has one, was seen in training."""
        check_text("text", text)
        return set(self.text_model.source.encode(text, unknown=True)) != {UNKNOWN}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file."""
        save_model(checked_path(path), self.text_model)


def load(path: str | os.PathLike[str], *, engine: Engine = "numpy", device: str = "auto") -> Predictor:
    """Load a trained model from its run's directory or from the model file itself.

    engine and device, which are as in training, are what will compute its answers.
    """
    path = checked_path(path)
    shown = written(str(path), 500)
    try:
        file = path / MODEL_FILE if path.is_dir() else path
        if not file.exists():
            what = "no such model" if file is path else "no model file in this directory"
            raise ModelFileError(f"{shown}: {what}; train one with: doldari train DATA --out {shown}")
    except OSError as error:
        raise ModelFileError(f"{shown}: cannot be read: {error.strerror}") from error
    text_model = load_model(file)
    return Predictor(text_model._replace(model=asked_on(text_model.model, engine, device)))
