"""Memory planning: where in one arena each buffer lies, reused once nothing reads it any more."""

from __future__ import annotations

import heapq
from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["ALIGNMENT", "Buffer", "Plan", "plan"]

ALIGNMENT = 64  # bytes: a cache line, and the widest vector


class Buffer(NamedTuple):
    """Bytes that are written at step `first` and read for the last time at step `last`."""

    size: int
    first: int
    last: int


class Plan(NamedTuple):
    """An offset for each buffer, the arena's size, and what separate buffers would take."""

    offsets: tuple[int, ...]
    size: int
    unplanned: int


class _Arena:
    """Best fit with splitting and merging: memory that grows where no free block is large enough."""

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []  # (size, offset), sorted
        self._starts: dict[int, int] = {}  # offset -> size of free blocks
        self._ends: dict[int, int] = {}  # offset behind the block -> size

    def take(self, size: int) -> int:
        """The offset of a block of that size."""
        at = bisect_left(self._free, (size, 0))
        if at < len(self._free):
            have, offset = self._free[at]
            self._forget(have, offset)
            if have > size:
                self._keep(have - size, offset + size)
            return offset
        last = self._ends.get(self.size, 0)  # a free block at the end grows
        if last:
            self._forget(last, self.size - last)
        offset = self.size - last
        self.size = offset + size
        return offset

    def give_back(self, size: int, offset: int) -> None:
        """Free a block."""
        before, after = self._ends.get(offset, 0), self._starts.get(offset + size, 0)
        if before:
            self._forget(before, offset - before)
        if after:
            self._forget(after, offset + size)
        self._keep(before + size + after, offset - before)

    def _keep(self, size: int, offset: int) -> None:
        insort(self._free, (size, offset))
        self._starts[offset] = self._ends[offset + size] = size

    def _forget(self, size: int, offset: int) -> None:
        del self._free[bisect_left(self._free, (size, offset))]
        del self._starts[offset], self._ends[offset + size]


def plan(buffers: Sequence[Buffer]) -> Plan:
    """Give buffers that live at the same time places that do not overlap.

    They are placed in order of their first use, in time n log n. Placing the largest first packs a few percent
    tighter and took 28 s for 20,000 nodes.

    Example:
        >>> plan([Buffer(64, 0, 1), Buffer(64, 1, 2), Buffer(64, 2, 3)])
        Plan(offsets=(0, 64, 0), size=128, unplanned=192)
    """
    sizes = [-(-b.size // ALIGNMENT) * ALIGNMENT for b in buffers]
    offsets = [0] * len(buffers)
    arena, alive = _Arena(), list[tuple[int, int]]()  # the latter by last use
    for index in sorted(range(len(buffers)), key=lambda i: buffers[i].first):
        while alive and alive[0][0] < buffers[index].first:
            done = heapq.heappop(alive)[1]
            arena.give_back(sizes[done], offsets[done])
        if sizes[index]:
            offsets[index] = arena.take(sizes[index])
            heapq.heappush(alive, (buffers[index].last, index))
    return Plan(tuple(offsets), arena.size, sum(sizes))
