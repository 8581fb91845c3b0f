"""What changed in modules: how compiled networks know that what they were made of is as it was."""

from __future__ import annotations

import itertools
import math
import weakref
from bisect import bisect_left
from collections import deque
from typing import Any, NamedTuple

__all__ = ["Watch", "altered", "birth", "mark", "noted", "restructured", "structure_cell", "structure_version"]

_counter = itertools.count(1)
_PLAIN = frozenset((bool, int, float, str, type(None)))


class _Entry(NamedTuple):
    """An attribute that had a plain value and got another."""

    owner: weakref.ref[Any]
    name: str
    old: Any
    new: Any
    born: int


class _Changes:
    def __init__(self) -> None:
        self.version = [0]  # one number, in a list that compiled networks hold
        self.epoch = 1  # how many watches were made
        # Changes that are no entries: of something born in an epoch, the version after it. Both rise: an earlier change
        # of something younger says nothing that a later one of something older does not.
        self.structural: list[tuple[int, int]] = []
        self.entries: deque[_Entry] = deque(maxlen=1 << 16)
        self.entered = 0  # ever, also those that the deque has forgotten


_changes = _Changes()  # not the class: setting a class's attribute makes Python forget where all the others are


def birth() -> int:
    """What a new module or parameter notes as `_born`, so that watches made before take no notice of it."""
    return _changes.epoch


def restructured(born: int = 0) -> None:
    """Note that a module changed in what its forward may depend on: children, parameters, hooks, attributes.

    Args:
        born: its `birth`; 0 where that is not known.
    """
    number = _changes.version[0] = next(_counter)
    if born < _changes.epoch:
        changes = _changes.structural
        while changes and changes[-1][0] >= born:
            changes.pop()
        changes.append((born, number))


def noted(owner: Any, name: str, old: Any, new: Any) -> None:
    """Note that an attribute got a value. Switches may be put back, as train() does after eval()."""
    born = getattr(owner, "_born", 0)
    if type(old) not in _PLAIN or type(new) not in _PLAIN:
        restructured(born)
    elif not _same(old, new):
        if born < _changes.epoch:
            _changes.entries.append(_Entry(weakref.ref(owner), name, old, new, born))
            _changes.entered += 1
        _changes.version[0] = next(_counter)


def mark() -> int:
    """A place in the changes of attributes, for `altered`."""
    _changes.epoch += 1
    return _changes.entered


def altered(since: int) -> bool:
    """Whether attributes that got values since that mark differ from what they were."""
    first: dict[tuple[Any, str], Any] = {}
    last: dict[tuple[Any, str], Any] = {}
    skipped = max(len(_changes.entries) - (_changes.entered - since), 0)
    for owner, name, old, new, _ in itertools.islice(_changes.entries, skipped, None):
        first.setdefault((owner, name), old)
        last[owner, name] = new
    return any(not _same(first[key], last[key]) for key in last)


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
        self._version: float = _changes.version[0]
        _changes.epoch += 1
        self._epoch = _changes.epoch
        self._read = _changes.entered
        self._before: dict[tuple[Any, str], Any] = {}  # what differs now, with its value then

    @property
    def lives(self) -> bool:
        """Whether it may still hold: nothing happened but changes of switches, and not too many of them."""
        forgotten = _changes.entered - len(_changes.entries)
        at = bisect_left(_changes.structural, (self._epoch,))
        changed = _changes.structural[at - 1][1] if at else 0
        return changed <= self._version and self._read >= forgotten

    def holds(self) -> bool:
        """Whether everything is as it was."""
        if not self.lives:
            self._version = -math.inf
            return False
        unread = _changes.entered - self._read
        self._read = _changes.entered
        for owner, name, old, new, born in itertools.islice(_changes.entries, len(_changes.entries) - unread, None):
            if born >= self._epoch:
                continue
            before = self._before.setdefault((owner, name), old)
            if _same(before, new):
                del self._before[owner, name]
        return not self._before and (self.guards is None or bool(self.guards.hold()))
