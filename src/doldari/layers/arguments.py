"""Wrong arguments are refused where they come in, by name: what was expected, and what came instead.

Shapes are said as in the docstrings, "(N, T, 4H)".  A size that is not known yet is learned from the array that shows
it, and every later one must agree:

    TimeLSTM: Wh must have shape (H, 4H) with H = 3, got (3, 10)
"""

import re
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

DTYPES = np.dtype(np.float32), np.dtype(np.float64)


def check_array(owner: str, name: str, array: object, shape: str, sizes: dict[str, int], dtype: DTypeLike) -> None:
    """Refuse what is no array of a dtype and a shape such as "(N, T, 4H)"; sizes not in `sizes` yet are put there."""
    if not isinstance(array, np.ndarray) or array.dtype != dtype:
        expected = f"an array of {np.dtype(dtype)}, shape {shape}"
        raise TypeError(f"{owner}: {name} must be {expected}, got {described(array)}")
    check_shape(owner, name, array.shape, shape, sizes)


def check_floats(
    owner: str, name: str, array: object, shape: str, sizes: dict[str, int], dtype: DTypeLike | None = None
) -> None:
    """Refuse, as `check_array`, all arrays but those of `dtype` or, if that is None, of float32 or float64."""
    if dtype is not None:
        check_array(owner, name, array, shape, sizes, dtype)
    elif not isinstance(array, np.ndarray) or array.dtype not in DTYPES:
        expected = f"an array of float32 or float64, shape {shape}"
        raise TypeError(f"{owner}: {name} must be {expected}, got {described(array)}")
    else:
        check_shape(owner, name, array.shape, shape, sizes)


def check_shape(owner: str, name: str, got: tuple[int, ...], shape: str, sizes: dict[str, int]) -> None:
    """Refuse a shape other than such as "(N, T, 4H)"; sizes not in `sizes` yet are put there."""
    axes = parsed(shape)
    right = len(got) == len(axes)
    if right:
        for length, (factor, size) in zip(got, axes, strict=True):
            if length % factor == 0:
                sizes.setdefault(size, length // factor)
            right = right and length == factor * sizes.get(size, -1)
    if not right:
        letters = dict.fromkeys(size for _, size in axes if size in sizes)
        known = ", ".join(f"{size} = {sizes[size]}" for size in letters)
        raise ValueError(f"{owner}: {name} must have shape {shape}{known and f' with {known}'}, got {got}")


@cache
def parsed(shape: str) -> tuple[tuple[int, str], ...]:
    """Turn "(C + D, 4H)" into (1, "C + D"), (4, "H")."""
    axes = [axis for axis in shape.strip("()").split(",") if axis]
    found = [re.fullmatch(r"\s*(\d*)(.+)", axis) for axis in axes]
    return tuple((int(match[1] or 1), match[2]) for match in found if match)


def check_mask(owner: str, mask: object, shape: str, sizes: dict[str, int]) -> None:
    """Refuse what is neither None nor a mask of that shape."""
    if mask is not None:
        check_array(owner, "mask", mask, shape, sizes, np.bool_)


def check_size(owner: str, name: str, size: object, least: int = 1) -> None:
    """Refuse what is no whole number of at least `least`."""
    if isinstance(size, bool) or not isinstance(size, int | np.integer):
        raise TypeError(f"{owner}: {name} must be a whole number, got {described(size)}")
    if size < least:
        raise ValueError(f"{owner}: {name} must be at least {least}, got {size}")


def check_rate(owner: str, name: str, rate: object) -> None:
    """Refuse what is no number in [0, 1)."""
    if isinstance(rate, bool) or not isinstance(rate, int | float | np.integer | np.floating):
        raise TypeError(f"{owner}: {name} must be a number in [0, 1), got {described(rate)}")
    if not 0.0 <= rate < 1.0:
        raise ValueError(f"{owner}: {name} must be in [0, 1), got {rate}")


def check_flag(owner: str, name: str, flag: object) -> None:
    """Refuse what is neither True nor False."""
    if not isinstance(flag, bool | np.bool_):
        raise TypeError(f"{owner}: {name} must be True or False, got {described(flag)}")


def check_rng(owner: str, rng: object) -> None:
    """Refuse what is no source of random numbers."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{owner}: rng must be a numpy.random.Generator, got {described(rng)}")


def check_dtype(owner: str, dtype: Any) -> None:
    """Refuse all number types but float32 and float64."""
    try:
        known = np.dtype(dtype) in DTYPES and dtype is not None
    except TypeError:
        known = False
    if not known:
        raise TypeError(f"{owner}: dtype must be float32 or float64, got {getattr(dtype, '__name__', dtype)}")


def described(value: object) -> str:
    """Describe what an argument is: int 1, list, an array of float64, shape (2, 3)."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype}, shape {value.shape}"
    if value is None:
        return "None"
    return (
        f"{type(value).__name__} {value!r}" if isinstance(value, bool | int | float | str) else type(value).__name__
    )
