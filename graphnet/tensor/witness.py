"""What tracing saw of values that may change: compiled networks compare it before every run.

A graph has no place for a value that Python code looks at, or that something is computed from once and for all while
the graph is made: `float(scale)`, `gn.tensor(array)`, `mask * 2`. Whoever wants to run the graph again keeps a witness.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np

from graphnet.tensor.core import Array, Base
from graphnet.tensor.state import state

__all__ = ["Witness"]


class Witness:
    """Keeps copies of what is read while it is active; what was only made meanwhile is gone by the end."""

    def __init__(self) -> None:
        self._seen: dict[Any, _Seen] = {}
        self._tensors: dict[int, tuple[Any, Any]] = {}  # a tensor by its id, and the array that it had
        self._shared: dict[int, Any] = {}  # arrays that the graph reads where they lie
        self.kept: list[str] = []  # attributes that got traced tensors, which the next call may want to read

    @contextlib.contextmanager
    def active(self) -> Iterator[None]:
        """Within it everything that is read is noted."""
        before, state.witness = state.witness, self
        try:
            yield
        finally:
            state.witness = before

    def tensor(self, tensor: Base) -> None:
        """Note a tensor's values."""
        array = tensor._values()
        self.array(array)
        found = self._tensors.get(id(tensor))
        if found is None or found[0]() is None:
            self._tensors[id(tensor)] = weakref.ref(tensor), weakref.ref(array)

    def array(self, array: Array) -> None:
        """Note an array's values; those within lists and tuples too."""
        if isinstance(array, (list, tuple)):
            for part in array:
                self.array(part)
        elif isinstance(array, np.ndarray):
            key = _start(array), array.shape, array.strides, array.dtype
            found = self._seen.get(key)
            if found is None or found.root() is None:
                self._seen[key] = _Seen(array)

    def shared(self, array: Array) -> None:
        """Note that a tensor has this memory."""
        self._shared[id(array)] = weakref.ref(array)

    def shares(self, array: Array) -> bool:
        """Whether a tensor got this memory, so that a graph sees what is written there."""
        found = self._shared.get(id(array))
        return found is not None and found() is array

    def rows(self) -> list[tuple[Any, Any, Any]]:
        """What has to be so for the same code to see the same: rows of (holder, key, value), as `Guards` takes them."""
        tensors = [(tensor(), None, array()) for tensor, array in self._tensors.values()]
        arrays = [(seen.again(), None, seen.copy) for seen in self._seen.values()]
        return [row for row in (*tensors, *arrays) if row[0] is not None and row[2] is not None]


class _Seen:
    """Memory that was read, and what was in it. Does not keep what owns the memory."""

    def __init__(self, array: Array) -> None:
        self._shape, self._strides, self._dtype = array.shape, array.strides, array.dtype
        self.copy = np.array(array, order="C")
        root = array
        while isinstance(root.base, np.ndarray):
            root = root.base
        self._skip = _start(array) - _start(root)
        self.root = weakref.ref(root)

    def again(self) -> Array | None:
        """The memory, if it is there still."""
        root = self.root()
        if root is None or (root.shape, root.strides, root.dtype) == (self._shape, self._strides, self._dtype):
            return root
        flat = root.ravel(order="K")
        if not np.may_share_memory(flat, root) or self._dtype.hasobject:
            return None
        view: Array = np.ndarray(self._shape, self._dtype, flat.view(np.uint8), self._skip, self._strides)
        return view


def _start(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
