"""Pickling and copying of modules nested deep, which Python would do by recursion."""

from __future__ import annotations

import threading
import weakref
from typing import Any

from graphnet.nn.registry import tree

__all__ = ["flattened"]

_DEEP = 20  # levels of modules that Python may take by recursion, each some ten calls


class _Running(threading.local):
    def __init__(self) -> None:
        self.inner: weakref.WeakSet[_Inner] = weakref.WeakSet()


_running = _Running()


class _Inner:
    """All modules below one, those inside others first: who copies it meets none whose children are not copied yet.

    Of a copy nothing is left.
    """

    def __init__(self, modules: list[Any]) -> None:
        self.modules = modules
        self.known = set(map(id, modules))

    def __reduce__(self) -> tuple[Any, ...]:
        _running.inner.add(self)  # if copying fails, it goes with what was copied by then
        return _nothing, (self.modules, _End(self))


class _End:
    """Behind the last of them."""

    def __init__(self, inner: _Inner) -> None:
        self.inner = inner

    def __reduce__(self) -> tuple[Any, ...]:
        _running.inner.discard(self.inner)
        return _nothing, ()


def _nothing(*modules: Any) -> None:
    """What stands for the list in a copy."""


def flattened(module: Any, reduced: Any) -> Any:
    """What `__reduce_ex__` gives; for a module that is the root of a deep tree with all others in its state, first."""
    if not isinstance(reduced, tuple) or len(reduced) < 3 or type(reduced[2]) is not dict:
        return reduced
    if any(id(module) in inner.known for inner in _running.inner):
        return reduced
    found: list[Any] = []
    deepest = 0
    for depth, _, inside in tree(module):
        found.append(inside)
        deepest = max(deepest, depth)
    if deepest <= _DEEP:
        return reduced
    return (*reduced[:2], {"_inner": _Inner(found[:0:-1]), **reduced[2]}, *reduced[3:])
