"""The seed, and the keys that draws of random numbers take from it.

Every draw has a key of its own, taken when the draw is asked for, so values depend on the seed and on the order of
the draws, not on when they are computed.
"""

from __future__ import annotations

import os
import threading
from typing import Any, TypeAlias

from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.whole import whole

__all__ = [
    "Generator",
    "Key",
    "default_generator",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "next_key",
    "set_rng_state",
]

Key: TypeAlias = "tuple[int, int]"  # seed and number of the draw


class Generator:
    """A source of random numbers with a seed of its own, as torch.Generator: for shuffling and splitting data.

    Args:
        device: "cpu".

    Example:
        >>> import graphnet as gn
        >>> generator = gn.Generator().manual_seed(1)
        >>> parts = gn.utils.data.random_split(range(4), [2, 2], generator)
        >>> sorted([*parts[0], *parts[1]])
        [0, 1, 2, 3]
    """

    def __init__(self, device: Any = "cpu") -> None:
        if not str(device).startswith("cpu"):
            raise ArgumentError(f"Generator: random numbers are drawn on the CPU, got device {device!r}")
        self._lock = threading.Lock()
        self._drawn = 0
        self._seed = int.from_bytes(os.urandom(8), "little")

    def manual_seed(self, seed: int) -> Generator:
        """Start again from a seed (any whole number of 64 bits); gives the generator.

        Raises:
            ArgumentTypeError, ArgumentError: not a whole number, or too large.
        """
        seed = whole("manual_seed: a seed", seed)
        if not -(2**63) <= seed < 2**64:
            raise ArgumentError(f"manual_seed: {seed} does not fit into 64 bits")
        self.set_state((seed % 2**64, 0))
        return self

    def seed(self) -> int:
        """Start again from a seed of the operating system's, which is given."""
        self.set_state((int.from_bytes(os.urandom(8), "little"), 0))
        return self._seed

    def initial_seed(self) -> int:
        """The seed in use.

        Example:
            >>> import graphnet as gn
            >>> gn.manual_seed(7)
            >>> gn.initial_seed()
            7
        """
        return self._seed

    def get_state(self) -> Key:
        """The seed and how many draws were made from it."""
        with self._lock:
            return self._seed, self._drawn

    def set_state(self, new_state: Key) -> None:
        """Go on from where `get_state` was asked."""
        if not isinstance(new_state, (tuple, list)) or len(new_state) != 2:
            raise ArgumentTypeError(f"set_state: expects what get_state gave, got {new_state!r:.60}")
        seed, drawn = (whole("set_state: a seed or count", part) for part in new_state)
        with self._lock:
            self._seed, self._drawn = seed, drawn

    def next_key(self) -> Key:
        """The key of the next draw."""
        with self._lock:
            self._drawn += 1
            return self._seed, self._drawn

    def __getstate__(self) -> Key:
        return self.get_state()

    def __setstate__(self, state: Key) -> None:
        self._lock = threading.Lock()
        self.set_state(state)

    def __repr__(self) -> str:
        return f"Generator(seed={self._seed}, drawn={self._drawn})"


default_generator = Generator()  # what everything draws from that is not given another


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
    default_generator.manual_seed(seed)


def initial_seed() -> int:
    """The seed in use.

    Example:
        >>> import graphnet as gn
        >>> gn.manual_seed(7)
        >>> gn.initial_seed()
        7
    """
    return default_generator.initial_seed()


next_key = default_generator.next_key


def get_rng_state() -> Key:
    """Where the random numbers are: the seed and how many draws were made from it.

    Example:
        >>> import graphnet as gn
        >>> gn.manual_seed(7)
        >>> gn.get_rng_state()
        (7, 0)
    """
    return default_generator.get_state()


def set_rng_state(new_state: Key) -> None:
    """Go on with the random numbers from where `get_rng_state` was asked.

    Example:
        >>> import graphnet as gn
        >>> state = gn.get_rng_state()
        >>> a = gn.rand(3)
        >>> gn.set_rng_state(state)
        >>> bool((a == gn.rand(3)).all())
        True
    """
    default_generator.set_state(new_state)
