"""Adagrad."""

from __future__ import annotations

from typing import Any

from graphnet.nn.parameter import Parameter
from graphnet.optim.optimizer import Optimizer, check_flags, check_not_negative
from graphnet.tensor.creation import zeros_like
from graphnet.tensor.tensor import Tensor

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Adagrad (Duchi, Hazan & Singer 2011, JMLR 12), as torch.optim.Adagrad.

    s = s + g², p = p - lr / (1 + (t - 1) · lr_decay) · g / (√s + eps), where g includes weight_decay · p and t counts
    the updates.

    Args:
        params: parameters, pairs of name and parameter, or dicts of parameter groups.
        lr: the learning rate.
        lr_decay: how fast it falls.
        weight_decay: times the parameter, added to the gradient.
        initial_accumulator_value: where the sums of squares start.
        eps: added to the denominator.
        maximize: go up rather than down.
        foreach, fused: PyTorch's choices between implementations; here there is one.
        differentiable: False.

    Raises:
        ArgumentError: a negative setting.

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.Parameter(gn.ones(2))
        >>> optimizer = gn.optim.Adagrad([w], lr=0.5)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w.data
        tensor([0.5000, 0.5000])
    """

    kernel = "adagrad"

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        names = ("lr", "lr_decay", "weight_decay", "initial_accumulator_value", "eps")
        check_not_negative("Adagrad", group, *names)
        check_flags("Adagrad", group, "maximize")

    def begin(self, parameter: Parameter, group: dict[str, Any]) -> Tensor:
        """The sum of squares before the first update."""
        return zeros_like(parameter).fill_(group["initial_accumulator_value"])

    def kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        """What is kept for each parameter."""
        return ("sum",)

    def varying(self, group: dict[str, Any]) -> int | None:
        """None without a decay of the learning rate."""
        return None if group["lr_decay"] else -1

    def numbers(self, parameter: Parameter, group: dict[str, Any]) -> tuple[float, ...]:
        """Learning rate as it is by now and so on, as the kernel takes them."""
        done = self.state[parameter].get("step", 0)
        lr = float(group["lr"]) / (1 + done * float(group["lr_decay"]))
        return lr, float(group["eps"]), float(group["weight_decay"]), float(group["maximize"])
