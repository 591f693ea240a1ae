"""The kinds of arrays, and `empty` and `dense`: arrays without page faults, that begin with a cache line.

A fresh array of a megabyte costs the operating system a page fault every 4 KiB: at the chapter's sizes a quarter of
a training step (24 ms against 18 ms).  So the large arrays of one step serve again in the next: `empty` hands out
memory of arrays that nobody refers to any more.  NumPy's begin 16 bytes into a line of 64, so that every second
vector lies across two: 1 to 2 % of a step.
"""

import sys
import threading
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.floating[Any]]
Ids = NDArray[np.int32]
Mask = NDArray[np.bool_]

SMALL = 1 << 15  # bytes: below this an array is simply allocated
MOST_KEPT = 1 << 30  # bytes: when the blocks come to more, they are let go, and live on only where they are in use

LINE = 64  # bytes of the processor's cache


class Block(NamedTuple):
    """Memory for one array at a time, which begins at `start`, where a line does."""

    memory: NDArray[np.uint8]
    start: int


_blocks: dict[int, list[Block]] = {}  # by size
_lock = threading.Lock()


def empty(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an uninitialised array, as `np.empty`, in memory that may have served before."""
    dtype = np.dtype(dtype)
    size = prod(shape) * dtype.itemsize
    if size < SMALL:
        return np.empty(shape, dtype)
    with _lock:
        block = _free_block(size)
        return np.ndarray(shape, dtype, block.memory, block.start)


def dense(array: NDArray[Any]) -> NDArray[Any]:
    """Copy an array, so that its numbers lie side by side, into memory as `empty` gives it."""
    copy = empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _free_block(size: int) -> Block:
    """Find a block of at least `size` bytes, and at most a quarter more, to which no array refers, or make one."""
    step = 1 << (size.bit_length() - 3)
    capacity = -(-size // step) * step
    for block in _blocks.setdefault(capacity, []):
        # Arrays hold a reference to their memory; to what is free there are two, the block's and that of this call.
        if sys.getrefcount(block.memory) == 2:
            return block
    if sum(size * len(blocks) for size, blocks in _blocks.items()) + capacity > MOST_KEPT:
        _blocks.clear()
    memory = np.empty(capacity + LINE, np.uint8)
    block = Block(memory, -memory.ctypes.data % LINE)
    _blocks.setdefault(capacity, []).append(block)
    return block
