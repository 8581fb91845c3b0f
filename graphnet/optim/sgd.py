"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from graphnet.errors import ArgumentError
from graphnet.nn.parameter import Parameter
from graphnet.optim.optimizer import Optimizer, check_flags, check_not_negative

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, as torch.optim.SGD.

    v = momentum · v + (1 - dampening) · g (the first time v = g), p = p - lr · v, where g includes
    weight_decay · p; with `nesterov`, p = p - lr · (g + momentum · v).

    Args:
        params: parameters, pairs of name and parameter, or dicts of parameter groups.
        lr: the learning rate.
        momentum: how much of the last step goes into the next.
        dampening: how much of the gradient does not go into the momentum.
        weight_decay: times the parameter, added to the gradient.
        nesterov: look ahead with the momentum (Sutskever et al. 2013).
        maximize: go up rather than down.
        foreach, fused: PyTorch's choices between implementations; here there is one.
        differentiable: False.

    Raises:
        ArgumentError: a negative setting, or `nesterov` without momentum.

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.Parameter(gn.ones(2))
        >>> optimizer = gn.optim.SGD([w], lr=0.5)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w.data
        tensor([0.5000, 0.5000])
    """

    kernel = "sgd"
    counted = False

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        check_not_negative("SGD", group, "lr", "momentum", "weight_decay")
        check_flags("SGD", group, "nesterov", "maximize")
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ArgumentError("SGD: nesterov needs a momentum above 0 and no dampening")

    def kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        """What is kept for each parameter."""
        return ("momentum_buffer",) if group["momentum"] else ()

    def varying(self, group: dict[str, Any]) -> int | None:
        """None, after the first step."""
        return -1

    def numbers(self, parameter: Parameter, group: dict[str, Any]) -> tuple[float, ...]:
        """Learning rate, momentum and so on, as the kernel takes them."""
        return (
            float(group["lr"]),
            float(group["momentum"]),
            float(group["dampening"]),
            float(group["weight_decay"]),
            float(group["nesterov"]),
            float(group["maximize"]),
            float(parameter in self._unwritten),
        )
