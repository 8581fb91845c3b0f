from __future__ import annotations

import numpy as np
import pytest
from kernel_support import FLOATS, call, layouts, run, sample

SHAPES = [(1,), (5,), (3, 10), (64, 10), (2, 3, 17), (4, 1), (0, 5), (5, 0), (7, 100), (2, 5000)]


def log_softmax(x):
    x = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        top = x.max(-1, keepdims=True) if x.shape[-1] else x.sum(-1, keepdims=True)
        shifted = x - top
        return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax(rng, dtype, shape):
    x = sample(rng, shape, dtype) * 5
    eps = np.finfo(dtype).eps
    for _, view in layouts(x):
        exact = log_softmax(x)
        np.testing.assert_allclose(
            call("log_softmax", (view,), shape, dtype), exact.astype(dtype), rtol=4 * eps, atol=40 * eps
        )
        np.testing.assert_allclose(call("softmax", (view,), shape, dtype), np.exp(exact).astype(dtype), rtol=40 * eps)


def test_softmax_extremes():
    for dtype in FLOATS:
        for n in (4, 40):
            x = np.zeros((4, n), dtype)
            x[0] = -np.inf
            x[1, 0] = 1e4
            x[2, 1] = -np.inf
            x[3, 2] = np.nan
            got = call("softmax", (x,), x.shape, dtype)
            assert np.isnan(got[[0, 3]]).all()
            assert got[1, 0] == 1
            assert got[1, 1] == 0
            assert got[2, 1] == 0
            np.testing.assert_allclose(got[2, 0], 1 / (n - 1), rtol=1e-6)


def reference_loss(x, t, w, reduction, ignore, smoothing):
    """torch.nn.functional.cross_entropy, and the gradient for g = 1 (times ones for `none`)."""
    logp = log_softmax(x)
    n, c = x.shape
    w = np.ones(c) if w is None else w.astype(np.float64)
    if t.ndim == 1:
        keep = t != ignore
        label = np.where(keep, t, 0)
        shares = np.full((n, c), smoothing / c)
        shares[np.arange(n), label] += 1 - smoothing
        shares *= keep[:, None]
        total = (w[label] * keep).sum()
    else:
        shares = t * (1 - smoothing) + smoothing / c
        total = n
    shares = shares * w
    loss = -np.where(shares == 0, 0, shares * logp).sum(-1)
    grad = np.exp(logp) * shares.sum(-1, keepdims=True) - shares
    if reduction == 0:
        return loss, grad
    scale = 1 / total if reduction == 1 else 1
    return loss.sum() * scale, grad * scale


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("reduction", [0, 1, 2])
@pytest.mark.parametrize("hard", [True, False])
def test_cross_entropy(rng, dtype, reduction, hard):
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for n, c in [(1, 1), (5, 3), (64, 10), (33, 100), (130, 17)]:
        x = sample(rng, (n, c), dtype) * 3
        t = rng.integers(0, c, n) if hard else rng.dirichlet(np.ones(c), n).astype(dtype)
        if hard and n > 2:
            t[1] = -100
        for weight in (None, rng.random(c).astype(dtype) + dtype(0.1)):
            for smoothing in (0, 0.2):
                for _, view in layouts(x):
                    extra = () if weight is None else (weight,)
                    loss, grad = reference_loss(x, t, weight, reduction, -100, smoothing)
                    params = (reduction, -100, smoothing)
                    got = call("cross_entropy", (view, t, *extra), (n,) if reduction == 0 else (), dtype, params)
                    np.testing.assert_allclose(got, loss.astype(dtype), rtol=tolerance, atol=tolerance)
                    g = np.full((n,) if reduction == 0 else (), 0.5, dtype)
                    got = call("cross_entropy_backward", (view, t, g, *extra), (n, c), dtype, params)
                    np.testing.assert_allclose(got, 0.5 * grad.astype(dtype), rtol=tolerance, atol=tolerance)


