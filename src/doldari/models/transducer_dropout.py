"""Dropout of a transducer's decoder: drawn anew at every step, of all that its layers read and of what they make."""

from typing import NamedTuple

import numpy as np

from doldari.arrays import Floats, Mask, empty
from doldari.layers import TimeDropout
from doldari.layers.dropout import at_steps


class Scales(NamedTuple):
    """Dropout's scales in one step, each (N, H) or None."""

    above: tuple[Floats | None, ...]  # of what the recurrent layers but the lowest read
    h: Floats | None = None  # of what the joint layer reads of the top one
    joint: Floats | None = None  # of what it makes


class Dropped(NamedTuple):
    """Dropout's scales: features (N, C), the same in every step; symbols (N, T, D); and of the T steps."""

    features: Floats | None
    symbols: Floats | None
    steps: list[Scales]


def draw(
    dropout: TimeDropout,
    symbols: Floats,
    features: Floats | None,
    state_sizes: list[int],
    mask: Mask | None,
    rng: np.random.Generator | None,
) -> Dropped:
    """Draw the scales for symbols (N, T, D) and features (N, C), and layers with states of so many units.

    Without rng nothing is dropped.  Padding, where mask (N, T) is False, does not change what other steps are given.
    """
    N, T, D = symbols.shape
    above = len(state_sizes) - 1
    if rng is None or dropout.rate == 0.0:
        return Dropped(None, None, [Scales((None,) * above)] * T)
    of_features = None
    if features is not None:
        of_features = dropout.forward(np.ones_like(features[:, None]), rng)[0][:, 0]
    sizes = [D, *state_sizes, state_sizes[-1]]
    drawn = at_steps(dropout.draw(N, T, sum(sizes), rng, symbols.dtype), mask)
    of_symbols, *others = np.split(drawn, np.cumsum(sizes[:-1]), axis=2)
    by_step = [np.ascontiguousarray(scales.swapaxes(0, 1)) for scales in others]
    return Dropped(
        of_features, of_symbols, [Scales(tuple(below), h, z) for *below, h, z in zip(*by_step, strict=True)]
    )


def scaled(xs: Floats, scale: Floats | None) -> Floats:
    """Multiply by dropout's scale, if there is one."""
    if scale is None:
        return xs
    out: Floats = np.multiply(xs, scale, out=empty(np.broadcast_shapes(xs.shape, scale.shape), xs.dtype))
    return out
