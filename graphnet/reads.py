"""What a network's own code reads besides attributes of modules: globals, closures, attributes of classes, containers.

Compiled networks look at these before every run (`graphnet.program.Guards`), so that none runs with what was there
when it was traced. Found by names in the code that `forward` leads to; what the library or an installed package reads
is left out. What tracing itself saw, such as an array that `graphnet.tensor` copied, `graphnet.tensor.witness` tells.
"""

from __future__ import annotations

import functools
import inspect
import sys
import sysconfig
from collections import deque
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from graphnet.nn import Module
from graphnet.places import is_inside
from graphnet.tensor import Tensor

__all__ = ["reads"]

_NONE: dict[Any, Any] = {}
_CALL = frozenset({"forward", "__call__"})
_LARGEST = 1 << 16  # entries of a list or dict that is looked at
_SMALL = 1 << 16  # bytes of an array that is compared even where a tensor shares its memory
_FOREIGN = tuple({sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_Row = tuple[Any, Any, Any]


def reads(*roots: Any, shared: Callable[[Any], bool] = lambda array: False) -> list[_Row]:
    """Rows of (holder, key, value): a dict's entry, a class's attribute, a closure's cell, what a list or dict holds.

    Args:
        roots: the network, and what is called with its result.
        shared: whether a tensor has an array's memory: then it is where writes are seen, and not read by the code.

    Example:
        >>> from graphnet.reads import reads
        >>> scale = [2.0]
        >>> def network(x):
        ...     return x * scale[0]
        >>> [(key, value) for holder, key, value in reads(network)]
        [('scale', [2.0]), (None, (2.0,))]
    """
    names = frozenset[str]()
    while True:
        found = _Reads(shared, names)
        for root in roots:
            found.value(root, names)
        if found.names <= names:
            return list(found.rows.values())
        names |= found.names  # a function may read what it is given: attributes of what was found before it


def _own(file: Any) -> bool:
    """Whether code of a file is the user's."""
    return isinstance(file, str) and not is_inside(file) and not file.startswith(_FOREIGN)


def _codes(code: CodeType) -> Iterator[CodeType]:
    """A function's code and that of those inside it."""
    stack = [code]
    while stack:
        code = stack.pop()
        yield code
        stack.extend(part for part in code.co_consts if isinstance(part, CodeType))


def _names(code: CodeType) -> Iterator[str]:
    """The names in a function's code, also those that it may give to getattr."""
    yield from code.co_names
    yield from (text for text in code.co_consts if isinstance(text, str) and text.isidentifier())


class _Reads:
    def __init__(self, shared: Callable[[Any], bool], names: frozenset[str]) -> None:
        self.shared, self.known = shared, names
        self.names: set[str] = set()  # in the code of functions
        self.rows: dict[tuple[int, Any], _Row] = {}
        self.seen: dict[int, Any] = {}  # what was looked at, kept so that no other thing gets its id
        self.classes: dict[type, frozenset[str]] = {}

    def note(self, holder: Any, key: Any, value: Any) -> None:
        self.rows.setdefault((id(holder), key), (holder, key, value))

    def value(self, value: Any, names: frozenset[str]) -> None:
        """Look at a value whose attributes of these names may be read."""
        if value is None or isinstance(value, (bool, int, float, str)):
            return
        if isinstance(value, (list, tuple, dict, set, frozenset, deque)) and len(value) <= _LARGEST:
            self.container(value, names)
        elif isinstance(value, Tensor):
            if value._array is not None:
                self.note(value, None, value._array)
        elif isinstance(value, np.ndarray):
            if value.nbytes <= _SMALL or not self.shared(value):
                self.note(value, None, np.array(value, order="C"))
        elif isinstance(value, Module):
            self.modules(value)
        elif isinstance(value, functools.partial):
            for part in (value.func, *value.args, *value.keywords.values()):
                self.value(part, names)
        elif isinstance(value, MethodType):
            self.value(value.__self__, names | {value.__name__})
            self.value(value.__func__, names)
        elif isinstance(value, FunctionType):
            self.function(value)
        elif isinstance(value, ModuleType):
            if _own(getattr(value, "__file__", None)):
                self.attributes(vars(value), vars(value), names)
        elif isinstance(value, type):
            self.cls(value, names)
        else:
            self.instance(value, names)

    def container(self, value: Any, names: frozenset[str]) -> None:
        """Look at a list, tuple or dict and what it holds."""
        if id(value) in self.seen:
            return
        self.seen[id(value)] = value
        items = list(value.values()) if isinstance(value, dict) else list(value)
        if isinstance(value, (list, set, deque)):
            self.note(value, None, tuple(items))
        elif isinstance(value, dict):
            self.note(value, None, tuple(part for pair in value.items() for part in pair))
        for item in items:
            self.value(item, names)

    def instance(self, value: Any, names: frozenset[str]) -> None:
        """Look at what is read of an object, and of its class if that is the user's."""
        cls = type(value)
        self.cls(cls, names)
        if cls.__module__.partition(".")[0] == "graphnet":
            return
        if isinstance(getattr(value, "__dict__", None), dict):
            self.attributes(vars(value), vars(value), names)
        for name in names:
            if isinstance(inspect.getattr_static(cls, name, None), MemberDescriptorType) and hasattr(value, name):
                part = getattr(value, name)
                self.note(value, name, part)
                self.value(part, names)

    def attributes(self, holder: Any, fields: Any, names: frozenset[str]) -> None:
        """Look at those entries of a module's, class's or object's dict that are read."""
        for name in names & fields.keys():
            value = fields[name]
            if (id(holder), name) not in self.rows:
                self.note(holder, name, value)
                self.value(value, names)

    def function(self, function: FunctionType) -> None:
        """Look at what a function reads."""
        if id(function) in self.seen or not _own(function.__code__.co_filename):
            return
        self.seen[id(function)] = function
        names = self.known.union(name for code in _codes(function.__code__) for name in _names(code))
        self.names |= names
        for name in names & function.__globals__.keys():
            value = function.__globals__[name]
            if not isinstance(value, ModuleType):
                self.note(function.__globals__, name, value)
            self.value(value, names)
        for cell in function.__closure__ or ():
            try:
                value = cell.cell_contents
            except ValueError:  # not assigned yet
                continue
            self.note(cell, None, value)
            self.value(value, names)
        for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
            self.value(value, names)

    def cls(self, cls: type, names: frozenset[str]) -> bool:
        """Look at the attributes of a class that are read; whether it is the user's."""
        own = [c for c in cls.__mro__ if _written(c)]
        for c in own:
            for name in names & c.__dict__.keys():
                value = c.__dict__[name]
                if (id(c), name) not in self.rows:
                    self.note(c, name, value)
                    self.value(_plain(value), names)
        return bool(own)

    def modules(self, root: Module) -> None:
        """Look at a module and those below it."""
        stack: list[Any] = [root]
        while stack:
            module = stack.pop()
            if module is None or id(module) in self.seen:
                continue
            self.seen[id(module)] = module
            fields, cls = module.__dict__, type(module)
            stack.extend(fields.get("_modules", _NONE).values())
            names = self.classes.get(cls)
            if names is None:
                names = self.classes[cls] = self.reached(cls)
            if names is not _CALL or "forward" in fields:
                for name in names & fields.keys():
                    self.value(fields[name], names)
            for hooks in (fields.get("_forward_hooks", _NONE), fields.get("_forward_pre_hooks", _NONE)):
                for hook in hooks.values():
                    self.value(hook.function, names)

    def reached(self, cls: type) -> frozenset[str]:
        """Names in the code that a module's call leads to; the class's own attributes among them are looked at."""
        names, new = frozenset[str](), _CALL
        while new - names:
            names |= new
            found = [c.__dict__[name] for c in cls.__mro__ for name in new & c.__dict__.keys()]
            codes = [
                f.__code__ for f in map(_plain, found) if isinstance(f, FunctionType) and _own(f.__code__.co_filename)
            ]
            new = frozenset(name for code in codes for part in _codes(code) for name in _names(part)) - names
        self.cls(cls, names | self.known)
        return _CALL if names == _CALL else names | self.known


def _plain(value: Any) -> Any:
    """The function of a property, a static or a class method."""
    return value.fget if isinstance(value, property) else getattr(value, "__func__", value)


def _written(cls: type) -> bool:
    """Whether a class is the user's."""
    name = cls.__module__
    if name.partition(".")[0] in sys.stdlib_module_names:
        return False
    return _own(getattr(sys.modules.get(name), "__file__", None) or f"<{name}>")