def test_cross_entropy_against_torch(rng):
    torch = pytest.importorskip("torch")
    x = sample(rng, (6, 4), np.float64)
    t = np.array([0, 3, 2, 2, 1, 0])
    w = rng.random(4)
    for reduction, name in enumerate(("none", "mean", "sum")):
        for ignore in (-100, 2):
            for smoothing in (0.0, 0.3):
                got = call(
                    "cross_entropy",
                    (x, t, w),
                    (6,) if reduction == 0 else (),
                    np.float64,
                    (reduction, ignore, smoothing),
                )
                expected = torch.nn.functional.cross_entropy(
                    torch.from_numpy(x),
                    torch.from_numpy(t),
                    torch.from_numpy(w),
                    reduction=name,
                    ignore_index=ignore,
                    label_smoothing=smoothing,
                )
                np.testing.assert_allclose(got, expected.numpy(), rtol=1e-12)


def test_all_ignored():
    x = np.zeros((2, 3), np.float32)
    t = np.array([-100, -100])
    assert np.isnan(call("cross_entropy", (x, t), (), np.float32, (1,)))
    assert call("cross_entropy", (x, t), (), np.float32, (2,)) == 0


def test_bad_target():
    x = np.zeros((3, 4), np.float32)
    for bad in (4, -1):
        t = np.array([0, bad, 1])
        message = f"row 1 has target {bad}, expected 0 to 3 \\(4 classes\\)"
        with pytest.raises(IndexError, match=message):
            call("cross_entropy", (x, t), (), np.float32)
        with pytest.raises(IndexError, match=message):
            call("cross_entropy_backward", (x, t, np.array(1, np.float32)), (3, 4), np.float32)


# --- optimizers ---


def sgd(p, g, b, lr, momentum, dampening, decay, nesterov, maximize, first):
    g = (-g if maximize else g) + decay * p
    if momentum:
        b = g if first else momentum * b + (1 - dampening) * g
        g = g + momentum * b if nesterov else b
    return p - lr * g, b


def adam(p, g, m, v, top, lr, beta1, beta2, eps, decay, decoupled, step, maximize):
    g = -g if maximize else g
    p, g = (p * (1 - lr * decay), g) if decoupled else (p, g + decay * p)
    m, v = m + (g - m) * (1 - beta1), beta2 * v + (1 - beta2) * g * g
    top = None if top is None else np.maximum(top, v)
    root = np.sqrt(v if top is None else top) / np.sqrt(1 - beta2**step)
    return p - lr / (1 - beta1**step) * m / (root + eps), m, v, top


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (64,), (33, 100)])
def test_sgd(rng, dtype, shape):
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    for params in [
        (0.1, 0, 0, 0, 0, 0, 1),
        (0.1, 0, 0, 0.1, 0, 1, 0),
        (0.1, 0.9, 0, 0, 0, 0, 1),
        (0.1, 0.9, 0.5, 0.01, 0, 0, 0),
        (0.1, 0.9, 0, 0.01, 1, 1, 0),
        (0.1, 0.9, 0, 0.01, 1, 0, 1),
    ]:
        grad = sample(rng, shape, dtype)
        for _, g in layouts(grad):
            p, b = sample(rng, shape, dtype), sample(rng, shape, dtype)
            if params[6]:
                b = np.full(shape, np.nan, dtype)  # must not be read
            expected = sgd(p.astype(float), grad.astype(float), b.astype(float), *params)
            run("sgd", (g,), (p, b) if params[1] else (p,), params)
            np.testing.assert_allclose(p, expected[0], rtol=tolerance, atol=tolerance)
            if params[1]:
                np.testing.assert_allclose(b, expected[1], rtol=tolerance, atol=tolerance)
    with pytest.raises(ValueError, match="expected \\(param, momentum buffer\\)"):
        run("sgd", (np.zeros(2, dtype),), (np.zeros(2, dtype),), (0.1, 0.9, 0, 0, 0, 0, 1))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (64,), (33, 100)])
