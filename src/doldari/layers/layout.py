"""Where the vectors of a batch stand: P of them one after another, (P, D), without padding.

What looks at one position alone, in a transformer nearly all, works on these; attention puts them back to where they
stand, (N, T, D).  So padding costs next to nothing and changes nothing, at whichever end it stands.
"""

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask
from doldari.layers.positions import at_positions, real_positions


class Layout(NamedTuple):
    """Where P vectors stand among the N rows and T positions of a batch.

    mask (N, T) is False at padding, None if there is none; rows (P,) is the row of each vector, and ranks (P,) how
    many symbols stand before it in its sequence, padding not counted.
    """

    shape: tuple[int, int]
    mask: Mask | None
    rows: Ids
    ranks: Ids

    @classmethod
    def of(cls, shape: tuple[int, int], mask: Mask | None, before: Ids | None = None) -> Self:
        """Lay out N rows of T positions; before each row stand `before` (N,) symbols more."""
        N, T = shape
        every = np.ones(shape, np.bool_) if mask is None else mask
        ranks = np.cumsum(every, axis=1, dtype=np.int32) - np.int32(1)
        if before is not None:
            ranks += before[:, None]
        rows = np.repeat(np.arange(N, dtype=np.int32), T)
        real = every.ravel()
        return cls(shape, mask, rows[real], ranks.ravel()[real])

    def together(self, xs: Floats) -> Floats:
        """Take the vectors that are not padding of xs (N, T, D): (P, D)."""
        return real_positions(xs, self.mask)

    def apart(self, xs: Floats) -> Floats:
        """Put vectors xs (P, D) where they stand: (N, T, D), 0 at padding."""
        return at_positions(xs, self.shape, self.mask)


class Angles(NamedTuple):
    """The cosines and sines (R, E/2) by which the vectors of the first R ranks are turned."""

    cosines: Floats
    sines: Floats

    @classmethod
    def of(cls, ranks: Ids, size: int, dtype: DTypeLike) -> Self:
        """Compute them for heads of so many numbers, E: rank 10000^(-2i / E) (Su et al. 2021, equation 15)."""
        R = int(ranks.max(initial=0)) + 1
        angles = np.arange(R)[:, None] * 10_000.0 ** (-2.0 * np.arange(size // 2) / size)
        return cls(np.cos(angles).astype(dtype), np.sin(angles).astype(dtype))
