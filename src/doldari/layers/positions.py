"""The positions of a batch that are not padding, one after another: what needs no order works on them alone."""

import numpy as np

from doldari import kernels
from doldari.arrays import Floats, Ids, Mask, empty


def real_positions(xs: Floats, mask: Mask | None) -> Floats:
    """Take of vectors xs (N, T, D) the P that are not padding, those where mask (N, T) is not False: (P, D)."""
    N, T, D = xs.shape
    flat = xs.reshape(N * T, D)
    if mask is None:
        return flat
    real = np.flatnonzero(mask)
    return np.take(flat, real, axis=0, out=empty((len(real), D), xs.dtype), mode="clip")


def of_real_positions(rows: Ids, T: int, mask: Mask | None) -> Ids:
    """Repeat what belongs to each row, rows (N,), at those of its T positions that `real_positions` takes: (P,)."""
    repeated = np.repeat(rows, T)
    return repeated if mask is None else repeated[mask.ravel()]


def by_position(xs: Floats, mask: Mask | None) -> tuple[Floats, Ids]:
    """Write vectors xs (N, T, D) as a table with a row for each position that is not padding, and the rows (N, T)."""
    N, T, D = xs.shape
    table = real_positions(xs, mask)
    if mask is None:
        return table, np.arange(N * T, dtype=np.int32).reshape(N, T)
    if len(table) == 0:
        return np.zeros((1, D), xs.dtype), np.zeros((N, T), np.int32)
    return table, np.maximum(np.cumsum(mask, dtype=np.int32).reshape(N, T) - np.int32(1), 0)


def product_at_positions(xs: Floats, W: Floats, mask: Mask | None) -> Floats:
    """Multiply the vectors xs (N, T, D) that are not padding by W (D, H): (N, T, H), 0 at padding."""
    return at_positions(kernels.product(real_positions(xs, mask), W), xs.shape[:2], mask)


def at_positions(table: Floats, shape: tuple[int, ...], mask: Mask | None) -> Floats:
    """Undo `real_positions` or `by_position`: vectors (N, T, D), 0 at padding; shape is (N, T)."""
    if mask is None:
        return table.reshape(*shape, table.shape[1])
    xs = empty((mask.size, table.shape[1]), table.dtype)
    real = np.flatnonzero(mask)
    xs[np.flatnonzero(~mask)] = 0.0
    if len(real) > 0:
        xs[real] = table
    return xs.reshape(*shape, table.shape[1])
