"""Functions on tensors, under PyTorch's names. Each is the method of the same name, or says what it does."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.tensor import operators
from graphnet.tensor.axes import axis_of
from graphnet.tensor.core import Base, apply, check_tensor
from graphnet.tensor.reductions import numpy_names
from graphnet.tensor.tensor import Tensor

__all__ = [
    "abs", "add", "all", "allclose", "amax", "amin", "any", "argmax", "argmin", "argsort", "cat", "ceil", "clamp",
    "clamp_max", "clamp_min", "clip", "concat", "cos", "div", "equal", "erf", "exp", "expm1", "flatten", "floor",
    "gather", "is_floating_point", "is_tensor", "isfinite", "isinf", "isnan", "log", "log1p", "log_softmax",
    "logsumexp", "matmul", "max", "maximum", "mean", "min", "minimum", "mm", "mul", "neg", "permute", "pow", "prod",
    "relu", "reshape", "sigmoid", "sign", "sin", "softmax", "sort", "sqrt", "square", "squeeze", "stack", "std",
    "sub", "sum", "tanh", "topk", "transpose", "unsqueeze", "var", "where",
]  # fmt: skip


def _elementwise(name: str, doc: str) -> Any:
    def function(input: Any) -> Any:
        return apply(name, check_tensor(name, input))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


def _binary(name: str, doc: str) -> Any:
    def function(input: Any, other: Any) -> Any:
        return apply(name, check_tensor(name, input), other)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return function


abs = _elementwise("abs", "The absolute values.")
neg = _elementwise("neg", "The negated elements.")
sign = _elementwise("sign", "-1, 0 or 1 for each element.")
exp = _elementwise("exp", "e to the power of each element.")
log = _elementwise("log", "The natural logarithms.")
sqrt = _elementwise("sqrt", "The square roots.")
sin = _elementwise("sin", "The sines of angles in radians.")
cos = _elementwise("cos", "The cosines of angles in radians.")
tanh = _elementwise("tanh", "The hyperbolic tangents.")
sigmoid = _elementwise("sigmoid", "1 / (1 + exp(-x)) for each element.")
erf = _elementwise("erf", "The error function.")
expm1 = _elementwise("expm1", "exp(x) - 1 for each element, exact near 0.")
log1p = _elementwise("log1p", "log(1 + x) for each element, exact near 0.")
relu = _elementwise("relu", "max(x, 0) for each element; its gradient at 0 is 0.")
add = _binary("add", "input + other, with broadcasting.")
sub = _binary("sub", "input - other, with broadcasting.")
mul = _binary("mul", "input * other, with broadcasting.")
div = _binary("div", "input / other, with broadcasting.")
pow = _binary("pow", "input ** other, with broadcasting.")
maximum = _binary("maximum", "The larger of two elements, with broadcasting.")
minimum = _binary("minimum", "The smaller of two elements, with broadcasting.")


def _method(name: str) -> Any:
    method = getattr(Tensor, name)

    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        return method(check_tensor(name, input), *args, **kwargs)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = method.__doc__
    return function


sum, mean, prod = map(_method, ("sum", "mean", "prod"))
amax, amin, argmax, argmin = map(_method, ("amax", "amin", "argmax", "argmin"))
floor, ceil, isnan, isinf, isfinite, logsumexp = map(
    _method, ("floor", "ceil", "isnan", "isinf", "isfinite", "logsumexp")
)
gather, sort, argsort, topk = map(_method, ("gather", "sort", "argsort", "topk"))
clamp, clip, clamp_min, clamp_max = map(_method, ("clamp", "clip", "clamp_min", "clamp_max"))
any, all, var, std, square = map(_method, ("any", "all", "var", "std", "square"))
softmax, log_softmax = map(_method, ("softmax", "log_softmax"))
reshape, permute, transpose, flatten = map(_method, ("reshape", "permute", "transpose", "flatten"))
squeeze, unsqueeze, is_floating_point = map(_method, ("squeeze", "unsqueeze", "is_floating_point"))


def matmul(input: Any, other: Any) -> Tensor:
    """The matrix product: vectors are rows or columns, leading axes are batched and broadcast.

    Args:
        input: (n,), (m, n) or (*, m, n).
        other: (n,), (n, p) or (*, n, p).

    Raises:
        ShapeError: the inner sizes differ, or the leading axes do not broadcast.

    Example:
        >>> import graphnet as gn
        >>> gn.matmul(gn.ones(2, 3), gn.ones(3))
        tensor([3., 3.])
    """
    return operators.matmul(check_tensor("matmul", input), check_tensor("matmul", other))


mm = matmul


@numpy_names
def max(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The largest element, the largest along an axis as (values, indices), or the larger of two tensors."""
    if isinstance(dim, (Base, np.ndarray)):
        return maximum(input, dim)
    return check_tensor("max", input).max(dim, keepdim)


@numpy_names
def min(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element, the smallest along an axis as (values, indices), or the smaller of two tensors."""
    if isinstance(dim, (Base, np.ndarray)):
        return minimum(input, dim)
    return check_tensor("min", input).min(dim, keepdim)


def where(condition: Any, input: Any, other: Any) -> Tensor:
    """`input` where the condition holds, `other` elsewhere, with broadcasting."""
    return apply("where", check_tensor("where", condition), input, other)


_JOINED_AT_ONCE = 64  # operands that the kernel takes


def _several(what: str, tensors: Any) -> list[Any]:
    if isinstance(tensors, (Base, np.ndarray)) or not isinstance(tensors, (tuple, list)):
        raise ArgumentTypeError(f"{what}: expects a list or tuple of tensors, got a {type(tensors).__name__}")
    if not tensors:
        raise ArgumentError(f"{what}: there are no tensors to join")
    return [check_tensor(what, t) for t in tensors]


@numpy_names
def cat(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Tensors joined along an axis that they have.

    Raises:
        ShapeError: other sizes than that axis' differ.

    Example:
        >>> import graphnet as gn
        >>> gn.cat([gn.zeros(2, 1), gn.ones(2, 2)], dim=1)
        tensor([[0., 1., 1.],
                [0., 1., 1.]])
    """
    parts = _several("cat", tensors)
    axis = axis_of("cat", dim, builtins.max(p.ndim for p in parts))
    while len(parts) > _JOINED_AT_ONCE:
        groups = range(0, len(parts), _JOINED_AT_ONCE)
        parts = [apply("cat", *parts[i : i + _JOINED_AT_ONCE], axis=axis) for i in groups]
    return apply("cat", *parts, axis=axis)


concat = cat


@numpy_names
def stack(tensors: Sequence[Any], dim: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis."""
    parts = _several("stack", tensors)
    axis = axis_of("stack", dim, parts[0].ndim + 1)
    return cat([p.unsqueeze(axis) for p in parts], axis)


def is_tensor(value: Any) -> bool:
    """Whether the value is a tensor."""
    return isinstance(value, Base)


def equal(input: Any, other: Any) -> bool:
    """Whether two tensors have the same shape and elements."""
    a, b = check_tensor("equal", input), check_tensor("equal", other)
    return a.shape == b.shape and bool((a == b).all())


def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08) -> bool:
    """Whether |input - other| <= atol + rtol * |other| everywhere."""
    a, b = check_tensor("allclose", input).detach(), check_tensor("allclose", other).detach()
    return bool(((a == b) | ((a - b).abs() <= b.abs() * rtol + atol)).all())
