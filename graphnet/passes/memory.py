"""Memory planning: where in one arena each buffer lies, reused once nothing reads it any more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphnet import _core

__all__ = ["ALIGNMENT", "Buffer", "Plan", "plan"]

ALIGNMENT = _core.ALIGNMENT  # bytes: a cache line, and the widest vector


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
    """Give buffers that live at the same time places that do not overlap.

    They are placed in order of their first use, in time n log n.

    Example:
        >>> plan([Buffer(64, 0, 1), Buffer(64, 1, 2), Buffer(64, 2, 3)])
        Plan(offsets=(0, 64, 0), size=128, unplanned=192)
    """
    return Plan(*_core.plan_arena(buffers))
