from __future__ import annotations

import itertools

import numpy as np
import pytest
from kernel_support import FLOATS, call, layouts, run, sample

from graphnet import _core, kernels
from graphnet.errors import ArgumentError, DTypeError

SIZES = [0, 1, 2, 3, 5, 8, 10, 13, 16, 17, 33, 48, 50, 64, 100]
TRICKY = [
    (1, 1030, 3),
    (1, 70, 1100),
    (2, 20, 256),
    (4, 30, 97),
    (33, 64, 128),
    (70, 1025, 50),
    (65, 40, 1100),
    (256, 64, 10),
    (40, 600, 10),
    (3, 512, 512),
    (130, 7, 10),
    (300, 5, 1),
    (1, 300, 10),
    (9, 1, 9),
    (128, 513, 49),
    (20, 1024, 40),  # rows 4 KB apart
    (150, 1030, 300),
    (100, 60, 3),
    (97, 50, 15),
]


def check(a, b, out, params=(), bias=None, before=0.0):
    inputs = (a, b) if bias is None else (a, b, bias)
    run("matmul", inputs, (out,), params)
    wide_a, wide_b = a.astype(np.longdouble), b.astype(np.longdouble)
    if out.dtype == np.float32 or a.size * b.shape[-1] > 200_000:
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    expected = wide_a @ wide_b + (0 if bias is None else bias) + before
    if len(params) > 1 and params[1]:
        expected = np.maximum(expected, 0)
    size = np.abs(wide_a) @ np.abs(wide_b) + abs(before) + (0 if bias is None else np.abs(bias))
    bound = (a.shape[-1] + 3) * np.finfo(out.dtype).eps * size
    assert (np.abs(out - expected) <= bound).all(), (a.shape, b.shape, a.strides, b.strides, out.strides, params)


@pytest.mark.parametrize("dtype", FLOATS)
def test_sizes(rng, dtype):
    shapes = [tuple(int(s) for s in rng.choice(SIZES, 3)) for _ in range(60)] + TRICKY
    for m, k, n in shapes:
        a, b = sample(rng, (m, k), dtype), sample(rng, (k, n), dtype)
        at, bt = np.ascontiguousarray(a.T).T, np.ascontiguousarray(b.T).T
        for x, y in itertools.product((a, at), (b, bt)):
            check(x, y, np.full((m, n), np.nan, dtype))
        bias = sample(rng, (n,), dtype)
        check(a, b, np.full((m, n), np.nan, dtype), (0, 1), bias)
        check(a, bt, np.full((m, n), 1, dtype), (1, 0), bias, 1.0)
        check(at, b, np.full((n, m), 1, dtype).T, (1, 1), None, 1.0)


def test_layouts(rng):
    for m, k, n in [(9, 21, 35), (40, 33, 10), (1, 50, 20), (20, 50, 1)]:
        a, b = sample(rng, (m, k), np.float32), sample(rng, (k, n), np.float32)
        for _, x in layouts(a):
            for _, y in layouts(b):
                for name, out in layouts(np.full((m, n), np.nan, np.float32)):
                    if name != "read-only":
                        check(x, y, out)
                        check(x, y, out, (0, 1), y[0])


def test_slices_end_with_their_memory(rng):
    """The last row of a slice ends where the array does: a vector read past it would be a read past the array."""
    for n, lead in [(40, 48), (30, 32), (10, 16), (90, 96), (20, 64)]:
        a, wide = sample(rng, (6, 9), np.float32), sample(rng, (9, lead), np.float32)
        check(a, wide[:, lead - n :], np.full((6, n), np.nan, np.float32))


def test_batches(rng):
    for sa, sb in [
        ((3, 4, 5), (3, 5, 6)),
        ((3, 4, 5), (5, 6)),
        ((4, 5), (3, 5, 6)),
        ((2, 1, 4, 5), (3, 5, 6)),
        ((0, 4, 5), (5, 6)),
        ((2, 3, 1, 5), (2, 3, 5, 1)),
        ((64, 20, 30), (64, 30, 20)),
        ((5, 1, 7), (7, 40)),
    ]:
        a, b = sample(rng, sa, np.float32), sample(rng, sb, np.float32)
        expected = np.matmul(a.astype(np.float64), b.astype(np.float64))
        got = call("matmul", (a, b), expected.shape, np.float32)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)
        view = a[..., ::-1, :]
        got = call("matmul", (view, b), expected.shape, np.float32)
        np.testing.assert_allclose(got, expected[..., ::-1, :], rtol=1e-4, atol=1e-4)


