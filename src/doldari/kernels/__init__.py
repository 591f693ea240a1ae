"""The hot loops behind one door: layers and optimizers call `kernels.<function>` and know no more.

Chosen once, at import: the native kernels where the package was built with a C++ compiler, else the reference in
NumPy.  The environment variable DOLDARI_KERNELS, `native` or `reference`, overrides that.  DOLDARI_NUM_THREADS sets
how many threads the native kernels use; without it they use the cores that this process may.
"""

# ruff: noqa: F403, F405
import os
from importlib import import_module
from typing import TYPE_CHECKING

from doldari.arrays import Floats, empty
from doldari.errors import ConfigError
from doldari.kernels.reference import cache_width as cache_width

CHOICES = ("native", "reference")


def _choose() -> str:
    """Read DOLDARI_KERNELS and what is installed: the name of the kernels to use."""
    wanted = os.environ.get("DOLDARI_KERNELS", "")
    if wanted not in ("", *CHOICES):
        raise ConfigError(f"DOLDARI_KERNELS={wanted!r}: expected {' or '.join(map(repr, CHOICES))}")
    if wanted == "reference":
        return wanted
    try:
        import_module("doldari.kernels._native")
    except ImportError as error:
        if wanted == "native":
            raise ConfigError(
                f"DOLDARI_KERNELS='native': the native kernels cannot be imported ({error}); install a C++ compiler "
                "and doldari again, or take 'reference'"
            ) from error
        return "reference"
    return "native"


def _default_threads() -> int:
    """Read DOLDARI_NUM_THREADS, else count the cores that this process may use."""
    wanted = os.environ.get("DOLDARI_NUM_THREADS", "")
    if wanted:
        if not wanted.isdecimal() or not 1 <= int(wanted) <= MOST_THREADS:
            raise ConfigError(f"DOLDARI_NUM_THREADS={wanted!r}: expected a number from 1 to {MOST_THREADS}")
        return int(wanted)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST_THREADS)


MOST_THREADS = 256

name = _choose()

if TYPE_CHECKING or name == "reference":
    from doldari.kernels.reference import *
else:
    from doldari.kernels._native import *

set_num_threads(_default_threads())


def product(a: Floats, b: Floats, bias: Floats | None = None) -> Floats:
    """Take the matrix product a b + bias: a (M, K) and b (K, N) with any strides, bias (N,) -> (M, N)."""
    out = empty((a.shape[0], b.shape[1]), a.dtype)
    affine(a, b, bias, out)
    return out
