"""Texts to ids and back, for one side: normalised, cut into symbols, numbered.

A source may have features, such as those of a form that is asked for: they follow the text behind a tab, with
semicolons or plus signs between them, `walk TAB V;PST`.  They are symbols of their own kind: the feature V is not the
letter V.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from doldari.data.subwords import cut_subwords, load_subwords, subword_symbols, train_subwords
from doldari.data.symbols import cut, join, normalize, written_form
from doldari.errors import ConfigError, DataError, UnknownSymbolError, quoted

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Unknown = Literal["error", "unknown", "copy"]  # what to do with symbols that were never seen in training

PADDING = 0  # also the end of an answer
START = 1
UNKNOWN = 2
SPECIALS = 3
UNKNOWN_TEXT = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Vocabulary:
    """What one side's texts are made of; ids follow padding/end, start and unknown: symbols first, then features.

    kind: how a text is cut into symbols (symbols.py); normalization: the Unicode form it is brought into before, and
    written: the form into which an answer is brought; subwords: the tokenizer, as JSON, if that is the kind.
    right_to_left: the ids of a text begin with its last symbol; only here, so models and searches need not know.
    """

    kind: str
    symbols: tuple[str, ...]
    features: tuple[str, ...] = ()
    normalization: str = "none"
    written: str = "none"
    subwords: str = ""
    right_to_left: bool = False

    @classmethod
    def build(
        cls,
        texts: Iterable[str],
        kind: str,
        *,
        features: Iterable[Sequence[str]] = (),
        normalization: str = "none",
        min_count: int = 1,
        subword_count: int = 8_000,
    ) -> "Vocabulary":
        """Collect what is seen in texts and features at least min_count times, sorted: the texts' order is no matter.

        Answers are written in NFC or NFD, as texts are, if these are normalised.  Texts are gone through several
        times, and kept only if they come from an iterator.
        """
        texts = list(texts) if isinstance(texts, Iterator) else texts
        written = "none" if normalization == "none" else written_form(texts)
        normalized = Normalized(texts, normalization)
        subwords = train_subwords(normalized, subword_count, min_count) if kind == "subwords" else ""
        if subwords:
            symbols = subword_symbols(load_subwords(subwords))
        else:
            symbols = frequent((symbol for text in normalized for symbol in cut(text, kind)), min_count)
        return cls(
            kind,
            symbols,
            frequent((feature for row in features for feature in row), min_count),
            normalization,
            written,
            subwords,
        )

    @cached_property
    def ids(self) -> dict[str, int]:
        """Every symbol's id."""
        return {symbol: id for id, symbol in enumerate(self.symbols, start=SPECIALS)}

    @cached_property
    def feature_ids(self) -> dict[str, int]:
        """Every feature's id."""
        return {feature: id for id, feature in enumerate(self.features, start=SPECIALS + len(self.symbols))}

    @cached_property
    def tokenizer(self) -> "Tokenizer":
        """The subwords' tokenizer; MissingPackageError without the package."""
        return load_subwords(self.subwords)

    def __len__(self) -> int:
        return SPECIALS + len(self.symbols) + len(self.features)

    def cut(self, text: str) -> Sequence[str]:
        """Normalise a text, without features, and cut it into symbols.

        Where some are unknown and those of a canonically equal text, in NFC or NFD, are not, these are what is read.
        """
        symbols = self._cut(text)
        if self.normalization == "none" and not self.ids.keys() >= set(symbols):
            for form in ("NFC", "NFD"):
                others = self._cut(normalize(text, form))
                if self.ids.keys() >= set(others):
                    return others
        return symbols

    def _cut(self, text: str) -> Sequence[str]:
        """Normalise a text and cut it, whether its symbols are known or not."""
        text = normalize(text, self.normalization)
        return cut_subwords(text, self.tokenizer) if self.kind == "subwords" else cut(text, self.kind)

    def encode(self, text: str, unknown: bool = False, *, apart: bool = False) -> list[int]:
        """Turn a text into ids, those of its features first.

        A symbol or feature that is not there is refused, or with `unknown` becomes unknown.  Of a model that reads
        features apart from the symbols, such a feature becomes padding: it would be read, and copied, as a symbol.
        DataError where features are expected and the text has none.
        """
        text, features = self.split(text)
        symbols = self._cut(text)
        ids = [self.ids.get(symbol, UNKNOWN) for symbol in symbols]
        if UNKNOWN in ids:
            symbols = self.cut(text)
            ids = [self.ids.get(symbol, UNKNOWN) for symbol in symbols]
        ids = [self.feature_ids.get(feature, UNKNOWN) for feature in features] + ids
        if not unknown and UNKNOWN in ids:
            index = ids.index(UNKNOWN)
            if index < len(features):
                feature = quoted(features[index])
                raise UnknownSymbolError(f"{quoted(text)}: the feature {feature} was not seen in training")
            symbol = symbols[index - len(features)]
            points = " ".join(f"U+{ord(char):04X}" for char in symbol[:8]) + " ..." * (len(symbol) > 8)
            raise UnknownSymbolError(
                f"{quoted(text)}: the symbol {quoted(symbol)} ({points}) was not seen in training"
            )
        if apart:
            ids[: len(features)] = [PADDING if id == UNKNOWN else id for id in ids[: len(features)]]
        return ids[::-1] if self.right_to_left else ids

    def split(self, text: str) -> tuple[str, list[str]]:
        """Split a text from its features, if there are any."""
        return split_features(text, self._separators) if self.features else (text, [])

    def ids_of(self, source: "Vocabulary") -> NDArray[np.int32]:
        """Say by which of its ids each of a source's ids is copied: that of the same text, or unknown.

        A feature is no text.
        """
        symbols = [self.ids.get(symbol, UNKNOWN) for symbol in source.symbols]
        return np.array([*range(SPECIALS), *symbols, *[UNKNOWN] * len(source.features)], np.int32)

    def may_copy(self, source: "Vocabulary") -> bool:
        """Tell whether any symbol of a source, seen in training or not, may stand in an answer as it is."""
        if (source.kind, source.normalization) != (self.kind, self.normalization):
            return False
        return self.kind != "subwords"  # which the tokenizer has numbered

    def is_blank(self, text: str) -> bool:
        """Return whether a text is blank: nothing but white space, features aside."""
        return not (text.partition("\t")[0] if self.features else text).strip()

    def spell(self, text: str) -> list[str]:
        """List the symbols that a text's ids stand for, features first."""
        text, features = self.split(text)
        return [*features, *self.cut(text)]

    def symbols_taken_apart(self) -> int:
        """Count what is left of characters where NFD takes them apart: Hangul into jamo, é into e and its accent."""
        if self.kind != "characters":
            return len(self.symbols)
        return len(set("".join(normalize(symbol, "NFD") for symbol in self.symbols)))

    def unknown_symbols(self, text: str) -> list[str]:
        """List the symbols of a text, its features aside, that are not there, in order."""
        text = text.partition("\t")[0] if self.features else text
        return [symbol for symbol in self.cut(text) if symbol not in self.ids]

    def decode(self, ids: Sequence[int], copied: Sequence[str] = ()) -> str:
        """Turn the ids of an answer, up to its end, into text.

        The first of `copied` stands for the first unknown, and so on; beyond them the replacement character does.
        """
        symbols, replacements = [], iter(copied)
        if self.right_to_left:
            ids = [*takewhile(PADDING.__ne__, ids)][::-1]
        for id in ids:
            if id == PADDING:
                break
            symbols.append(next(replacements, UNKNOWN_TEXT) if id == UNKNOWN else self._names[id])
        return normalize(join(symbols, self.kind), self.written)

    @cached_property
    def _separators(self) -> str:
        """What stands between features; those of models of before may be such as IN+ESS."""
        return ";" if any("+" in feature for feature in self.features) else ";+"

    @cached_property
    def _names(self) -> tuple[str, ...]:
        """Every id's symbol or feature."""
        return (*[UNKNOWN_TEXT] * SPECIALS, *self.symbols, *self.features)


