"""Adam."""

from __future__ import annotations

from typing import Any

from graphnet.errors import ArgumentError
from graphnet.nn.parameter import Parameter
from graphnet.optim.optimizer import Optimizer, check_not_negative

__all__ = ["Adam"]


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980), as torch.optim.Adam.

    Args:
        params: parameters, or dicts of parameter groups.
        lr: the learning rate.
        betas: decay of the running means of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: times the parameter, added to the gradient.
        amsgrad: use the largest mean square so far (Reddi et al. 2018).

    Raises:
        ArgumentError: a negative setting, or a beta outside [0, 1).
    """

    kernel = "adam"
    _decoupled = False

    def __init__(
        self,
        params: Any,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        check_not_negative(type(self).__name__, **{k: group[k] for k in ("lr", "eps", "weight_decay")})
        betas = group["betas"]
        if not isinstance(betas, (tuple, list)) or len(betas) != 2 or not all(0 <= beta < 1 for beta in betas):
            raise ArgumentError(f"{type(self).__name__}: betas are two numbers from 0 to below 1, got {group['betas']}")

    def kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        """What is kept for each parameter."""
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def numbers(self, parameter: Parameter, group: dict[str, Any]) -> tuple[float, ...]:
        """Learning rate, decays and the number of the step, as the kernel takes them."""
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            float(group["eps"]),
            float(group["weight_decay"]),
            float(self._decoupled),
            float(self.state[parameter].get("step", 0) + 1),
            float(group["maximize"]),
        )
