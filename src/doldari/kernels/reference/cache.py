"""What the recurrent layers keep for the way back, and zeros for states that are not given."""

import numpy as np

from doldari.arrays import Floats


def cache_width(H: int) -> int:
    """Round H up to a multiple of 32, so that a cache has room for whole panels of any native kernel."""
    return -(-H // 32) * 32


def zeros_for_none(state: Floats | None, shape: tuple[int, int], like: Floats) -> Floats:
    """Make of None the zeros that it stands for."""
    return np.zeros(shape, like.dtype) if state is None else state