def test_bias_shapes(rng):
    a, b = sample(rng, (4, 5), np.float32), sample(rng, (5, 6), np.float32)
    for bias in (
        sample(rng, (6,), np.float32),
        sample(rng, (1,), np.float32),
        sample(rng, (), np.float32),
        sample(rng, (1, 6), np.float32),
        sample(rng, (12,), np.float32)[::2],
    ):
        np.testing.assert_allclose(call("matmul", (a, b, bias), (4, 6), np.float32), a @ b + bias, rtol=1e-4, atol=1e-5)


def test_linear(rng):
    for dtype in FLOATS:
        for shape in [(7,), (3, 7), (2, 3, 7), (0, 7), (2, 0, 7), (40, 7)]:
            x, w, bias = sample(rng, shape, dtype), sample(rng, (11, 7), dtype), sample(rng, (11,), dtype)
            np.testing.assert_allclose(call("linear", (x, w), (*shape[:-1], 11), dtype), x @ w.T, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(
                call("linear", (x, w, bias), (*shape[:-1], 11), dtype, (1,)),
                np.maximum(x @ w.T + bias, 0),
                rtol=1e-4,
                atol=1e-5,
            )
        x = sample(rng, (4, 3, 7), dtype).transpose(1, 0, 2)
        np.testing.assert_allclose(call("linear", (x, w), (3, 4, 11), dtype), x @ w.T, rtol=1e-4, atol=1e-5)
        empty = call(
            "linear", (np.empty((3, 0), dtype), np.empty((5, 0), dtype), sample(rng, (5,), dtype)), (3, 5), dtype
        )
        assert np.isfinite(empty).all()


@pytest.mark.parametrize("shape", [(2, 9), (2, 10), (2, 11), (3, 12), (2, 13), (5, 10), (8, 18)])
def test_dots_of_few_rows(rng, shape):
    m, n = shape
    for dtype in FLOATS:
        for k in (16, 40, 256):
            a, b = sample(rng, (m, k), dtype), np.asfortranarray(sample(rng, (k, n), dtype))
            check(a, b, np.full((m, n), np.nan, dtype))


@pytest.mark.parametrize("k", [1, 10, 70])
@pytest.mark.parametrize(("m", "n"), [(1, 128), (2, 128), (2, 300), (3, 135), (3, 512)])
def test_few_rows_of_many_columns(rng, m, n, k):
    for dtype in FLOATS:
        a, b, bias = sample(rng, (m, k), dtype), sample(rng, (k, n), dtype), sample(rng, (n,), dtype)
        check(a, b, np.full((m, n), np.nan, dtype), (0, 1), bias)
        check(np.asfortranarray(a), b, np.full((m, n), 1, dtype), (1, 0), None, 1.0)


def test_nothing_to_sum(rng):
    a, b = np.empty((3, 0), np.float32), np.empty((0, 4), np.float32)
    np.testing.assert_array_equal(call("matmul", (a, b), (3, 4), np.float32), np.zeros((3, 4)))
    bias = sample(rng, (4,), np.float32)
    np.testing.assert_array_equal(call("matmul", (a, b, bias), (3, 4), np.float32), np.broadcast_to(bias, (3, 4)))


@pytest.mark.parametrize("shape", [(4, 6, 8), (40, 64, 40), (1, 40, 9), (64, 33, 10), (30, 20, 1)])
def test_nan_and_infinity(rng, shape):
    m, k, n = shape
    for bt in (False, True):
        a, b = sample(rng, (m, k), np.float32), sample(rng, (k, n), np.float32)
        a[0, 1], b[1, :] = np.inf, 0
        a[m - 1, 2] = np.nan
        if bt:
            b = np.asfortranarray(b)
        got = call("matmul", (a, b), (m, n), np.float32)
        assert np.isnan(got[0]).all()  # inf * 0
        assert np.isnan(got[m - 1]).all()
        if m > 2:
            assert np.isfinite(got[1 : m - 1]).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape",
    [
        (5, 7, 9),
        (64, 33, 100),
        (1, 5, 3),
        (70, 64, 10),
        (784, 64, 50),
        (3, 0, 4),
        (2, 10, 256),
        (3, 4, 150),
        (9, 1100, 40),
    ],
)
def test_relu_backward(rng, dtype, shape):
    m, k, n = shape
    a, b = sample(rng, (m, k), dtype), sample(rng, (k, n), dtype)
    y = np.maximum(sample(rng, (m, n), dtype), 0)
    y[0, 0] = np.nan
    for x, w in ((a, b), (np.asfortranarray(a), np.asfortranarray(b))):
        out, sums = np.full((m, n), np.nan, dtype), np.full(n, np.nan, dtype)
        run("matmul_relu_backward", (x, w, y), (out, sums))
        expected = np.where(y <= 0, 0, a.astype(np.float64) @ b.astype(np.float64))
        tolerance = 1e-4 if dtype == np.float32 else 1e-12
        np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(sums, expected.sum(0), rtol=tolerance, atol=tolerance * 10)
        run("matmul_relu_backward", (x, w, y), (out,))
        np.testing.assert_allclose(out, expected, rtol=tolerance, atol=tolerance)


