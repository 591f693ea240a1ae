"""Dropout: in training, leave out a random part of every vector, so that no unit is relied upon alone."""

import numpy as np

from doldari.arrays import Floats, Ids, empty
from doldari.layers.arguments import check_floats, check_rate, check_rng


class TimeDropout:
    """Sets each of a vector's numbers to 0 with probability `rate` and divides the others by 1 - rate.

    The same numbers at every step of a sequence, as the input of a recurrent layer needs it (Gal & Ghahramani 2016,
    arXiv:1512.05287); dividing in training leaves nothing to do in use (inverted dropout, Srivastava et al. 2014).
    """

    def __init__(self, rate: float) -> None:
        check_rate("TimeDropout", "rate", rate)
        self.rate = rate

    def forward(self, xs: Floats, rng: np.random.Generator | None) -> tuple[Floats, Floats | None]:
        """Drop from xs (N, T, D) -> ys (N, T, D), cache; without rng, in use, and at rate 0, ys is xs."""
        if rng is None or self.rate == 0.0:
            return xs, None
        check_rng("TimeDropout.forward", rng)
        check_floats("TimeDropout.forward", "xs", xs, "(N, T, D)", {})
        N, _, D = xs.shape
        kept = rng.random((N, 1, D), np.float32) >= self.rate
        scale = kept.astype(xs.dtype) / xs.dtype.type(1.0 - self.rate)
        return np.multiply(xs, scale, out=empty(xs.shape, xs.dtype)), scale

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
