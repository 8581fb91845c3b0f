"""Modules that hold modules."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from graphnet.errors import ArgumentTypeError, GraphnetError, IndexOutOfRangeError, kind_of
from graphnet.nn.module import Module, enter
from graphnet.nn.parameter import Parameter
from graphnet.nn.registry import books
from graphnet.nn.showing import Text
from graphnet.tensor.locating import locate
from graphnet.tensor.state import state
from graphnet.tensor.tensor import Tensor
from graphnet.whole import whole

__all__ = ["ModuleDict", "ModuleList", "ParameterList", "Sequential"]


class _Ordered(Module):
    """Children numbered from 0, reached by index, slice and iteration."""

    def _adopt(self, modules: Iterable[Any]) -> None:
        if not isinstance(modules, Iterable):
            raise ArgumentTypeError(f"{type(self).__name__}: expects modules, got {kind_of(modules)}")
        if self._library_class and isinstance(modules, (list, tuple)):  # not what may look at the children meanwhile
            children = {str(number): module for number, module in enumerate(modules, len(self._modules))}
            if all(book.keys().isdisjoint(children.keys()) for book in books(self)):
                for name, module in children.items():
                    if not isinstance(module, Module):
                        self._check(module, name)
                self._modules.update(children)
                return
        for module in modules:
            self._check(module, len(self))
            self.add_module(str(len(self)), module)

    def _check(self, module: Any, position: Any) -> None:
        if not isinstance(module, Module):
            what = module.__name__ + " itself" if isinstance(module, type) else kind_of(module)
            hint = "; call it to make a layer" if isinstance(module, type) and issubclass(module, Module) else ""
            raise ArgumentTypeError(f"{type(self).__name__}: expects modules, got {what} at position {position}{hint}")

    def _key(self, index: Any) -> str:
        size = len(self._modules)
        position = whole(f"{type(self).__name__}: an index, where it is not a slice,", index)
        if not -size <= position < size:
            raise IndexOutOfRangeError(f"index {position} is out of range: {type(self).__name__} has {size} modules")
        return list(self._modules)[position]

    def _renumbered(self, modules: Iterable[Any]) -> None:
        for key in list(self._modules):
            delattr(self, key)
        self._adopt(modules)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            part = type(self).__new__(type(self))
            Module.__init__(part)
            for key in list(self._modules)[index]:
                part.add_module(key if isinstance(self, Sequential) else str(len(part)), self._modules[key])
            return part
        return self._modules[self._key(index)]

    def __setitem__(self, index: Any, module: Any) -> None:
        self._check(module, len(self))
        self.add_module(self._key(index), module)

    def __delitem__(self, index: Any) -> None:
        keys = list(self._modules)[index] if isinstance(index, slice) else [self._key(index)]
        for key in keys:
            delattr(self, key)
        if all(key.isdigit() for key in self._modules):
            self._renumbered(list(self._modules.values()))

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._modules.values())

    def __contains__(self, module: object) -> bool:
        return any(module is m for m in self._modules.values())

    def __iadd__(self, modules: Iterable[Any]) -> Any:
        return self.extend(modules)

    def __add__(self, modules: Iterable[Any]) -> Any:
        joined = type(self).__new__(type(self))
        Module.__init__(joined)
        joined._adopt([*self, *modules])
        return joined

    def append(self, module: Any) -> Any:
        """Add a module at the end."""
        self._adopt([module])
        return self

    def extend(self, modules: Iterable[Any]) -> Any:
        """Add modules at the end."""
        self._adopt(list(modules) if modules is self else modules)
        return self

    def pop(self, index: Any = -1) -> Any:
        """Remove a module, the last one by default, and return it."""
        module = self[index]
        del self[index]
        return module

    def insert(self, index: int, module: Any) -> Any:
        """Add a module before a position.

        Raises:
            IndexOutOfRangeError: there is no such position.
        """
        self._check(module, len(self))
        children = list(self._modules.values())
        position = whole(f"{type(self).__name__}.insert: an index", index)
        if not -len(children) <= position <= len(children):
            raise IndexOutOfRangeError(
                f"insert: index {position} is out of range: {type(self).__name__} has {len(children)} modules"
            )
        children.insert(position, module)
        self._renumbered(children)
        return self


class Sequential(_Ordered):
    """Modules that run one after the other, each on the result of the one before.

    Args:
        *modules: the modules, or one OrderedDict of them by name.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(3, 4), gn.nn.ReLU(), gn.nn.Linear(4, 2))
        >>> net(gn.ones(5, 3)).shape, net[0].weight.shape
        (graphnet.Size([5, 2]), graphnet.Size([4, 3]))
    """

    def __init__(self, *modules: Any) -> None:
        super().__init__()
        if len(modules) == 1 and isinstance(modules[0], OrderedDict):
            for name, module in modules[0].items():
                self._check(module, len(self))
                self.add_module(name, module)
        else:
            self._adopt(modules)

    def forward(self, input: Any) -> Any:
        """The last module's result."""
        items, inside = iter(self._modules.items()), {id(self)}
        outer: list[Any] = []  # of the Sequentials within that were entered: what is left of the one around, its scope
        try:
            while True:
                for name, module in items:
                    if isinstance(module, Sequential) and _walked(module, input) and id(module) not in inside:
                        outer.append((items, state.scope, state.module))
                        inside.add(id(module))
                        enter(module, name)
                        items = iter(module._modules.items())
                        break
                    if _plain(module, input):
                        scope, within = state.scope, state.module
                        enter(module, name)
                        input = module.forward(input)
                        state.scope, state.module = scope, within
                    else:
                        state.hint = (module, name)
                        input = module(input)
                else:
                    if not outer:
                        return input
                    inside.discard(id(state.module))
                    items, state.scope, state.module = outer.pop()
        except GraphnetError as error:
            locate(error, state.scope, (input,))
            raise
        finally:
            if outer:
                _, state.scope, state.module = outer[0]


