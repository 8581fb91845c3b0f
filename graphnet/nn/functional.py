"""Layers and losses as functions, under the names of torch.nn.functional."""

from __future__ import annotations

import warnings
from typing import Any

from graphnet.dtypes import int64
from graphnet.errors import ArgumentError, DTypeError, GraphnetWarning
from graphnet.ops import TABLE
from graphnet.places import stack_depth
from graphnet.tensor.core import apply, check_tensor
from graphnet.tensor.functions import relu, sigmoid, tanh
from graphnet.tensor.state import state
from graphnet.tensor.tensor import Tensor

__all__ = [
    "cross_entropy",
    "dropout",
    "linear",
    "log_softmax",
    "mse_loss",
    "relu",
    "sigmoid",
    "softmax",
    "tanh",
]


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """y = x Aᵀ + b.

    Args:
        input: x, (*, in_features).
        weight: A, (out_features, in_features).
        bias: b, (out_features), or None.

    Raises:
        ShapeError: the input's last size is not in_features.
        DTypeError: the input is not floating-point, or of another dtype than the weight.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.linear(gn.ones(1, 2), gn.ones(3, 2))
        tensor([[2., 2., 2.]])
    """
    return apply("linear", input, weight) if bias is None else apply("linear", input, weight, bias)


def softmax(input: Any, dim: int) -> Tensor:
    """exp(x) / sum(exp(x)) along an axis."""
    return check_tensor("softmax", input).softmax(dim)


def log_softmax(input: Any, dim: int) -> Tensor:
    """The logarithm of softmax along an axis, computed stably."""
    return check_tensor("log_softmax", input).log_softmax(dim)


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Elements set to 0 with probability p in training, the others multiplied by 1 / (1 - p).

    After Srivastava et al. 2014. Each call draws a new mask; in a compiled network each run does, with the same numbers
    as eagerly for one seed.

    Args:
        input: a floating-point tensor.
        p: the probability, from 0 to 1.
        training: without it the input is returned.
        inplace: write over the input.

    Raises:
        ArgumentError: p is not between 0 and 1.

    Example:
        >>> import graphnet as gn
        >>> y = gn.nn.functional.dropout(gn.ones(1000), 0.25)
        >>> sorted(set(y.tolist())) == [0.0, gn.tensor(1 / 0.75).item()]
        True
    """
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
        raise ArgumentError(f"dropout: the probability p is from 0 to 1, got {p!r}")
    input = check_tensor("dropout", input)
    if not training or p == 0:
        return input  # type: ignore[no-any-return]
    if not input.dtype.is_floating_point:
        raise DTypeError(f"dropout: expects a floating-point tensor, got {input.dtype.name}; convert with .float()")
    symbolic = input._tracer is not None and state.tracer is not input._tracer
    key = input._tracer.apply(TABLE["random_key"], (), {}) if symbolic else apply("random_key")
    mask = apply("dropout_mask", key, shape=tuple(input.shape), p=float(p), dtype=input.dtype)
    result: Tensor = apply("mul", input, mask)
    return input._overwrite(result) if inplace else result


def reduce(losses: Tensor, reduction: str) -> Tensor:
    """Losses as they are ("none"), their mean or their sum.

    Raises:
        ArgumentError: another word.
    """
    check_reduction(reduction)
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def check_reduction(reduction: str) -> None:
    """Raise ArgumentError unless it is "none", "mean" or "sum"."""
    if reduction not in ("none", "mean", "sum"):
        raise ArgumentError(f"reduction is 'none', 'mean' or 'sum', got {reduction!r}")


def mse_loss(input: Any, target: Any, reduction: str = "mean") -> Tensor:
    """The mean of (input - target)².

    Args:
        input, target: of one shape.
        reduction: "mean", "sum" or "none".

    Warns:
        GraphnetWarning: the shapes differ and are broadcast, which is hardly ever meant: (N, 1) with (N,) compares
            every prediction with every target.
    """
    input, target = check_tensor("mse_loss", input), check_tensor("mse_loss", target)
    if tuple(input.shape) != tuple(target.shape):
        warnings.warn(
            f"mse_loss: the input has shape {tuple(input.shape)} and the target {tuple(target.shape)}: they are "
            "broadcast, which compares elements that do not belong together; give both one shape",
            GraphnetWarning,
            stacklevel=stack_depth(),
        )
    return reduce((input - target) ** 2, reduction)


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross entropy of softmax(input) and the target, as torch.nn.functional.cross_entropy.

    Args:
        input: logits, (C), (N, C) or (N, C, d1, ...).
        target: class indices from 0 to C-1 of shape (), (N) or (N, d1, ...), or probabilities of the input's shape.
        weight: a factor for each class, (C).
        ignore_index: a class index that does not count.
        reduction: "mean" (weighted, over what counts), "sum" or "none".
        label_smoothing: how much of the target is spread over all classes, from 0 to 1.

    Raises:
        ShapeError: the shapes do not fit. DTypeError: logits that are not floating-point.
        IndexOutOfRangeError: a class index outside its range, named with its row.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.cross_entropy(gn.zeros(2, 4), gn.tensor([1, 3]))
        tensor(1.3863)
    """
    check_reduction(reduction)
    if not 0 <= label_smoothing <= 1:
        raise ArgumentError(f"label_smoothing is between 0 and 1, got {label_smoothing}")
    input, target = check_tensor("cross_entropy", input), check_tensor("cross_entropy", target)
    rows = tuple(target.shape)
    if input.ndim == 1:
        input, target = input.unsqueeze(0), target.unsqueeze(0)
    elif input.ndim > 2:
        classes, order = input.shape[1], (0, *range(2, input.ndim), 1)
        input = input.permute(order).reshape(-1, classes)
        target = target.permute(order).reshape(-1, classes) if target.ndim == len(order) else target.reshape(-1)
        rows = rows if len(rows) < len(order) else (rows[0], *rows[2:])
    if not target.dtype.is_floating_point:
        target = target.to(int64)
    elif target.ndim != 2:
        raise DTypeError(f"cross_entropy: class indices are integers, got {target.dtype.name}; convert with .long()")
    elif target.dtype is not input.dtype:
        target = target.to(input.dtype)
    operands = [input, target] if weight is None else [input, target, check_tensor("weight", weight).to(input.dtype)]
    settings = {"reduction": reduction, "ignore_index": int(ignore_index), "label_smoothing": float(label_smoothing)}
    losses: Tensor = apply("cross_entropy", *operands, **settings)
    return losses.reshape(rows) if reduction == "none" and losses.ndim != len(rows) else losses
