"""Random numbers. Every draw has a key of its own, taken when the draw is asked for.

A layer takes the keys of its parameters when it is made, so its values depend on the seed and on the
order in which layers are made, not on when lazy sizes become known. Sampling is NumPy's (Philox4x64).
"""

from __future__ import annotations

import os
import threading
from typing import Any, TypeAlias

import numpy as np

from graphnet.dtypes import DType
from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.whole import whole

__all__ = ["Key", "initial_seed", "manual_seed", "next_key", "normal_array", "uniform_array"]

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


def generator(key: Key) -> np.random.Generator:
    """The generator of a draw."""
    return np.random.Generator(np.random.Philox(key=np.array(key, np.uint64)))


def uniform_array(key: Key, shape: tuple[Any, ...], dtype: DType, low: float = 0.0, high: float = 1.0) -> Any:
    """Uniform samples on [low, high)."""
    _check_floating(dtype)
    values = generator(key).random(shape, dtype.dtype)  # type: ignore[arg-type]
    if (low, high) != (0.0, 1.0):
        values *= dtype.dtype.type(high - low)
        values += dtype.dtype.type(low)
    return values


def normal_array(key: Key, shape: tuple[Any, ...], dtype: DType, mean: float = 0.0, std: float = 1.0) -> Any:
    """Samples of the normal distribution."""
    _check_floating(dtype)
    if std < 0:
        raise ArgumentError(f"normal: the standard deviation is not negative, got {std}")
    values = generator(key).standard_normal(shape, dtype.dtype)  # type: ignore[arg-type]
    if (mean, std) != (0.0, 1.0):
        values *= dtype.dtype.type(std)
        values += dtype.dtype.type(mean)
    return values


def _check_floating(dtype: DType) -> None:
    if not dtype.is_floating_point:
        raise ArgumentTypeError(f"random samples are floating-point, not {dtype.name}")
