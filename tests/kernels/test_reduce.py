from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from kernel_support import ALL, FLOATS, INTS, call, layouts, sample

SHAPES = [(1,), (7,), (5000,), (3, 40), (40, 3), (1, 9), (6, 5, 33), (2, 3, 4, 17), (300, 70)]


def axes_of(rank):
    return [a for n in range(1, rank + 1) for a in itertools.combinations(range(rank), n)]


def kept(shape, axes):
    return tuple(1 if d in axes else n for d, n in enumerate(shape))


CASES = {
    "sum": (np.sum, [*FLOATS, *INTS]),
    "prod": (np.prod, [*FLOATS, *INTS]),
    "max": (np.max, ALL),
    "min": (np.min, ALL),
    "any": (np.any, [np.bool_]),
    "all": (np.all, [np.bool_]),
}


@pytest.mark.parametrize("name", CASES)
def test_reductions(rng, name):
    f, dtypes = CASES[name]
    for dtype in dtypes:
        for shape in SHAPES:
            x = sample(rng, shape, dtype)
            for axes in axes_of(len(shape)):
                wide = x.astype(np.float64) if np.dtype(dtype).kind == "f" else x
                options = {} if name in ("max", "min", "any", "all") else {"dtype": wide.dtype}
                expected = f(wide, axis=axes, keepdims=True, **options)
                n = math.prod(shape[d] for d in axes)
                for layout, view in layouts(x):
                    got = call(name, (view,), kept(shape, axes), dtype)
                    if np.dtype(dtype).kind == "f" and name == "sum":
                        bound = (30 + math.log2(n + 1)) * np.finfo(dtype).eps * np.abs(wide).sum(axes, keepdims=True)
                        assert (np.abs(got - expected) <= bound + 1e-300).all(), (dtype, shape, axes, layout)
                    elif np.dtype(dtype).kind == "f" and name == "prod":
                        np.testing.assert_allclose(
                            got, expected, rtol=n * np.finfo(dtype).eps, atol=1e-35 if dtype == np.float32 else 1e-300
                        )
                    else:
                        np.testing.assert_array_equal(got, expected, f"{dtype} {shape} {axes} {layout}")


@pytest.mark.parametrize("name", ["argmax", "argmin"])
def test_arg(rng, name):
    for dtype in ALL:
        for shape in SHAPES:
            x = sample(rng, shape, dtype)
            for axis in range(len(shape)):
                for layout, view in layouts(x):
                    got = call(name, (view,), kept(shape, (axis,)), np.int64, (axis,))
                    np.testing.assert_array_equal(got, getattr(np, name)(x, axis, keepdims=True), f"{dtype} {layout}")
        if np.dtype(dtype).kind == "f":
            for n in (5, 50, 500):
                x = sample(rng, (n,), dtype)
                x[[n // 2, n - 1]] = np.nan
                assert call(name, (x,), (1,), np.int64, (0,))[0] == n // 2


def test_nan_and_infinity(rng):
    for dtype in FLOATS:
        for n in (3, 40, 3000):
            for axis in (0, 1):
                x = sample(rng, (n, n), dtype) if n < 3000 else sample(rng, (n, 20), dtype)
                x[2, 1] = np.nan
                for name in ("max", "min", "sum"):
                    got = call(name, (x,), kept(x.shape, (axis,)), dtype)
                    np.testing.assert_array_equal(np.isnan(got), np.isnan(x.sum(axis, keepdims=True)))
                x[2, 1] = np.inf
                got = call("sum", (x,), kept(x.shape, (axis,)), dtype)
                np.testing.assert_array_equal(np.isinf(got), np.isinf(x.sum(axis, keepdims=True)))


def test_sum_does_not_lose_digits():
    x = np.full(1 << 22, 0.1, np.float32)
    exact = float(np.float32(0.1)) * x.size
    assert abs(call("sum", (x,), (1,), np.float32)[0] - exact) <= 2e-7 * exact
    y = x.reshape(-1, 2)
    assert (np.abs(call("sum", (y,), (1, 2), np.float32) - exact / 2) <= 2e-7 * exact).all()
    z = np.concatenate([[1e16], np.ones(100_000), [-1e16]])
    assert abs(call("sum", (z,), (1,), np.float64)[0] - 100_000) <= 64 * 2  # carried between blocks


def test_scale_and_empty(rng):
    x = sample(rng, (12, 5), np.float32)
    np.testing.assert_allclose(
        call("sum", (x,), (1, 5), np.float32, (1 / 12,)), x.mean(0, keepdims=True), rtol=1e-5, atol=1e-6
    )
    empty = np.empty((0, 3), np.float32)
    np.testing.assert_array_equal(call("sum", (empty,), (1, 3), np.float32), np.zeros((1, 3)))
    np.testing.assert_array_equal(call("prod", (empty,), (1, 3), np.float32), np.ones((1, 3)))
    np.testing.assert_array_equal(call("all", (np.empty((0, 2), bool),), (1, 2), np.bool_), [[True, True]])
    assert call("max", (empty,), (0, 1), np.float32).shape == (0, 1)
    for name in ("max", "min"):
        with pytest.raises(ValueError, match=f"{name}: input 0: expected at least one element"):
            call(name, (empty,), (1, 3), np.float32)
    with pytest.raises(ValueError, match="argmax: input 0: expected at least one element"):
        call("argmax", (empty,), (1, 3), np.int64, (0,))
    assert call("sum", (np.array(3.0),), (), np.float64) == 3
