"""What run() refuses, with the text a user sees: kernel, argument, expected, got."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from kernel_support import IDS, run

from graphnet import _core

A = np.zeros((2, 3), np.float32)
B = np.zeros((3, 4), np.float32)
C = np.zeros((2, 4), np.float32)
SCALAR = np.zeros((), np.float32)
READ_ONLY = np.zeros((2, 4), np.float32)
READ_ONLY.flags.writeable = False
UNALIGNED = np.frombuffer(bytearray(33), np.uint8)[1:].view(np.float32).reshape(2, 4)
ODD_STRIDE = np.ndarray((2, 3), np.float32, bytearray(64), strides=(14, 4))

BAD = [
    ("matmul", (A,), (C,), (), ValueError, "matmul: inputs: expected 2 to 3, got 1"),
    ("matmul", (A, B), (), (), ValueError, "matmul: outputs: expected 1, got 0"),
    ("matmul", (A, B), (C,), (1, 2, 3), ValueError, "matmul: params: expected 0 to 2, got 3"),
    ("matmul", (A, A), (C,), (), ValueError, r"matmul: input 1: expected shape \(..., 3, n\).*got \(2, 3\)"),
    ("matmul", (A, B), (A,), (), ValueError, r"matmul: output 0: expected shape \(..., 2, 4\), got \(2, 3\)"),
    (
        "matmul",
        (A, B, A),
        (C,),
        (),
        ValueError,
        r"matmul: input 2: expected shape broadcastable to \(4,\), got \(2, 3\)",
    ),
    ("matmul", (A, B), (C,), (0.5,), ValueError, "matmul: parameter 0: expected beta 0 or 1, got 0.5"),
    ("matmul", (A, B.astype("d")), (C,), (), TypeError, "matmul: input 1: expected dtype float32, got float64"),
    ("matmul", (A, B), (C.astype("d"),), (), TypeError, "matmul: output 0: expected dtype float32, got float64"),
    (
        "matmul",
        (A.astype("i"), B.astype("i")),
        (C.astype("i"),),
        (),
        TypeError,
        "matmul: input 0: expected dtype float32 or float64, got int32",
    ),
    ("matmul", (A.astype("e"), B), (C,), (), TypeError, "matmul: input 0: expected dtype .* got float16"),
    ("matmul", (A.astype(">f4"), B), (C,), (), TypeError, "matmul: input 0: expected dtype .*native.* got >f4"),
    ("matmul", (A, B), (READ_ONLY,), (), ValueError, "matmul: output 0: expected a writeable array"),
    ("matmul", (A, B), (UNALIGNED,), (), ValueError, "matmul: output 0: expected data and strides aligned to 4"),
    ("matmul", (ODD_STRIDE, B), (C,), (), ValueError, "matmul: input 0: expected data and strides aligned to 4"),
    ("matmul", [A, B], (C,), (), TypeError, "matmul: inputs: expected a tuple of arrays, got list"),
    ("matmul", (A, B), (C,), [1], TypeError, "matmul: params: expected a tuple of numbers, got list"),
    ("matmul", (A, B), (C,), ("x",), TypeError, "matmul: parameter 0: expected a number, got str"),
    ("matmul", (A, None), (C,), (), TypeError, "matmul: input 1: expected a numpy.ndarray, got NoneType"),
    ("add", (A, B), (A,), (), ValueError, r"add: input 1: expected shape broadcastable to \(2, 3\), got \(3, 4\)"),
    ("add", (A, A), (np.broadcast_to(SCALAR, (2, 3)),), (), ValueError, "add: output 0: expected a writeable array"),
    ("eq", (A, A), (A,), (), TypeError, "eq: output 0: expected dtype bool, got float32"),
    ("where", (A, A, A), (A,), (), TypeError, "where: input 0: expected dtype bool, got float32"),
    (
        "sum",
        (A,),
        (B,),
        (),
        ValueError,
        r"sum: output 0: expected shape \(2, 3\) with the reduced axes of size 1, got \(3, 4\)",
    ),
    (
        "argmax",
        (A,),
        (np.zeros((2, 1), "q"),),
        (2,),
        ValueError,
        "argmax: parameter 0: expected an axis from 0 to 1, got 2",
    ),
    ("argmax", (A,), (np.zeros((1, 1), "q"),), (1,), ValueError, "argmax: output 0: expected shape .* only axis 1"),
    ("linear", (A, B), (C,), (), ValueError, r"linear: input 0: expected shape \(..., 4\), got \(2, 3\)"),
    ("softmax", (SCALAR,), (SCALAR,), (), ValueError, "softmax: input 0: expected shape of rank 1 or more"),
    (
        "cross_entropy",
        (A, np.zeros(3, "q")),
        (SCALAR,),
        (),
        ValueError,
        r"cross_entropy: input 1: expected shape \(2,\), got \(3,\)",
    ),
    (
        "cross_entropy",
        (A, np.zeros(2, "i")),
        (SCALAR,),
        (),
        TypeError,
        "cross_entropy: input 1: expected dtype int64 or float32, got int32",
    ),
    (
        "cross_entropy",
        (A, np.zeros(2, "q")),
        (SCALAR,),
        (3,),
        ValueError,
        "cross_entropy: parameter 0: expected reduction",
    ),
    (
        "cross_entropy",
        (A, np.zeros(2, "q")),
        (SCALAR,),
        (1, -100, 2),
        ValueError,
        "parameter 2: expected label_smoothing",
    ),
    ("take", (A, np.zeros(2, "i")), (A,), (), TypeError, "take: input 1: expected dtype int64, got int32"),
    ("concat", (A, A), (A,), (0,), ValueError, "concat: output 0: expected shape with 4 along axis 0, got"),
    ("concat", (), (A,), (0,), ValueError, "concat: inputs: expected 1 to 64, got 0"),
    ("sgd", (A,), (B,), (0.1, 0, 0, 0, 0, 0, 0), ValueError, r"sgd: output 0: expected shape \(2, 3\), got \(3, 4\)"),
]


@pytest.mark.parametrize("case", BAD, ids=lambda c: c[5][:40])
def test_bad_arguments(case):
    name, inputs, outputs, params, error, message = case
    with pytest.raises(error, match=message):
        _core.run(IDS[name], inputs, outputs, params)


def test_overlapping_output_is_refused():
    line = np.zeros(3, np.float32)
    shared = np.lib.stride_tricks.as_strided(line, (2, 3), (0, 4), writeable=True)
    with pytest.raises(ValueError, match="add: output 0: expected distinct elements"):
        run("add", (A, A), (shared,))


def test_bad_kernel():
    with pytest.raises(ValueError, match="run: kernel: expected an id from 0 to"):
        _core.run(10_000, (), (), ())
    with pytest.raises(TypeError, match="run: kernel: expected an id from kernel_ids"):
        _core.run("add", (), (), ())
    with pytest.raises(TypeError, match="run: expected"):
        _core.run(1)


def test_every_kernel_survives_nonsense():
    """Any mix of ranks, dtypes and counts is refused or computed, never a crash."""
    rng = np.random.default_rng(3)
    pool = [np.zeros(s, d) for s in [(), (0,), (1,), (3,), (2, 3), (3, 2), (2, 2), (1, 2, 3)] for d in "fdiq?"]
    for name, kernel in IDS.items():
        for _ in range(60):
            pick = lambda n: tuple(pool[i].copy() for i in rng.integers(0, len(pool), n))  # noqa: E731
            params = tuple(rng.integers(-2, 3, rng.integers(0, 9)).astype(float))
            message = ""
            try:
                _core.run(kernel, pick(rng.integers(0, 5)), pick(rng.integers(0, 5)), params)
            except (TypeError, ValueError, IndexError) as error:
                message = str(error)
            assert not message or message.startswith(name)


def test_targets():
    assert _core.targets()[0] == "scalar"
    with pytest.raises(ValueError, match="target 'sse9' is unknown or not supported by this CPU; choose from: scalar"):
        _core.set_target("sse9")
    assert set(_core.config()) >= {"target", "targets", "threads", "compiler", "version", "build_type"}


@pytest.mark.parametrize("name", ["scalar", "sse9"])
def test_target_from_the_environment(name):
    code = "from graphnet import _core; print(_core.target())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "GRAPHNET_TARGET": name}, capture_output=True, text=True
    )
    if name == "scalar":
        assert done.stdout.strip() == "scalar", done.stderr
    else:
        assert done.returncode != 0
        assert "GRAPHNET_TARGET: target 'sse9' is unknown" in done.stderr


def test_an_output_over_an_input_is_refused():
    x = np.zeros((6, 6), np.float32)
    for name, inputs, out, message in [
        ("matmul", (x, x[:, :3]), x[:, 2:5], "matmul: output 0: expected memory apart from input 0's, got arrays"),
        ("matmul", (x[1:3, :2], x[:2, 3:]), x[1:3, 3:], "matmul: output 0: expected memory apart from input 1's"),
        (
            "add",
            (x[1:], x[:-1]),
            x[1:],
            "add: output 0: expected memory apart from input 1's, or all of it in the same",
        ),
        ("neg", (x.T,), x, "neg: output 0: expected memory apart from input 0's, or all of it in the same order"),
        ("neg", (x[::-1],), x, "neg: output 0: expected memory apart"),
        ("add", (x, x[:1]), x, "add: output 0: expected memory apart from input 1's"),
        ("softmax", (x[1:],), x[:-1], "softmax: output 0: expected memory apart from input 0's, or"),
        ("sum", (x,), x[:1], "sum: output 0: expected memory apart"),
    ]:
        with pytest.raises(ValueError, match=message):
            run(name, inputs, (out,))
    with pytest.raises(ValueError, match="sgd: output 1: expected memory apart from output 0's"):
        run("sgd", (x,), (np.zeros((6, 6), np.float32)[:],) * 2, (0.1, 0.9, 0, 0, 0, 0, 0))


def test_parts_of_one_array_that_lie_apart_are_taken(rng):
    x = rng.standard_normal((8, 12)).astype(np.float32)
    for a, b, out in [
        (x[:, :4], x[:4, 4:8], x[:, 8:]),
        (x[::2, :8], x[:8, 8:10], x[1::2, 10:]),
        (x.T[:4, :4], x.T[4:8, :6], x.T[8:, 2:]),
    ]:
        if np.may_share_memory(out, b) and np.shares_memory(out, b):
            continue
        expected = a @ b
        if expected.shape == out.shape:
            run("matmul", (a, b), (out,))
            np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)
    run("exp", (x[:, :6],), (x[:, 6:],))
    np.testing.assert_allclose(x[:, 6:], np.exp(x[:, :6]), rtol=1e-6)
    run("neg", (x[:, ::-1],), (x[:, ::-1],))
    run("relu", (x.T,), (x.T,))
    run("softmax", (x,), (x,))
    assert (x >= 0).all()
