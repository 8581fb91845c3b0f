"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphnet.errors import ArgumentTypeError, ShapeError, kind_of
from graphnet.tensor.core import check_tensor
from graphnet.tensor.functions import cat
from graphnet.tensor.state import no_grad
from graphnet.tensor.tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The elements of parameters, one after the other; gradients flow through.

    Args:
        parameters: tensors of any shapes, n elements in all.

    Returns:
        A tensor of shape (n,).

    Example:
        >>> import graphnet as gn
        >>> gn.nn.utils.parameters_to_vector([gn.ones(2, 2), gn.zeros(1)])
        tensor([1., 1., 1., 1., 0.])
    """
    return cat([p.reshape(-1) for p in _parameters("parameters_to_vector", parameters)])


@no_grad()
def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copy a vector's elements into parameters, in their order.

    Args:
        vec: shape (n,), with as many elements as the parameters have in all.
        parameters: tensors of any shapes; their memory is overwritten.

    Raises:
        ShapeError: not a vector, or too few or too many elements; nothing was changed.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Linear(2, 1)
        >>> gn.nn.utils.vector_to_parameters(gn.tensor([1.0, 2.0, 3.0]), net.parameters())
        >>> net.weight.tolist(), net.bias.tolist()
        ([[1.0, 2.0]], [3.0])
    """
    given = _parameters("vector_to_parameters", parameters)
    vec = check_tensor("vector_to_parameters", vec).detach()
    count = sum(p._values().size for p in given)
    if tuple(vec.shape) != (count,):
        raise ShapeError(
            f"vector_to_parameters: expects a vector of {count} elements, got shape {tuple(vec.shape)}",
            expected=(count,),
            got=tuple(vec.shape),
        )
    start = 0
    for parameter in given:
        stop = start + parameter.numel()
        parameter.data.copy_(vec[start:stop].reshape(parameter.shape))
        start = stop


def _parameters(what: str, parameters: Any) -> list[Tensor]:
    given = list(parameters) if isinstance(parameters, Iterable) and not isinstance(parameters, Tensor) else None
    if given is None or not all(isinstance(p, Tensor) for p in given):
        raise ArgumentTypeError(f"{what}: expects an iterable of parameters, got {kind_of(parameters)}")
    return given
