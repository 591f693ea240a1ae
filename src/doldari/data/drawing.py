"""Drawing without repetition in constant memory: nothing comes twice before everything has come once.

Everything there is lies in a few boxes of rows and columns: of sums the first number says the row and the second the
column, and there is a box for every two lengths.  The order in a box looks random but is a formula.
"""

import random
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import accumulate
from typing import NamedTuple

ROUNDS = 2


class Place(NamedTuple):
    """A place in a box; turn counts how often the whole box came before."""

    turn: int
    box: int
    row: int
    column: int


def draw_from(boxes: Sequence[tuple[int, int]], shares: Sequence[float], seed: int) -> Iterator[Place]:
    """Yield places endlessly: each box of (rows, columns) in proportion to its share, again when it is used up."""
    rng = random.Random(seed)
    numbers, bounds, drawn = range(len(boxes)), list(accumulate(shares)), [0] * len(boxes)
    while True:
        (box,) = rng.choices(numbers, cum_weights=bounds)
        rows, columns = boxes[box]
        turn, index = divmod(drawn[box], rows * columns)
        yield Place(turn, box, *scatter(index, rows, columns, f"{seed} {box}"))
        drawn[box] += 1


def scatter(index: int, rows: int, columns: int, key: str) -> tuple[int, int]:
    """Turn an index in [0, rows * columns) into a row and a column, two indices never into the same.

    It is a Feistel network: each half in turn is shifted by a hash of the other, which can be undone.
    """
    row, column = divmod(index, columns)
    for turn in range(ROUNDS):
        row = (row + noise(f"{key} {turn} row {column}", rows)) % rows
        column = (column + noise(f"{key} {turn} column {row}", columns)) % columns
    return row, column


def noise(key: str, below: int) -> int:
    """Hash a key to a number in [0, below), nearly evenly for any below up to 2**448."""
    return int.from_bytes(blake2b(key.encode()).digest()) % below
