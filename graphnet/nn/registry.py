"""What a module keeps by name: parameters, buffers and child modules, as attributes and as trees to walk."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphnet.errors import ArgumentTypeError, RegistrationError, TraceError, kind_of
from graphnet.nn.changes import birth, noted, restructured
from graphnet.nn.parameter import Buffer, Parameter
from graphnet.tensor.core import check_tensor
from graphnet.tensor.state import state
from graphnet.tensor.statements import refuse
from graphnet.tensor.tensor import Tensor

if TYPE_CHECKING:
    from graphnet.nn.module import Module

__all__ = ["Registry", "not_initialized"]


class Held(dict[str, Any]):
    """What a module holds by name; every change is noted, also one that user code makes here."""

    __slots__ = ("_born",)

    def __init__(self) -> None:
        self._born = birth()

    def __reduce__(self) -> tuple[Any, ...]:
        return Held, (), None, None, iter(self.items())

    def __setitem__(self, name: str, value: Any) -> None:
        dict.__setitem__(self, name, value)
        restructured(self._born)

    def __delitem__(self, name: str) -> None:
        dict.__delitem__(self, name)
        restructured(self._born)

    def __ior__(self, other: Any) -> Held:  # type: ignore[override,misc]
        self.update(other)
        return self

    def update(self, *args: Any, **kwargs: Any) -> None:
        """As a dict's, and likewise the others."""
        dict.update(self, *args, **kwargs)
        restructured(self._born)

    def setdefault(self, name: str, default: Any = None) -> Any:
        """As a dict's."""
        restructured(self._born)
        return dict.setdefault(self, name, default)

    def pop(self, *args: Any) -> Any:
        """As a dict's."""
        restructured(self._born)
        return dict.pop(self, *args)

    def popitem(self) -> tuple[str, Any]:
        """As a dict's."""
        restructured(self._born)
        return dict.popitem(self)

    def clear(self) -> None:
        """As a dict's."""
        restructured(self._born)
        dict.clear(self)


