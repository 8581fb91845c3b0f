"""The seed, and the keys that draws of random numbers take from it.

Every draw has a key of its own, taken when the draw is asked for, so values depend on the seed and on the order of
the draws, not on when they are computed.
"""

from __future__ import annotations

import os
import threading
from typing import TypeAlias

from graphnet.errors import ArgumentError
from graphnet.whole import whole

__all__ = ["Key", "initial_seed", "manual_seed", "next_key"]

Key: TypeAlias = "tuple[int, int]"  # seed and number of the draw


class _Source:
    """The seed and how many draws were made from it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.seed = int.from_bytes(os.urandom(8), "little")
        self.drawn = 0


_source = _Source()


def manual_seed(seed: int) -> None:
    """Start the random numbers again from a seed (any whole number of 64 bits).

    Raises:
        ArgumentTypeError, ArgumentError: not a whole number, or too large.

    Example:
        >>> import graphnet as gn
        >>> gn.manual_seed(1)
        >>> a = gn.rand(3)
        >>> gn.manual_seed(1)
        >>> bool((a == gn.rand(3)).all())
        True
    """
    seed = whole("manual_seed: a seed", seed)
    if not -(2**63) <= seed < 2**64:
        raise ArgumentError(f"manual_seed: {seed} does not fit into 64 bits")
    with _source.lock:
        _source.seed = seed % 2**64
        _source.drawn = 0


def initial_seed() -> int:
    """The seed in use."""
    return _source.seed


def next_key() -> Key:
    """The key of the next draw."""
    with _source.lock:
        _source.drawn += 1
        return _source.seed, _source.drawn
