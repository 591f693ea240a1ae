"""What tests of the kernels share: the native ones, how far they may be from the reference, and wrong arrays."""

import numpy as np
import pytest

try:
    from doldari.kernels import _native as native
except ImportError:
    native = None

needs_native = pytest.mark.skipif(native is None, reason="built without a C++ compiler")
TOLERANCE = {np.float32: 2e-4, np.float64: 1e-11}
F4, F8 = np.float32, np.float64


def assert_close(results, expected, tolerance):
    for index, (result, right) in enumerate(zip(results, expected, strict=True)):
        scale = np.abs(right).max(initial=1.0)
        np.testing.assert_allclose(result, right, rtol=0, atol=tolerance * scale, err_msg=f"result {index}")


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


def swap_bytes(array):
    return array.astype(array.dtype.newbyteorder("S"))


BAD = {
    "integers": lambda array: np.zeros(array.shape, np.int64),
    "swapped bytes": swap_bytes,
    "one more row": lambda array: np.concatenate([array, array[:1]]),
    "one more axis": lambda array: array[None],
    "every second": lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
    "list": lambda array: array.tolist(),
    "text": lambda array: "array",
}
