"""What a transformer's decoder carries from step to step: the keys and values of what was read, and the source.

States share arrays: a step writes behind what is there, where no other state went on before.  So the states of all
steps, which a beam search keeps, take no more memory than the last.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Floats, Ids, Mask
from doldari.layers.attention import Memory
from doldari.layers.layout import Layout
from doldari.layers.multi_head_attention import KeysValues
from doldari.models.transformer_layer import Before

LEAST_ROOM = 16  # positions


class Source(NamedTuple):
    """What is remembered of Q sources: the encoder's vectors (P, D) as laid out, every layer's keys and values.

    copied is what a pointer looks at, None without one.
    """

    vectors: Floats
    layout: Layout
    layers: tuple[KeysValues, ...]
    copied: Memory | None = None


class Past:
    """Every layer's keys and values (R, room, D), of which the first `filled` positions are written."""

    def __init__(self, layers: tuple[KeysValues, ...], filled: int) -> None:
        self.layers, self.filled = layers, filled

    def with_room(self, rows: Ids | None, read: int, more: int) -> tuple["Past", Ids | None]:
        """Find room for `more` positions behind the first `read` of some rows: here, or in larger copies.

        Returns where it is, and which of its rows these are now, None for all in their order.
        """
        room = self.layers[0].keys.shape[1]
        alone = rows is None or len(np.unique(rows)) == len(rows)
        if self.filled == read and read + more <= room and alone:
            self.filled += more
            return self, rows
        room = max(LEAST_ROOM, 2 * (read + more))
        return Past(tuple(copied(layer, rows, read, room) for layer in self.layers), read + more), None


def copied(layer: KeysValues, rows: Ids | None, read: int, room: int) -> KeysValues:
    """Copy the first positions of some rows to where there is room for more."""
    larger = []
    for array in layer:
        first = array[:, :read] if rows is None else array[rows, :read]
        copy = np.empty((len(first), room, array.shape[2]), array.dtype)
        copy[:, :read] = first
        larger.append(copy)
    return KeysValues(*larger)


class TransformerState(NamedTuple):
    """R rows, of which each has read as many ids, `length`.

    past holds the keys and values of these ids, None before the first, for row r in its row own[r]; mask (R, length)
    is False where an id was padding, None if none was; read (R,) counts the others.  Of the source row r looks at
    number rows[r].  own and rows are None where each is at its own.
    """

    length: int
    past: Past | None
    own: Ids | None
    mask: Mask | None
    read: Ids
    source: Source
    rows: Ids | None

    def select(self, rows: NDArray[np.intp]) -> "TransformerState":
        """Take some rows, any of them as often as wanted; the keys and values stay where they are."""
        mask = None if self.mask is None else self.mask[rows]
        own, sources = self.every(self.own)[rows], self.every(self.rows)[rows]
        return self._replace(own=own, mask=mask, read=self.read[rows], rows=sources)

    def join(self, other: "TransformerState") -> "TransformerState":
        """Put the rows of another state, of the same sources and as many ids, below its own."""
        past, own, mask = self.past, self.own, None
        if self.past is not None and other.past is not None:
            mine, theirs = self.past.layers, other.past.layers
            every, others = self.every(self.own), other.every(other.own)
            past = Past(
                tuple(
                    KeysValues(
                        *(np.concatenate([a[every, : self.length], b[others, : self.length]]) for a, b in pairs)
                    )
                    for pairs in (zip(one, another, strict=True) for one, another in zip(mine, theirs, strict=True))
                ),
                self.length,
            )
            own = None
        if self.mask is not None or other.mask is not None:
            mask = np.concatenate([self.unpadded(), other.unpadded()])
        rows = np.concatenate([self.every(self.rows), other.every(other.rows)])
        read = np.concatenate([self.read, other.read])
        return TransformerState(self.length, past, own, mask, read, self.source, rows)

    def followed_by(self, T: int, mask: Mask | None) -> tuple["TransformerState", list[Before | None]]:
        """Make room for T ids, padding where mask (R, T) is False: the state after them, what each layer is given."""
        R, length = len(self.read), self.length + T
        read = self.read + (np.int32(T) if mask is None else mask.sum(axis=1, dtype=np.int32))
        seen = None
        if self.mask is not None or mask is not None:
            seen = np.concatenate([self.unpadded(), np.ones((R, T), np.bool_) if mask is None else mask], axis=1)
        after = self._replace(length=length, mask=seen, read=read)
        if self.past is None:
            return after, [None] * len(self.source.layers)
        own = self.every(self.own) if seen is not None else self.own
        past, own = self.past.with_room(own, self.length, T)
        if seen is not None and own is not None:  # the mask is in the order of the rows
            past, own = Past(tuple(copied(layer, own, length, length) for layer in past.layers), length), None
        befores: list[Before | None] = [Before(layer, own, self.length, seen) for layer in past.layers]
        return after._replace(past=past, own=own), befores

    def every(self, rows: Ids | None) -> Ids:
        """Write out which row each is at, also where that is its own."""
        return np.arange(len(self.read), dtype=np.int32) if rows is None else rows

    def unpadded(self) -> Mask:
        """Give the mask (R, length), also where nothing is padding."""
        return np.ones((len(self.read), self.length), np.bool_) if self.mask is None else self.mask
