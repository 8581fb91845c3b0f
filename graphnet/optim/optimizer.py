"""What all optimizers share: parameter groups, state, zero_grad."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from typing import Any, ClassVar

from graphnet.errors import ArgumentError, ArgumentTypeError, StateDictError
from graphnet.nn.parameter import Parameter
from graphnet.program import run_kernel
from graphnet.tensor.core import Array
from graphnet.tensor.creation import zeros_like
from graphnet.tensor.tensor import Tensor

__all__ = ["Optimizer"]


class Optimizer:
    """Updates parameters from their gradients. Parameters without a gradient are left alone.

    Attributes:
        param_groups: dicts with "params" and the settings that hold for them.
        state: what is kept per parameter, such as its momentum.
    """

    kernel: ClassVar[str]  # that updates a parameter

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Parameter, dict[str, Any]] = {}
        if isinstance(params, Tensor):
            raise ArgumentTypeError(f"{type(self).__name__}: expects an iterable of parameters, got one tensor")
        if hasattr(params, "parameters") or not isinstance(params, Iterable):
            hint = "; pass its .parameters()" if hasattr(params, "parameters") else ""
            kind = type(params).__name__
            raise ArgumentTypeError(f"{type(self).__name__}: expects an iterable of parameters, got a {kind}{hint}")
        given = list(params)
        if not given:
            raise ArgumentError(
                f"{type(self).__name__} got no parameters: the module has none "
                "(are its layers in a plain list? use nn.ModuleList), or an iterator that was used up"
            )
        for group in given if isinstance(given[0], dict) else [{"params": given}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with settings of their own.

        Raises:
            ArgumentTypeError, ArgumentError: not parameters, one that is in a group already, or an unknown setting.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise ArgumentTypeError(f'{name}: a parameter group is a dict with "params"')
        unknown = set(param_group) - set(self.defaults) - {"params"}
        if unknown:
            raise ArgumentError(f"{name}: unknown settings {sorted(unknown)}; it has {sorted(self.defaults)}")
        params = param_group["params"]
        group = {**self.defaults, **param_group, "params": [params] if isinstance(params, Tensor) else list(params)}
        taken = {id(p) for g in self.param_groups for p in g["params"]}
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise ArgumentTypeError(f"{name}: expects parameters, got a {type(parameter).__name__}")
            if not parameter.is_leaf:
                raise ArgumentError(f"{name}: a parameter was computed from others, only leaf tensors can be optimized")
            if id(parameter) in taken:
                raise ArgumentError(f"{name}: a parameter appears in more than one place")
            taken.add(id(parameter))
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for settings that make no sense."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zero."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter._forget_gradient(set_to_none)

    def step(self) -> None:
        """Update every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    outputs = self.overwritten(parameter, group)
                    run_kernel(self.kernel, (parameter.grad._values(),), outputs, self.numbers(parameter, group))
                    self.advance(parameter)

    def overwritten(self, parameter: Parameter, group: dict[str, Any]) -> tuple[Array, ...]:
        """The memory that an update overwrites: the parameter's and that of what is kept for it, made if need be."""
        state = self.state.setdefault(parameter, {})
        for name in self.kept(group):
            if name not in state:
                state[name] = zeros_like(parameter)
        return (parameter._values(), *(state[name]._values() for name in self.kept(group)))

    def kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of the tensors that are kept for each parameter."""
        raise NotImplementedError

    def numbers(self, parameter: Parameter, group: dict[str, Any]) -> tuple[float, ...]:
        """What the update kernel takes besides memory, for the next update of a parameter."""
        raise NotImplementedError

    def advance(self, parameter: Parameter) -> None:
        """Note that a parameter was updated."""
        state = self.state[parameter]
        state["step"] = state.get("step", 0) + 1
        parameter._memory.version += 1

    def state_dict(self) -> dict[str, Any]:
        """Settings and state, with parameters numbered in order; sharing the state's memory."""
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for parameter in group["params"]:
                numbers.setdefault(id(parameter), len(numbers))
            groups.append({**group, "params": [numbers[id(p)] for p in group["params"]]})
        return {"state": {numbers[id(p)]: dict(s) for p, s in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over settings and a copy of the state.

        Raises:
            StateDictError: the groups do not match.
        """
        groups = state_dict.get("param_groups") if isinstance(state_dict, dict) else None
        sizes = [len(g["params"]) for g in self.param_groups]
        if groups is None or [len(g["params"]) for g in groups] != sizes:
            raise StateDictError(f"{type(self).__name__}: expects parameter groups of sizes {sizes}")
        parameters = [p for g in self.param_groups for p in g["params"]]
        for own, new in zip(self.param_groups, groups):
            own.update({k: copy.deepcopy(v) for k, v in new.items() if k != "params"})
        self.state = {parameters[number]: copy.deepcopy(s) for number, s in state_dict["state"].items()}

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params"]
        return "\n".join([*lines, ")"])


def check_not_negative(name: str, **settings: float) -> None:
    """Raise ArgumentError for a setting that is negative or not a number."""
    for setting, value in settings.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < math.inf:
            raise ArgumentError(f"{name}: {setting} is a finite number from 0 up, got {value!r}")
