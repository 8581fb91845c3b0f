"""Gradients on their way through a graph, and whether they are there at all.

Eager training leaves a parameter alone that no gradient reached. In a graph with branches and loops only running may
tell: a weight in the body of a loop is reached if the loop makes a trip. Then a truth value goes with its gradient.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeAlias

from graphnet.dtypes import bool_
from graphnet.ir import Literal, Operand
from graphnet.ops.emit import Emitter
from graphnet.ops.table import TABLE

__all__ = ["Gradients", "There", "ToldGradients", "as_operand", "either"]

There: TypeAlias = "bool | Operand"
"""Whether a gradient is there: for certain, or what tells it."""


class Gradients(dict[Hashable, Any]):
    """Gradients by what they are the gradients of; each is there for certain."""

    told = False  # whether it is asked which of them are there
    taken: There = True  # whether the one is there that was taken out last

    def there(self, key: Hashable) -> There:
        """Whether something has a gradient."""
        return key in self

    def enter(self, key: Hashable, value: Any, there: There) -> None:
        """Enter a gradient, in the place of one that is part of it."""
        self[key] = value


class ToldGradients(Gradients):
    """Gradients with what tells whether they are there.

    A walk takes a result's gradient out, then enters those of the operands, which are there if it was.
    """

    told = True

    def __init__(self, emitter: Emitter) -> None:
        super().__init__()
        self._emitter = emitter
        self._open: dict[Hashable, Operand] = {}  # of those that may not be there

    def there(self, key: Hashable) -> There:
        """Whether something has a gradient."""
        return key in self and self._open.get(key, True)

    def enter(self, key: Hashable, value: Any, there: There) -> None:
        """Enter a gradient, in the place of one that is part of it."""
        found = either(self._emitter, self.there(key), there)
        super().__setitem__(key, value)
        if isinstance(found, bool):
            self._open.pop(key, None)
        else:
            self._open[key] = found

    def __setitem__(self, key: Hashable, value: Any) -> None:
        self.enter(key, value, self.taken)

    def pop(self, key: Hashable, default: Any = None) -> Any:
        """Take a gradient out."""
        if key not in self:
            return default
        self.taken = self._open.pop(key, True)
        return super().pop(key)


def either(emitter: Emitter, a: There, b: There) -> There:
    """Whether one of two gradients is there."""
    if a is True or b is True or b is False:
        return a if b is False else True
    return b if a is False or a == b else emitter.emit(TABLE["maximum"], [a, b], {}, "grad.there")


def as_operand(there: There) -> Operand:
    """It as an operand."""
    return Literal(there, bool_) if isinstance(there, bool) else there
