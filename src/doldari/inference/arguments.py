"""What a predictor is asked, checked at its door: each error says which argument, what it was, and what it must be.

A text that is no text is a TypeError, a pair that is no pair a DataError, and a setting that is wrong a ConfigError.
"""

import math
import os
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args

from doldari.data.vocabulary import Unknown
from doldari.errors import ConfigError, DataError, brief, level_of_caller

# Symbols of a source that the command line answers, divided by the beam, if there was none as long in training:
# attention takes time as the square of it, 6 s for 2,000 symbols with a beam of 5.
LONGEST = 10_000
WIDEST = 1_000_000  # beam, and symbols of an answer; no computer follows so many


class LongSourceWarning(UserWarning):
    """A source is much longer than any in training."""


def check_text(name: str, text: object) -> None:
    """Refuse what is no text."""
    if not isinstance(text, str):
        if isinstance(text, list | tuple):
            raise TypeError(f"{name}={brief(text)}: must be a text; for the answers to several, call predict(texts)")
        raise TypeError(f"{name}={brief(text)}: must be a text")


def checked_texts(name: str, texts: Any) -> list[str]:
    """Take a list, or another iterable, of texts."""
    if isinstance(texts, str):
        raise TypeError(
            f"{name}={brief(texts)}: must be a list of texts; for the answer to one, call the model: model(text)"
        )
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"{name}={brief(texts)}: must be a list of texts")
    taken = list(texts)
    for number, text in enumerate(taken):
        check_text(f"{name}[{number}]", text)
    return taken


def checked_pairs(pairs: Any) -> list[tuple[str, str]]:
    """Take an iterable of sources and targets."""
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
        raise TypeError(f"pairs={brief(pairs)}: must be a list of pairs of texts, source and target")
    taken = []
    for number, pair in enumerate(pairs):
        both = [] if isinstance(pair, str | bytes) or not isinstance(pair, Iterable) else list(pair)
        if len(both) != 2 or not all(isinstance(text, str) for text in both):
            raise DataError(f"pairs[{number}]={brief(pair)}: must be two texts, source and target")
        taken.append((both[0], both[1]))
    return taken


def checked_path(path: Any) -> Path:
    """Take a path, as text or as an object of `pathlib`."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={brief(path)}: must be a path, a text or a pathlib.Path")
    return Path(path)


def checked_beam(beam: int, n_best: int | None = None) -> int:
    """Take a beam that is one and wide enough for so many answers; beam 1 becomes as wide as they need."""
    if not is_whole(beam) or not 1 <= beam <= WIDEST:
        raise ConfigError(f"beam={brief(beam)}: must be a whole number, at least 1 and at most {WIDEST:,}")
    if n_best is None:
        return beam
    if beam == 1 and is_whole(n_best) and 1 <= n_best <= WIDEST:
        return n_best
    if not is_whole(n_best) or not 1 <= n_best <= beam:
        raise ConfigError(
            f"beam={brief(beam)}, n_best={brief(n_best)}: n_best must be a whole number, at least 1, at most the beam"
        )
    return beam


def check_answering(max_length: int | None, min_probability: float | None) -> None:
    """Refuse what is no number of symbols, or no probability."""
    if max_length is not None and not (is_whole(max_length) and 1 <= max_length <= WIDEST):
        raise ConfigError(
            f"max_length={brief(max_length)}: must be a whole number of symbols, at least 1 and at most {WIDEST:,}"
        )
    if min_probability is not None and not (isinstance(min_probability, Real) and 0 <= min_probability <= 1):
        raise ConfigError(f"min_probability={brief(min_probability)}: must be a number from 0 to 1")


def check_unknown(unknown: object) -> None:
    """Refuse what is no way to treat unknown symbols."""
    if not isinstance(unknown, str) or unknown not in get_args(Unknown):
        raise ConfigError(f"unknown={brief(unknown)}: must be one of {', '.join(get_args(Unknown))}")


def check_sampling(temperature: float, top_k: int | None, seed: int, first: int) -> None:
    """Refuse what nothing can be drawn by."""
    if not isinstance(temperature, Real) or not (math.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"temperature={brief(temperature)}: must be a number greater than 0")
    if top_k is not None and not (is_whole(top_k) and top_k >= 1):
        raise ConfigError(f"top_k={brief(top_k)}: must be a whole number, at least 1")
    for name, value in (("seed", seed), ("first", first)):
        if not (is_whole(value) and value >= 0):
            raise ConfigError(f"{name}={brief(value)}: must be a whole number, at least 0")


def warn_of_long(encoded: Sequence[Sequence[int]], seen: int) -> None:
    """Warn of sources that have half as many symbols again as the longest seen in training."""
    too_long = [len(ids) for ids in encoded if len(ids) > 1.5 * seen]
    if too_long:
        message = f"a source of {max(too_long)} symbols, the longest in training had {seen}; its prediction is unsafe"
        others = f" (and those of {len(too_long) - 1:,} others)" if len(too_long) > 1 else ""
        warnings.warn(message + others, LongSourceWarning, stacklevel=level_of_caller())


def check_length(symbols: int, seen: int, beam: int) -> None:
    """Refuse a source of so many symbols that its answer would take very long; `seen` is the longest in training."""
    most = max(LONGEST // beam, seen)
    if symbols > most:
        with_beam = f" with beam size {beam}" if beam > 1 else ""
        raise DataError(f"a source of {symbols:,} symbols; at most {most:,} are accepted{with_beam}")


def is_whole(value: object) -> bool:
    """Tell whole numbers, NumPy's too, from anything else."""
    return isinstance(value, Integral) and not isinstance(value, bool)
