"""Operations on the bits of integers, running sums and products, and what is combined at indices."""

import numpy as np
import pytest
from kernel_support import call


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_shifts_by_the_width_and_beyond(dtype):
    info = np.iinfo(dtype)
    x = np.array([1, -1, info.max, info.min, -8, 8], dtype)
    for by in (0, 1, info.bits - 1, info.bits, info.max, -1, info.min):
        gone = not 0 <= by < info.bits
        left, right = (
            call("shift_left", (x, np.full(6, by, dtype)), (6,), dtype),
            call("shift_right", (x, np.full(6, by, dtype)), (6,), dtype),
        )
        np.testing.assert_array_equal(left, np.zeros(6, dtype) if gone else x << dtype(by))
        np.testing.assert_array_equal(right, np.where(x < 0, -1, 0) if gone else x >> dtype(by))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_running_totals_of_strided_arrays(dtype, rng):
    x = rng.integers(-3, 4, (6, 10, 4)).astype(dtype)[::2, ::-1, 1:]
    for axis in range(3):
        for name, ufunc in (("cumsum", np.add), ("cumprod", np.multiply)):
            got = call(name, (x,), x.shape, dtype, (axis, 0, 0))
            np.testing.assert_array_equal(got, ufunc.accumulate(x, axis, dtype=dtype))
            got = call(name, (x,), x.shape, dtype, (axis, 0, 1))
            np.testing.assert_array_equal(got, np.flip(ufunc.accumulate(np.flip(x, axis), axis, dtype=dtype), axis))


def test_what_running_totals_refuse():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match="an axis from 0 to 1"):
        call("cumsum", (x,), (2, 3), np.float32, (2, 0, 0))
    with pytest.raises(ValueError, match="expected shape"):
        call("cumprod", (x,), (3, 2), np.float32, (0, 0, 0))
    with pytest.raises(TypeError, match="bitwise_not"):
        call("bitwise_not", (x,), (2, 3), np.float32)


def test_halves_are_rounded_to_even():
    x = np.array([-2.5, -0.5, 0.5, 1.5, 2.5, 3.2], np.float32)
    np.testing.assert_array_equal(call("round", (x,), (6,), np.float32), np.round(x))
