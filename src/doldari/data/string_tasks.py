"""Two tasks for attention: copying a row of letters, and reversing it."""

from collections.abc import Iterator
from itertools import islice

from doldari.data.drawing import draw_from
from doldari.data.pairs import Pair
from doldari.errors import ConfigError

MOST = 10_000_000
LENGTHS = range(4, 13)


def copy_pairs(count: int = 50_000, seed: int = 0) -> list[Pair]:
    """Make `count` different rows of 4 to 12 random letters, each its own target."""
    return list(copied_rows(count, seed))


def reverse_pairs(count: int = 50_000, seed: int = 0) -> list[Pair]:
    """Make `count` different rows of 4 to 12 random letters, each with itself backwards as its target."""
    return list(reversed_rows(count, seed))


def copied_rows(count: int, seed: int = 0, after: int = 0) -> Iterator[Pair]:
    """Generate the pairs of `copy_pairs` one by one, after skipping `after` of them."""
    return (Pair(row, row) for row in random_rows(count, seed, after))


def reversed_rows(count: int, seed: int = 0, after: int = 0) -> Iterator[Pair]:
    """Generate the pairs of `reverse_pairs` one by one, after skipping `after` of them."""
    return (Pair(row, row[::-1]) for row in random_rows(count, seed, after))


def random_rows(count: int, seed: int, after: int = 0) -> Iterator[str]:
    """Generate different rows of 4 to 12 letters, after skipping `after` of them."""
    if not 1 <= count <= MOST:
        raise ConfigError(f"{{count}}: must be from 1 to {MOST:,}", count=count)
    halves = [(length // 2, length - length // 2) for length in LENGTHS]
    drawn = draw_from([(26**left, 26**right) for left, right in halves], [1.0] * len(halves), seed)
    rows = (
        letters(row, halves[box][0]) + letters(column, halves[box][1])
        for turn, box, row, column in drawn
        if turn == 0
    )
    return islice(rows, after, after + count)


def letters(number: int, length: int) -> str:
    """Write a number in base 26, with a to z as digits."""
    row = ""
    for _ in range(length):
        number, digit = divmod(number, 26)
        row += chr(ord("a") + digit)
    return row
