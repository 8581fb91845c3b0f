"""Functions on tensors, under PyTorch's names. Most are the method of the same name with the tensor as `input`."""

from __future__ import annotations

import builtins
import functools
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from graphnet.dtypes import int64
from graphnet.errors import ArgumentError, ArgumentTypeError, kind_of
from graphnet.tensor.axes import axis_of
from graphnet.tensor.core import Base, apply, check_tensor, make
from graphnet.tensor.einsum import einsum
from graphnet.tensor.reductions import numpy_names
from graphnet.tensor.tensor import Tensor

__all__ = [
    "abs",
    "absolute",
    "add",
    "all",
    "allclose",
    "amax",
    "amin",
    "any",
    "argmax",
    "argmin",
    "argsort",
    "bitwise_and",
    "bitwise_not",
    "bitwise_or",
    "bitwise_xor",
    "bmm",
    "cat",
    "ceil",
    "chunk",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "clone",
    "concat",
    "concatenate",
    "cos",
    "cumsum",
    "detach",
    "div",
    "divide",
    "dot",
    "einsum",
    "eq",
    "equal",
    "erf",
    "exp",
    "expm1",
    "flatten",
    "floor",
    "floor_divide",
    "gather",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "is_floating_point",
    "is_tensor",
    "isclose",
    "isfinite",
    "isinf",
    "isnan",
    "le",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log_softmax",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logsumexp",
    "lt",
    "masked_fill",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mm",
    "mul",
    "multiply",
    "mv",
    "narrow",
    "ne",
    "neg",
    "negative",
    "nonzero",
    "norm",
    "not_equal",
    "numel",
    "permute",
    "pow",
    "prod",
    "ravel",
    "reciprocal",
    "relu",
    "remainder",
    "reshape",
    "round",
    "rsqrt",
    "select",
    "sigmoid",
    "sign",
    "sin",
    "softmax",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "sub",
    "subtract",
    "sum",
    "swapaxes",
    "swapdims",
    "t",
    "tan",
    "tanh",
    "topk",
    "transpose",
    "true_divide",
    "unbind",
    "unsqueeze",
    "var",
    "where",
]  # fmt: skip

P = ParamSpec("P")
R = TypeVar("R")