SGD = [(0.1, 0, 0, 0, 0, 0, 1), (0.1, 0.9, 0, 0, 0, 0, 0), (0.1, 0.9, 0.1, 0.01, 0, 1, 1), (0.1, 0.9, 0, 0.01, 1, 0, 0)]
ADAM = [
    (0.01, 0.9, 0.999, 1e-8, 0, 0, 1, 0),
    (0.01, 0.9, 0.99, 1e-8, 0.1, 1, 5, 1),
    (0.01, 0.9, 0.99, 1e-8, 0.1, 0, 3, 0),
]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(5, 7, 9), (64, 33, 100), (1, 5, 3), (256, 64, 10), (50, 600, 50)])
def test_updates(rng, dtype, shape):
    m, k, n = shape
    a, b = np.asfortranarray(sample(rng, (m, k), dtype)), sample(rng, (k, n), dtype)
    g = (a.astype(np.float64) @ b.astype(np.float64)).astype(dtype)
    tolerance = 3e-4 if dtype == np.float32 else 1e-11
    for fused, plain, params, states in [
        *(("matmul_sgd", "sgd", p, 1 if p[1] == 0 else 2) for p in SGD),
        *(("matmul_adam", "adam", p, s) for p in ADAM for s in (3, 4)),
    ]:
        one = [np.abs(sample(rng, (m, n), dtype)) for _ in range(states)]
        two = [x.copy() for x in one]
        run(fused, (a, b), one, params)
        run(plain, (g,), two, params)
        for x, y in zip(one, two, strict=True):
            np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)
        one = [np.asfortranarray(x) for x in one]
        run(fused, (a, b), one, params)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(("m", "n"), [(10, 256), (3, 37), (40, 10), (1, 16), (2, 5)])
def test_updates_by_few_products(rng, dtype, m, n, k):
    a, b = np.asfortranarray(sample(rng, (m, k), dtype)), sample(rng, (k, n), dtype)
    g = (a.astype(np.float64) @ b.astype(np.float64)).astype(dtype)
    for params in SGD:
        one = [np.abs(sample(rng, (m, n), dtype)) for _ in range(2)]
        two = [x.copy() for x in one]
        run("matmul_sgd", (a, b), one, params)
        run("sgd", (g,), two, params)
        for x, y in zip(one, two, strict=True):
            np.testing.assert_allclose(x, y, rtol=1e-4 if dtype == np.float32 else 1e-11, atol=1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape", [(2, 256), (32, 128), (17, 5), (1, 1), (0, 3), (3, 0), (300, 70), (5, 6000), (40, 83), (2000, 10)]
)
def test_updates_by_sums(rng, dtype, shape):
    g = sample(rng, shape, dtype)
    sums = g.astype(np.float64).sum(0).astype(dtype)
    tolerance = 3e-4 if dtype == np.float32 else 1e-11
    for fused, plain, params, states in [
        *(("sum_sgd", "sgd", p, 1 if p[1] == 0 else 2) for p in SGD),
        *(("sum_adam", "adam", p, s) for p in ADAM for s in (3, 4)),
    ]:
        for x in (g, np.asfortranarray(g), g[::-1]):
            one = [np.abs(sample(rng, sums.shape, dtype)) for _ in range(states)]
            two = [s.copy() for s in one]
            run(fused, (x,), one, params)
            run(plain, (sums,), two, params)
            for s, t in zip(one, two, strict=True):
                np.testing.assert_allclose(s, t, rtol=tolerance, atol=tolerance)
    with pytest.raises(ValueError, match=r"sum_sgd: output 0: .*expected"):
        run("sum_sgd", (g,), (np.zeros(shape[1] + 1, dtype),), SGD[0])


