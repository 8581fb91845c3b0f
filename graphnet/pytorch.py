"""PyTorch modules as graphnet modules that share their weights' memory."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from graphnet import nn
from graphnet.dtypes import DType, as_dtype
from graphnet.errors import ArgumentTypeError, GraphError, GraphnetError, MissingPackageError, kind_of
from graphnet.nn import Module, Parameter
from graphnet.nn import functional as nn_functional
from graphnet.tensor import Tensor, creation, functions
from graphnet.tensor.core import wrap

__all__ = ["from_torch"]


def from_torch(module: Any) -> Module:
    """A PyTorch module as a graphnet module with the same weights, on the CPU.

    Layers of torch.nn become graphnet's of the same name. Modules of the user's own become modules of the same class
    name: `torch.fx` records their `forward`, which may use layers, functions and operators that graphnet has, and
    follows tensors, not their values. Weights are not copied: both modules see each other's training. Tied weights
    and modules used twice stay tied; training mode, buffers and frozen parameters are kept.

    Args:
        module: a `torch.nn.Module` with parameters of float32 or float64.

    Raises:
        MissingPackageError: PyTorch is not installed.
        ArgumentTypeError: not a PyTorch module.
        GraphError: a layer or function that graphnet has not, or a forward that cannot be recorded, named with its
            path in the module.

    Example:
        >>> import graphnet as gn
        >>> import torch  # doctest: +SKIP
        >>> net = gn.from_torch(torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU()))  # doctest: +SKIP
        >>> net(gn.ones(2, 3)).shape  # doctest: +SKIP
        graphnet.Size([2, 4])
    """
    try:
        torch = importlib.import_module("torch")
        importlib.import_module("torch.fx")
    except ImportError as error:
        raise MissingPackageError("from_torch needs PyTorch: pip install torch") from error
    if not isinstance(module, torch.nn.Module):
        raise ArgumentTypeError(f"from_torch: expects a torch.nn.Module, got {kind_of(module)}")
    return _Converter(torch).module(module, "")


def _place(path: str, module: Any) -> str:
    return f"{path} ({type(module).__name__})" if path else type(module).__name__


class _Converter:
    """Converts one tree of modules; what is met twice is converted once."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch
        self._modules: dict[int, Module] = {}
        self._tensors: dict[int, Tensor] = {}

    def module(self, module: Any, path: str) -> Module:
        known = self._modules.get(id(module))
        if known is None:
            known = self._modules[id(module)] = self._convert(module, path)
            known.training = module.training
        return known

    def _convert(self, module: Any, path: str) -> Module:
        self._check_hooks(module, path)
        cls = type(module)
        if not cls.__module__.startswith("torch."):
            return self._own(module, path)
        mine: Any = getattr(nn, cls.__name__, None)
        if not (isinstance(mine, type) and issubclass(mine, Module) and mine is not Module):
            raise GraphError(f"from_torch: {_place(path, module)}: graphnet has no layer {cls.__name__}")
        if cls.__name__ in ("Sequential", "ModuleList", "ModuleDict"):
            result = mine()
            self._take(module, result, path)
            return result
        result = self._layer(mine, module, path)
        self._take(module, result, path)
        return result

    def _layer(self, mine: type[Module], module: Any, path: str) -> Module:
        """A layer of the same settings, which are attributes by the names of the constructor's arguments."""
        settings: dict[str, Any] = {}
        theirs = inspect.signature(type(module).__init__).parameters
        for name, parameter in inspect.signature(mine).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) or name not in theirs:
                continue
            if name == "bias":
                settings[name] = module.bias is not None
            elif name in ("device", "dtype"):
                continue
            elif hasattr(module, name):
                settings[name] = self._setting(getattr(module, name))
            elif name == "num_parameters":
                settings[name] = module.weight.numel()
        try:
            return mine(**settings)
        except GraphnetError as error:
            raise GraphError(f"from_torch: {_place(path, module)}: {error}") from None

    def _setting(self, value: Any) -> Any:
        if isinstance(value, self.torch.dtype):
            return self.dtype(value)
        return self.tensor(value, "a setting") if isinstance(value, self.torch.Tensor) else value

    def dtype(self, value: Any) -> DType:
        """A PyTorch dtype as graphnet's."""
        return as_dtype(str(value).removeprefix("torch."))

    def _take(self, module: Any, result: Module, path: str) -> None:
        """Give a module the children, parameters and buffers of PyTorch's, under the same names."""
        for name, child in module._modules.items():
            if child is not None:
                result.add_module(name, self.module(child, f"{path}.{name}" if path else name))
        for name, parameter in module._parameters.items():
            here = f"{path}.{name}" if path else name
            if parameter is None or isinstance(parameter, self.torch.nn.UninitializedParameter):
                continue
            held: Any = self.tensor(parameter, here)
            result._parameters[name] = held
        for name, buffer in module._buffers.items():
            if buffer is not None and not isinstance(buffer, self.torch.nn.UninitializedBuffer):
                held = self.tensor(buffer, f"{path}.{name}" if path else name)
                result._buffers.pop(name, None)
                result.register_buffer(name, held, name not in module._non_persistent_buffers_set)

    def tensor(self, tensor: Any, path: str) -> Tensor:
        """A tensor over the same memory."""
        known = self._tensors.get(id(tensor))
        if known is not None:
            return known
        if tensor.device.type != "cpu":
            raise GraphError(f"from_torch: {path} is on {tensor.device}; call .cpu() first")
        try:
            array = tensor.detach().numpy()
        except (TypeError, RuntimeError) as error:
            raise GraphError(f"from_torch: {path} of {tensor.dtype}: {error}; call .float() first") from None
        try:
            held: Any = wrap(array)
        except GraphnetError as error:
            raise GraphError(f"from_torch: {path}: {error}") from None
        if isinstance(tensor, self.torch.nn.Parameter):
            held = Parameter(held, tensor.requires_grad)
        self._tensors[id(tensor)] = held
        return held  # type: ignore[no-any-return]

    def _check_hooks(self, module: Any, path: str) -> None:
        if isinstance(module, self.torch.nn.modules.lazy.LazyModuleMixin):
            return  # which is told its sizes by hooks
        for kind in ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks"):
            if getattr(module, kind, None):
                raise GraphError(
                    f"from_torch: {_place(path, module)} has {kind.strip('_').replace('_', ' ')}; remove them"
                )

    # -- modules of the user's own ------------------------------------------------------------------------

    def _own(self, module: Any, path: str) -> Module:
        cls: Any = type(module)
        base = next((b for b in cls.__mro__ if b.__module__.startswith("torch.")), None)
        if base is not None and base.__name__ != "Module" and cls.forward is base.forward:
            mine: Any = getattr(nn, base.__name__, None)
            if not (isinstance(mine, type) and issubclass(mine, Module) and mine is not Module):
                raise GraphError(f"from_torch: {_place(path, module)}: graphnet has no layer {base.__name__}")
            kind = type(cls.__name__, (mine,), {"__module__": cls.__module__, "__doc__": cls.__doc__})
            result: Module = (
                mine() if issubclass(mine, (nn.Sequential, nn.ModuleList)) else self._layer(mine, module, path)
            )
            result.__class__ = kind
            self._take(module, result, path)
            return result
        if cls.forward is self.torch.nn.Module.forward:
            raise GraphError(f"from_torch: {_place(path, module)} has no forward")
        made: Any = type(cls.__name__, (_Recorded,), {"__module__": cls.__module__, "__doc__": cls.__doc__})
        result = made()
        self._take(module, result, path)
        before = module.training
        try:
            for mode in (True, False):
                module.training = mode
                result.__dict__["_steps"][mode] = self._record(module, result, path)
        finally:
            module.training = before
        return result

    def _record(self, module: Any, result: Module, path: str) -> list[_Step]:
        """What `forward` does, step by step."""
        fx = self.torch.fx

        class Tracer(fx.Tracer):  # type: ignore[misc, name-defined]
            """Looks into one module's forward and not into its children's."""

            def is_leaf_module(self, m: Any, qualified: str) -> bool:
                return True

        tracer = Tracer()
        tracer.record_stack_traces = True
        where = _source(type(module).forward)
        try:
            graph = tracer.trace(module)
        except Exception as error:  # whatever the user's code raises over a proxy
            raise GraphError(
                f"from_torch: {_place(path, module)}: its forward{where} cannot be recorded, as it does not only pass "
                f"tensors on: {error}"
            ) from None
        steps = []
        for node in graph.nodes:
            target = node.target
            try:
                if node.op == "call_function":
                    target = self._function(node.target)
                elif node.op == "call_method" and not hasattr(Tensor, target):
                    raise GraphError(f"graphnet's tensors have no method {target}")
                elif node.op == "call_module" and target not in dict(result.named_modules(remove_duplicate=False)):
                    raise GraphError(f"there is no child {target}")
                elif node.op == "get_attr":
                    target = self._attribute(module, target)
            except GraphError as error:
                raise GraphError(f"from_torch: {_place(path, module)}: its forward{where}: {error}") from None
            convert = fx.node.map_aggregate
            args = convert(node.args, lambda v: self._argument(fx, v))
            kwargs = convert(node.kwargs, lambda v: self._argument(fx, v))
            steps.append(_Step(node.op, node.name, target, args, dict(kwargs)))
        return steps

    def _attribute(self, module: Any, path: str) -> Any:
        found = module
        for part in path.split("."):
            found = getattr(found, part)
        return self.tensor(found, path)

    def _argument(self, fx: Any, value: Any) -> Any:
        if isinstance(value, fx.Node):
            return _Result(value.name)
        if isinstance(value, self.torch.device):
            return None
        return self._setting(value)

    def _function(self, function: Any) -> Callable[..., Any]:
        """graphnet's function for one of PyTorch's or Python's."""
        name, home = getattr(function, "__name__", str(function)), getattr(function, "__module__", None) or ""
        if home in ("_operator", "operator", "builtins", "math"):
            return function  # type: ignore[no-any-return]
        for place in (nn_functional, functions, creation):
            found = getattr(place, name, None)
            if callable(found) and (home.startswith("torch") or self._of_torch(function)):
                return found  # type: ignore[no-any-return]
        raise GraphError(f"graphnet has no counterpart for {f'{home}.' if home else ''}{name}")

    def _of_torch(self, function: Any) -> bool:
        return getattr(self.torch, getattr(function, "__name__", ""), None) is function


