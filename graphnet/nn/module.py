"""Module: the base of layers and networks, with PyTorch's bookkeeping."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from graphnet.dtypes import DType, as_dtype, float32, float64
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, TraceError
from graphnet.ir import Scope
from graphnet.nn.naming import name_within, restructured, warn_unreached, warn_unregistered
from graphnet.nn.parameter import Parameter
from graphnet.nn.state import LoadResult, load_into
from graphnet.places import constructor_site
from graphnet.tensor.core import check_tensor
from graphnet.tensor.state import state
from graphnet.tensor.tensor import Tensor

__all__ = ["Module"]


class Module:
    """A layer or a network: parameters, child modules and a `forward` that may hold any Python.

    Modules and parameters set as attributes are registered; calling the module runs `forward`.

    Example:
        >>> import graphnet as gn
        >>> from graphnet import nn
        >>> class MLP(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = nn.LazyLinear(4)
        ...         self.out = nn.Linear(4, 2)
        ...     def forward(self, x):
        ...         return self.out(self.hidden(x).relu())
        >>> MLP()(gn.ones(3, 5)).shape
        graphnet.Size([3, 2])
    """

    training: bool
    _library: ClassVar[bool] = True
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]

    def __init__(self) -> None:
        fields = self.__dict__
        fields["training"] = True
        fields["_parameters"] = {}
        fields["_buffers"] = {}
        fields["_modules"] = {}
        fields["_transient"] = set()  # buffers that state dicts leave out
        fields["_where"] = constructor_site(self)
        fields["_called"] = False

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._library = cls.forward.__module__.partition(".")[0] == "graphnet"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method: define forward(self, ...)")

    # -- calling ------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, with arrays taken as tensors and the call noted for names, errors and graphs."""
        parent, outer, hint = state.module, state.scope, state.hint
        if hint is not None and hint[0] is self:
            name, state.hint = hint[1], None
        else:
            name = "" if parent is None else name_within(parent, self)
        fields = self.__dict__
        if "_modules" not in fields:
            raise _not_initialized(self, "call")
        scope = Scope(outer, name, self._shown_as(), fields["_where"], self._library)
        state.scope, state.module = scope, self
        if parent is None and state.tracer is not None:
            state.tracer.roots.append(self)
        first = not fields["_called"]
        if first:
            fields["_called"] = True
            warn_unregistered(self, scope)
        try:
            for value in (*args, *kwargs.values()) if kwargs else args:
                if isinstance(value, np.ndarray):
                    args, kwargs = self._take_arrays(args, kwargs)
                    break
            result = self.forward(*args, **kwargs)
        finally:
            state.scope, state.module = outer, parent
        if first and parent is None and state.tracer is None:
            warn_unreached(self)
        return result

    def _shown_as(self) -> str:
        return type(self).__name__

    def _take_arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """NumPy arrays as tensors: floating-point ones in the module's float type."""
        wanted = self._float_type((*args, *kwargs.values()))

        def take(value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return value
            if value.dtype.kind == "f" and (wanted is not None or value.dtype not in (np.float32, np.float64)):
                value = value.astype((wanted or float32).dtype, copy=False)
            try:
                tensor = check_tensor("input", value)
                tensor._memory.borrowed = True
                return tensor
            except DTypeError as error:
                error.args = (f"{state.scope}: {error}",)
                raise

        return tuple(map(take, args)), {name: take(value) for name, value in kwargs.items()}

    def _float_type(self, arguments: tuple[Any, ...]) -> DType | None:
        """The dtype of the first floating-point parameter or buffer, else of a tensor passed along."""
        for tensor in itertools.chain(self.parameters(), self.buffers(), arguments):
            if isinstance(tensor, Tensor) and tensor._dtype.is_floating_point:
                return tensor._dtype
        return None

    # -- attributes ---------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        if isinstance(value, Parameter):
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            self._register("_modules", name, value)
        elif "_modules" not in fields:
            object.__setattr__(self, name, value)
        elif name in fields["_parameters"]:
            if value is not None:
                kind = type(value).__name__
                raise ArgumentTypeError(
                    f"{name} of {type(self).__name__} is a parameter: assign an nn.Parameter or None, not a {kind}; "
                    f"to change its values write to {name}.data"
                )
            fields["_parameters"][name] = None
        elif name in fields["_modules"]:
            if value is not None:
                raise ArgumentTypeError(f"{name} of {type(self).__name__} is a module: assign a module or None")
            fields["_modules"][name] = None
            restructured()
        elif name in fields["_buffers"]:
            if value is not None and not isinstance(value, Tensor):
                raise ArgumentTypeError(f"{name} of {type(self).__name__} is a buffer: assign a tensor or None")
            if value is not None and value._tracer is not None:
                self._update_traced(name, value)
                return
            if value is not None:
                value._buffer = True
            fields["_buffers"][name] = value
            restructured()
        else:
            object.__setattr__(self, name, value)
            restructured()

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__
        if "_modules" not in fields:
            if name in ("_modules", "_parameters", "_buffers"):
                raise _not_initialized(self, f"use {name} of")
        else:
            for kind in ("_parameters", "_modules", "_buffers"):
                if name in fields[kind]:
                    return fields[kind][name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        for kind in ("_parameters", "_modules", "_buffers"):
            if name in self.__dict__.get(kind, {}):
                del self.__dict__[kind][name]
                restructured()
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._parameters, *self._modules, *self._buffers})

    def _update_traced(self, name: str, value: Any) -> None:
        """Assign to a buffer while a graph is traced: every run of the graph leaves the value in the buffer."""
        buffer = self._buffers[name]
        if buffer is None:
            raise TraceError(
                f"{name} of {type(self).__name__} is None: "
                "a traced graph keeps values only in a buffer that has memory; register it with a tensor of its shape"
            )
        value._tracer.update(buffer, value)

    def _register(self, kind: str, name: str, value: Any) -> None:
        fields = self.__dict__
        if "_modules" not in fields:
            raise _not_initialized(self, f"assign {name} to")
        if not isinstance(name, str):
            raise ArgumentTypeError(f"the name of a {kind[1:-1]} is a string, got {name!r}")
        if not name or "." in name:
            raise ArgumentError(f"the name of a {kind[1:-1]} is not empty and has no dot, got {name!r}")
        for other in ("_parameters", "_modules", "_buffers"):
            if other != kind:
                fields[other].pop(name, None)
        fields.pop(name, None)
        fields[kind][name] = value
        restructured()

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name, or None for one that is left out."""
        if param is not None and not isinstance(param, Parameter):
            raise ArgumentTypeError(f"register_parameter: expects an nn.Parameter, got a {type(param).__name__}")
        self._register("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Any, persistent: bool = True) -> None:
        """Add a tensor that is part of the state but not trained, such as a running mean.

        Writing to it in `forward`, in place or by assignment, works in traced and compiled networks too: every run
        leaves the new value.

        Args:
            name: of the attribute.
            tensor: its first value, or None.
            persistent: whether state dicts hold it.

        Raises:
            ArgumentTypeError: not a tensor. ArgumentError: a name that is empty, has a dot or is taken.
        """
        held = None if tensor is None else check_tensor("register_buffer", tensor)
        if isinstance(name, str) and name not in self.__dict__.get("_buffers", ()) and hasattr(self, name):
            raise ArgumentError(f"register_buffer: {type(self).__name__} has an attribute {name!r} already")
        self._register("_buffers", name, held)
        if held is not None:
            held._buffer = True
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child under a name.

        Raises:
            ArgumentTypeError: not a module. ArgumentError: an empty name, or one with a dot.
        """
        if module is not None and not isinstance(module, Module):
            raise ArgumentTypeError(f"add_module: expects a module, got a {type(module).__name__} for {name!r}")
        if isinstance(name, str) and name not in self.__dict__.get("_modules", ()) and hasattr(self, name):
            raise ArgumentError(f"add_module: {type(self).__name__} has an attribute {name!r} already")
        self._register("_modules", name, module)

    register_module = add_module

    # -- walking ------------------------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Direct children with their names, each once."""
        seen: set[int] = set()
        for name, module in self._modules.items():
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def children(self) -> Iterator[Module]:
        """Direct children, each once."""
        return (module for _, module in self.named_children())

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """All modules of the tree with their paths, this one first; shared ones once."""
        seen: set[Any] = memo if memo is not None else set()
        stack: list[tuple[str, Module]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if remove_duplicate:
                if module in seen:
                    continue
                seen.add(module)
            yield path, module
            children = [(f"{path}.{n}" if path else n, m) for n, m in module._modules.items() if m is not None]
            stack.extend(reversed(children))

    def modules(self) -> Iterator[Module]:
        """All modules of the tree, this one first; shared ones once."""
        return (module for _, module in self.named_modules())

    def _named(self, kind: str, prefix: str, recurse: bool, unique: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=unique) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in module.__dict__[kind].items():
                if value is None or (unique and id(value) in seen):
                    continue
                seen.add(id(value))
                yield f"{path}.{name}" if path else name, value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """All parameters with their paths; shared ones once, under the first path."""
        return self._named("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """All parameters, shared ones once."""
        return (parameter for _, parameter in self.named_parameters(recurse=recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their paths."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        return (buffer for _, buffer in self.named_buffers(recurse=recurse))

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "net.0".

        Raises:
            AttributeError: there is none.
        """
        module: Module = self
        for part in target.split(".") if target else []:
            child = module._modules.get(part)
            if child is None:
                raise AttributeError(f"{type(module).__name__} has no child {part!r} (looking for {target!r})")
            module = child
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "net.0.weight".

        Raises:
            AttributeError: there is none.
        """
        path, _, name = target.rpartition(".")
        parameter = self.get_submodule(path)._parameters.get(name)
        if parameter is None:
            raise AttributeError(f"there is no parameter {target!r}")
        return parameter

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as "norm.running_mean".

        Raises:
            AttributeError: there is none.
        """
        path, _, name = target.rpartition(".")
        buffer = self.get_submodule(path)._buffers.get(name)
        if buffer is None:
            raise AttributeError(f"there is no buffer {target!r}")
        return buffer

    # -- state --------------------------------------------------------------------------------------------

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> OrderedDict[str, Any]:
        """All parameters and persistent buffers by path, sharing their memory; tied ones under every path."""
        result: OrderedDict[str, Any] = OrderedDict()
        for path, module in self.named_modules(prefix=prefix.removesuffix("."), remove_duplicate=False):
            entries = [*module._parameters.items()]
            entries += [(n, b) for n, b in module._buffers.items() if n not in module._transient]  # type: ignore[misc]
            for name, value in entries:
                if value is not None:
                    result[f"{path}.{name}" if path else name] = value if keep_vars else value.data
        return result

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> LoadResult:
        """Copy values into the parameters and buffers, in place; lazy ones learn their sizes.

        Args:
            state_dict: tensors or arrays by path, as `state_dict()` gives them.
            strict: whether missing and unexpected keys are errors.

        Raises:
            StateDictError: naming every missing, unexpected and misshapen key at once; nothing was changed.
        """
        if not isinstance(state_dict, Mapping):
            raise ArgumentTypeError(f"load_state_dict: expects a dict of tensors, got a {type(state_dict).__name__}")
        return load_into(type(self).__name__, self.state_dict(keep_vars=True), state_dict, strict)

    # -- changing all -------------------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], Any]) -> Any:
        """Call a function on every module of the tree, children first, then this one."""
        stack: list[tuple[Module, bool]] = [(self, False)]
        while stack:
            module, visited = stack.pop()
            if visited:
                fn(module)
            else:
                stack.append((module, True))
                stack.extend((child, False) for child in reversed(list(module.children())))
        return self

    def to(self, dtype: Any) -> Any:
        """Convert floating-point parameters and buffers to a dtype, in place."""
        wanted = as_dtype(dtype)
        if not wanted.is_floating_point:
            raise DTypeError(f"to: modules are converted to floating-point types, not {wanted.name}")
        for parameter in self.parameters():
            if parameter.is_lazy:
                parameter._dtype = wanted
            elif parameter._dtype.is_floating_point:
                parameter.data = parameter.data.to(wanted)
                if parameter.grad is not None:
                    parameter.grad = parameter.grad.to(wanted)
        for buffer in self.buffers():
            if buffer._dtype.is_floating_point:
                buffer.data = buffer.data.to(wanted)
        return self

    def float(self) -> Any:
        """Convert parameters and buffers to float32, in place."""
        return self.to(float32)

    def double(self) -> Any:
        """Convert parameters and buffers to float64, in place."""
        return self.to(float64)

    def train(self, mode: bool = True) -> Any:
        """Set training mode in the whole tree."""
        if not isinstance(mode, bool):
            raise ArgumentTypeError(f"train: expects True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode  # __setattr__ notes the change
        return self

    def eval(self) -> Any:
        """Set evaluation mode in the whole tree."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for parameter in self.parameters():
            parameter._forget_gradient(set_to_none)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Freeze or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_names"}

    # -- text ---------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses."""
        return ""

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        for name, module in self._modules.items():
            lines.append(f"({name}): " + repr(module).replace("\n", "\n  "))
        name = type(self).__name__
        if len(lines) == 1 and extra and not self._modules:
            return f"{name}({extra})"
        return f"{name}(\n  " + "\n  ".join(lines) + "\n)" if lines else f"{name}()"


def _not_initialized(module: Module, what: str) -> AttributeError:
    name = type(module).__name__
    return AttributeError(f"cannot {what} {name} before Module.__init__(): call super().__init__() first")
