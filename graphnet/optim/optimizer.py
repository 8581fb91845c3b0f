"""What all optimizers share: parameter groups, state, zero_grad."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from graphnet.errors import ArgumentError, ArgumentTypeError, StateDictError, kind_of
from graphnet.ir import render_shape
from graphnet.nn.parameter import Parameter
from graphnet.program import aligned_empty, run_kernel
from graphnet.tensor.core import Array, check_tensor, make
from graphnet.tensor.state import enable_grad
from graphnet.tensor.tensor import Tensor

__all__ = ["Optimizer"]

# PyTorch's choices between implementations, of which there is one here, and settings that its older releases lack.
SWITCHES = ("foreach", "fused", "capturable", "differentiable", "maximize", "decoupled_weight_decay")


class Optimizer:
    """Updates parameters from their gradients. Parameters without a gradient are left alone.

    Attributes:
        param_groups: dicts with "params" and the settings that hold for them; settings may be changed at any time.
        state: what is kept per parameter, such as its momentum.
        defaults: the settings of groups that do not say otherwise.
    """

    kernel: ClassVar[str]  # that updates a parameter
    counted: ClassVar[bool] = True  # whether the number of updates is part of a parameter's state

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Parameter, dict[str, Any]] = defaultdict(dict)
        self.stepped = False  # whether there was a step, which schedulers want to come before theirs
        self._unwritten: set[Parameter] = set()  # those that have new memory in `state` which no update wrote yet
        if isinstance(params, Tensor):
            raise ArgumentTypeError(f"{type(self).__name__}: expects an iterable of parameters, got one tensor")
        if hasattr(params, "parameters") or not isinstance(params, Iterable):
            hint = "; pass its .parameters()" if hasattr(params, "parameters") else ""
            raise ArgumentTypeError(
                f"{type(self).__name__}: expects an iterable of parameters, got {kind_of(params)}{hint}"
            )
        _check_ordered(type(self).__name__, params)
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

        Args:
            param_group: "params" (parameters, or pairs of name and parameter) and settings. Strings under keys of
                your own, such as a name, are kept.

        Raises:
            ArgumentTypeError, ArgumentError: not parameters, one that is in a group already, a setting that makes no
                sense or that there is not.
        """
        name = type(self).__name__
        if not isinstance(param_group, dict) or "params" not in param_group:
            raise ArgumentTypeError(f'{name}: a parameter group is a dict with "params"')
        for key, value in param_group.items():
            if key not in {*self.defaults, "params", "param_names", "initial_lr"} and not isinstance(value, str):
                raise ArgumentError(f"{name}: there is no setting {key!r}; it has {sorted(self.defaults)}")
        params = param_group["params"]
        if not isinstance(params, Iterable):
            raise ArgumentTypeError(f'{name}: "params" are parameters, got {kind_of(params)}')
        _check_ordered(name, params)
        given = [params] if isinstance(params, Tensor) else list(params)
        group = {**self.defaults, **param_group, "params": [p[1] if isinstance(p, tuple) else p for p in given]}
        names = [p[0] for p in given if isinstance(p, tuple)]
        if names:
            group["param_names"] = names
        if len(names) not in (0, len(given)) or any(("param_names" in g) != bool(names) for g in self.param_groups):
            raise ArgumentError(f"{name}: either all parameters have names or none")
        taken = {id(p) for g in self.param_groups for p in g["params"]}
        for parameter in group["params"]:
            if not isinstance(parameter, Tensor):
                raise ArgumentTypeError(f"{name}: expects parameters, got {kind_of(parameter)}")
            if not parameter.is_leaf:
                raise ArgumentError(f"{name}: a parameter was computed from others, only leaf tensors can be optimized")
            if id(parameter) in taken:
                raise ArgumentError(f"{name}: a parameter appears in more than one place")
            taken.add(id(parameter))
        for switch in ("capturable", "differentiable"):
            if group.get(switch):
                raise ArgumentError(f"{name}: {switch}=True is not supported; leave it out")
        self._check(group)
        self.param_groups.append(group)

    def _check(self, group: dict[str, Any]) -> None:
        """Raise ArgumentError for settings that make no sense."""

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients, or set them to zero."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter._forget_gradient(set_to_none)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss and its gradients again before the update.

        Returns:
            What the closure gave, else None.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    outputs = self.overwritten(parameter, group)
                    run_kernel(self.kernel, (parameter.grad._values(),), outputs, self.numbers(parameter, group))
                    self.advance(parameter)
        self.stepped = True
        return loss

    def overwritten(self, parameter: Parameter, group: dict[str, Any]) -> tuple[Array, ...]:
        """The memory that an update overwrites: the parameter's and that of what is kept for it, made if need be."""
        values, names = parameter._values(), self.kept(group)
        if not names:
            return (values,)
        state = self.state[parameter]
        for name in names:
            kept = state.get(name)
            if kept is None:
                state[name] = self.begin(parameter, group)
                self._unwritten.add(parameter)
            elif kept._dtype is not parameter._dtype:  # the network was converted since
                state[name] = kept.to(parameter._dtype)
            elif kept._values().shape != values.shape:
                raise StateDictError(
                    f"{type(self).__name__}: {name} of a parameter of shape {render_shape(values.shape)} has shape "
                    f"{render_shape(kept._values().shape)}: it was replaced, or the state is another network's"
                )
        return (values, *(state[name]._values() for name in names))

    def begin(self, parameter: Parameter, group: dict[str, Any]) -> Tensor:
        """What is kept for a parameter before its first update."""
        array = aligned_empty(parameter._values().shape, parameter._dtype.dtype)
        array[...] = 0
        return make(array, parameter._dtype)

    def kept(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of the tensors that are kept for each parameter."""
        raise NotImplementedError

    def numbers(self, parameter: Parameter, group: dict[str, Any]) -> tuple[float, ...]:
        """What the update kernel takes besides memory, for the next update of a parameter."""
        raise NotImplementedError

    def varying(self, group: dict[str, Any]) -> int | None:
        """Which of `numbers` changes from step to step: -1 none, an index the one that is the number of the step.

        None where others may change: compiled steps then ask for all of them every time.
        """
        return None

    def advance(self, parameter: Parameter) -> None:
        """Note that a parameter was updated."""
        if self.counted:
            state = self.state[parameter]
            state["step"] = state.get("step", 0) + 1
        self._unwritten.discard(parameter)
        parameter._memory.version += 1

    def state_dict(self) -> dict[str, Any]:
        """Settings and state, with parameters numbered in order; sharing the state's memory."""
        numbers: dict[int, int] = {}
        groups = []
        for group in self.param_groups:
            for parameter in group["params"]:
                numbers.setdefault(id(parameter), len(numbers))
            groups.append({**group, "params": [numbers[id(p)] for p in group["params"]]})
        state = {
            numbers[id(p)]: dict(s)
            for p, s in self.state.items()
            if s and id(p) in numbers and (p not in self._unwritten or "step" in s)
        }
        return {"state": dict(sorted(state.items())), "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over settings and a copy of the state, also of PyTorch's optimizer of that name.

        Raises:
            StateDictError: the groups do not match, the settings are another optimizer's, or tensors have other
                shapes than the parameters; it names all that is wrong, and nothing was changed.
        """
        name = type(self).__name__
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise StateDictError(f'{name}: a state dict has "state" and "param_groups", got {state_dict!r:.60}')
        groups = state_dict["param_groups"]
        sizes, found = [[len(g["params"]) for g in which] for which in (self.param_groups, groups)]
        if found != sizes:
            raise StateDictError(f"{name}: expects parameter groups of sizes {sizes}, got {found}")
        lacking = set(self.defaults) - set(SWITCHES) - set.intersection(*(set(g) for g in groups))
        if lacking:
            raise StateDictError(f"{name}: the state dict lacks {sorted(lacking)}; is it another optimizer's?")
        new_settings = []
        for own, new in zip(self.param_groups, groups):
            new_settings.append({k: _copied(v) for k, v in new.items() if k != "params"})
            self._check({**own, **new_settings[-1]})
        given = [number for g in groups for number in g["params"]]
        parameters = dict(zip(given, (p for g in self.param_groups for p in g["params"])))
        state: dict[Parameter, dict[str, Any]] = defaultdict(dict)
        problems = []
        for number, entries in state_dict["state"].items():
            if number not in parameters:
                problems.append(f"there is no parameter {number!r}")
                continue
            parameter = parameters[number]
            for key, value in entries.items():
                if key == "step":
                    state[parameter][key] = int(value)
                elif value is not None:
                    taken = check_tensor(f"{name}: {key}", value).detach().clone().to(parameter._dtype)
                    if not getattr(parameter, "is_lazy", False) and tuple(taken.shape) != tuple(parameter.shape):
                        problems.append(
                            f"{key} of parameter {number}: expects shape {render_shape(tuple(parameter.shape))}, "
                            f"got {render_shape(tuple(taken.shape))}"
                        )
                    state[parameter][key] = taken
        if problems:
            raise StateDictError(f"load_state_dict for {name}: " + "\n  ".join(["", *problems]).strip())
        for own, settings in zip(self.param_groups, new_settings):
            own.update(settings)
        self.state, self._unwritten = state, set()

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for number, group in enumerate(self.param_groups):
            if number:
                lines.append("")
            lines.append(f"Parameter Group {number}")
            lines += [f"    {k}: {v}" for k, v in sorted(group.items()) if k != "params"]
        return "\n".join([*lines, ")"])


def _check_ordered(name: str, params: Any) -> None:
    if isinstance(params, (set, frozenset)):
        raise ArgumentTypeError(f"{name}: parameters have an order, so that state can be saved; got a set, pass a list")


def _copied(value: Any) -> Any:
    """A setting with tensors and lists of its own."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    return type(value)(map(_copied, value)) if type(value) in (list, tuple) else value


def check_number(name: str, setting: str, value: Any, below: float = math.inf) -> None:
    """Raise ArgumentError for a setting that is not a number from 0 to below `below`; tensors of one element count."""
    if (isinstance(value, Tensor) and value.numel() == 1) or isinstance(value, np.floating):
        value = value.item()
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value < below:
        wanted = "a finite number from 0 up" if below == math.inf else f"a number from 0 to below {below:g}"
        raise ArgumentError(f"{name}: {setting} is {wanted}, got {value!r}")


def check_not_negative(name: str, group: dict[str, Any], *settings: str) -> None:
    """Raise ArgumentError for settings of a group that are negative or not numbers."""
    for setting in settings:
        check_number(name, setting, group[setting])


def check_flags(name: str, group: dict[str, Any], *settings: str) -> None:
    """Raise ArgumentTypeError for settings of a group that are not True or False."""
    for setting in settings:
        if not isinstance(group[setting], (bool, np.bool_)):
            raise ArgumentTypeError(f"{name}: {setting} is True or False, got {group[setting]!r}")
