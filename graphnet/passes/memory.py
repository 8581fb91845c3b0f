"""Memory planning: where in one arena each buffer lies, reused once nothing reads it any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Buffer", "Plan", "plan"]

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


def plan(buffers: Sequence[Buffer]) -> Plan:
    """Give buffers that live at the same time places that do not overlap, each the lowest that fits.

    Larger buffers are placed first, as in Pisarchyk & Lee 2020 (arXiv:2001.03288), "greedy by size".

    Example:
        >>> plan([Buffer(64, 0, 1), Buffer(64, 1, 2), Buffer(64, 2, 3)])
        Plan(offsets=(0, 64, 0), size=128, unplanned=192)
    """
    sizes = [-(-b.size // ALIGNMENT) * ALIGNMENT for b in buffers]
    offsets = [0] * len(buffers)
    placed: list[int] = []  # in order of offset
    for index in sorted(range(len(buffers)), key=lambda i: -sizes[i]):
        buffer, at = buffers[index], 0
        for other in placed:
            if buffers[other].last < buffer.first or buffer.last < buffers[other].first:
                continue
            if offsets[other] - at >= sizes[index]:
                break
            at = max(at, offsets[other] + sizes[other])
        offsets[index] = at
        where = next((p for p, other in enumerate(placed) if offsets[other] > at), len(placed))
        placed.insert(where, index)
    total = max((offsets[i] + sizes[i] for i in range(len(buffers))), default=0)
    return Plan(tuple(offsets), total, sum(sizes))
