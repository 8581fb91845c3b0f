"""Adam, and AdamW, which keeps weight decay out of the means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphnet.errors import ArgumentError
from graphnet.nn.parameter import Parameter
from graphnet.optim.optimizer import Optimizer, check_flags, check_not_negative, check_number

__all__ = ["Adam", "AdamW"]


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015, arXiv:1412.6980), as torch.optim.Adam.

    m = β₁ · m + (1 - β₁) · g, v = β₂ · v + (1 - β₂) · g²,
    p = p - lr · (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + eps), where g includes weight_decay · p and t counts the updates.

    Args:
        params: parameters, pairs of name and parameter, or dicts of parameter groups.
        lr: the learning rate.
        betas: decay of the running means of the gradient and of its square.
        eps: added to the denominator.
        weight_decay: times the parameter, added to the gradient.
        amsgrad: use the largest mean square so far (Reddi et al. 2018).
        maximize: go up rather than down.
        foreach, fused: PyTorch's choices between implementations; here there is one.
        capturable, differentiable: False.
        decoupled_weight_decay: decay as AdamW does.

    Raises:
        ArgumentError: a negative setting, or a beta outside [0, 1).

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.Parameter(gn.ones(2))
        >>> optimizer = gn.optim.Adam([w], lr=0.5)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w.data
        tensor([0.5000, 0.5000])
    """

    kernel = "adam"

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _check(self, group: dict[str, Any]) -> None:
        name, betas = type(self).__name__, group["betas"]
        check_not_negative(name, group, "lr", "eps", "weight_decay")
        check_flags(name, group, "amsgrad", "maximize", "decoupled_weight_decay")
        if not isinstance(betas, (tuple, list)) or len(betas) != 2:
            raise ArgumentError(f"{name}: betas are two numbers from 0 to below 1, got {betas}")
        for number, beta in enumerate(betas):
            check_number(name, f"betas[{number}]", beta, below=1)

    def kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        """What is kept for each parameter."""
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def varying(self, group: dict[str, Any]) -> int | None:
        """The number of the step."""
        return 6

    def numbers(self, parameter: Parameter, group: dict[str, Any]) -> tuple[float, ...]:
        """Learning rate, decays and the number of the step, as the kernel takes them."""
        return (
            float(group["lr"]),
            *map(float, group["betas"]),
            float(group["eps"]),
            float(group["weight_decay"]),
            float(group["decoupled_weight_decay"]),
            float(self.state[parameter].get("step", 0) + 1),
            float(group["maximize"]),
        )


class AdamW(Adam):
    """Adam with weight decay beside it (Loshchilov & Hutter 2019, arXiv:1711.05101), as torch.optim.AdamW.

    p = p · (1 - lr · weight_decay), then a step of Adam with the gradient alone.

    Args:
        params: parameters, pairs of name and parameter, or dicts of parameter groups.
        lr, betas, eps, amsgrad, maximize, foreach, capturable, differentiable, fused: as for Adam.
        weight_decay: how much of the parameter goes, times lr.

    Raises:
        ArgumentError: a negative setting, or a beta outside [0, 1).

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.Parameter(gn.ones(2))
        >>> optimizer = gn.optim.AdamW([w], lr=0.5, weight_decay=0.5)
        >>> w.sum().backward()
        >>> optimizer.step()
        >>> w.data
        tensor([0.2500, 0.2500])
    """

    def __init__(
        self,
        params: Any,
        lr: Any = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and a copy of the state, also of an Adam; the decay stays beside it."""
        super().load_state_dict(state_dict)
        for group in self.param_groups:
            group["decoupled_weight_decay"] = True
