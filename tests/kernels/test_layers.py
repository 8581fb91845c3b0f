"""Kernels of activations, normalisation, embeddings and losses, on every target."""

from __future__ import annotations

import numpy as np
import pytest
from kernel_support import FLOATS, call, layouts, run, sample

from graphnet.ops import TABLE

WIDE = np.array([-800.0, -100, -20, -1e-3, -0.0, 0.0, 1e-3, 20, 100, 800])


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("name", ["gelu", "gelu_tanh", "silu", "softplus"])
def test_activations(rng, dtype, name):
    eps = np.finfo(dtype).eps
    for x in (sample(rng, (3, 67), dtype) * 4, WIDE.astype(dtype), sample(rng, (0, 4), dtype)):
        with np.errstate(all="ignore"):
            exact = TABLE[name].reference(x.astype(np.float64))
        for _, view in layouts(x):
            np.testing.assert_allclose(
                call(name, (view,), x.shape, dtype), exact.astype(dtype), rtol=8 * eps, atol=4 * eps
            )


@pytest.mark.parametrize("dtype", FLOATS)
def test_softplus_keeps_small_values(dtype):
    x = np.array([-80.0, -50.0, -30.0], dtype)
    exact = np.log1p(np.exp(x.astype(np.float64)))
    np.testing.assert_allclose(call("softplus", (x,), x.shape, dtype), exact, rtol=8 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("center", [1.0, 0.0])
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((5, 7), (1,)),
        ((5, 7), (0,)),
        ((70, 300), (0,)),
        ((300, 70), (1,)),
        ((4, 3, 5), (0, 2)),
        ((9, 130, 33), (0, 2)),
        ((4, 5, 3), (1,)),
        ((2, 3, 4, 5), (1, 3)),
        ((4, 5), (0, 1)),
        ((1, 6, 1), (0, 2)),
        ((0, 3), (0,)),
        ((3, 0), (1,)),
        ((3, 5), ()),
    ],
)
def test_normalization(rng, dtype, center, shape, axes):
    x, g = sample(rng, shape, dtype) + dtype(0.5), sample(rng, shape, dtype)
    settings = {"axes": axes, "eps": 0.01, "center": bool(center), "least": 0}
    params = (0.01, center, *map(float, axes))
    tolerance = 30 * np.finfo(dtype).eps
    forward = TABLE["normalize"].reference(x.astype(np.float64), **settings)
    backward = TABLE["normalize_backward"].reference(g.astype(np.float64), x.astype(np.float64), **settings)
    for (_, a), (_, b) in zip(layouts(x), layouts(g)):
        got = call("normalize", (a,), shape, dtype, params)
        np.testing.assert_allclose(got, forward, rtol=tolerance, atol=tolerance)
        got = call("normalize_backward", (b, a), shape, dtype, params)
        np.testing.assert_allclose(got, backward, rtol=tolerance, atol=4 * tolerance)


def test_a_large_mean_does_not_spoil_the_variance(rng):
    x = (sample(rng, (2, 5000), np.float64) + 1e3).astype(np.float32)
    exact = TABLE["normalize"].reference(x.astype(np.float64), axes=(1,), eps=0.0, center=True, least=0)
    np.testing.assert_allclose(call("normalize", (x,), x.shape, np.float32, (0.0, 1.0, 1.0)), exact, atol=2e-4)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", [0, 1, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_nll_loss(rng, dtype, reduction, weighted):
    x, target = sample(rng, (6, 4), dtype), np.array([0, 3, -100, 1, 2, 2])
    weight = (rng.uniform(0.5, 1.5, 4).astype(dtype),) if weighted else ()
    word = ("none", "mean", "sum")[reduction]
    g = sample(rng, (6,) if reduction == 0 else (), dtype)
    expected = TABLE["nll_loss"].reference(x, target, *weight, reduction=word, ignore_index=-100)
    back = TABLE["nll_loss_backward"].reference(x, target, g, *weight, reduction=word, ignore_index=-100)
    for _, view in layouts(x):
        got = call("nll_loss", (view, target, *weight), expected.shape, dtype, (float(reduction), -100.0))
        np.testing.assert_allclose(got, expected, rtol=1e-5)
        got = call("nll_loss_backward", (view, target, g, *weight), x.shape, dtype, (float(reduction), -100.0))
        np.testing.assert_allclose(got, back, rtol=1e-5)


def test_refusals():
    x, out = np.zeros((2, 3), np.float32), np.zeros((2, 3), np.float32)
    for name, inputs, outputs, params, error, text in (
        (
            "nll_loss",
            (x, np.array([0, 3])),
            (np.zeros((), np.float32),),
            (1.0, -100.0),
            IndexError,
            "row 1 has target 3",
        ),
        ("nll_loss", (x, x), (np.zeros((), np.float32),), (1.0, -100.0), TypeError, "int64"),
        ("embedding", (x, np.array([0, -1])), (out,), (), IndexError, "index -1"),
        ("embedding", (x, np.array([0, 2])), (out,), (), IndexError, "0 to 1"),
        ("normalize", (x,), (out,), (0.1, 1.0, 2.0), ValueError, "an axis"),
        ("normalize", (x,), (out,), (-0.1, 1.0, 1.0), ValueError, "eps"),
        ("normalize", (x,), (np.zeros((3, 2), np.float32),), (0.1, 1.0, 1.0), ValueError, "shape"),
        ("binary_entropy", (x + 2, x), (out,), (), ValueError, "from 0 to 1"),
        ("binary_entropy", (x, x - 1), (out,), (), ValueError, "from 0 to 1"),
    ):
        with pytest.raises(error, match=text):
            run(name, inputs, outputs, params)
