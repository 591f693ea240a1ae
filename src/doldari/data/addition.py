"""The chapter's task: questions such as `16+75` and their answers, `91`."""

import random

import numpy as np

from doldari.data.pairs import Pair
from doldari.errors import ConfigError

FEW_DIGITS = 3  # up to here all questions there are can be listed


def addition_pairs(count: int = 50_000, digits: int = 3, seed: int = 0) -> list[Pair]:
    """Make `count` different additions of two numbers of one to `digits` digits.

    As in the book's file, a number is a row of one to `digits` random digits (so that 7 may come from 007), and no
    two questions add the same two numbers in either order.  Raises ConfigError where there are not that many.
    """
    if digits < 1:
        raise ConfigError(f"digits={digits}: must be at least 1")
    there_are = 10**digits * (10**digits + 1) // 2
    most = there_are if digits <= FEW_DIGITS else there_are // 2
    if not 1 <= count <= most:
        raise ConfigError(f"count={count}: must be from 1 to {most:,} with {digits} digits")
    numbers = listed_numbers(count, digits, seed) if digits <= FEW_DIGITS else drawn_numbers(count, digits, seed)
    return [Pair(f"{a}+{b}", str(a + b)) for a, b in numbers]


def listed_numbers(count: int, digits: int, seed: int) -> list[tuple[int, int]]:
    """Draw different pairs of numbers from the list of all.

    To draw without repeats is to take the smallest of exponential keys, each divided by its pair's probability
    (Efraimidis & Spirakis 2006).
    """
    rng = np.random.default_rng(seed)
    rows = 10 ** np.arange(1, digits + 1)
    probability = (1 / rows * (np.arange(10**digits)[:, None] < rows)).sum(axis=1) / digits
    a, b = np.triu_indices(10**digits)
    keys = rng.exponential(size=len(a)) / (probability[a] * probability[b] * np.where(a == b, 1, 2))
    chosen = np.argsort(keys)[:count]
    swapped = rng.random(count) < 0.5
    first, second = np.where(swapped, b[chosen], a[chosen]), np.where(swapped, a[chosen], b[chosen])
    return list(zip(first.tolist(), second.tolist(), strict=True))


def drawn_numbers(count: int, digits: int, seed: int) -> list[tuple[int, int]]:
    """Draw pairs of numbers until `count` are different."""
    rng = random.Random(seed)
    different: dict[frozenset[int], tuple[int, int]] = {}
    while len(different) < count:
        a, b = (rng.randrange(10 ** rng.randint(1, digits)) for _ in range(2))
        different.setdefault(frozenset((a, b)), (a, b))
    return list(different.values())
