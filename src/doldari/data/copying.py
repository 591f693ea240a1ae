"""Two tasks on which attention shows: rows of letters to be copied, or written backwards."""

import numpy as np

from doldari.data.pairs import Pair
from doldari.errors import ConfigError

MOST = 10_000_000  # a fraction of the rows of 6 letters and more, so that drawing different ones stays quick


def copy_pairs(count: int = 50_000, seed: int = 0) -> list[Pair]:
    """Make `count` different rows of 4 to 12 random letters, each its own target."""
    return [Pair(row, row) for row in random_rows(count, seed)]


def reverse_pairs(count: int = 50_000, seed: int = 0) -> list[Pair]:
    """Make `count` different rows of 4 to 12 random letters, each with itself backwards as its target."""
    return [Pair(row, row[::-1]) for row in random_rows(count, seed)]


def random_rows(count: int, seed: int) -> list[str]:
    """Draw different rows of 4 to 12 letters."""
    if not 1 <= count <= MOST:
        raise ConfigError(f"count={count}: must be from 1 to {MOST:,}")
    rng = np.random.default_rng(seed)
    rows: dict[str, None] = {}
    while len(rows) < count:
        letters = rng.integers(ord("a"), ord("z"), 12, np.uint8, endpoint=True).tobytes().decode()
        rows[letters[: rng.integers(4, 13)]] = None
    return list(rows)
