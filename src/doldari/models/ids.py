"""Ids from outside, checked."""

import numpy as np
from numpy.typing import ArrayLike

from doldari.arrays import Ids
from doldari.layers.arguments import described


def check_id(name: str, id: object, vocab_size: int) -> None:
    """Refuse what is no id below vocab_size."""
    if isinstance(id, bool) or not isinstance(id, int | np.integer):
        raise TypeError(f"{name} must be the id of a symbol, got {described(id)}")
    if not 0 <= id < vocab_size:
        raise ValueError(f"{name}={id} is the id of no symbol: must be from 0 to {vocab_size - 1}")


def check_ids(name: str, ids: ArrayLike, vocab_size: int) -> Ids:
    """Take ids (N, T) from outside as int32 side by side; other shapes and types and ids of no symbol are refused."""
    array = np.asarray(ids)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{name}: must be whole numbers, ids, not {array.dtype}")
    if array.ndim != 2:
        raise ValueError(f"{name}: must have two dimensions, (N, T), not the shape {array.shape}")
    if array.size > 0 and not 0 <= array.min() <= array.max() < vocab_size:
        raise ValueError(f"{name}: ids from {array.min()} to {array.max()}, expected from 0 to {vocab_size - 1}")
    return np.ascontiguousarray(array, np.int32)
