"""Modules that hold modules."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from graphnet.errors import ArgumentTypeError, IndexOutOfRangeError
from graphnet.nn.module import Module
from graphnet.tensor.state import state
from graphnet.whole import whole

__all__ = ["ModuleDict", "ModuleList", "Sequential"]


class _Ordered(Module):
    """Children numbered from 0, reached by index, slice and iteration."""

    def _adopt(self, modules: Iterable[Any]) -> None:
        for module in modules:
            self._check(module)
            self.add_module(str(len(self)), module)

    def _check(self, module: Any) -> None:
        if not isinstance(module, Module):
            what = module.__name__ + " itself" if isinstance(module, type) else f"a {type(module).__name__}"
            hint = "; call it to make a layer" if isinstance(module, type) and issubclass(module, Module) else ""
            raise ArgumentTypeError(f"{type(self).__name__}: expects modules, got {what} at position {len(self)}{hint}")

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
        self._check(module)
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

    def append(self, module: Any) -> Any:
        """Add a module at the end."""
        self._adopt([module])
        return self

    def extend(self, modules: Iterable[Any]) -> Any:
        """Add modules at the end."""
        self._adopt(modules)
        return self

    def pop(self, index: Any = -1) -> Any:
        """Remove a module, the last one by default, and return it."""
        module = self[index]
        del self[index]
        return module

    def insert(self, index: int, module: Any) -> Any:
        """Add a module before a position."""
        self._check(module)
        children = list(self._modules.values())
        children.insert(index, module)
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
                self._check(module)
                self.add_module(name, module)
        else:
            self._adopt(modules)

    def forward(self, input: Any) -> Any:
        """The last module's result."""
        for name, module in self._modules.items():
            state.hint = (module, name)
            input = module(input)  # type: ignore[misc]
        return input


class ModuleList(_Ordered):
    """A list of modules that are registered, unlike those in a plain list.

    Example:
        >>> from graphnet import nn
        >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
        >>> len(layers), len(list(layers.parameters()))
        (3, 6)
    """

    def __init__(self, modules: Iterable[Any] = ()) -> None:
        super().__init__()
        self._adopt(modules)

    def __repr__(self) -> str:
        """As PyTorch shows it: runs of modules that look the same are one entry with their number."""
        if not self._modules:
            return f"{type(self).__name__}()"
        runs: list[list[Any]] = []  # first, last, text
        for number, module in enumerate(self):
            text = repr(module)
            if runs and runs[-1][2] == text:
                runs[-1][1] = number
            else:
                runs.append([number, number, text])
        lines = []
        for first, last, text in runs:
            entry = f"({first}): {text}" if first == last else f"({first}-{last}): {last - first + 1} x {text}"
            lines.append(entry.replace("\n", "\n  "))
        return f"{type(self).__name__}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """A dict of modules that are registered, unlike those in a plain dict."""

    def __init__(self, modules: Mapping[str, Any] | Iterable[tuple[str, Any]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def update(self, modules: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> None:
        """Add modules by name."""
        for name, module in modules.items() if isinstance(modules, Mapping) else modules:
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