def _method(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """The function that a method is, of a tensor, an array or a number."""
    name = method.__name__

    @functools.wraps(method)
    def function(input: Any, *args: P.args, **kwargs: P.kwargs) -> R:
        found = getattr(check_tensor(name, input), name)  # traced tensors and parameters have some of their own
        return found(*args, **kwargs)  # type: ignore[no-any-return]

    function.__qualname__ = name
    function.__module__ = __name__
    return function  # type: ignore[return-value]  # the name `input` may be given or left out


abs = _method(Tensor.abs)
absolute = _method(Tensor.absolute)
add = _method(Tensor.add)
all = _method(Tensor.all)
allclose = _method(Tensor.allclose)
amax = _method(Tensor.amax)
amin = _method(Tensor.amin)
any = _method(Tensor.any)
argmax = _method(Tensor.argmax)
argmin = _method(Tensor.argmin)
argsort = _method(Tensor.argsort)
bmm = _method(Tensor.bmm)
ceil = _method(Tensor.ceil)
chunk = _method(Tensor.chunk)
clamp = _method(Tensor.clamp)
clamp_max = _method(Tensor.clamp_max)
clamp_min = _method(Tensor.clamp_min)
clip = _method(Tensor.clip)
clone = _method(Tensor.clone)
cos = _method(Tensor.cos)
detach = _method(Tensor.detach)
div = _method(Tensor.div)
divide = _method(Tensor.divide)
dot = _method(Tensor.dot)
eq = _method(Tensor.eq)
equal = _method(Tensor.equal)
erf = _method(Tensor.erf)
exp = _method(Tensor.exp)
expm1 = _method(Tensor.expm1)
flatten = _method(Tensor.flatten)
floor = _method(Tensor.floor)
floor_divide = _method(Tensor.floor_divide)
gather = _method(Tensor.gather)
ge = _method(Tensor.ge)
greater = _method(Tensor.greater)
greater_equal = _method(Tensor.greater_equal)
gt = _method(Tensor.gt)
is_floating_point = _method(Tensor.is_floating_point)
isclose = _method(Tensor.isclose)
isfinite = _method(Tensor.isfinite)
isinf = _method(Tensor.isinf)
isnan = _method(Tensor.isnan)
le = _method(Tensor.le)
less = _method(Tensor.less)
less_equal = _method(Tensor.less_equal)
log = _method(Tensor.log)
log1p = _method(Tensor.log1p)
log_softmax = _method(Tensor.log_softmax)
logical_and = _method(Tensor.logical_and)
logical_not = _method(Tensor.logical_not)
logical_or = _method(Tensor.logical_or)
logical_xor = _method(Tensor.logical_xor)
logsumexp = _method(Tensor.logsumexp)
lt = _method(Tensor.lt)
masked_fill = _method(Tensor.masked_fill)
matmul = _method(Tensor.matmul)
max = _method(Tensor.max)
maximum = _method(Tensor.maximum)
mean = _method(Tensor.mean)
min = _method(Tensor.min)
minimum = _method(Tensor.minimum)
mm = _method(Tensor.mm)
mul = _method(Tensor.mul)
multiply = _method(Tensor.multiply)
mv = _method(Tensor.mv)
narrow = _method(Tensor.narrow)
ne = _method(Tensor.ne)
neg = _method(Tensor.neg)
negative = _method(Tensor.negative)
not_equal = _method(Tensor.not_equal)
numel = _method(Tensor.numel)
pow = _method(Tensor.pow)
prod = _method(Tensor.prod)
ravel = _method(Tensor.ravel)
reciprocal = _method(Tensor.reciprocal)
relu = _method(Tensor.relu)
remainder = _method(Tensor.remainder)
rsqrt = _method(Tensor.rsqrt)
select = _method(Tensor.select)
sigmoid = _method(Tensor.sigmoid)
sign = _method(Tensor.sign)
sin = _method(Tensor.sin)
softmax = _method(Tensor.softmax)
sort = _method(Tensor.sort)
sqrt = _method(Tensor.sqrt)
square = _method(Tensor.square)
squeeze = _method(Tensor.squeeze)
std = _method(Tensor.std)
sub = _method(Tensor.sub)
subtract = _method(Tensor.subtract)
sum = _method(Tensor.sum)
swapaxes = _method(Tensor.swapaxes)
swapdims = _method(Tensor.swapdims)
t = _method(Tensor.t)
tanh = _method(Tensor.tanh)
topk = _method(Tensor.topk)
transpose = _method(Tensor.transpose)
true_divide = _method(Tensor.true_divide)
unbind = _method(Tensor.unbind)
bitwise_and = _method(Tensor.bitwise_and)
bitwise_or = _method(Tensor.bitwise_or)
bitwise_xor = _method(Tensor.bitwise_xor)
bitwise_not = _method(Tensor.bitwise_not)
cumsum = _method(Tensor.cumsum)
norm = _method(Tensor.norm)
round = _method(Tensor.round)
tan = _method(Tensor.tan)
unsqueeze = _method(Tensor.unsqueeze)
var = _method(Tensor.var)


def reshape(input: Any, shape: Any) -> Tensor:
    """The elements in another shape; one size may be -1. A view where the memory is contiguous.

    Raises:
        ShapeError: a shape of another number of elements.

    Example:
        >>> import graphnet as gn
        >>> gn.reshape(gn.arange(6), (2, -1))
        tensor([[0, 1, 2],
                [3, 4, 5]])
    """
    return check_tensor("reshape", input).reshape(shape)


def permute(input: Any, dims: Any) -> Tensor:
    """The axes in another order, as a view.

    Raises:
        ArgumentError: not an order of the axes.

    Example:
        >>> import graphnet as gn
        >>> gn.permute(gn.zeros(2, 3, 4), (2, 0, 1)).shape
        graphnet.Size([4, 2, 3])
    """
    return check_tensor("permute", input).permute(dims)


@numpy_names
def split(tensor: Any, split_size_or_sections: Any, dim: Any = 0) -> tuple[Tensor, ...]:
    """Parts of an axis, as views: each of a size, the last of what is left; or of the sizes in a list.

    Raises:
        ArgumentError: sizes that do not add up to the axis.

    Example:
        >>> import graphnet as gn
        >>> gn.split(gn.arange(5), [2, 3])
        (tensor([0, 1]), tensor([2, 3, 4]))
    """
    return check_tensor("split", tensor).split(split_size_or_sections, dim)


def where(condition: Any, input: Any = None, other: Any = None) -> Any:
    """`input` where the condition holds, `other` elsewhere, with broadcasting; alone, the places where it holds.

    Raises:
        DTypeError: a condition that is not of truth values.

    Example:
        >>> import graphnet as gn
        >>> x = gn.tensor([-1.0, 2.0])
        >>> gn.where(x > 0, x, 0), gn.where(x > 0)
        (tensor([0., 2.]), (tensor([1]),))
    """
    if input is None and other is None:
        return nonzero(condition, as_tuple=True)
    if input is None or other is None:
        raise ArgumentTypeError("where: expects a condition and two values, or a condition alone")
    return apply("where", check_tensor("where", condition), input, other)


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The places of the elements that are not zero: (n, axes), or as one tensor per axis.

    Example:
        >>> import graphnet as gn
        >>> gn.nonzero(gn.tensor([0, 5, 6]))
        tensor([[1],
                [2]])
    """
    values = check_tensor("nonzero", input)._looked_at()
    if as_tuple:
        return tuple(make(np.ascontiguousarray(places), int64) for places in np.nonzero(np.atleast_1d(values)))
    return make(np.ascontiguousarray(np.argwhere(values)), int64)


_JOINED_AT_ONCE = 64  # operands that the kernel takes


def _several(what: str, tensors: Any) -> list[Any]:
    if isinstance(tensors, (Base, np.ndarray)) or not isinstance(tensors, (tuple, list)):
        raise ArgumentTypeError(f"{what}: expects a list or tuple of tensors, got {kind_of(tensors)}")
    if not tensors:
        raise ArgumentError(f"{what}: there are no tensors to join")
    return [check_tensor(what, t) for t in tensors]


@numpy_names
def cat(tensors: Sequence[Any], dim: Any = 0) -> Tensor:
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
    parts = [p for p in parts if tuple(p.shape) != (0,)] or parts[
        :1
    ]  # PyTorch passes over them, whatever the others are
    axis = axis_of("cat", dim, builtins.max(p.ndim for p in parts))
    while len(parts) > _JOINED_AT_ONCE:
        groups = range(0, len(parts), _JOINED_AT_ONCE)
        parts = [apply("cat", *parts[i : i + _JOINED_AT_ONCE], axis=axis) for i in groups]
    return apply("cat", *parts, axis=axis)


concat = concatenate = cat


@numpy_names
def stack(tensors: Sequence[Any], dim: Any = 0) -> Tensor:
    """Tensors of one shape joined along a new axis.

    Raises:
        ShapeError: the shapes differ.

    Example:
        >>> import graphnet as gn
        >>> gn.stack([gn.zeros(2), gn.ones(2)])
        tensor([[0., 0.],
                [1., 1.]])
    """
    parts = _several("stack", tensors)
    axis = axis_of("stack", dim, parts[0].ndim + 1)
    return cat([p.unsqueeze(axis) for p in parts], axis)


def is_tensor(obj: Any) -> builtins.bool:
    """Whether the value is a tensor.

    Example:
        >>> import graphnet as gn
        >>> gn.is_tensor(gn.ones(2)), gn.is_tensor([1.0])
        (True, False)
    """
    return isinstance(obj, Base)
