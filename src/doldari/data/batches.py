"""Ids to padded batches."""

from collections.abc import Iterator, Sequence

import numpy as np

from doldari.arrays import Ids


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
    x: Ids, t: Ids, batch_size: int, pad_id: int | None, rng: np.random.Generator
) -> Iterator[tuple[Ids, Ids]]:
    """Yield questions x (N, S) with answers t (N, T) in random batches, each example once, the last batch smaller."""
    order = rng.permutation(len(x))
    for start in range(0, len(x), batch_size):
        chosen = order[start : start + batch_size]
        yield without_common_padding(x[chosen], pad_id), without_common_padding(t[chosen], pad_id, keep=1)
