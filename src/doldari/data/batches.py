"""Ids to padded batches."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from doldari.arrays import Ids
from doldari.data.ragged import Examples, Ragged

POOL = 16  # batches whose examples bucketing sorts by length; it left a fifth of the padding of Korean words
# One long text must not pad a whole batch: where padded ids would come to more than MOST_PADDED, a text that is LONG
# times as long as its batch's median is a batch of its own.
MOST_PADDED, LONG = 1 << 18, 8


def pad(sequences: Sequence[Sequence[int]], pad_id: int, width: int | None = None) -> Ids:
    """Put sequences side by side, padded on the right to the longest or to `width`: ids (N, T) int32."""
    width = max(map(len, sequences), default=0) if width is None else width
    ids = np.full((len(sequences), width), pad_id, np.int32)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = sequence
    return ids


def without_common_padding(ids: Ids, pad_id: int | None, keep: int = 0) -> Ids:
    """Drop the columns at either end of ids (N, T) that are padding in every row, but `keep` of them at the end."""
    if pad_id is None or ids.size == 0:
        return ids
    used = np.flatnonzero((ids != pad_id).any(axis=0))
    return ids[:, used[0] : used[-1] + 1 + keep] if used.size else ids[:, :keep]


def shuffled_batches(
    x: Examples,
    t: Examples,
    batch_size: int,
    pad_id: int | None,
    rng: np.random.Generator,
    bucketing: bool = False,
) -> Iterator[tuple[Ids, Ids]]:
    """Yield questions x (N, S) with answers t (N, T) in the random batches of `shuffled_rows`."""
    for rows in shuffled_rows(x, t, batch_size, pad_id, rng, bucketing):
        yield taken(x, rows, pad_id), taken(t, rows, pad_id, keep=1)


def shuffled_rows(
    x: Examples,
    t: Examples,
    batch_size: int,
    pad_id: int | None,
    rng: np.random.Generator,
    bucketing: bool = False,
) -> Iterator[NDArray[Any]]:
    """Yield the rows (N,) of random batches, each example once, one batch smaller.

    The smaller batch is the last.  With bucketing the examples of a batch are of about one length, which saves
    padding, and the smaller batch comes anywhere.
    """
    order = rng.permutation(len(x))
    if bucketing:
        # Pools of half the examples at most: otherwise the same would meet in every epoch.
        pool = batch_size * max(1, min(POOL, math.ceil(len(x) / batch_size / 2)))
        pools = np.split(order, range(pool, len(x), pool))
        keys = lengths(t, pad_id), lengths(x, pad_id)  # by source length, then by target length
        order = np.concatenate([pool[np.lexsort([key[pool] for key in keys])] for pool in pools])
    batches = [order[start : start + batch_size] for start in range(0, len(x), batch_size)]
    if bucketing:
        rng.shuffle(batches)
    for chosen in batches:
        yield from parts(x, t, chosen)


def padded_batches(x: Examples, t: Examples, chosen: NDArray[Any], pad_id: int | None) -> Iterator[tuple[Ids, Ids]]:
    """Yield the chosen examples as a batch, without padding that all have; long ones may be batches of their own."""
    for part in parts(x, t, chosen):
        yield taken(x, part, pad_id), taken(t, part, pad_id, keep=1)


def parts(x: Examples, t: Examples, chosen: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Set those examples of a batch apart that would pad the others to more than MOST_PADDED ids, as said there."""
    if isinstance(x, Ragged) and isinstance(t, Ragged):
        size = x.lengths_of(chosen) + t.lengths_of(chosen)
        if len(chosen) * size.max(initial=0) > MOST_PADDED:
            is_long = size > LONG * np.median(size)
            yield from (chosen[[index]] for index in np.flatnonzero(is_long))
            chosen = chosen[~is_long]
    if len(chosen) > 0:
        yield chosen


def taken(ids: Examples, rows: NDArray[Any], pad_id: int | None, keep: int = 0) -> Ids:
    """Take rows without padding that they have in common, but `keep` columns of it at the end."""
    if isinstance(ids, Ragged):
        if pad_id is None:
            raise ValueError("sequences of different lengths need a pad_id")
        return ids.padded(pad_id, rows, keep)
    return without_common_padding(ids[rows], pad_id, keep)


def lengths(ids: Examples, pad_id: int | None) -> NDArray[np.int64]:
    """Count the symbols of each row of ids (N, T) that are not padding: (N,)."""
    if isinstance(ids, Ragged):
        return ids.lengths
    return np.count_nonzero(ids != pad_id, axis=1) if pad_id is not None else np.full(len(ids), ids.shape[1])
