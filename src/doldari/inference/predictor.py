"""Text in, text out: what `doldari.load` returns."""

import os
from collections.abc import Sequence
from typing import Literal, overload

from doldari.config import Engine
from doldari.data.vocabulary import UNKNOWN, Unknown
from doldari.engines import model_on
from doldari.errors import ConfigError, DataError
from doldari.hub import fetch, is_address
from doldari.inference import answering
from doldari.inference.answering import AnswerOptions
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
from doldari.inference.automaton import Automaton
from doldari.inference.batching import Progress
from doldari.inference.constraints import Allowed, automata_of, chosen_constraint
from doldari.inference.questions import encoded_source
from doldari.inference.voting import voting_of, with_vote
from doldari.models.joining import refuse_mixed
from doldari.models.kinds import Vote
from doldari.models.model_file import ROOM, TextModel, load_model, model_file, save_model, summary

__all__ = ["END", "Answer", "AnswerOptions", "Attention", "LongSourceWarning", "Predictor", "load"]


class Predictor:
    """A trained model, from text to text: `model("16+75")` or `model.predict(["1+1", "2+2"])`."""

    def __init__(self, text_model: TextModel) -> None:
        self.text_model = text_model

    def __repr__(self) -> str:
        return f"Predictor({summary(self.text_model)})"

    def __call__(self, text: str) -> str:
        """Predict the output for one text."""
        check_text("text", text)
        return self.predict([text])[0]

    @overload
    def predict(
        self,
        texts: Sequence[str],
        *,
        unknown: Unknown = ...,
        beam_size: int = ...,
        beam: int | None = ...,
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
        beam_size: int = ...,
        beam: int | None = ...,
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
        beam_size: int = ...,
        beam: int | None = ...,
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
        beam_size: int = 1,
        beam: int | None = None,
        allowed: Allowed | None = None,
        one_of: Sequence[str] | None = None,
        matching: str | None = None,
        max_length: int | None = None,
        min_probability: float | None = None,
    ) -> list[str] | list[Answer] | list[list[Answer]]:
        """Predict the output for each text; for a model with features a text is `source TAB feature;feature`.

        beam_size 1 is greedy search (beam is its former name).  The best output has the highest log-probability per
        symbol, end included.  With `scores`, each text gets an `Answer`; with n_best, a list of that many, the best
        first, and a beam size of 1 is raised to n_best.  Predictions do not depend on the other texts.
        Outputs can be restricted to the texts `one_of` or to full matches of the regular expression `matching`;
        `allowed` is either of these, or the result of `allowing`.
        max_length is the maximum output length in symbols: by default `TextModel.limit`, twice that of training.
        Flags of an `Answer`: "limit", it was cut at max_length; "abstained", its probability was below
        min_probability, so it is empty; "forced", the model alone would satisfy the constraint with less than 1 %.
        Symbols never seen in training raise UnknownSymbolError; with unknown="unknown" they are mapped to the unknown
        symbol; with "copy" unknown symbols of outputs are also replaced, in order, by those of the source, as they
        are with "unknown" if the decoder copies its source's symbols (See et al. 2017).  A text of only such symbols
        is an error, a very long one gives a warning, and a blank one gives an empty output.
        """
        width = checked_beam(beam_size if beam is None else beam, n_best)
        check_answering(max_length, min_probability)
        automaton = self._constraint(allowed, one_of, matching, max_length)
        detailed = scores or n_best is not None or bool(self.text_model.others)
        if width == 1 and automaton is None and min_probability is None and not detailed:
            return answering.texts_greedily(self.text_model, checked_texts("texts", texts), unknown, max_length)
        options = AnswerOptions(unknown, width, n_best or 1, automaton, max_length, min_probability, detailed)
        found = self.answers(texts, options)
        if n_best is not None:
            return found
        best = [answer for (answer, *_) in found]
        return best if scores else [answer.text for answer in best]

    def answers(
        self, texts: Sequence[str], options: AnswerOptions, progress: Progress | None = None
    ) -> list[list[Answer]]:
        """Predict as `predict` with n_best does; progress is called with the number of texts done."""
        texts = checked_texts("texts", texts)
        if self.text_model.others:
            return voting_of(self.text_model).answers(texts, options, progress)
        return answering.answers_to(self.text_model, texts, options, progress)

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
        """Sample an output for each text; a higher temperature is more random, top_k keeps the k most likely symbols.

        The random numbers depend on the seed and the text's number, not on its batch; numbers start at `first`.  The
        other options are those of `predict`.
        """
        texts = checked_texts("texts", texts)
        check_sampling(temperature, top_k, seed, first)
        refuse_mixed(self.text_model, "sampling")
        automaton = self._constraint(allowed, one_of, matching, max_length)
        options = AnswerOptions(unknown, allowed=automaton, max_length=max_length)
        return answering.sampled(self.text_model, texts, options, temperature, top_k, seed, first)

    def score(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        unknown: Unknown = "error",
        progress: Progress | None = None,
    ) -> list[float]:
        """Return the log-probability, in nats, of each pair's target given its source, end included.

        progress is called with the number of pairs done.  DataError where a source is blank.
        """
        pairs = checked_pairs(pairs)
        for number, (source, _) in enumerate(pairs):
            if self.text_model.source.is_blank(source):
                raise DataError(f"pairs[{number}]: the source is empty")
        if self.text_model.others:
            for source, _ in pairs if unknown == "error" else ():
                self.encode(source)
            return voting_of(self.text_model).score(pairs, progress)
        return answering.scores_of(self.text_model, pairs, unknown, progress)

    def attention(
        self, text: str, *, unknown: Unknown = "error", beam_size: int = 1, beam: int | None = None
    ) -> Attention:
        """Predict from one text as `predict` does, and return the attention weights; ConfigError if it has none.

        Of an ensemble of different kinds they are those of the first kind that attends, while it writes the answer.
        """
        kind = self.text_model.attending
        if kind is None:
            decoder = self.text_model.config.decoder
            raise ConfigError(f"decoder={decoder}: a model without attention; train with --decoder attention")
        check_text("text", text)
        if kind.source.is_blank(text):
            raise DataError("the text is empty")
        width = checked_beam(beam_size if beam is None else beam)
        if not self.text_model.others:
            return answering.attention_to(kind, text, unknown, width)
        ((voted, *_),) = self.answers([text], AnswerOptions(unknown, width))
        return answering.attention_to(kind, text, unknown, width, voted)

    def allowing(self, allowed: Allowed, max_length: int | None = None) -> Automaton:
        """Compile a constraint for repeated use; ConfigError if it allows nothing."""
        kinds = [(kind.target, max_length or ROOM * kind.longest_target) for kind in self.text_model.kinds]
        return automata_of(allowed, kinds)

    def _constraint(
        self, allowed: Allowed | None, one_of: Sequence[str] | None, matching: str | None, max_length: int | None
    ) -> Automaton | None:
        """Compile the constraint, which is given in one way at most."""
        check_answering(max_length, None)
        chosen = chosen_constraint(allowed, one_of, matching)
        return None if chosen is None else self.allowing(chosen, max_length)

    def encode(self, text: str, unknown: Unknown = "error") -> list[int]:
        """Encode a source as ids, of the first kind's; UnknownSymbolError and `unknown` as in `predict`."""
        ids, *_ = [encoded_source(kind.source, text, unknown) for kind in self.text_model.kinds]
        return ids

    def knows(self, text: str) -> bool:
        """Return whether at least one symbol of a source was seen in training, or the source is empty."""
        check_text("text", text)
        return all(set(kind.source.encode(text, unknown=True)) != {UNKNOWN} for kind in self.text_model.kinds)

    def voting(self, vote: Vote) -> "Predictor":
        """Return an ensemble of different kinds as one that votes by this rule; ConfigError for any other model."""
        return Predictor(with_vote(self.text_model, vote))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file."""
        save_model(checked_path(path), self.text_model)


def load(path: str | os.PathLike[str], *, engine: Engine = "numpy", device: str = "auto") -> Predictor:
    """Load a trained model from its run directory, its model file, or the Hugging Face Hub.

    path is "hf://owner/name" there, with "@revision" behind it for another than the newest; it is downloaded once and
    cached (`doldari.hub`).  engine and device are those of training: "numpy" or "torch"; "auto", "cpu", "cuda",
    "cuda:1", "mps".
    """
    path = checked_path(path)
    text_model = load_model(fetch(path) if is_address(path) else model_file(path))
    placed = [kind._replace(model=model_on(kind.model, engine, device)) for kind in text_model.kinds]
    return Predictor(text_model.with_kinds(placed))
