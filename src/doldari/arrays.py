"""The kinds of arrays, and `empty`: arrays without page faults.

A fresh array of a megabyte costs the operating system a page fault every 4 KiB: at the chapter's sizes a quarter of
a training step (24 ms against 18 ms).  So the large arrays of one step serve again in the next: `empty` hands out
memory of arrays that nobody refers to any more.
"""

import sys
import threading
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.int32]
Mask = NDArray[np.bool_]

SMALL = 1 << 14  # bytes: below this an array is simply allocated
MOST_KEPT = 1 << 30  # bytes in all blocks; the least recently used are given back first

_blocks: list[NDArray[np.uint8]] = []
_lock = threading.Lock()


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an uninitialised array, as `np.empty`, in memory that may have served before."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    with _lock:
        return np.ndarray(shape, dtype, buffer=_free_block(size))


def _free_block(size: int) -> NDArray[np.uint8]:
    """Find a block of at least `size` bytes, and at most a quarter more, to which no array refers, or make one."""
    step = 1 << (size.bit_length() - 3)
    capacity = -(-size // step) * step
    for index in range(len(_blocks)):
        # Arrays hold a reference to their block; of a free one there are two, the list's and that of this call.
        if _blocks[index].size == capacity and sys.getrefcount(_blocks[index]) == 2:
            _blocks.append(_blocks.pop(index))
            return _blocks[-1]
    block = np.empty(capacity, np.uint8)
    _blocks.append(block)
    while len(_blocks) > 1 and sum(block.size for block in _blocks) > MOST_KEPT:
        del _blocks[0]
    return block
