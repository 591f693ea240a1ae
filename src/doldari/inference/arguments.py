"""Checks of the arguments of a predictor.  Each error names the argument, its value, and what it must be.

A text that is not a `str` is a TypeError, a malformed pair a DataError, a setting out of range a ConfigError.
"""

import math
import os
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, get_args

from doldari.data.vocabulary import Unknown
from doldari.errors import ConfigError, DataError, and_more, brief, level_of_caller
from doldari.settings import refused

# Maximum length of a source on the command line, in symbols times beam size, unless training had longer ones:
# attention takes time as the square of the length, 6 s for 2,000 symbols with beam size 5.
LONGEST = 10_000
WIDEST = 1_000_000  # upper limit of beam size and output length; no computer can handle so many


class LongSourceWarning(UserWarning):
    """A source is much longer than any in training."""


def check_text(name: str, text: object) -> None:
    """Raise TypeError for anything but a `str`."""
    if not isinstance(text, str):
        if isinstance(text, list | tuple):
            raise TypeError(f"{name}={brief(text)}: must be a text; for several, call predict(texts)")
        raise TypeError(f"{name}={brief(text)}: must be a text")


def checked_texts(name: str, texts: Any) -> list[str]:
    """Return the texts of any iterable as a list."""
    if isinstance(texts, str):
        raise TypeError(f"{name}={brief(texts)}: must be a list of texts; for a single text, call model(text)")
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise TypeError(f"{name}={brief(texts)}: must be a list of texts")
    taken = list(texts)
    for number, text in enumerate(taken):
        check_text(f"{name}[{number}]", text)
    return taken


def checked_pairs(pairs: Any) -> list[tuple[str, str]]:
    """Return an iterable of (source, target) pairs as a list."""
    if isinstance(pairs, str | bytes) or not isinstance(pairs, Iterable):
        raise TypeError(f"pairs={brief(pairs)}: must be a list of (source, target) pairs")
    taken = []
    for number, pair in enumerate(pairs):
        both = [] if isinstance(pair, str | bytes) or not isinstance(pair, Iterable) else list(pair)
        if len(both) != 2 or not all(isinstance(text, str) for text in both):
            raise DataError(f"pairs[{number}]={brief(pair)}: must be two texts, source and target")
        taken.append((both[0], both[1]))
    return taken


def checked_path(path: Any) -> Path:
    """Return a path given as `str` or `pathlib.Path`."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path={brief(path)}: must be a path: str or pathlib.Path")
    return Path(path)


def checked_beam(beam: int, n_best: int | None = None) -> int:
    """Return the beam size, which must be at least n_best; beam size 1, the default, is raised to n_best."""
    if not is_whole(beam) or not 1 <= beam <= WIDEST:
        raise refused("beam_size", brief(beam), f"must be a whole number, at least 1 and at most {WIDEST:,}")
    if n_best is None:
        return beam
    if beam == 1 and is_whole(n_best) and 1 <= n_best <= WIDEST:
        return n_best
    if not is_whole(n_best) or n_best < 1:
        raise refused("n_best", brief(n_best), "must be a whole number, at least 1")
    if n_best > beam:
        raise ConfigError(
            "{n_best}: must be at most the beam size, {beam_size}", n_best=brief(n_best), beam_size=beam
        )
    return beam


def check_answering(max_length: int | None, min_probability: float | None) -> None:
    """Raise ConfigError for an invalid maximum length or minimum probability."""
    if max_length is not None and not (is_whole(max_length) and 1 <= max_length <= WIDEST):
        limits = f"must be a whole number of symbols, at least 1 and at most {WIDEST:,}"
        raise refused("max_length", brief(max_length), limits)
    if min_probability is not None and not (isinstance(min_probability, Real) and 0 <= min_probability <= 1):
        raise refused("min_probability", as_typed(min_probability), "must be a number from 0 to 1")


def check_unknown(unknown: object) -> None:
    """Raise ConfigError for an unknown value of `unknown`."""
    if not isinstance(unknown, str) or unknown not in get_args(Unknown):
        raise refused("unknown", brief(unknown), f"must be one of {', '.join(get_args(Unknown))}")


def check_sampling(temperature: float, top_k: int | None, seed: int, first: int) -> None:
    """Raise ConfigError for invalid sampling settings."""
    if not isinstance(temperature, Real) or not (math.isfinite(temperature) and temperature > 0):
        raise refused("temperature", as_typed(temperature), "must be a number greater than 0")
    if top_k is not None and not (is_whole(top_k) and top_k >= 1):
        raise refused("top_k", brief(top_k), "must be a whole number, at least 1")
    for name, value in (("seed", seed), ("first", first)):
        if not (is_whole(value) and value >= 0):
            raise refused(name, brief(value), "must be a whole number, at least 0")


def warn_of_long(encoded: Sequence[Sequence[int]], seen: int) -> None:
    """Warn about sources more than 1.5 times as long as the longest in training."""
    too_long = [len(ids) for ids in encoded if len(ids) > 1.5 * seen]
    if too_long:
        message = f"a source of {max(too_long)} symbols, the longest in training had {seen}; its prediction is unsafe"
        warnings.warn(
            message + and_more(len(too_long) - 1, "source"), LongSourceWarning, stacklevel=level_of_caller()
        )


def check_length(symbols: int, seen: int, beam: int) -> None:
    """Raise DataError for a source so long that it would take minutes; `seen` is the longest in training."""
    most = max(LONGEST // beam, seen)
    if symbols > most:
        with_beam = f" with beam size {beam}" if beam > 1 else ""
        raise DataError(f"a source of {symbols:,} symbols; at most {most:,} are accepted{with_beam}")


def as_typed(value: object) -> object:
    """Return a number as it is, and anything else as it is shown in an error message."""
    return value if isinstance(value, float) else brief(value)


def is_whole(value: object) -> bool:
    """Return whether a value is a whole number, including NumPy's."""
    return isinstance(value, Integral) and not isinstance(value, bool)
