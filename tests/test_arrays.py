import gc

import numpy as np

from doldari.arrays import empty


def test_memory_serves_again_only_when_nobody_refers_to_it():
    first = empty((64, 1024), np.float32)
    address = first.ctypes.data
    view = first[3:5].T
    del first
    second = empty((64, 1024), np.float32)
    assert second.ctypes.data != address
    del view
    gc.collect()
    third = empty((64, 1000), np.float32)
    assert third.ctypes.data == address
    third[...], second[...] = 1.0, 2.0
    assert (third == 1.0).all()


def test_shapes_and_dtypes():
    for shape, dtype in (((0, 3), np.float32), ((2, 3), np.float64), ((1000, 7), np.int32)):
        array = empty(shape, dtype)
        assert (array.shape, array.dtype) == (shape, dtype)
        assert array.flags.c_contiguous
        assert array.flags.writeable


def test_large_arrays_begin_with_a_line():
    arrays = [empty((size,), np.float32) for size in (10_000, 10_007, 123_456)]
    assert [array.ctypes.data % 64 for array in arrays] == [0, 0, 0]