_CALL, _FORWARD = Module.__call__, Sequential.forward


def _plain(module: Module, input: Any) -> bool:
    """Whether a call does nothing but enter the module and run the library's forward, on one input as it is."""
    cls, fields = type(module), module.__dict__
    return (
        cls._library
        and cls.__call__ is _CALL
        and "_where" in fields
        and "forward" not in fields
        and not fields.get("_forward_hooks")
        and not fields.get("_forward_pre_hooks")
        and not isinstance(input, np.ndarray)
    )


def _walked(module: Sequential, input: Any) -> bool:
    """Whether a call does nothing but enter the module and run its children, so that nests need no recursion."""
    return type(module).forward is _FORWARD and _plain(module, input)


class ModuleList(_Ordered):
    """A list of modules that are registered, unlike those in a plain list.

    Example:
        >>> from graphnet import nn
        >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
        >>> len(layers), len(list(layers.parameters()))
        (3, 6)
    """

    def __init__(self, modules: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._adopt(() if modules is None else modules)

    def _shown_with(self, children: list[tuple[str, int]]) -> Text:
        """As PyTorch shows it: runs of modules that look the same are one entry with their number."""
        name = type(self).__name__
        entries: list[tuple[str, int]] = []
        at = 0
        for number, run in itertools.groupby(number for _, number in children):
            count = len(list(run))
            entries.append((f"({at}): " if count == 1 else f"({at}-{at + count - 1}): {count} x ", number))
            at += count
        return Text(f"{name}(", (), tuple(entries), ")") if entries else Text(f"{name}()")


class ModuleDict(Module):
    """A dict of modules that are registered, unlike those in a plain dict.

    Example:
        >>> from graphnet import nn
        >>> choices = nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()})
        >>> list(choices), choices["relu"]
        (['relu', 'tanh'], ReLU())
    """

    def __init__(self, modules: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None) -> None:
        super().__init__()
        self.update(() if modules is None else modules)

    def update(self, modules: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add modules by name."""
        if not isinstance(modules, (Mapping, Iterable)):
            raise ArgumentTypeError(f"ModuleDict: expects modules by name, got {kind_of(modules)}")
        for name, module in modules.items() if isinstance(modules, (Mapping, ModuleDict)) else modules:
            self[name] = module

    def __getitem__(self, name: str) -> Any:
        return self._modules[name]

    def __setitem__(self, name: str, module: Any) -> None:
        self.add_module(name, module)

    def __delitem__(self, name: str) -> None:
        if name not in self._modules:
            raise KeyError(name)
        delattr(self, name)

    def pop(self, name: str) -> Any:
        """Remove a module and return it."""
        module = self[name]
        del self[name]
        return module

    def clear(self) -> None:
        """Remove all modules."""
        for name in list(self):
            del self[name]

    def __len__(self) -> int:
        return len(self._modules)

    def __iter__(self) -> Iterator[str]:
        return iter(self._modules)

    def __contains__(self, name: object) -> bool:
        return name in self._modules

    def keys(self) -> Iterable[str]:
        """The names."""
        return self._modules.keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Names and modules."""
        return self._modules.items()

    def values(self) -> Iterable[Any]:
        """The modules."""
        return self._modules.values()


class ParameterList(Module):
    """A list of parameters that are registered, unlike those in a plain list. Tensors become parameters.

    Example:
        >>> from graphnet import nn, ones
        >>> weights = nn.ParameterList([ones(2), ones(3)])
        >>> len(weights), [tuple(p.shape) for p in weights.parameters()]
        (2, [(2,), (3,)])
    """

    def __init__(self, values: Iterable[Any] | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def _key(self, index: Any) -> str:
        position = whole("ParameterList: an index, where it is not a slice,", index)
        if not -self._size <= position < self._size:
            raise IndexOutOfRangeError(f"index {position} is out of range: ParameterList has {self._size} entries")
        return str(position % self._size)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return type(self)(self[i] for i in range(self._size)[index])
        return getattr(self, self._key(index))

    def __setitem__(self, index: Any, value: Any) -> None:
        known = isinstance(value, Tensor) and not isinstance(value, Parameter)
        setattr(self, self._key(index), Parameter(value) if known else value)

    def __len__(self) -> int:
        return self._size

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(self._size))

    def __iadd__(self, values: Iterable[Any]) -> ParameterList:
        return self.extend(values)

    def append(self, value: Any) -> ParameterList:
        """Add a value at the end."""
        self._size += 1
        self[self._size - 1] = value
        return self

    def extend(self, values: Iterable[Any]) -> ParameterList:
        """Add values at the end.

        Raises:
            ArgumentTypeError: a tensor, whose rows are hardly meant, or what is no sequence.
        """
        if isinstance(values, Tensor) or not isinstance(values, Iterable):
            raise ArgumentTypeError(f"ParameterList: expects several values, got {kind_of(values)}")
        for value in list(values):
            self.append(value)
        return self

    def extra_repr(self) -> str:
        """Each value's dtype and sizes."""
        shown = []
        for index, value in enumerate(self):
            text = f"Object of type: {type(value).__name__}"
            if isinstance(value, Tensor):
                kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
                text = f"{kind} containing: [{value.dtype} of size {'x'.join(map(str, value.shape))}]"
            shown.append(f"  ({index}): {text}")
        return "\n".join(shown)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Raises: a list is not called."""
        raise ArgumentTypeError("ParameterList: a list of parameters is not called; use its entries")
