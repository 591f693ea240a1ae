"""The chapter's task: questions such as `16+75` and their answers, `91`."""

import numpy as np
from numpy.typing import NDArray

from doldari.data.pairs import Pair
from doldari.errors import ConfigError


def addition_pairs(count: int = 50_000, digits: int = 3, seed: int = 0) -> list[Pair]:
    """Make `count` different additions of two numbers of one to `digits` digits.

    As in the book's file, a number is a row of one to `digits` random digits (so that 7 may come from 007), and no
    two questions add the same two numbers in either order.
    """
    if not 1 <= digits <= 18:
        raise ConfigError(f"digits={digits}: must be from 1 to 18")
    possible = 10**digits * (10**digits + 1) // 2
    if not 1 <= count <= possible:
        raise ConfigError(
            f"count={count}: must be from 1 to {possible:,}, the different questions of {digits} digits"
        )
    rng = np.random.default_rng(seed)
    numbers = np.empty((0, 2), np.int64)
    while len(numbers) < count:
        draws = 2 * (count - len(numbers)) + 1000
        limits = 10 ** rng.integers(1, digits + 1, (draws, 2))
        numbers = without_repeats(np.concatenate([numbers, rng.integers(0, limits)]))
    return [Pair(f"{a}+{b}", str(a + b)) for a, b in numbers[:count].tolist()]


def without_repeats(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep the first of the rows of numbers (N, 2) that hold the same two numbers."""
    either_order = np.sort(numbers, axis=1)
    order = np.lexsort(either_order.T)  # stable: of equal rows the first comes first
    ordered = either_order[order]
    new = np.ones(len(numbers), np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return numbers[np.sort(order[new])]
