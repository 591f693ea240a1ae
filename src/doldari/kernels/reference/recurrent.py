"""What the LSTM and the GRU share: the sigmoid, the first state, the passage through padding, the cache."""

import numpy as np

from doldari.arrays import Floats, Mask


def sigmoid(x: Floats) -> Floats:
    """Take 1 / (1 + exp(-x)), written with tanh, which does not overflow however large x is."""
    s: Floats = 0.5 * (1.0 + np.tanh(0.5 * x))
    return s


def zeros_for_none(state: Floats | None, shape: tuple[int, int], like: Floats) -> Floats:
    """Return the state that was given, (N, H), or the zeros that None stands for."""
    return np.zeros(shape, like.dtype) if state is None else state


def real_steps(mask: Mask | None, N: int, T: int) -> Mask:
    """Turn the mask (N, T), None if there is no padding, into one column for each step: (T, N, 1)."""
    return np.ones((T, N, 1), np.bool_) if mask is None else mask.T[:, :, None]


def cache_width(H: int) -> int:
    """Round H up to a multiple of 32, so that a cache has room for whole panels of any native kernel."""
    return -(-H // 32) * 32


def divide_cache(cache: Floats, arrays: int, H: int) -> list[Floats]:
    """Divide a cache (N, T, arrays * cache_width(H)) into that many arrays (T, N, H), time first."""
    N, T, _ = cache.shape
    return list(cache.reshape(arrays, T, N, cache_width(H))[..., :H])