class Registry:
    """The books of a module: what is set as an attribute is entered in them where it belongs."""

    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Any]
    _transient: set[str]  # buffers that state dicts leave out

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Note when it was born, also of one that is made by copying or unpickling."""
        new = object.__new__(cls)
        new.__dict__["_born"] = birth()
        return new

    def __init__(self) -> None:
        fields = self.__dict__
        fields["_parameters"] = Held()
        fields["_buffers"] = Held()
        fields["_modules"] = Held()
        fields["_transient"] = set()

    # -- attributes ---------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        if state.tracer is not None and state.tracer.parent is not None and fields.get(name, self) is not value:
            refuse(f"{name} of {type(self).__name__} is assigned")
        if isinstance(value, Parameter):
            self._register("_parameters", name, value)
        elif isinstance(value, Registry) and name not in fields.get("_parameters", ()):
            self._register("_modules", name, value)
        elif isinstance(value, Buffer) and name not in fields.get("_parameters", ()):
            self._register("_buffers", name, value)
            (self._transient.discard if value.persistent else self._transient.add)(name)
        elif "_modules" not in fields:
            object.__setattr__(self, name, value)
        elif name in fields["_parameters"]:
            if value is not None:
                raise ArgumentTypeError(
                    f"{name} of {type(self).__name__} is a parameter: assign an nn.Parameter or None, not "
                    f"{kind_of(value)}; to change its values write to {name}.data"
                )
            fields["_parameters"][name] = None
        elif name in fields["_modules"]:
            if value is not None:
                raise ArgumentTypeError(f"{name} of {type(self).__name__} is a module: assign a module or None")
            fields["_modules"][name] = None
        elif name in fields["_buffers"]:
            if value is not None and not isinstance(value, Tensor):
                raise ArgumentTypeError(f"{name} of {type(self).__name__} is a buffer: assign a tensor or None")
            if value is not None and value._tracer is not None:
                self._update_traced(name, value)
                return
            self._register("_buffers", name, value)
        else:
            old = fields.get(name, self)
            if state.witness is not None and isinstance(value, Tensor) and value._tracer is not None:
                state.witness.kept.append(f"{name} of {type(self).__name__}")
            object.__setattr__(self, name, value)
            noted(self, name, old, value)

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__
        if "_modules" not in fields:
            if name in ("_modules", "_parameters", "_buffers"):
                raise not_initialized(self, f"use {name} of")
        else:
            for kind in ("_parameters", "_modules", "_buffers"):
                if name in fields[kind]:
                    return fields[kind][name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        for kind in ("_parameters", "_modules", "_buffers"):
            if name in self.__dict__.get(kind, {}):
                del self.__dict__[kind][name]
                return
        object.__delattr__(self, name)
        restructured(self.__dict__.get("_born", 0))

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
            raise not_initialized(self, f"assign {name} to")
        if not isinstance(name, str):
            raise ArgumentTypeError(f"the name of a {kind[1:-1]} is a string, got {name!r}")
        if not name or "." in name:
            raise RegistrationError(f"the name of a {kind[1:-1]} is not empty and has no dot, got {name!r}")
        for other in ("_parameters", "_modules", "_buffers"):
            if other != kind and name in fields[other]:
                del fields[other][name]
        fields.pop(name, None)
        fields[kind][name] = value
        if kind == "_buffers" and value is not None:
            value._buffer = True

    def _free(self, kind: str, name: Any) -> None:
        """Raise RegistrationError where an attribute of another kind has that name."""
        fields = self.__dict__
        if not isinstance(name, str) or "_modules" not in fields or name in fields[kind]:
            return
        if name not in fields and not (
            name in fields["_parameters"]
            or name in fields["_modules"]
            or name in fields["_buffers"]
            or hasattr(type(self), name)  # not of the module itself, where missing one takes long
        ):
            return
        raise RegistrationError(f"{type(self).__name__} has an attribute {name!r} already")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under a name, or None for one that is left out.

        Raises:
            ArgumentTypeError: not a parameter. RegistrationError: a name that is empty, has a dot or is taken.
        """
        if param is not None and not isinstance(param, Parameter):
            raise ArgumentTypeError(f"register_parameter: expects an nn.Parameter, got {kind_of(param)}")
        self._free("_parameters", name)
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
            ArgumentTypeError: not a tensor. RegistrationError: a name that is empty, has a dot or is taken.
        """
        held = None if tensor is None else check_tensor("register_buffer", tensor)
        self._free("_buffers", name)
        self._register("_buffers", name, held)
        (self._transient.discard if persistent else self._transient.add)(name)

    def add_module(self, name: str, module: Any) -> None:
        """Add a child under a name.

        Raises:
            ArgumentTypeError: not a module. RegistrationError: a name that is empty, has a dot or is taken.
        """
        if module is not None and not isinstance(module, Registry):
            raise ArgumentTypeError(f"add_module: expects a module, got {kind_of(module)} for {name!r}")
        self._free("_modules", name)
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
        self, memo: set[Any] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """All modules of the tree with their paths, this one first; shared ones once."""
        seen: set[Any] = memo if memo is not None else set()
        stack: list[tuple[str, Any]] = [(prefix, self)]
        while stack:
            path, module = stack.pop()
            if remove_duplicate:
                if module in seen:
                    continue
                seen.add(module)
            yield path, module
            if not module._modules:
                continue
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
        module: Any = self
        for part in target.split(".") if target else []:
            child = module._modules.get(part)
            if child is None:
                raise AttributeError(f"{type(module).__name__} has no child {part!r} (looking for {target!r})")
            module = child
        found: Module = module
        return found

    def set_submodule(self, target: str, module: Any, strict: bool = False) -> None:
        """Put a module at a path such as "net.0", in the place of what is there or as a new child.

        Args:
            target: the path.
            module: the module.
            strict: whether there has to be one already.

        Raises:
            AttributeError: there is no parent, or with `strict` no module. ArgumentTypeError: not a module.
        """
        if not isinstance(module, Registry):
            raise ArgumentTypeError(f"set_submodule: expects a module, got {kind_of(module)}")
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if strict and parent._modules.get(name) is None:
            raise AttributeError(f"{type(parent).__name__} has no child {name!r} (looking for {target!r})")
        parent.add_module(name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "net.0.weight".

        Raises:
            AttributeError: there is none.
        """
        return self._at("_parameters", target)  # type: ignore[no-any-return]

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as "norm.running_mean".

        Raises:
            AttributeError: there is none.
        """
        return self._at("_buffers", target)  # type: ignore[no-any-return]

    def _at(self, kind: str, target: str) -> Any:
        """What is registered at a path."""
        path, _, name = target.rpartition(".")
        found = self.get_submodule(path).__dict__[kind].get(name)
        if found is None:
            raise AttributeError(f"there is no {kind[1:-1]} {target!r}")
        return found


def not_initialized(module: Any, what: str) -> AttributeError:
    """The error of a module whose `__init__` did not call its base's."""
    name = type(module).__name__
    return AttributeError(f"cannot {what} {name} before Module.__init__(): call super().__init__() first")
