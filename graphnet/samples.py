"""Random numbers. Every draw has a key of its own, taken when the draw is asked for (`graphnet.keys`).

A layer takes the keys of its parameters when it is made, so its values depend on the seed and on the
order in which layers are made, not on when lazy sizes become known. Sampling is NumPy's (Philox4x64).
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from graphnet.dtypes import DType
from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.keys import Key, initial_seed, manual_seed, next_key

__all__ = [
    "KINDS",
    "Key",
    "generator",
    "initial_seed",
    "manual_seed",
    "next_key",
    "normal_array",
    "sample",
    "uniform_array",
]

KINDS = ("uniform", "normal", "integers", "permutation")


class _Shared(threading.local):
    """A thread's generator, which is given the key of each draw: making one takes ten times as long."""

    def __init__(self) -> None:
        self.bits = np.random.Philox(0)
        self.generator = np.random.Generator(self.bits)


_shared = _Shared()


def generator(key: Key) -> np.random.Generator:
    """The generator of a draw, until this thread asks for the next one."""
    shared = _shared
    state: Any = {  # Python's numbers are taken in faster than arrays
        "bit_generator": "Philox",
        "state": {"counter": (0, 0, 0, 0), "key": key},
        "buffer": (0, 0, 0, 0),
        "buffer_pos": 4,
        "has_uint32": 0,
        "uinteger": 0,
    }
    shared.bits.state = state
    return shared.generator


def uniform_array(
    key: Key, shape: tuple[Any, ...], dtype: DType, low: float = 0.0, high: float = 1.0, out: Any = None
) -> Any:
    """Uniform samples on [low, high), in `out` where that is given: a contiguous array of the shape and type."""
    _check_floating(dtype)
    values = generator(key).random(shape, dtype.dtype, out)  # type: ignore[arg-type]
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


def sample(key: Key, kind: str, shape: tuple[Any, ...], dtype: DType, low: Any = 0, high: Any = 1) -> Any:
    """Samples of one of the KINDS.

    Args:
        key: of the draw.
        kind: "uniform" on [low, high); "normal" with mean `low` and standard deviation `high`; "integers" from low up
            to, not including, high; "permutation" of the numbers from 0 up, of one axis.
        shape, dtype: of the result.
    """
    if kind in ("uniform", "normal"):
        return (uniform_array if kind == "uniform" else normal_array)(key, shape, dtype, low, high)
    source = generator(key)
    values = source.integers(low, high, shape) if kind == "integers" else source.permutation(shape[0])
    return values.astype(dtype.dtype)


def _check_floating(dtype: DType) -> None:
    if not dtype.is_floating_point:
        raise ArgumentTypeError(f"random samples are floating-point, not {dtype.name}")
