"""Dropout: in training, leave out a random part of every vector, so that no unit is relied upon alone."""

import numpy as np
from numpy.typing import DTypeLike

from doldari.arrays import Floats, Ids, Mask, empty
from doldari.layers.arguments import check_flag, check_floats, check_rate, check_rng


class TimeDropout:
    """Sets each of a vector's numbers to 0 with probability `rate` and divides the others by 1 - rate.

    The same numbers at every step of a sequence, as the input of a recurrent layer needs it (Gal & Ghahramani 2016,
    arXiv:1512.05287), unless it is each_step; dividing in training leaves nothing to do in use (inverted dropout,
    Srivastava et al. 2014).
    """

    def __init__(self, rate: float, each_step: bool = False) -> None:
        check_rate("TimeDropout", "rate", rate)
        check_flag("TimeDropout", "each_step", each_step)
        self.rate, self.each_step = rate, each_step

    def forward(
        self, xs: Floats, rng: np.random.Generator | None, mask: Mask | None = None
    ) -> tuple[Floats, Floats | None]:
        """Drop from xs (N, T, D) -> ys (N, T, D), cache; without rng, in use, and at rate 0, ys is xs.

        mask (N, T) is False at padding, which does not change what is drawn for the other steps.
        """
        if rng is None or self.rate == 0.0:
            return xs, None
        check_rng("TimeDropout.forward", rng)
        check_floats("TimeDropout.forward", "xs", xs, "(N, T, D)", {})
        N, T, D = xs.shape
        if self.each_step:
            scale = at_steps(self.draw(N, T, D, rng, xs.dtype), mask)
        else:
            scale = self.scales(rng.random((N, 1, D), np.float32), xs.dtype)
        return np.multiply(xs, scale, out=empty(xs.shape, xs.dtype)), scale

    def draw(
        self, N: int, T: int, D: int, rng: np.random.Generator, dtype: DTypeLike, rows: range | None = None
    ) -> Floats:
        """Draw the scales of each step for some of N sequences, or for all: (n, T, D).

        Every sequence has a generator of its own, so that it depends neither on the length of the others nor on
        which of them another process draws.
        """
        seeds = rng.integers(1 << 63, size=N)
        mine = range(N) if rows is None else rows
        drawn = np.empty((len(mine), T, D), np.float32)
        for place, row in enumerate(mine):
            np.random.default_rng(seeds[row]).random(dtype=np.float32, out=drawn[place])
        return self.scales(drawn, dtype)

    def scales(self, drawn: Floats, dtype: DTypeLike) -> Floats:
        """Turn numbers drawn from [0, 1) into what vectors are multiplied by."""
        scales: Floats = (drawn >= self.rate).astype(dtype)
        scales /= scales.dtype.type(1.0 - self.rate)
        return scales

    def forward_rows(
        self, xs: Floats, rows: Ids, N: int, rng: np.random.Generator | None
    ) -> tuple[Floats, Floats | None]:
        """Drop, as `forward` does of N sequences, from vectors xs (P, D) that are each of the row rows[p]."""
        if rng is None or self.rate == 0.0:
            return xs, None
        scale = self.forward(np.ones((N, 1, xs.shape[1]), xs.dtype), rng)[0][rows, 0]
        return xs * scale, scale

    def backward(self, dys: Floats, cache: Floats | None) -> Floats:
        """Turn dys (N, T, D) into dxs (N, T, D), or those of `forward_rows`, (P, D)."""
        return dys if cache is None else np.multiply(dys, cache, out=empty(dys.shape, dys.dtype))


def at_steps(scales: Floats, mask: Mask | None) -> Floats:
    """Put the scales (N, T, D) of a sequence's steps where they are: mask (N, T) is False at padding."""
    if mask is None:
        return scales
    order = np.maximum(np.cumsum(mask, axis=1) - 1, 0)
    if np.array_equal(order * mask, np.arange(mask.shape[1]) * mask):  # padding behind, as of targets
        return scales
    return np.take_along_axis(scales, order[:, :, None], axis=1)
