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


@pytest.mark.parametrize("dtype", ALL)
def test_take_and_put_at_several_indices(rng, dtype):
    for shape, index_shapes in [((4, 3, 2), [(5,), (5,)]), ((4, 3), [(2, 1), (3,)]), ((2, 3, 2), [(), (4,), (4,)])]:
        x = sample(rng, shape, dtype)
        idx = tuple(np.asarray(rng.integers(-n, n, s), np.int64) for n, s in zip(shape, index_shapes))
        for _, view in layouts(x):
            expected = x[idx]
            np.testing.assert_array_equal(call("take", (view, *idx), expected.shape, dtype), expected)
        values, out = sample(rng, expected.shape, dtype), sample(rng, shape, dtype)
        wanted = out.copy()
        wanted[idx] = values
        run("index_put", (values, *idx), (out,))
        np.testing.assert_array_equal(out, wanted)
    with pytest.raises(ValueError, match="input 2: expected shape broadcastable"):
        run("take", (x, idx[1], np.zeros(3, np.int64)), (values,))
    with pytest.raises(IndexError, match="input 2: index 3 is out of range for size 3"):
        run("take", (x, np.array([0]), np.array([3])), (np.zeros((1, 2), dtype),))


@pytest.mark.parametrize("dtype", [*FLOATS, *INTS])
def test_gather_and_scatter_add(rng, dtype):
    for shape, idx_shape, axis in [
        ((5,), (7,), 0),
        ((4, 3), (2, 3), 0),
        ((4, 3), (4, 9), 1),
        ((2, 3, 4), (1, 5, 2), 1),
    ]:
        x = sample(rng, shape, dtype)
        idx = np.asarray(rng.integers(-shape[axis], shape[axis], idx_shape), np.int64)
        inside = tuple(slice(None) if d == axis else slice(n) for d, n in enumerate(idx_shape))
        for _, view in layouts(x):
            for _, index in layouts(idx):
                got = call("gather", (view, index), idx_shape, dtype, (axis,))
                np.testing.assert_array_equal(got, np.take_along_axis(x[inside], idx, axis))
        g, out = sample(rng, idx_shape, dtype), sample(rng, shape, dtype)
        places = list(np.indices(idx_shape, sparse=True))
        places[axis] = idx
        expected = out.copy()
        np.add.at(expected, tuple(places), g)
        run("scatter_add", (g, idx), (out,), (axis,))
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(ValueError, match="input 1: expected shape no larger than"):
        run("gather", (np.zeros((2, 3)), np.zeros((3, 3), np.int64)), (np.zeros((3, 3)),), (1,))
    with pytest.raises(IndexError, match="gather: input 1: index 2 is out of range for size 2"):
        run("gather", (np.zeros((2, 3)), np.full((1, 3), 2)), (np.zeros((1, 3)),), (0,))


@pytest.mark.parametrize("dtype", ALL)
def test_argsort(rng, dtype):
    for shape, axis in [((50,), 0), ((4, 9), 1), ((9, 4), 0), ((2, 0), 1), ((), 0)]:
        x = sample(rng, shape, dtype, special=True)
        for _, view in layouts(x):
            order = call("argsort", (view,), shape, np.int64, (axis,))
            if shape:
                np.testing.assert_array_equal(order, np.argsort(x, axis, kind="stable"))
                down = call("argsort", (view,), shape, np.int64, (axis, 1))
                back = shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
                np.testing.assert_array_equal(down, back)
                few = (*shape[:axis], min(3, shape[axis]), *shape[axis + 1 :])
                first = call("argsort", (view,), few, np.int64, (axis, 1))
                np.testing.assert_array_equal(first, np.take(back, range(few[axis]), axis))
