"""Text in, text out: what `doldari.load` returns."""

import os
from collections.abc import Sequence
from typing import Literal, overload

import numpy as np

from doldari.arrays import Ids
from doldari.config import Engine
from doldari.data.batches import pad
from doldari.data.vocabulary import PADDING, START, UNKNOWN, Unknown
from doldari.engines import model_on
from doldari.errors import ConfigError, DataError
from doldari.inference import answering
from doldari.inference.answering import GREEDY_SYMBOLS, NOTHING, AnswerOptions, as_answer
from doldari.inference.answers import END, Answer, Attention
from doldari.inference.arguments import (
    LongSourceWarning,
    check_answering,
    check_sampling,
    check_text,
    checked_beam,
    checked_pairs,
    checked_path,
    checked_texts,
)
from doldari.inference.batching import Progress
from doldari.inference.constraints import Allowed, Automaton, automaton_of, chosen_constraint
from doldari.inference.questions import Questions, encoded_source
from doldari.inference.search import Bounds, Hypothesis, forced_scores, sample, with_forced
from doldari.models.model_file import ROOM, TextModel, load_model, model_file, save_model, summary

__all__ = ["END", "Answer", "AnswerOptions", "Attention", "LongSourceWarning", "Predictor", "load"]


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
        self,
        texts: Sequence[str],
        *,
        unknown: Unknown = ...,
        beam: int = ...,
        allowed: Allowed | None = ...,
        one_of: Sequence[str] | None = ...,
        matching: str | None = ...,
        max_length: int | None = ...,
        min_probability: float | None = ...,
    ) -> list[str]: ...

    @overload
    def predict(
        self,
        texts: Sequence[str],
        *,
        scores: Literal[True],
        unknown: Unknown = ...,
        beam: int = ...,
        allowed: Allowed | None = ...,
        one_of: Sequence[str] | None = ...,
        matching: str | None = ...,
        max_length: int | None = ...,
        min_probability: float | None = ...,
    ) -> list[Answer]: ...

    @overload
    def predict(
        self,
        texts: Sequence[str],
        *,
        n_best: int,
        scores: bool = ...,
        unknown: Unknown = ...,
        beam: int = ...,
        allowed: Allowed | None = ...,
        one_of: Sequence[str] | None = ...,
        matching: str | None = ...,
        max_length: int | None = ...,
        min_probability: float | None = ...,
    ) -> list[list[Answer]]: ...

    def predict(
        self,
        texts: Sequence[str],
        *,
        scores: bool = False,
        n_best: int | None = None,
        unknown: Unknown = "error",
        beam: int = 1,
        allowed: Allowed | None = None,
        one_of: Sequence[str] | None = None,
        matching: str | None = None,
        max_length: int | None = None,
        min_probability: float | None = None,
    ) -> list[str] | list[Answer] | list[list[Answer]]:
        """Answer texts, each as if it were alone; of a model with features, `text TAB one;two`.

        beam is how many answers are followed at a time; 1 is greedy.  The best answer is that of the highest
        log-probability a symbol, end included.  With `scores` each text gets an `Answer`; with n_best, a list of so
        many, the best first, for which a beam of 1 becomes as wide.

        Answers are one of the texts `one_of`, or match the whole regular expression `matching`; `allowed` is either,
        or what `allowing` made.  They have at most max_length symbols; or else twice as many as the longest in
        training, in proportion more where their source is longer than any there, and, unless that is so or what they
        may be is said, at most twice as many as their source and what an answer in training was longer than its own.
        An answer that met this limit before its end has the flag "limit".  One less probable than min_probability is
        empty, with the flag "abstained".  One has the flag "forced" if the model would have kept to what is allowed,
        along the answer, with a probability below 1 %.

        A symbol never seen in training is refused with UnknownSymbolError, or with "unknown" let through; with "copy"
        answers may be unknown in places too, where it then stands: the first for the first, and so on.  A text of
        only such symbols is always refused; one that is much longer than any in training is warned about.  The answer
        to a text that is empty but for white space, features aside, is empty.
        """
        width = checked_beam(beam, n_best)
        check_answering(max_length, min_probability)
        automaton = self._constraint(allowed, one_of, matching, max_length)
        detailed = scores or n_best is not None
        if width == 1 and automaton is None and min_probability is None and not detailed:
            return answering.texts_greedily(self.text_model, checked_texts("texts", texts), unknown, max_length)
        asked = AnswerOptions(unknown, width, n_best or 1, automaton, max_length, min_probability, detailed)
        found = self.answers(texts, asked)
        if n_best is not None:
            return found
        best = [answer for (answer, *_) in found]
        return best if scores else [answer.text for answer in best]

    def answers(
        self, texts: Sequence[str], asked: AnswerOptions, progress: Progress | None = None
    ) -> list[list[Answer]]:
        """Answer texts as `predict` with n_best does; progress is told, now and then, how many are answered."""
        return answering.answers_to(self.text_model, checked_texts("texts", texts), asked, progress)

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
        one_of: Sequence[str] | None = None,
        matching: str | None = None,
        max_length: int | None = None,
    ) -> list[Answer]:
        """Draw an answer to each text: the higher the temperature, the more freely; of the top_k likeliest symbols.

        The seed and a text's number decide, not the batch it is in; the texts' numbers begin with `first`.  What an
        answer may be is said as in `predict`.
        """
        texts = checked_texts("texts", texts)
        check_sampling(temperature, top_k, seed, first)
        automaton = self._constraint(allowed, one_of, matching, max_length)
        model = self.text_model.searched

        def draw(batch: list[int], xs: Ids, bounds: Bounds) -> list[Hypothesis]:
            rngs = [np.random.default_rng([seed, first + index]) for index in batch]
            drawn = sample(model, xs, START, PADDING, bounds, rngs, temperature, top_k)
            return [one for (one,) in with_forced(model, xs, [[one] for one in drawn], START, PADDING, bounds)]

        questions = Questions.of(self.text_model, texts, unknown, max_length, automaton)
        drawn = questions.answered(draw, NOTHING, GREEDY_SYMBOLS)
        return [as_answer(self.text_model, text, one, unknown) for text, one in zip(texts, drawn, strict=True)]

    def score(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        unknown: Unknown = "error",
        progress: Progress | None = None,
    ) -> list[float]:
        """Tell the log-probability, in nats, of each pair's target, its end included, as the answer to its source.

        progress is told, now and then, how many are scored.  DataError where a source is empty but for white space.
        """
        pairs, target = checked_pairs(pairs), self.text_model.target
        for number, (source, _) in enumerate(pairs):
            if self.text_model.source.is_blank(source):
                raise DataError(f"pairs[{number}]: the source is empty")
        questions = Questions.of(self.text_model, [source for source, _ in pairs], unknown)
        forced = [[START, *target.encode(text, unknown != "error"), PADDING] for _, text in pairs]

        def force(batch: list[int], xs: Ids, bounds: Bounds) -> list[float]:
            ts = pad([forced[index] for index in batch], PADDING)
            return list(map(float, forced_scores(self.text_model.searched, xs, ts, PADDING)))

        return questions.answered(force, 0.0, GREEDY_SYMBOLS, progress)

    def attention(self, text: str, *, unknown: Unknown = "error", beam: int = 1) -> Attention:
        """Answer one text as `predict` does, and tell where the model looked; only of models that have attention."""
        config = self.text_model.config
        if not config.attends:
            raise ConfigError(f"decoder={config.decoder}: a model without attention; train with --decoder attention")
        check_text("text", text)
        if self.text_model.source.is_blank(text):
            raise DataError("the text is empty")
        return answering.attention_to(self.text_model, text, unknown, checked_beam(beam))

    def allowing(self, allowed: Allowed, max_length: int | None = None) -> Automaton:
        """Make what says what an answer may be, for whoever asks many times; ConfigError if it allows nothing."""
        return automaton_of(allowed, self.text_model.target, max_length or ROOM * self.text_model.longest_target)

    def _constraint(
        self, allowed: Allowed | None, one_of: Sequence[str] | None, matching: str | None, max_length: int | None
    ) -> Automaton | None:
        """Make of what an answer may be, said in one way at most, an automaton."""
        check_answering(max_length, None)
        chosen = chosen_constraint(allowed, one_of, matching)
        return None if chosen is None else self.allowing(chosen, max_length)

    def encode(self, text: str, unknown: Unknown = "error") -> list[int]:
        """Turn a source into ids; UnknownSymbolError and `unknown` as in `predict`."""
        return encoded_source(self.text_model.source, text, unknown)

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
    text_model = load_model(model_file(checked_path(path)))
    return Predictor(text_model._replace(model=model_on(text_model.model, engine, device)))
