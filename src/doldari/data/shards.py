"""Pairs that are never all in memory: those of files, called shards, which are read whenever they are gone through.

The first pass counts them and finds those to hold out: a sample that knows no order and needs little memory.
"""

import heapq
from collections.abc import Callable, Collection, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from doldari.data.formats import Columns, Format, has_features, iter_pairs
from doldari.data.opening import Origin, Source
from doldari.data.pairs import Pair, text_hash
from doldari.errors import DataError

SHOWN = 10  # places that are listed


class Shards:
    """The pairs of several files to train on: all that fit, but for those that are held out.

    counts: how many each file has; longest: the characters of the longest source and target; skipped: how many pairs
    did not fit, and skipped_at where the first of them stand.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        columns: Columns | None = None,
        format: Format | None = None,
        fits: Callable[[Pair], bool] = lambda pair: True,
        hold_out: int = 0,
    ) -> None:
        """Go through all files once, and hold out at most a tenth of the pairs, and about `hold_out` of them."""
        self.paths, self.columns, self.format, self.fits = paths, columns, format, fits
        self.has_features = has_features(paths[0], columns, format)
        self.counts, self.longest = [0] * len(paths), (0, 0)
        self.skipped, self.skipped_at = 0, list[str]()
        self.first_hash = 0  # the pairs of sources with lower ones are held out
        sample = Sample(hold_out)
        self.origins = (self._scan(sample),)
        self.held_out = self._held_out(sample) if hold_out else []

    def _scan(self, sample: "Sample") -> Origin:
        """Count the pairs of all files; say what was read."""
        origins = []
        for shard, path in enumerate(self.paths):
            with Source(path) as source:
                for line, pair in iter_pairs(source, self.columns, self.format):
                    if not self.fits(pair):
                        self.skipped += 1
                        self.skipped_at += [f"{source.name}:{line}"] * (self.skipped <= SHOWN)
                        continue
                    self.counts[shard] += 1
                    lengths = (
                        len(pair.source.partition("\t")[0] if self.has_features else pair.source),
                        len(pair.target),
                    )
                    self.longest = max(self.longest[0], lengths[0]), max(self.longest[1], lengths[1])
                    sample.offer(shard, pair)
                origins.append(source.origin())
        if len(origins) == 1:
            return origins[0]
        name = f"{origins[0].name} and {len(origins) - 1:,} more"
        together = sha256("".join(origin.sha256 for origin in origins).encode()).hexdigest()
        return Origin(name, origins[0].path, sum(origin.bytes or 0 for origin in origins), together)

    def _held_out(self, sample: "Sample") -> list[Pair]:
        """Take the sample's pairs out of those to train on."""
        total = sum(self.counts)
        chosen = sample.chosen(max(1, total // 10))
        if not chosen or len(chosen) == total:
            raise DataError(f"{self.origins[0].name}: too few sources to hold some out; give pairs to validate with")
        self.first_hash = chosen[-1][0] + 1
        for _, shard, _ in chosen:
            self.counts[shard] -= 1
        return [pair for *_, pair in chosen]

    def __len__(self) -> int:
        return sum(self.counts)

    def __iter__(self) -> Iterator[Pair]:
        return self.pairs(range(len(self.paths)))

    def pairs(self, shards: Collection[int]) -> Iterator[Pair]:
        """Read the pairs of some of the files, one file after the other."""
        for shard in shards:
            with Source(self.paths[shard]) as source:
                for _, pair in iter_pairs(source, self.columns, self.format):
                    if (self.first_hash == 0 or text_hash(pair.source) >= self.first_hash) and self.fits(pair):
                        yield pair


class Sample:
    """The pairs, at most `most`, of the sources with the lowest hashes: whatever the order in which they come."""

    def __init__(self, most: int) -> None:
        self.most, self.heap = most, list[tuple[int, int, int, Pair]]()  # the highest hash is first
        self.lowest_lost, self.offered = 1 << 64, 0

    def offer(self, shard: int, pair: Pair) -> None:
        """Take a pair, in place of that of the highest hash if there are enough."""
        if self.most == 0:
            return
        self.offered += 1
        entry = -text_hash(pair.source), self.offered, shard, pair
        if len(self.heap) < self.most:
            heapq.heappush(self.heap, entry)
        else:
            self.lowest_lost = min(self.lowest_lost, -heapq.heappushpop(self.heap, entry)[0])

    def chosen(self, limit: int) -> list[tuple[int, int, Pair]]:
        """Give hash, shard and pair of the first `limit` by hash, with all pairs of the last source."""
        entries = sorted((-hash, number, shard, pair) for hash, number, shard, pair in self.heap)
        whole = [(hash, shard, pair) for hash, _, shard, pair in entries if hash < self.lowest_lost]
        return [entry for entry in whole if entry[0] <= whole[min(limit, len(whole)) - 1][0]]
