"""Tensors nested in tuples, lists and dicts: taken apart and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["Nesting", "flatten", "rebuild"]


class Nesting:
    """How leaves are nested: a container's type, its keys where it is a dict, and its parts; None parts for a leaf."""

    __slots__ = ("keys", "kind", "parts")

    def __init__(self, kind: Any, keys: tuple[Any, ...], parts: tuple[Nesting, ...] | None) -> None:
        self.kind, self.keys, self.parts = kind, keys, parts

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Nesting):
            return NotImplemented
        return (self.kind, self.keys, self.parts) == (other.kind, other.keys, other.parts)

    __hash__ = object.__hash__

    def paths(self, start: str = "") -> list[str]:
        """For each leaf how it is reached: `[0]['h']`."""
        if self.parts is None:
            return [start]
        return [path for key, part in zip(self.keys, self.parts) for path in part.paths(f"{start}[{key!r}]")]

    def __str__(self) -> str:
        if self.parts is None:
            return "a tensor"
        inner = ", ".join(map(str, self.parts)).replace("a tensor", "tensor")
        return f"{self.kind.__name__}({inner})" if self.parts else f"an empty {self.kind.__name__}"


_LEAF = Nesting(None, (), None)


def flatten(value: Any) -> tuple[list[Any], Nesting]:
    """The leaves of nested tuples (named ones too), lists and dicts, in order, and how they are nested."""
    leaves: list[Any] = []

    def visit(value: Any) -> Nesting:
        if isinstance(value, dict) and type(value).__init__ is dict.__init__:
            return Nesting(type(value), tuple(value), tuple([visit(value[key]) for key in value]))
        if type(value) in (tuple, list) or (isinstance(value, tuple) and hasattr(value, "_fields")):
            return Nesting(type(value), tuple(range(len(value))), tuple([visit(part) for part in value]))
        leaves.append(value)
        return _LEAF

    return leaves, visit(value)


def rebuild(nesting: Nesting, leaves: Sequence[Any]) -> Any:
    """The leaves nested again."""
    remaining = iter(leaves)

    def make(nesting: Nesting) -> Any:
        if nesting.parts is None:
            return next(remaining)
        parts = [make(part) for part in nesting.parts]
        if issubclass(nesting.kind, dict):
            return nesting.kind(zip(nesting.keys, parts))
        return nesting.kind(*parts) if hasattr(nesting.kind, "_fields") else nesting.kind(parts)

    return make(nesting)