class Normalized:
    """Texts in a normalisation form, computed at each iteration."""

    def __init__(self, texts: Iterable[str], form: str) -> None:
        self.texts, self.form = texts, form

    def __iter__(self) -> Iterator[str]:
        return (normalize(text, self.form) for text in self.texts)


def frequent(symbols: Iterable[str], min_count: int) -> tuple[str, ...]:
    """Sort the symbols that occur at least min_count times; ConfigError where all are rarer."""
    counts = Counter(symbols)
    kept = tuple(sorted(symbol for symbol, count in counts.items() if count >= min_count))
    if counts and not kept:
        most = max(counts.values())
        raise ConfigError(
            f"{{min_count}}: leaves no symbol; the most frequent one occurs {most:,} times", min_count=min_count
        )
    return kept


def split_features(source: str, separators: str = ";+") -> tuple[str, list[str]]:
    """Split `text TAB one;two+three` into the text and its features; DataError where there are none.

    UniMorph joins the parts of one feature by +, as in IN+ESS, in the inside (Sylak-Glassman 2016).
    """
    text, _, column = source.partition("\t")
    features = [feature.strip() for feature in re.split(f"[{separators}]", column) if feature.strip()]
    if not features:
        raise DataError(f"{quoted(text)}: no features; expected: text, tab, features separated by ;")
    return text, features
