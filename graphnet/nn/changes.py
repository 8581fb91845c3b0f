"""What changed in modules: how compiled networks know that what they were made of is as it was."""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from typing import Any, NamedTuple

__all__ = ["Watch", "noted", "restructured", "structure_cell", "structure_version"]

_counter = itertools.count(1)
_PLAIN = frozenset((bool, int, float, str, type(None)))


class _Entry(NamedTuple):
    """An attribute that had a plain value and got another."""

    owner: weakref.ref[Any]
    name: str
    old: Any
    new: Any


class _Changes:
    def __init__(self) -> None:
        self.version = [0]  # one number, in a list that compiled networks hold
        self.structural = 0  # the version after the last change that is not an entry
        self.entries: deque[_Entry] = deque(maxlen=1 << 16)
        self.entered = 0  # ever, also those that the deque has forgotten


_changes = _Changes()  # not the class: setting a class's attribute makes Python forget where all the others are


def restructured() -> None:
    """Note that a module changed in what its forward may depend on: children, parameters, hooks, attributes."""
    _changes.version[0] = _changes.structural = next(_counter)


def noted(owner: Any, name: str, old: Any, new: Any) -> None:
    """Note that an attribute got a value. Switches may be put back, as train() does after eval()."""
    if type(old) not in _PLAIN or type(new) not in _PLAIN:
        restructured()
    elif not _same(old, new):
        _changes.entries.append(_Entry(weakref.ref(owner), name, old, new))
        _changes.entered += 1
        _changes.version[0] = next(_counter)


def structure_version() -> int:
    """A number that is another one after any module changed."""
    return _changes.version[0]


def structure_cell() -> list[int]:
    """The list whose only element is that number."""
    return _changes.version


def _same(a: Any, b: Any) -> bool:
    return type(a) is type(b) and bool(a == b) and repr(a) == repr(b)  # -0.0 is not 0.0


class Watch:
    """Looks whether all modules are as they were when it was made, or are so again.

    Example:
        >>> from graphnet import nn
        >>> from graphnet.nn.changes import Watch
        >>> net = nn.Dropout()
        >>> watch = Watch()
        >>> net.eval(), watch.holds(), net.train(), watch.holds()
        (Dropout(p=0.5, inplace=False), False, Dropout(p=0.5, inplace=False), True)
    """

    def __init__(self, guards: Any = None) -> None:
        self.guards = guards  # what else has to be as it was; see `graphnet.reads`
        self._structural = _changes.structural
        self._read = _changes.entered
        self._before: dict[tuple[Any, str], Any] = {}  # what differs now, with its value then

    @property
    def lives(self) -> bool:
        """Whether it may still hold: nothing happened but changes of switches, and not too many of them."""
        forgotten = _changes.entered - len(_changes.entries)
        return self._structural == _changes.structural and self._read >= forgotten

    def holds(self) -> bool:
        """Whether everything is as it was."""
        if not self.lives:
            self._structural = -1
            return False
        unread = _changes.entered - self._read
        self._read = _changes.entered
        for owner, name, old, new in itertools.islice(_changes.entries, len(_changes.entries) - unread, None):
            before = self._before.setdefault((owner, name), old)
            if _same(before, new):
                del self._before[owner, name]
        return not self._before and (self.guards is None or bool(self.guards.hold()))
