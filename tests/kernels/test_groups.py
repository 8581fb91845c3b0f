"""Elementwise operations that run as one, tile by tile: the same as one by one, however operands are laid out."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_support import IDS, layouts, sample

import graphnet as gn
from graphnet import _core

SHAPES = [(), (0,), (1,), (7,), (5000,), (3, 0), (300, 10), (3, 1000), (40, 2, 33), (2, 3, 200), (2, 2500, 3)]


def several(x, row, column, mask):
    """Chains, several results, operands of all ways to broadcast, a dtype that changes, kernels with no inner loop."""
    y = (x - row) * column + 0.5
    kept = gn.where(mask, y, -0.0)
    return [y, (kept > 0).to(x.dtype) * x.tanh(), kept.erf() + (kept / 3).tan(), mask == (y > x)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_group_gives_what_its_operations_give(shape, dtype, rng):
    row, column = sample(rng, shape[-1:], dtype), sample(rng, (*shape[:-1], 1)[: len(shape)], dtype)
    mask, fast, eps = sample(rng, shape, np.bool_), gn.compile(several), np.finfo(dtype).eps
    for name, x in layouts(sample(rng, shape, dtype, special=True)):
        operands = [gn.from_numpy(a) for a in (np.array(x) if name == "read-only" else x, row, column, mask)]
        *floats, flags = zip(fast(*operands), several(*operands))
        np.testing.assert_array_equal(flags[0].numpy(), flags[1].numpy(), err_msg=name)
        for got, want in floats:  # erf and tan leave blocks with elements beyond their bounds to the C library
            np.testing.assert_allclose(got.numpy(), want.numpy(), 16 * eps, 16 * eps, err_msg=name)
    assert [s.op for s in fast.explain().steps] == ["elementwise"] * (0 not in shape)


def test_large_results_go_past_the_caches(rng):
    x = gn.from_numpy(sample(rng, (5_000_000,), np.float32))
    for got, want in zip(gn.compile(two)(x), two(x)):
        np.testing.assert_array_equal(got.numpy(), want.numpy())


def two(x):
    y = x * 2 + 1
    return y, y * y


def test_many_values_at_once(rng):
    """More buffers than fit the first cache."""

    def wide(x):
        values = [x * float(i) for i in range(20)]
        while len(values) > 1:
            values = [a + b for a, b in zip(values[::2], values[1::2])] + values[len(values) & ~1 :]
        return values[0]

    x = gn.from_numpy(sample(rng, (3000,), np.float64))
    np.testing.assert_array_equal(gn.compile(wide)(x).numpy(), wide(x).numpy())


X, Y = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32)
EXP, ADD = (IDS["exp"], [0], 0), (IDS["add"], [0, 0], 0)
REFUSED = {
    "no operations": ((X,), (Y,), [], []),
    "cannot be part": ((X,), (Y,), [(IDS["softmax"], [0], 0)], [1]),
    "binary_entropy cannot": ((X, X), (Y,), [(IDS["binary_entropy"], [0, 1], 0)], [2]),
    "remainder cannot": ((X.astype(int),), (Y.astype(int),), [(IDS["remainder"], [0, 0], 3)], [1]),
    "not there yet": ((X,), (Y,), [(IDS["exp"], [1], 0)], [1]),
    "no such kernel": ((X,), (Y,), [(10_000, [0], 0)], [1]),
    "broadcastable": ((np.ones(4, np.float32),), (Y,), [EXP], [1]),
    "apart from inputs": ((X,), (X,), [EXP], [1]),
    "outputs apart": ((X,), (Y, Y), [EXP, ADD], [1, 2]),
    "contiguous outputs": ((X,), (np.ones((3, 2), np.float32).T,), [EXP], [1]),
    "not one operation's result": ((X,), (Y,), [EXP], [0]),
    "unknown dtype": ((X,), (Y,), [(IDS["exp"], [0], 7)], [1]),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused(text):
    with pytest.raises(ValueError, match="expected 1 to 48" if text == "no operations" else text):
        _core.Program().add_group(*REFUSED[text])


def test_wrong_dtypes_are_refused():
    with pytest.raises(RuntimeError, match="exp: input 0: expected dtype float32 or float64, got int64"):
        _core.Program().add_group((X.astype(int),), (Y,), [EXP], [1])
