"""What a module keeps by name: parameters, buffers and child modules, as attributes and as trees to walk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from graphnet.errors import ArgumentTypeError, RegistrationError, TraceError, kind_of
from graphnet.nn.changes import birth, noted, restructured
from graphnet.nn.parameter import Buffer, Parameter
from graphnet.tensor.core import check_tensor
from graphnet.tensor.state import state
from graphnet.tensor.statements import refuse
from graphnet.tensor.tensor import Tensor

if TYPE_CHECKING:
    from graphnet.nn.module import Module

__all__ = ["Book", "Registry", "begin", "books", "entries", "not_initialized", "tree"]

_KINDS = ("_parameters", "_modules", "_buffers")
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_set = object.__setattr__


class Held(dict[str, Any]):
    """What a module holds by name; every change is noted, also one that user code makes here."""

    __slots__ = ("_born",)

    def __init__(self, content: Any = (), born: int | None = None) -> None:
        dict.__init__(self, content)
        self._born = birth() if born is None else born

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


class Book:
    """A container of a module's that is made when it is first asked for: most layers need one of six.

    It is in the module's `__dict__` from then on; what only reads looks there, and takes none for an empty one.
    """

    def __init__(self, make: Callable[[], Any]) -> None:
        self.make = make

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, module: Any, cls: type) -> Any:
        if module is None:
            return self
        if "_where" not in module.__dict__:
            raise not_initialized(module, f"use {self.name} of")
        made = self.make()
        if type(made) is Held:  # later than the module
            made._born = module.__dict__["_born"]
        return module.__dict__.setdefault(self.name, made)


class Registry:
    """The books of a module: what is set as an attribute is entered in them where it belongs."""

    _parameters: dict[str, Parameter | None] = Book(Held)  # type: ignore[assignment]
    _buffers: dict[str, Tensor | None] = Book(Held)  # type: ignore[assignment]
    _modules: dict[str, Any] = Book(Held)  # type: ignore[assignment]
    _transient: set[str] = Book(set)  # type: ignore[assignment]  # buffers that state dicts leave out
    _where: Any = False  # where it was made; set by Module.__init__, without which nothing is entered
    _born: int
    _library_class: ClassVar[bool] = True

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Note when it was born, also of one that is made by copying or unpickling."""
        new = object.__new__(cls)
        _set(new, "_born", birth())
        return new

    # -- attributes ---------------------------------------------------------------------------------------

    def __setattr__(self, name: str, value: Any) -> None:
        fields = self.__dict__
        if state.tracer is not None and state.tracer.parent is not None and fields.get(name, self) is not value:
            refuse(f"{name} of {type(self).__name__} is assigned")
        if isinstance(value, Parameter):
            self._register("_parameters", name, value)
        elif isinstance(value, Registry) and name not in fields.get("_parameters", _NOTHING):
            self._register("_modules", name, value)
        elif isinstance(value, Buffer) and name not in fields.get("_parameters", _NOTHING):
            self._register("_buffers", name, value)
            _persist(self, name, value.persistent)
        elif "_where" not in fields:
            _set(self, name, value)
        elif name in fields.get("_parameters", _NOTHING):
            if value is not None:
                raise ArgumentTypeError(
                    f"{name} of {type(self).__name__} is a parameter: assign an nn.Parameter or None, not "
                    f"{kind_of(value)}; to change its values write to {name}.data"
                )
            fields["_parameters"][name] = None
        elif name in fields.get("_modules", _NOTHING):
            if value is not None:
                raise ArgumentTypeError(f"{name} of {type(self).__name__} is a module: assign a module or None")
            fields["_modules"][name] = None
        elif name in fields.get("_buffers", _NOTHING):
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
            _set(self, name, value)
            noted(self, name, old, value)

    def __getattr__(self, name: str) -> Any:
        fields = self.__dict__
        for kind in _KINDS:
            if name in fields.get(kind, _NOTHING):
                return fields[kind][name]
        if "_where" not in fields and isinstance(getattr(type(self), name, None), Book):
            raise not_initialized(self, f"use {name} of")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self)

    def __delattr__(self, name: str) -> None:
        for kind in _KINDS:
            if name in self.__dict__.get(kind, _NOTHING):
                del self.__dict__[kind][name]
                return
        object.__delattr__(self, name)
        restructured(self.__dict__.get("_born", 0))

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(name for kind in _KINDS for name in entries(self, kind))})

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
        if "_where" not in fields:
            raise not_initialized(self, f"assign {name} to")
        if not isinstance(name, str):
            raise ArgumentTypeError(f"the name of a {kind[1:-1]} is a string, got {name!r}")
        if not name or "." in name:
            raise RegistrationError(f"the name of a {kind[1:-1]} is not empty and has no dot, got {name!r}")
        for other in _KINDS:
            if other != kind and name in fields.get(other, _NOTHING):
                del fields[other][name]
        fields.pop(name, None)
        getattr(self, kind)[name] = value
        if kind == "_buffers" and value is not None:
            value._buffer = True

    def _free(self, kind: str, name: Any) -> None:
        """Raise RegistrationError where an attribute of another kind has that name."""
        fields = self.__dict__
        if not isinstance(name, str) or "_where" not in fields or name in fields.get(kind, _NOTHING):
            return
        # Not hasattr(self, name): to miss one takes long there.
        if any(name in book for book in books(self)) or hasattr(type(self), name):
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
        _persist(self, name, persistent)

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
        for name, module in entries(self, "_modules").items():
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
        path, lengths = prefix, [len(prefix)]  # of the paths on the way here: in deep trees those are long
        for depth, name, module in tree(self, memo, remove_duplicate):
            if depth:
                del lengths[depth:]
                path = f"{path[: lengths[-1]]}.{name}" if lengths[-1] else name
                lengths.append(len(path))
            yield path, module

    def modules(self) -> Iterator[Module]:
        """All modules of the tree, this one first; shared ones once."""
        if type(self).named_modules is not Registry.named_modules:
            return (module for _, module in self.named_modules())
        return (module for _, _, module in tree(self))

    def _named(self, kind: str, prefix: str, recurse: bool, unique: bool) -> Iterator[tuple[str, Any]]:
        seen: set[int] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=unique) if recurse else [(prefix, self)]
        for path, module in modules:
            for name, value in entries(module, kind).items():
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
        if type(self).named_parameters is not Registry.named_parameters:
            return (parameter for _, parameter in self.named_parameters(recurse=recurse))
        return _held(self, "_parameters", recurse)

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """All buffers with their paths."""
        return self._named("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """All buffers."""
        if type(self).named_buffers is not Registry.named_buffers:
            return (buffer for _, buffer in self.named_buffers(recurse=recurse))
        return _held(self, "_buffers", recurse)

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "net.0".

        Raises:
            AttributeError: there is none.
        """
        module: Any = self
        for part in target.split(".") if target else []:
            child = entries(module, "_modules").get(part)
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
        found = entries(self.get_submodule(path), kind).get(name)
        if found is None:
            raise AttributeError(f"there is no {kind[1:-1]} {target!r}")
        return found


def entries(module: Any, kind: str) -> Mapping[Any, Any]:
    """One of a module's books, for reading: where there is none, none is made."""
    return module.__dict__.get(kind, _NOTHING)  # type: ignore[no-any-return]


def begin(
    module: Any, settings: Mapping[str, Any], parameters: Mapping[str, Any] = _NOTHING, buffers: Any = _NOTHING
) -> None:
    """Set what a layer of the library is made with, in its `__init__`; parameters and buffers once.

    Names are free in the library's own classes, so nothing is looked up there.
    """
    if not module._library_class or state.tracer is not None:  # names may be taken, or nothing may be assigned
        for name, value in settings.items():
            setattr(module, name, value)
        for name, value in parameters.items():
            module.register_parameter(name, value)
        for name, value in buffers.items():
            module.register_buffer(name, value)
        return
    for name, value in settings.items():
        _set(module, name, value)
    if parameters:
        _set(module, "_parameters", Held(parameters, module._born))
    if buffers:
        for value in buffers.values():
            if value is not None:
                value._buffer = True
        _set(module, "_buffers", Held(buffers, module._born))
    restructured(module._born)


def books(module: Any) -> tuple[Mapping[str, Any], ...]:
    """All in which a module has a name: its attributes, parameters, modules and buffers."""
    return module.__dict__, *(entries(module, kind) for kind in _KINDS)


def _persist(module: Any, name: str, persistent: bool) -> None:
    """Enter whether state dicts hold a buffer."""
    if not persistent:
        module._transient.add(name)
    elif "_transient" in module.__dict__:
        module._transient.discard(name)


def not_initialized(module: Any, what: str) -> AttributeError:
    """The error of a module whose `__init__` did not call its base's."""
    name = type(module).__name__
    return AttributeError(f"cannot {what} {name} before Module.__init__(): call super().__init__() first")


def tree(root: Any, memo: set[Any] | None = None, unique: bool = True) -> Iterator[tuple[int, str, Any]]:
    """All modules of the tree, the root first: how deep each lies, its name there, and itself."""
    seen: set[Any] = memo if memo is not None else set()
    if unique:
        if root in seen:
            return
        seen.add(root)
    yield 0, "", root
    stack = [iter(list(entries(root, "_modules").items()))]
    while stack:
        for name, module in stack[-1]:
            if module is None:
                continue
            if unique:
                if module in seen:
                    continue
                seen.add(module)
            yield len(stack), name, module
            held = module.__dict__.get("_modules")
            if held:
                stack.append(iter(list(held.items())))
                break
        else:
            stack.pop()


def _held(root: Registry, kind: str, recurse: bool) -> Iterator[Any]:
    """All parameters or buffers, shared ones once; no paths are put together, which takes long in deep trees."""
    seen: set[int] = set()
    for module in root.modules() if recurse else (root,):
        for value in module.__dict__.get(kind, _NOTHING).values():
            if value is not None and id(value) not in seen:
                seen.add(id(value))
                yield value
