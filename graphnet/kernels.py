"""The C++ kernels for NumPy arrays: no tensors, no graphs, a thin call each.

Arrays are float32 or float64 (indices int64), of one dtype per call, with any strides: a transposed operand
is `a.T`, a part is a slice. `out` is written and returned; without it a new array is made. The kernels check
what they are given and never crash.

Raises (all functions): `graphnet.ArgumentError` for shapes that do not fit, `graphnet.DTypeError` for dtypes
and things that are not arrays, `graphnet.IndexOutOfRangeError` for class labels outside their range.

Example:
    >>> import numpy as np
    >>> from graphnet import kernels
    >>> a, b = np.ones((2, 3), np.float32), np.ones((4, 3), np.float32)
    >>> kernels.matmul(a, b.T)
    array([[3., 3., 3., 3.],
           [3., 3., 3., 3.]], dtype=float32)
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from graphnet.errors import ArgumentError, DTypeError, kind_of
from graphnet.program import plain_matmul, run_kernel

__all__ = [
    "exp",
    "linear",
    "log",
    "matmul",
    "relu",
    "relu_backward",
    "sigmoid",
    "softmax",
    "softmax_cross_entropy",
    "softmax_cross_entropy_backward",
    "tanh",
]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def _new(what: str, like: Any, shape: tuple[int, ...]) -> Array:
    if not isinstance(like, np.ndarray):
        raise DTypeError(f"{what}: expects NumPy arrays, got {kind_of(like)}")
    return np.empty(shape, like.dtype)


def matmul(
    a: Array,
    b: Array,
    out: Array | None = None,
    *,
    bias: Array | None = None,
    relu: bool = False,
    accumulate: bool = False,
) -> Array:
    """out = a @ b, with a bias added and ReLU applied in the same pass where asked for.

    Args:
        a: (*, m, k). b: (*, k, n); leading axes broadcast.
        out: (*, m, n).
        bias: (n,).
        accumulate: add to what `out` holds.
    """
    if bias is None and not relu and not accumulate and out is not None and plain_matmul(a, b, out):
        return out  # the common case, in a tenth of the time that looking at everything takes
    if out is None:
        if accumulate:
            raise ArgumentError("matmul: accumulate adds to out, which is not given")
        if not isinstance(b, np.ndarray) or not isinstance(a, np.ndarray) or a.ndim < 2 or b.ndim < 2:
            raise DTypeError("matmul: expects two arrays with at least two axes")
        try:
            lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        except ValueError as error:
            raise ArgumentError(f"matmul: leading axes of {a.shape} and {b.shape} do not broadcast") from error
        out = np.empty((*lead, a.shape[-2], b.shape[-1]), a.dtype)
    inputs = (a, b) if bias is None else (a, b, bias)
    run_kernel(
        "matmul", inputs, (out,), (1.0 if accumulate else 0.0, 1.0 if relu else 0.0) if relu or accumulate else ()
    )
    return out


def linear(
    x: Array, weight: Array, bias: Array | None = None, out: Array | None = None, *, relu: bool = False
) -> Array:
    """out = x @ weight.T + bias: x (*, k), weight (n, k), bias (n,), out (*, n); with ReLU where asked for."""
    if out is None:
        if not isinstance(weight, np.ndarray) or weight.ndim != 2 or not isinstance(x, np.ndarray) or not x.ndim:
            raise DTypeError("linear: expects an array x with at least one axis and a weight with two")
        out = np.empty((*x.shape[:-1], weight.shape[0]), x.dtype)
    run_kernel("linear", (x, weight) if bias is None else (x, weight, bias), (out,), (1.0,) if relu else ())
    return out


def _unary(name: str, doc: str) -> Any:
    def function(x: Array, out: Array | None = None) -> Array:
        if out is None:
            out = _new(name, x, getattr(x, "shape", ()))
        run_kernel(name, (x,), (out,))
        return out

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


relu = _unary("relu", "out = max(x, 0), element by element; NaN stays.")
exp = _unary("exp", "out = e to the power of x.")
log = _unary("log", "out = the natural logarithm of x.")
tanh = _unary("tanh", "out = the hyperbolic tangent of x.")
sigmoid = _unary("sigmoid", "out = 1 / (1 + exp(-x)).")
softmax = _unary("softmax", "out = exp(x) / sum(exp(x)) along the last axis.")


def relu_backward(gradient: Array, result: Array, out: Array | None = None) -> Array:
    """out = gradient where ReLU's result is above 0, else 0."""
    if out is None:
        out = _new("relu_backward", gradient, getattr(gradient, "shape", ()))
    run_kernel("relu_backward", (gradient, result), (out,))
    return out


def softmax_cross_entropy(logits: Array, target: Array, out: Array | None = None) -> Array:
    """The mean over rows of -log(softmax(logits)[target]): logits (N, C), int64 target (N,), 0-d result.

    Rows with target -100 are left out; where none is left, the mean is NaN.
    """
    if out is None:
        out = _new("softmax_cross_entropy", logits, ())
    run_kernel("cross_entropy", (logits, target), (out,))
    return out


def softmax_cross_entropy_backward(logits: Array, target: Array, out: Array | None = None) -> Array:
    """The gradient of `softmax_cross_entropy` with respect to the logits, (N, C)."""
    if out is None:
        out = _new("softmax_cross_entropy_backward", logits, getattr(logits, "shape", ()))
    run_kernel("cross_entropy_backward", (logits, target, np.ones((), logits.dtype)), (out,))
    return out
