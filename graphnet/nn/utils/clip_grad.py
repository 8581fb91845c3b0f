"""Gradients made smaller where they are too large, in place."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from graphnet.dtypes import promote
from graphnet.errors import ArgumentError, ArgumentTypeError, GradientError, GraphnetWarning, kind_of
from graphnet.places import stack_depth
from graphnet.tensor.core import apply
from graphnet.tensor.creation import zeros
from graphnet.tensor.functions import cat
from graphnet.tensor.state import no_grad
from graphnet.tensor.tensor import Tensor

__all__ = ["clip_grad_norm_", "clip_grad_value_"]


@no_grad()
def clip_grad_norm_(
    parameters: Any,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale the gradients of parameters, all by one factor, so that their common norm is at most `max_norm`.

    The factor is min(1, max_norm / (norm + 1e-6)). A compiled step does the same: see `TrainStep`'s `max_grad_norm`.

    Args:
        parameters: a parameter or an iterable of them; those without gradient are passed over.
        max_norm: the largest norm.
        norm_type: the order of the norm; float("inf") for the largest magnitude.
        error_if_nonfinite: raise rather than scale by a norm that is infinite or not a number.
        foreach: PyTorch's choice between implementations; here there is one.

    Returns:
        The norm before, 0-d.

    Raises:
        ArgumentError: a negative `max_norm`. GradientError: a norm that is not finite, where that was asked for.

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.Parameter(gn.zeros(2))
        >>> (w * gn.tensor([3.0, 4.0])).sum().backward()
        >>> gn.nn.utils.clip_grad_norm_([w], max_norm=1.0), w.grad
        (tensor(5.), tensor([0.6000, 0.8000]))
    """
    max_norm = _number("clip_grad_norm_: max_norm", max_norm)
    norm_type = _number("clip_grad_norm_: norm_type", norm_type)
    gradients = _gradients("clip_grad_norm_", parameters)
    if not gradients:
        return zeros()
    norms = [_norm(gradient, norm_type).reshape(1) for gradient in gradients]
    common = promote([(n._dtype, 1) for n in norms], [])
    total: Tensor = _norm(cat([n.to(common) for n in norms]), norm_type)
    if error_if_nonfinite and not math.isfinite(total.item()):
        raise GradientError(
            f"clip_grad_norm_: the norm of the gradients is {total.item()}, so they cannot be clipped; "
            "error_if_nonfinite=False scales them by it anyway"
        )
    factor = apply("minimum", max_norm / (total + 1e-6), 1.0)
    for gradient in gradients:
        gradient *= factor
    return total


@no_grad()
def clip_grad_value_(parameters: Any, clip_value: float, foreach: bool | None = None) -> None:
    """Bring every element of the gradients of parameters into [-clip_value, clip_value].

    Args:
        parameters: a parameter or an iterable of them; those without gradient are passed over.
        clip_value: the largest magnitude.
        foreach: PyTorch's choice between implementations; here there is one.

    Raises:
        ArgumentError: a negative `clip_value`.

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.Parameter(gn.zeros(3))
        >>> (w * gn.tensor([-3.0, 0.5, 2.0])).sum().backward()
        >>> gn.nn.utils.clip_grad_value_(w, 1.0)
        >>> w.grad
        tensor([-1.0000,  0.5000,  1.0000])
    """
    clip_value = _number("clip_grad_value_: clip_value", clip_value)
    for gradient in _gradients("clip_grad_value_", parameters):
        gradient.copy_(apply("minimum", apply("maximum", gradient, -clip_value), clip_value))


def _gradients(what: str, parameters: Any) -> list[Tensor]:
    if isinstance(parameters, Tensor):
        parameters = [parameters]
    if hasattr(parameters, "parameters") or not isinstance(parameters, Iterable):
        hint = "; pass its .parameters()" if hasattr(parameters, "parameters") else ""
        raise ArgumentTypeError(f"{what}: expects parameters, got {kind_of(parameters)}{hint}")
    given = list(parameters)
    if not given and isinstance(parameters, Iterator):
        warnings.warn(
            f"{what}: got no parameters; was the iterator used up?", GraphnetWarning, stacklevel=stack_depth()
        )
    for parameter in given:
        if not isinstance(parameter, Tensor):
            raise ArgumentTypeError(f"{what}: expects parameters, got {kind_of(parameter)}")
    return [parameter.grad for parameter in given if parameter.grad is not None]


def _norm(values: Tensor, order: float) -> Any:
    """The vector norm of all elements."""
    if order == 2:
        return (values * values).sum().sqrt()
    if order == 0:
        return (values != 0).sum().to(values._dtype)
    if order == math.inf:
        if not values.numel():
            return zeros(dtype=values._dtype)
        return values.abs().max()
    return values.abs().pow(order).sum().pow(1 / order)


def _number(what: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"{what} is a number, got {value!r:.60}") from None
    if not number >= 0:
        raise ArgumentError(f"{what} is a number from 0 up, got {number}")
    return number
