"""Texts prepared for search: encoded, in batches of similar length, with the length limits of their outputs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeVar

import numpy as np

from doldari.arrays import Ids
from doldari.data.vocabulary import PADDING, START, UNKNOWN, Unknown, Vocabulary
from doldari.errors import ConfigError, UnknownSymbolError, quoted
from doldari.inference.arguments import check_text, check_unknown, warn_of_long
from doldari.inference.automaton import Automaton
from doldari.inference.batching import Progress, answers_in_batches
from doldari.inference.search import Bounds
from doldari.models.model_file import ROOM, TextModel

Found = TypeVar("Found")


def encoded_source(source: Vocabulary, text: str, unknown: Unknown = "error", *, apart: bool = False) -> list[int]:
    """Encode a source, as `Vocabulary.encode`; UnknownSymbolError where all that is read is unknown."""
    check_text("text", text)
    ids = source.encode(text, unknown != "error", apart=apart)
    if ids and {*ids} <= {UNKNOWN, PADDING}:
        raise UnknownSymbolError(f"{quoted(text)}: none of its symbols was seen in training")
    return ids


def unknown_are_copied(model: TextModel, unknown: Unknown) -> bool:
    """Tell whether unknown symbols of answers stand for those of the source: a decoder that copies has no others."""
    return unknown == "copy" or (unknown == "unknown" and model.copies_unknown)


def never_written(model: TextModel, unknown: Unknown) -> tuple[int, ...]:
    """List the ids that stand in no answer: the start, and unknown unless it stands for a symbol of the source."""
    return (START,) if unknown_are_copied(model, unknown) else (START, UNKNOWN)


@dataclass(frozen=True)
class Questions:
    """Texts to predict from: the places of those that are not blank, their ids as the model reads them, and the
    bounds of their outputs.
    """

    texts: Sequence[str]
    places: list[int]
    encoded: list[list[int]]
    bounds: Bounds
    factor: int  # how many times as large a batch of the model is

    @classmethod
    def of(
        cls,
        model: TextModel,
        texts: Sequence[str],
        unknown: Unknown = "error",
        max_length: int | None = None,
        automaton: Automaton | None = None,
    ) -> Self:
        """Encode texts, with a warning about texts much longer than any in training.

        An answer has at most max_length symbols; or else twice as many as it would have in training, or as its
        constraint, if there is one, needs.
        """
        check_unknown(unknown)
        places = [place for place, text in enumerate(texts) if not model.source.is_blank(text)]
        encoded = [encoded_source(model.source, texts[place], unknown, apart=model.config.copies) for place in places]
        warn_of_long(encoded, model.longest_source)
        lengths = list(map(len, encoded))
        usual_of = {length: model.usual_length(length, automaton is None) for length in set(lengths)}
        usual = np.array([usual_of[length] for length in lengths], np.int32)
        longest = ROOM * usual
        if automaton is not None:
            usual, longest = np.maximum(usual, automaton.longest), np.maximum(longest, automaton.longest)
        if max_length is not None:
            usual, longest = np.minimum(usual, max_length), np.full_like(longest, max_length)
        if automaton is not None and automaton.distance[0] > longest.min(initial=automaton.distance[0]):
            shortest = automaton.distance[0]
            raise ConfigError(
                f"{{max_length}}: the shortest output that is allowed has {shortest} symbols", max_length=max_length
            )
        ids = [ids[::-1] for ids in encoded] if model.config.reads_backwards else encoded
        return cls(
            texts,
            places,
            ids,
            Bounds(longest, automaton, never_written(model, unknown), usual),
            model.model.batch_factor,
        )

    def answered(
        self,
        answer: Callable[[list[int], Ids, Bounds], list[Found]],
        blank: Found,
        symbols: int,
        progress: Progress | None = None,
    ) -> list[Found]:
        """Apply `answer` to batches: the places of their texts, ids xs (N, S), and bounds.

        symbols is the size of a batch; blank is the result for a blank text.
        """

        def answer_batch(batch: list[int], xs: Ids) -> list[Found]:
            return answer([self.places[n] for n in batch], xs, self.bounds.rows(batch))

        found = answers_in_batches(answer_batch, self.encoded, symbols * self.factor, progress)
        by_place = dict(zip(self.places, found, strict=True))
        return [by_place.get(place, blank) for place in range(len(self.texts))]
