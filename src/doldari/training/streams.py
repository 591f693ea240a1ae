"""Training on data larger than memory: shards are read again in every epoch, and shuffled within a buffer.

An epoch reads the shards in an order drawn anew.  As many pairs as the buffer holds are encoded and made into batches
like a small set of data; then come the next.  Of several processes each reads shards of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, islice, repeat
from typing import NamedTuple

import numpy as np

from doldari.arrays import Ids
from doldari.data.batches import shuffled_rows
from doldari.data.pairs import Pair
from doldari.data.ragged import Ragged
from doldari.data.shards import Shards
from doldari.data.vocabulary import PADDING
from doldari.torchrun import rank, world_size


class OwnRows(NamedTuple):
    """The rows of a batch that this process trains on, x (n, S) and t (n, T), and how many the whole batch has."""

    x: Ids
    t: Ids
    whole: int


class Streamed:
    """Pairs of shards as ids, a window at a time."""

    def __init__(
        self, shards: Shards, encode: Callable[[Sequence[Pair]], tuple[Ragged, Ragged]], buffer: int
    ) -> None:
        self.shards, self.encode, self.buffer = shards, encode, buffer

    def __len__(self) -> int:
        return len(self.shards)

    def windows(self, shards: Sequence[int] | None = None, size: int = 4096) -> Iterator[tuple[Ragged, Ragged]]:
        """Yield the questions and answers of some shards, or of all, so many at a time."""
        pairs = iter(self.shards) if shards is None else self.shards.pairs(shards)
        while window := list(islice(pairs, size)):
            yield self.encode(window)

    def batches(self, batch_size: int, rng: np.random.Generator, bucketing: bool) -> Iterator[OwnRows]:
        """Yield this process's part of the batches of an epoch; one process may have more of them than another."""
        # All processes draw one number, whatever they draw of their own: so they stay together.
        own_rng = np.random.default_rng([int(rng.integers(1 << 63)), rank()])
        shards = own_rng.permutation(np.arange(len(self.shards.paths))[rank() :: world_size()]).tolist()
        own = self.own_size(batch_size, rank())
        for x, t in self.windows(shards, max(1, self.buffer // own) * own):
            for rows in shuffled_rows(x, t, own, PADDING, own_rng, bucketing):
                whole = len(rows) if world_size() == 1 else batch_size
                yield OwnRows(x.padded(PADDING, rows), t.padded(PADDING, rows, keep=1), whole)

    def own_size(self, batch_size: int, rank: int) -> int:
        """How many pairs of a batch a process takes."""
        return batch_size * (rank + 1) // world_size() - batch_size * rank // world_size()

    def steps(self, batch_size: int) -> int:
        """How many batches an epoch has: as many as the process that has the most."""
        counts = (sum(self.shards.counts[rank :: world_size()]) for rank in range(world_size()))
        return max(-(-count // self.own_size(batch_size, rank)) for rank, count in enumerate(counts))


def in_step(batches: Iterator[OwnRows], agreed: Callable[[bool], bool], batch_size: int) -> Iterator[OwnRows]:
    """Yield batches for as long as any process has one: without rows where this one has no more."""
    nothing = OwnRows(np.zeros((0, 1), np.int32), np.zeros((0, 2), np.int32), batch_size)
    for batch in chain(batches, repeat(None)):
        if not agreed(batch is not None):
            return
        yield nothing if batch is None else batch
