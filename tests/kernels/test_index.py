from __future__ import annotations

import numpy as np
import pytest
from kernel_support import ALL, FLOATS, INTS, call, layouts, run, sample


@pytest.mark.parametrize("dtype", ALL)
def test_take(rng, dtype):
    for shape in [(5,), (5, 3), (4, 2, 9), (6, 0), (1, 7)]:
        x = sample(rng, shape, dtype)
        for idx_shape in [(), (0,), (6,), (2, 3)]:
            idx = rng.integers(-shape[0], shape[0], idx_shape)
            idx = np.asarray(idx, np.int64)
            for _, view in layouts(x):
                for _, index in layouts(idx):
                    got = call("take", (view, index), idx_shape + shape[1:], dtype)
                    np.testing.assert_array_equal(got, x[idx])


@pytest.mark.parametrize("dtype", [*FLOATS, *INTS])
def test_index_add(rng, dtype):
    for shape in [(5,), (5, 3), (4, 2, 9), (1, 7)]:
        for idx_shape in [(), (0,), (6,), (2, 3)]:
            idx = np.asarray(rng.integers(-shape[0], shape[0], idx_shape), np.int64)
            g = sample(rng, idx_shape + shape[1:], dtype)
            for _, view in layouts(g):
                out = sample(rng, shape, dtype)
                expected = out.copy()
                np.add.at(expected, idx, g)
                run("index_add", (view, idx), (out,))
                np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


def test_bad_index(rng):
    x, out = np.zeros((4, 3), np.float32), np.zeros((2, 3), np.float32)
    for bad in (4, -5):
        idx = np.array([0, bad])
        with pytest.raises(IndexError, match=f"take: input 1: index {bad} is out of range for size 4"):
            run("take", (x, idx), (out,))
        with pytest.raises(IndexError, match=f"index_add: input 1: index {bad} is out of range for size 4"):
            run("index_add", (out, idx), (x,))
        assert not x.any()  # nothing was written
    with pytest.raises(IndexError, match="size 0"):
        run("take", (np.zeros((0, 3), np.float32), np.array([0])), (np.zeros((1, 3), np.float32),))


@pytest.mark.parametrize("dtype", ALL)
def test_concat(rng, dtype):
    for shapes, axis in [
        ([(3,), (0,), (4,)], 0),
        ([(2, 3), (5, 3)], 0),
        ([(2, 3), (2, 1), (2, 4)], 1),
        ([(2, 3, 4)], 1),
        ([(1, 1), (1, 1)], 1),
    ]:
        parts = [sample(rng, s, dtype) for s in shapes]
        expected = np.concatenate(parts, axis)
        np.testing.assert_array_equal(call("concat", parts, expected.shape, dtype, (axis,)), expected)
        turned = [np.asfortranarray(p) for p in parts]
        np.testing.assert_array_equal(call("concat", turned, expected.shape, dtype, (axis,)), expected)