@pytest.mark.parametrize("shape", [(64, 64, 64), (33, 777, 50), (100, 32, 321), (200, 1600, 48)])
def test_medium_precision(rng, shape):
    m, k, n = shape
    a, b, bias = sample(rng, (m, k), np.float32), sample(rng, (k, n), np.float32), sample(rng, (n,), np.float32)
    exact = a.astype(np.float64) @ b.astype(np.float64) + bias
    size = np.abs(a).astype(np.float64) @ np.abs(b) + np.abs(bias)
    assert _core.get_matmul_precision() == "highest"
    _core.set_matmul_precision("medium")
    try:
        for x, y in itertools.product((a, np.asfortranarray(a)), (b, np.asfortranarray(b))):
            got = call("matmul", (x, y, bias), (m, n), np.float32)
            assert (np.abs(got - exact) <= 2**-7 * size).all()
            got = call("matmul", (x, y, bias), (m, n), np.float32, (0, 1))
            assert (np.abs(got - np.maximum(exact, 0)) <= 2**-7 * size).all()
        out = np.ones((m, n), np.float32)
        run("matmul", (a, b), (out,), (1,))
        assert (np.abs(out - 1 - exact + bias) <= 2**-7 * size + 1e-5).all()
    finally:
        _core.set_matmul_precision("highest")
    with pytest.raises(ValueError, match="matmul precision: expected highest, high or medium, got 'low'"):
        _core.set_matmul_precision("low")


def placed(x, offset):
    """The same values `offset` elements past a 64-byte boundary."""
    memory = np.empty(x.size + 32, x.dtype)
    start = (-memory.ctypes.data // x.itemsize) % (64 // x.itemsize) + offset
    view = memory[start : start + x.size].reshape(x.shape)
    view[...] = x
    return view


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    "shape",
    [(1, 200, 37), (1, 128, 64), (2, 130, 40), (5, 96, 10), (64, 256, 10), (70, 64, 50), (9, 33, 1), (300, 64, 300)],
)
def test_results_do_not_depend_on_where_operands_lie(rng, dtype, shape):
    m, k, n = shape
    a, b = sample(rng, (m, k), dtype), sample(rng, (k, n), dtype)
    for x, y, turn_a, turn_b in [
        (a, b, False, False),
        (a, np.ascontiguousarray(b.T), False, True),
        (np.ascontiguousarray(a.T), b, True, False),
    ]:
        results = []
        for p, q, r in [(0, 0, 0), (1, 0, 3), (0, 1, 1), (4, 4, 4), (5, 2, 7), (7, 7, 0)]:
            left, right, out = placed(x, p), placed(y, q), placed(np.full((m, n), np.nan, dtype), r)
            run("matmul", (left.T if turn_a else left, right.T if turn_b else right), (out,))
            results.append(out.copy())
        for other in results[1:]:
            np.testing.assert_array_equal(results[0], other)


def test_the_public_door_takes_what_run_takes(rng):
    for m, k, n in [(1, 1, 1), (1, 9, 20), (20, 9, 1), (33, 17, 40), (2, 0, 3), (0, 4, 3)]:
        a, b = sample(rng, (m, k), np.float32), sample(rng, (k, n), np.float32)
        expected = a.astype(np.float64) @ b
        for _, x in layouts(a) if a.size else [("", a)]:
            for _, y in layouts(b) if b.size else [("", b)]:
                for name, out in (
                    layouts(np.full((m, n), np.nan, np.float32)) if m * n else [("", np.empty((m, n), "f"))]
                ):
                    if name != "read-only":
                        assert kernels.matmul(x, y, out=out) is out
                        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    a = np.zeros((2, 2), np.float32)
    for bad, error in [
        ((a, a, a), ArgumentError),
        ((a, a.astype("d"), a.copy()), DTypeError),
        ((a, a, np.zeros((2, 3), np.float32)), ArgumentError),
        ((a, [[1.0]], a.copy()), DTypeError),
        ((a, a, np.broadcast_to(np.float32(0), (2, 2))), ArgumentError),
    ]:
        with pytest.raises(error, match="matmul"):
            kernels.matmul(*bad)
