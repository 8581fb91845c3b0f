"""RMSprop."""

from __future__ import annotations

from typing import Any

from graphnet.errors import ArgumentError
from graphnet.nn.parameter import Parameter
from graphnet.optim.optimizer import Optimizer, check_flags, check_not_negative

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """RMSprop (Hinton, "Neural Networks for Machine Learning", lecture 6e), as torch.optim.RMSprop.

    v = alpha · v + (1 - alpha) · g², p = p - lr · g / (√v + eps), where g includes weight_decay · p; `centered` takes
    the square of the running mean of g from v (Graves 2013, arXiv:1308.0850); with momentum,
    b = momentum · b + g / (√v + eps), p = p - lr · b.

    Args:
        params: parameters, pairs of name and parameter, or dicts of parameter groups.
        lr: the learning rate.
        alpha: decay of the running means.
        eps: added to the denominator.
        weight_decay: times the parameter, added to the gradient.
        momentum: how much of the last step goes into the next.
        centered: divide by the standard deviation of the gradient.
        foreach: PyTorch's choice between implementations; here there is one.
        maximize: go up rather than down.
        capturable, differentiable: False.

    Raises:
        ArgumentError: a negative setting, or alpha above 1.

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.Parameter(gn.ones(2))
        >>> optimizer = gn.optim.RMSprop([w], lr=0.5, alpha=0.75)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w.data
        tensor([0., 0.])
    """

    kernel = "rmsprop"

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        check_not_negative("RMSprop", group, "lr", "alpha", "eps", "weight_decay", "momentum")
        check_flags("RMSprop", group, "centered", "maximize")
        if group["alpha"] > 1:
            raise ArgumentError(f"RMSprop: alpha is a number from 0 to 1, got {group['alpha']}")

    def kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        """What is kept for each parameter."""
        momentum = ("momentum_buffer",) if group["momentum"] else ()
        return ("square_avg", *momentum, *(("grad_avg",) if group["centered"] else ()))

    def varying(self, group: dict[str, Any]) -> int | None:
        """None."""
        return -1

    def numbers(self, parameter: Parameter, group: dict[str, Any]) -> tuple[float, ...]:
        """Learning rate, decays and so on, as the kernel takes them."""
        names = ("lr", "alpha", "eps", "weight_decay", "momentum", "centered", "maximize")
        return tuple(float(group[name]) for name in names)
