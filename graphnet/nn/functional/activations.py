"""Activations as functions. Each takes a tensor of any shape and gives one of that shape.

`relu` and `hardtanh` take whole numbers as they are, the others in float32. They raise ArgumentTypeError for what is
not a tensor.
"""

from __future__ import annotations

from typing import Any

from graphnet.dtypes import as_dtype
from graphnet.errors import ArgumentError, ArgumentTypeError, GraphnetWarning, ShapeError
from graphnet.places import warn
from graphnet.tensor.core import apply, check_tensor
from graphnet.tensor.tensor import Tensor

__all__ = [
    "elu",
    "gelu",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "number",
    "prelu",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]


def number(what: str, value: Any) -> float:
    """A setting as a number.

    Raises:
        ArgumentTypeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentTypeError(f"{what} is a number, got {value!r:.60}")
    return value


def _written(input: Any, result: Tensor, inplace: bool) -> Tensor:
    """The result, written over the input where that was asked for."""
    if not inplace:
        return result
    input._overwrite(result)
    return check_tensor("inplace", input)


def relu(input: Any, inplace: bool = False) -> Tensor:
    """max(x, 0); with `inplace` written over the input, as the in-place operators do.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.relu(gn.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """
    return _written(input, apply("relu", check_tensor("relu", input)), inplace)


def sigmoid(input: Any) -> Tensor:
    """1 / (1 + exp(-x)).

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.sigmoid(gn.zeros(2))
        tensor([0.5000, 0.5000])
    """
    return apply("sigmoid", check_tensor("sigmoid", input))


def tanh(input: Any) -> Tensor:
    """The hyperbolic tangent.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.tanh(gn.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7616])
    """
    return apply("tanh", check_tensor("tanh", input))


def leaky_relu(input: Any, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where it is positive, else x times negative_slope.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.leaky_relu(gn.tensor([-1.0, 2.0]), 0.1)
        tensor([-0.1000,  2.0000])
    """
    slope = number("leaky_relu: negative_slope", negative_slope)
    return _written(input, apply("leaky_relu", check_tensor("leaky_relu", input), slope), inplace)


def prelu(input: Any, weight: Any) -> Tensor:
    """x where it is positive, else x times a weight that is learnt: one, or one for each channel.

    Args:
        input: (*) or (N, C, *).
        weight: of one element, or (C).

    Raises:
        ShapeError: the weight has neither one element nor one for each channel.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.prelu(gn.tensor([[-1.0, -1.0]]), gn.tensor([0.5, 0.25]))
        tensor([[-0.5000, -0.2500]])
    """
    input, weight = check_tensor("prelu", input), check_tensor("prelu: the weight", weight)
    sizes = tuple(weight.shape)
    if len(sizes) > 1:
        raise ShapeError(f"prelu: the weight has at most one axis, got shape {sizes}", got=sizes)
    if sizes and sizes != (1,):
        rank = input.ndim
        channels = input.shape[1] if rank > 1 else 1
        if isinstance(channels, int) and channels != sizes[0]:
            raise ShapeError(
                f"prelu: the weight has {sizes[0]} elements and the input {channels} channels, shape "
                f"{tuple(input.shape)}; give it one element, or one for each channel (axis 1)",
                expected=channels,
                got=sizes[0],
            )
        weight = weight.reshape(*sizes, *[1] * (rank - 2))
    return apply("leaky_relu", input, weight)


def elu(input: Any, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where it is positive, else alpha (exp(x) - 1) (Clevert et al. 2015).

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.elu(gn.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """
    alpha, x = number("elu: alpha", alpha), check_tensor("elu", input)
    # exp only of what is not positive: where it overflows its gradient would be 0 * inf.
    below = apply("expm1", apply("clamp_max", x, 0))
    return _written(input, apply("where", x > 0, x, below if alpha == 1 else below * alpha), inplace)


def gelu(input: Any, approximate: str = "none") -> Tensor:
    """x Φ(x), with the normal distribution's function Φ (Hendrycks & Gimpel 2016).

    Args:
        input: x.
        approximate: "none", or "tanh" for 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))).

    Raises:
        ArgumentError: another approximation.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.gelu(gn.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """
    if approximate not in ("none", "tanh"):
        raise ArgumentError(f"gelu: the approximation is 'none' or 'tanh', got {approximate!r}")
    return apply("gelu" if approximate == "none" else "gelu_tanh", check_tensor("gelu", input))


def silu(input: Any, inplace: bool = False) -> Tensor:
    """x times sigmoid(x), also known as swish.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.silu(gn.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """
    return _written(input, apply("silu", check_tensor("silu", input)), inplace)


def softplus(input: Any, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.softplus(gn.tensor([-1.0, 30.0]))
        tensor([ 0.3133, 30.0000])
    """
    beta, threshold = number("softplus: beta", beta), number("softplus: threshold", threshold)
    x = check_tensor("softplus", input)
    scaled = x if beta == 1 else x * beta
    soft = apply("softplus", scaled)
    return apply("where", scaled > threshold, x, soft if beta == 1 else soft / beta)


def logsigmoid(input: Any) -> Tensor:
    """log(sigmoid(x)), computed stably.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.logsigmoid(gn.tensor([-100.0, 0.0]))
        tensor([-100.0000,   -0.6931])
    """
    return -apply("softplus", -check_tensor("logsigmoid", input))


def hardtanh(input: Any, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x, and min_val or max_val where it lies beyond. No gradient flows from there, nor at the two bounds.

    Raises:
        ArgumentError: min_val is above max_val.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.hardtanh(gn.tensor([-3.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """
    low, high = number("hardtanh: min_val", min_val), number("hardtanh: max_val", max_val)
    if low > high:
        raise ArgumentError(f"hardtanh: min_val is not above max_val, got {min_val} and {max_val}")
    x = check_tensor("hardtanh", input)
    bounded = apply("clamp_max", apply("clamp_min", x, low), high)
    inside = apply("minimum", x > low, x < high)
    return _written(input, apply("where", inside, x, bounded.detach()), inplace)


def softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along an axis.

    Args:
        input: x.
        dim: the axis.
        dtype: a floating-point type in which it is computed.

    Raises:
        IndexOutOfRangeError: there is no such axis.

    Warns:
        GraphnetWarning: no axis is given: PyTorch's old rule chooses one, the first of tensors with 0, 1 or 3 axes
            and else the second.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.softmax(gn.zeros(2, 4), dim=1)
        tensor([[0.2500, 0.2500, 0.2500, 0.2500],
                [0.2500, 0.2500, 0.2500, 0.2500]])
    """
    return _along("softmax", input, dim, dtype)


def log_softmax(input: Any, dim: int | None = None, _stacklevel: int = 3, dtype: Any = None) -> Tensor:
    """The logarithm of softmax along an axis, computed stably. Arguments and errors are those of `softmax`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.log_softmax(gn.zeros(4), dim=0)
        tensor([-1.3863, -1.3863, -1.3863, -1.3863])
    """
    return _along("log_softmax", input, dim, dtype)


def _along(name: str, input: Any, dim: int | None, dtype: Any) -> Tensor:
    x = check_tensor(name, input)
    if dim is None:
        dim = 0 if x.ndim in (0, 1, 3) else 1
        warn(
            f"{name}: no axis is given, so axis {dim} of shape {tuple(x.shape)} is taken; say which with dim=",
            GraphnetWarning,
        )
    if dtype is not None:
        x = x.to(as_dtype(dtype))
    return x.softmax(dim) if name == "softmax" else x.log_softmax(dim)
