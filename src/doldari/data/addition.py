"""Sums: questions such as `16+75` and their answers, `91`; all lengths of numbers, or as the chapter has them."""

import random
from collections.abc import Iterator
from itertools import islice, product

import numpy as np

from doldari.data.drawing import draw_from
from doldari.data.pairs import Pair
from doldari.errors import ConfigError

FEW_DIGITS = 3  # up to here all questions there are can be listed


def sums(count: int, digits: int = 3, seed: int = 0, after: int = 0) -> Iterator[Pair]:
    """Make questions of one to `digits` digits a number, each length three times as often as the last.

    Those of short numbers, which are few, come again when all have come: so a model is right about 3+6 and 1+399, and
    most are long, of which there are many to learn from.  16+75 and 75+16 are two questions.

    `after` of them are skipped first, and none of those is repeated.  Raises ConfigError where count is more
    than about half of all there are.
    """
    check_size(count, digits, all_sums(digits))
    lengths = list(product(range(1, digits + 1), repeat=2))
    boxes = [(10**a - smallest(a), 10**b - smallest(b)) for a, b in lengths]
    drawn = draw_from(boxes, [3.0 ** (a + b - 2 * digits) for a, b in lengths], seed)
    later = (place for place in islice(drawn, after, None) if not after or place.turn == 0)
    firsts = [(smallest(a), smallest(b)) for a, b in lengths]
    return (sum_of(firsts[box][0] + row, firsts[box][1] + column) for _, box, row, column in islice(later, count))


def addition_pairs(count: int = 50_000, digits: int = 3, seed: int = 0, after: int = 0) -> list[Pair]:
    """Make `count` different additions of two numbers of one to `digits` digits, as the chapter has them.

    As in the book's file, a number is a row of one to `digits` random digits (so that 7 may come from 007), and no
    two questions add the same two numbers in either order.  `after` of them are skipped first.
    Raises ConfigError where there are not that many.
    """
    check_size(count + after, digits, all_sums(digits) if digits <= FEW_DIGITS else all_sums(digits) // 2)
    draw = listed_numbers if digits <= FEW_DIGITS else drawn_numbers
    return [sum_of(a, b) for a, b in draw(count + after, digits, seed)[after:]]


def smallest(length: int) -> int:
    """Return the smallest number of that many digits."""
    number: int = 10 ** (length - 1)
    return number if length > 1 else 0


def sum_of(a: int, b: int) -> Pair:
    """Write a question and its answer."""
    return Pair(f"{a}+{b}", str(a + b))


def all_sums(digits: int) -> int:
    """Count the questions there are, those that only differ in their order once."""
    numbers: int = 10**digits
    return numbers * (numbers + 1) // 2


def check_size(count: int, digits: int, most: int) -> None:
    """Refuse what cannot be drawn."""
    if digits < 1:
        raise ConfigError("{digits}: must be at least 1", digits=digits)
    if not 1 <= count <= most:
        raise ConfigError(f"{{count}}: must be from 1 to {most:,} with {digits} digits", count=count)


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
