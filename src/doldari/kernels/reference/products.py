"""Matrix products, and rows added to those of a table."""

import numpy as np

from doldari.arrays import Floats, Ids


def add_product(a: Floats, b: Floats, out: Floats) -> None:
    """Add the matrix product a b to out: a (M, K) and b (K, N) with any strides, out (M, N)."""
    out += a @ b


def affine(a: Floats, b: Floats, bias: Floats | None, out: Floats) -> None:
    """Write a b + bias to out: a (M, K) and b (K, N) with any strides, bias (N,) or None for zeros, out (M, N)."""
    out[...] = a @ b
    if bias is not None:
        out += bias


def scatter_rows(dtable: Floats, rows: Ids, dxs: Floats) -> None:
    """Add the gradient at every position to the row of the table that was read there.

    rows (N, T), dxs (N, T, K); adds to dtable (R, K).
    """
    N, T = rows.shape
    for n, t in np.ndindex(N, T):
        dtable[rows[n, t]] += dxs[n, t]
