from __future__ import annotations

import numpy as np
import pytest
from kernel_support import FLOATS, call, run

from graphnet.dtypes import as_dtype
from graphnet.ops import TABLE


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (64, 3), (0, 4), (3, 33334)])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 1.0])
def test_masks_are_the_same_on_every_target_and_with_threads(dtype, shape, p):
    for key in ([0, 1], [-1, 2**62], [1, 0]):
        key = np.array(key)
        expected = TABLE["dropout_mask"].reference(key, shape=shape, p=p, dtype=as_dtype(np.dtype(dtype)))
        np.testing.assert_array_equal(call("dropout_mask", (key,), shape, dtype, params=(p,)), expected)


def test_strided_memory():
    key, wide = np.array([[3, 0], [9, 0]])[:, 0], np.zeros((5, 14), np.float32)
    run("dropout_mask", (key,), (wide[:, ::2],), (0.5,))
    expected = TABLE["dropout_mask"].reference(key, shape=(5, 7), p=0.5, dtype=as_dtype(np.float32))
    np.testing.assert_array_equal(wide[:, ::2], expected)


def test_masks_are_random():
    """Shares, and those of neighbours and of neighbouring keys together, within 5 standard deviations."""
    n = 200_000
    for p in (0.1, 0.5):
        a, b = (call("dropout_mask", (np.array([7, k]),), (n,), np.float32, params=(p,)) > 0 for k in (1, 2))
        for kept, share in (
            (a, 1 - p),
            (a[1:] & a[:-1], (1 - p) ** 2),
            (a[2:] & a[:-2], (1 - p) ** 2),
            (a & b, (1 - p) ** 2),
        ):
            assert abs(kept.mean() - share) < 5 * np.sqrt(share * (1 - share) / len(kept))


def test_refusals():
    out = np.zeros(3, np.float32)
    for key, params, message in (
        (np.zeros(3, np.int64), (0.5,), "expected shape"),
        (np.zeros(2, np.int32), (0.5,), "expected dtype int64"),
        (np.zeros(2, np.int64), (1.5,), "a probability"),
        (np.zeros(2, np.int64), (np.nan,), "a probability"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            run("dropout_mask", (key,), (out,), params)