def _source(function: Any) -> str:
    code = getattr(function, "__code__", None)
    return f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""


class _Result:
    """The result of an earlier step, by name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class _Step:
    """A step of a recorded forward."""

    __slots__ = ("args", "kwargs", "name", "op", "target")

    def __init__(self, op: str, name: str, target: Any, args: Any, kwargs: dict[str, Any]) -> None:
        self.op, self.name, self.target, self.args, self.kwargs = op, name, target, args, kwargs


class _Recorded(Module):
    """A module whose forward was recorded from PyTorch's, in training and in evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__["_steps"] = {}

    def forward(self, *inputs: Any, **named: Any) -> Any:
        """What PyTorch's forward does."""
        values: dict[str, Any] = {}
        given = list(inputs)
        for step in self.__dict__["_steps"][self.training]:
            args, kwargs = _fill(step.args, values), _fill(step.kwargs, values)
            if step.op == "placeholder":
                values[step.name] = self._input(step.target, args, given, named)
            elif step.op == "get_attr":
                values[step.name] = step.target
            elif step.op == "call_module":
                values[step.name] = self.get_submodule(step.target)(*args, **kwargs)
            elif step.op == "call_method":
                values[step.name] = getattr(args[0], step.target)(*args[1:], **kwargs)
            elif step.op == "call_function":
                values[step.name] = step.target(*args, **kwargs)
            else:
                return args[0]
        return None

    def _input(self, name: str, default: Any, given: list[Any], named: Mapping[str, Any]) -> Any:
        if name.startswith("*"):
            rest, given[:] = tuple(given), []
            return rest
        if given:
            return given.pop(0)
        if name in named:
            return named[name]
        if default:
            return default[0]
        raise ArgumentTypeError(f"{type(self).__name__}: the input {name} is missing")


def _fill(value: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(value, _Result):
        return values[value.name]
    if isinstance(value, (tuple, list)):
        return type(value)(_fill(v, values) for v in value)
    if isinstance(value, slice):
        return slice(*(_fill(v, values) for v in (value.start, value.stop, value.step)))
    return {k: _fill(v, values) for k, v in value.items()} if isinstance(value, dict) else value
