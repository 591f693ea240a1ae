"""Dropout of a transducer's decoder: drawn anew at every step, of all that its layers read and of what they make."""

from typing import NamedTuple

import numpy as np

from doldari.arrays import Floats, Mask, empty
from doldari.layers import TimeDropout
from doldari.layers.dropout import at_steps


class Dropped(NamedTuple):
    """Dropout's scales, or None: features (N, C), the same in every step; of T steps symbols (N, T, D) and more."""

    features: Floats | None
    symbols: Floats | None
    above: tuple[Floats | None, ...]  # (T, N, H) each, of what the recurrent layers but the lowest read
    h: Floats | None = None  # (T, N, H), of what the joint layer reads of the top one
    joint: Floats | None = None  # (T, N, J), of what it makes


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
        return Dropped(None, None, (None,) * above)
    of_features = None
    if features is not None:
        of_features = dropout.forward(np.ones_like(features[:, None]), rng)[0][:, 0]
    sizes = [D, *state_sizes, state_sizes[-1]]
    drawn = at_steps(dropout.draw(N, T, sum(sizes), rng, symbols.dtype), mask)
    of_symbols, *others = np.split(drawn, np.cumsum(sizes[:-1]), axis=2)
    *below, h, joint = (np.ascontiguousarray(scales.swapaxes(0, 1)) for scales in others)
    return Dropped(of_features, of_symbols, tuple(below), h, joint)


def at_step(scales: Floats | None, t: int) -> Floats | None:
    """Take the scales of one step, if there are any."""
    return None if scales is None else scales[t]


def scaled(xs: Floats, scale: Floats | None) -> Floats:
    """Multiply by dropout's scale, if there is one."""
    if scale is None:
        return xs
    out: Floats = np.multiply(xs, scale, out=empty(np.broadcast_shapes(xs.shape, scale.shape), xs.dtype))
    return out