def test_adam(rng, dtype, shape):
    tolerance = 2e-5 if dtype == np.float32 else 1e-13
    for params in [
        (0.01, 0.9, 0.999, 1e-8, 0, 0, 1, 0),
        (0.01, 0.9, 0.99, 1e-8, 0.1, 1, 5, 0),
        (0.01, 0.9, 0.99, 1e-6, 0.1, 0, 3, 1),
    ]:
        for amsgrad in (False, True):
            grad = sample(rng, shape, dtype)
            for _, g in layouts(grad):
                p, m = sample(rng, shape, dtype), sample(rng, shape, dtype)
                v, top = (np.asarray(np.abs(sample(rng, shape, dtype))) for _ in range(2))
                expected = adam(
                    p.astype(float),
                    grad.astype(float),
                    m.astype(float),
                    v.astype(float),
                    top.astype(float) if amsgrad else None,
                    *params,
                )
                states = (p, m, v, top) if amsgrad else (p, m, v)
                run("adam", (g,), states, params)
                for got, want in zip(states, expected, strict=False):
                    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)


def rmsprop(p, g, v, b, m, lr, alpha, eps, decay, momentum, centered, maximize):
    g = (-g if maximize else g) + decay * p
    v, m = alpha * v + (1 - alpha) * g * g, m + (g - m) * (1 - alpha)
    change = g / (np.sqrt(np.maximum(v - m * m, 0) if centered else v) + eps)
    b = momentum * b + change
    return p - lr * (b if momentum else change), v, b, m


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (64,), (33, 100)])
def test_rmsprop(rng, dtype, shape):
    tolerance = 5e-5 if dtype == np.float32 else 1e-12
    for decay, momentum, centered, maximize in [(0, 0, 0, 0), (0.1, 0.9, 0, 1), (0.1, 0, 1, 0), (0, 0.5, 1, 0)]:
        params = (0.01, 0.9, 1e-3, decay, momentum, centered, maximize)
        grad = sample(rng, shape, dtype)
        for _, g in layouts(grad):
            p, b = sample(rng, shape, dtype), sample(rng, shape, dtype)
            m = np.asarray(sample(rng, shape, dtype) * dtype(0.1))
            v = np.asarray(np.abs(sample(rng, shape, dtype)) + dtype(0.5))
            expected = rmsprop(*(np.asarray(a, float) for a in (p, g, v, b, m)), *params)
            kept = [(p, expected[0]), (v, expected[1])]
            kept += [(b, expected[2])] * bool(momentum) + [(m, expected[3])] * bool(centered)
            run("rmsprop", (g,), tuple(got for got, _ in kept), params)
            for got, want in kept:
                np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance)
    with pytest.raises(ValueError, match=r"rmsprop: outputs: expected 3 .*, got 2"):
        run("rmsprop", (np.zeros(2, dtype),), (np.zeros(2, dtype),) * 2, (0.1, 0.9, 0, 0, 0.5, 0, 0))


def test_a_variance_that_rounding_makes_negative_is_none(rng):
    p, v, m, g = (np.full(64, x, np.float32) for x in (0, 0.01, 0.1, 0.1))
    v -= np.float32(1e-9)
    run("rmsprop", (g,), (p, v, m), (0.1, 0.99, 1e-8, 0, 0, 1, 0))
    assert np.isfinite(p).all()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (0,), (5,), (64,), (33, 100)])
def test_adagrad(rng, dtype, shape):
    tolerance = 1e-5 if dtype == np.float32 else 1e-13
    for lr, eps, decay, maximize in [(0.1, 1e-10, 0, 0), (0.1, 1e-3, 0.1, 1)]:
        grad = sample(rng, shape, dtype)
        for _, g in layouts(grad):
            p, s = sample(rng, shape, dtype), np.asarray(np.abs(sample(rng, shape, dtype)) + dtype(0.1))
            d = (-grad if maximize else grad).astype(float) + decay * p.astype(float)
            total = s.astype(float) + d * d
            expected = p - lr * d / (np.sqrt(total) + eps)
            run("adagrad", (g,), (p, s), (lr, eps, decay, maximize))
            np.testing.assert_allclose(p, expected, rtol=tolerance, atol=tolerance)
            np.testing.assert_allclose(s, total, rtol=tolerance, atol=tolerance)
