"""A device's memory that is not enough: which batch would fit."""

import math
from collections.abc import Callable
from functools import partial

import torch

from doldari.errors import ConfigError


def fits(work: Callable[[], None]) -> bool:
    """Do work; False if the device has too little memory for it."""
    try:
        work()
        return True
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    return False  # only here is let go what the error's traceback held


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether a device's memory is used up, as CUDA, Apple's GPUs and the CPU say it."""
    words = "out of memory", "can't allocate memory", "not enough memory"
    return isinstance(error, torch.OutOfMemoryError) or any(word in str(error).lower() for word in words)


def too_large(
    work: Callable[[int], None],
    pairs: int,
    parts: int,
    lengths: tuple[int, int],
    device: torch.device,
    batch_size: int,
) -> ConfigError:
    """Say that a process's pairs of a batch, in so many parts, do not fit, and which would: halves are tried.

    work trains on so many of the pairs; lengths are those of their longest source and target.
    """
    at_a_time = math.ceil(pairs / parts)
    fitting = at_a_time // 2
    while fitting > 0 and not fits(partial(work, fitting)):
        fitting //= 2
    source, target = lengths
    what = f"{device} is out of memory at {at_a_time:,} pairs at a time, of up to {source} and {target} symbols"
    remedy = (
        f"{fitting:,} fit: --accumulate {math.ceil(pairs / fitting)}, or --batch-size {batch_size * fitting // pairs}"
        if fitting > 0
        else "not even one fits: take a smaller model, or leave out the longest pairs"
    )
    return ConfigError(f"batch_size={batch_size}: {what}; {remedy}")
