"""Pairs of texts, many of them in little memory: texts side by side as UTF-8, and where each of them ends."""

import hashlib
import random
from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import NDArray

from doldari.data.opening import Origin
from doldari.data.symbols import normalize
from doldari.errors import DataError

PYTHON = "pairs"  # how pairs are called that come from Python
CHUNK = 4096  # pairs whose places are looked up at a time

SplitBy = Literal["source", "lemma"]  # what the pairs of one side share with none of the other's
Rows = NDArray[Any]  # whole numbers, or of a selection also booleans


class Pair(NamedTuple):
    """A source text, its features behind a tab if it has any, and its target text."""

    source: str
    target: str


class Pairs(Sequence[Pair]):
    """Pairs as one can index and slice them, or select them by an array of indices or of booleans.

    texts holds source and target of one pair after the other; bounds (2N + 1,) is where each text begins and the last
    ends; lines (N,) is the number of the line that each stood on.  A selection shares all of these and has rows (n,)
    of its own, so that it takes 4 bytes a pair.  has_features: whether a tab in a source stands before its features;
    otherwise a tab is text.
    """

    def __init__(
        self,
        texts: bytearray,
        bounds: Rows,
        lines: Rows,
        rows: Rows,
        origins: tuple[Origin, ...],
        has_features: bool,
    ) -> None:
        self.texts, self.bounds, self.lines, self.rows = texts, bounds, lines, rows
        self.origins, self.has_features = origins, has_features

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], name: str = PYTHON) -> "Pairs":
        """Take pairs of a built-in task or from Python; a tab in any source says that sources have features."""
        builder = PairsBuilder()
        has_features = False
        for number, (source, target) in enumerate(pairs, start=1):
            has_features = has_features or "\t" in source
            try:
                builder.add(source, target, number)
            except UnicodeEncodeError as error:
                place = f"{name}[{number - 1}]" if name == PYTHON else name
                raise DataError(f"{place}: half a character in it (a lone surrogate)") from error
        made = builder.pairs((), has_features)
        made.origins = (Origin(name, None, None, digest(made)),)
        return made

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, index: int) -> Pair: ...

    @overload
    def __getitem__(self, index: slice | Rows) -> "Pairs": ...

    def __getitem__(self, index: Any) -> "Pair | Pairs":
        if isinstance(index, (slice, np.ndarray)):
            return Pairs(self.texts, self.bounds, self.lines, self.rows[index], self.origins, self.has_features)
        start, middle, end = self._places(self.rows[[index]])[0]
        return Pair(self.texts[start:middle].decode(), self.texts[middle:end].decode())

    def __iter__(self) -> Iterator[Pair]:
        for first in range(0, len(self.rows), CHUNK):
            for start, middle, end in self._places(self.rows[first : first + CHUNK]):
                yield Pair(self.texts[start:middle].decode(), self.texts[middle:end].decode())

    def _places(self, rows: Rows) -> list[list[int]]:
        """Find where the texts of some rows begin, part and end."""
        at = 2 * rows.astype(np.int64)
        places: list[list[int]] = np.stack([self.bounds[at], self.bounds[at + 1], self.bounds[at + 2]], 1).tolist()
        return places

    def __eq__(self, other: object) -> bool:
        """Compare pair by pair with pairs of any kind."""
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(ours == theirs for ours, theirs in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<{len(self):,} pairs of {' and '.join(origin.name for origin in self.origins)}>"

    def place(self, index: int) -> str:
        """Return where a pair stood: `pairs.tsv:3`, or in Python `pairs[2]`; of a built-in task just its name."""
        name, _, size, _ = self.origins[0]
        if size is None:
            return f"{name}[{self.line(index) - 1}]" if name == PYTHON else name
        return f"{name}:{self.line(index)}"

    def line(self, index: int) -> int:
        """Return the number of a pair's line."""
        return int(self.lines[self.rows[index]])

    def longest_bytes(self) -> NDArray[np.int64]:
        """Return how many bytes the longer text of each pair has, a source's features included: (n,)."""
        lengths: NDArray[np.int64] = np.diff(self.bounds).reshape(-1, 2).max(axis=1)[self.rows].astype(np.int64)
        return lengths

    @property
    def nbytes(self) -> int:
        """How many bytes of memory they take, what is shared with others included."""
        return len(self.texts) + self.bounds.nbytes + self.lines.nbytes + self.rows.nbytes


class PairsBuilder:
    """Takes pairs one after the other."""

    def __init__(self) -> None:
        self.texts, self.lengths, self.lines = bytearray(), array("I"), array("I")

    def __len__(self) -> int:
        return len(self.lines)

    def add(self, source: str, target: str, line: int) -> None:
        """Take a pair; UnicodeEncodeError, and nothing taken, where a text has half a surrogate pair in it."""
        source_bytes, target_bytes = source.encode(), target.encode()
        self.texts += source_bytes
        self.texts += target_bytes
        self.lengths.append(len(source_bytes))
        self.lengths.append(len(target_bytes))
        self.lines.append(line)

    def pairs(self, origins: tuple[Origin, ...], has_features: bool) -> Pairs:
        """Put together what was taken."""
        bounds = np.zeros(len(self.lengths) + 1, np.uint32 if len(self.texts) < 1 << 32 else np.uint64)
        np.cumsum(np.frombuffer(self.lengths, np.uint32), out=bounds[1:])
        lines = np.frombuffer(self.lines, np.uint32)
        rows = np.arange(len(lines), dtype=np.uint32)
        return Pairs(self.texts, bounds, lines, rows, origins, has_features)


@overload
def selected(pairs: Pairs, rows: Rows) -> Pairs: ...


@overload
def selected(pairs: Sequence[Pair], rows: Rows) -> Sequence[Pair]: ...


def selected(pairs: Sequence[Pair], rows: Rows) -> Sequence[Pair]:
    """Select pairs by an array of indices: a list of a list."""
    return pairs[rows] if isinstance(pairs, Pairs) else [pairs[int(row)] for row in rows]


def have_features(pairs: Iterable[Pair]) -> bool:
    """Return whether a tab in a source stands before its features: of pairs from Python if there is any."""
    known: bool | None = getattr(pairs, "has_features", None)
    return any("\t" in pair.source for pair in pairs) if known is None else known


class Texts:
    """The texts of some sides of pairs (0 sources, 1 targets), without features, decoded at each iteration."""

    def __init__(self, pairs: Iterable[Pair], *sides: int) -> None:
        self.pairs, self.sides, self.have_features = pairs, sides, have_features(pairs)

    def __iter__(self) -> Iterator[str]:
        for side in self.sides:
            for pair in self.pairs:
                yield pair.source.partition("\t")[0] if side == 0 and self.have_features else pair[side]


def digest(pairs: Iterable[Pair]) -> str:
    """Compute the SHA-256 of pairs' texts, written as `source TAB target NEWLINE` each."""
    sha256 = hashlib.sha256()
    for source, target in pairs:
        sha256.update(f"{source}\t{target}\n".encode())
    return sha256.hexdigest()


@overload
def split_pairs(pairs: Pairs, seed: int = 1984, by: SplitBy = "source") -> tuple[Pairs, Pairs]: ...


@overload
def split_pairs(
    pairs: Sequence[Pair], seed: int = 1984, by: SplitBy = "source"
) -> tuple[Sequence[Pair], Sequence[Pair]]: ...


def split_pairs(
    pairs: Sequence[Pair], seed: int = 1984, by: SplitBy = "source"
) -> tuple[Sequence[Pair], Sequence[Pair]]:
    """Shuffle and split into pairs to train on and, a tenth of the different sources with all of their pairs, others
    to validate with.  Canonically equal sources are the same; by lemma also those that differ in features alone.
    """
    order = array("I", range(len(pairs)))
    random.Random(seed).shuffle(order)
    shuffled = np.frombuffer(order, np.uint32)
    texts = Texts(pairs, 0) if by == "lemma" else (pair.source for pair in pairs)
    # Of each source its number in the order in which sources first come in the shuffled pairs.
    _, first, source = np.unique(text_hashes(texts)[shuffled], return_index=True, return_inverse=True)
    if len(first) < 2:
        raise DataError(f"only one {by}; at least two are needed, one for training and one for validation")
    last = np.sort(first)[-max(1, len(first) // 10)]
    held_out = first[source] >= last
    return selected(pairs, shuffled[~held_out]), selected(pairs, shuffled[held_out])


def text_hashes(texts: Iterable[str]) -> NDArray[np.uint64]:
    """Compute a number of 64 bits of each text, the same of canonically equal texts (N,).

    It stands for the text where many are compared: among 10 million different ones two share theirs by a chance of
    3 in a million.
    """
    hashes = bytearray()
    for text in texts:
        hashes += text_digest(text)
    return np.frombuffer(bytes(hashes), np.uint64)


def text_hash(text: str) -> int:
    """Compute that number of one text."""
    return int.from_bytes(text_digest(text), "little")


def text_digest(text: str) -> bytes:
    """Compute its 8 bytes."""
    return hashlib.blake2b(normalize(text, "NFC").encode(), digest_size=8).digest()
