"""Sequences of ids of any length side by side, without padding: memory grows with the symbols."""

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Ids

Numbers = NDArray[Any]  # whole numbers of some width


class Ragged(Sequence[Ids]):
    """N sequences: ids (M,), all of them side by side, in as few bytes as they fit into, and bounds (N + 1,).

    The n-th has the ids from bounds[n] to bounds[n + 1].
    """

    def __init__(self, ids: Numbers, bounds: Numbers) -> None:
        self.ids, self.bounds = ids, bounds

    @classmethod
    def of(cls, sequences: Iterable[Sequence[int]], size: int) -> "Ragged":
        """Take sequences, one after the other, of ids that are below `size`."""
        ids = array("B" if size <= 1 << 8 else "H" if size <= 1 << 16 else "I")
        lengths = array("I")
        for sequence in sequences:
            ids.extend(sequence)
            lengths.append(len(sequence))
        bounds = np.zeros(len(lengths) + 1, np.uint32 if len(ids) < 1 << 32 else np.uint64)
        np.cumsum(np.frombuffer(lengths, np.uint32), out=bounds[1:])
        return cls(np.frombuffer(ids, f"u{ids.itemsize}"), bounds)

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def __getitem__(self, index: Any) -> Any:
        """Return one sequence, (T,) int32; of a slice a list of them."""
        if isinstance(index, slice):
            return [self[row] for row in range(len(self))[index]]
        index = range(len(self))[index]
        return self.ids[self.bounds[index] : self.bounds[index + 1]].astype(np.int32)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """How many ids each has: (N,)."""
        return self.lengths_of(np.arange(len(self)))

    def lengths_of(self, rows: NDArray[Any]) -> NDArray[np.int64]:
        """Return how many ids some have: (n,)."""
        lengths: NDArray[np.int64] = self.bounds[rows + 1].astype(np.int64) - self.bounds[rows].astype(np.int64)
        return lengths

    @property
    def longest(self) -> int:
        """How many ids the longest has; 0 if there is none."""
        return int(self.lengths.max(initial=0))

    @property
    def nbytes(self) -> int:
        """How many bytes of memory they take."""
        return self.ids.nbytes + self.bounds.nbytes

    def padded(self, pad_id: int, rows: NDArray[Any] | None = None, keep: int = 0) -> Ids:
        """Put some sequences, or all, side by side: ids (n, T + keep) int32, padded on the right.

        T is the length of the longest of them.
        """
        rows = np.arange(len(self)) if rows is None else rows
        starts, lengths = self.bounds[rows].astype(np.int64), self.lengths_of(rows)
        columns = np.arange(int(lengths.max(initial=0)) + keep)
        padded = np.full((len(rows), len(columns)), pad_id, np.int32)
        here = columns < lengths[:, None]
        padded[here] = self.ids[(starts[:, None] + columns)[here]]
        return padded


Examples = Ids | Ragged  # padded (N, T), or of different lengths
