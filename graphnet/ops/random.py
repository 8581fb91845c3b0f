"""Rows of random numbers.

The results of `random_key` and `random_sample` differ from run to run: a key (seed and number of the draw) is taken
from the global generator, eagerly at once and in a program before every run. Other random ops are functions of a key.
So a graph says where its randomness comes from, and the gradients of one run see that run's numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.dtypes import int64
from graphnet.errors import ShapeError
from graphnet.ir import Shape, Unifier, render_shape
from graphnet.keys import next_key
from graphnet.ops.table import INDEX, Attrs, Op, register
from graphnet.samples import sample

__all__: list[str] = []


def _key(attrs: Attrs) -> Any:
    return np.array(next_key(), np.uint64).view(np.int64)


register(
    Op(
        name="random_key",  # seed and number of a draw, taken anew whenever the graph runs
        shape=lambda unifier, attrs: (2,),
        operands=(),
        reference=lambda: _key({}),
        promote="none",
        result=int64,
        source=_key,
        fresh=True,
        label="random key of each run",
    )
)


def _sampled(unifier: Unifier, attrs: Attrs) -> Shape:
    shape: Shape = attrs["shape"]
    return shape


def _sample(attrs: Attrs) -> Any:
    return sample(next_key(), **attrs)


register(
    Op(
        name="random_sample",  # of a `kind` (`graphnet.samples`) and `shape`, taken anew whenever the graph runs
        shape=_sampled,
        operands=(),
        reference=lambda kind, shape, dtype, low, high: _sample(
            {"kind": kind, "shape": shape, "dtype": dtype, "low": low, "high": high}
        ),
        promote="none",
        result=lambda attrs: attrs["dtype"],
        source=_sample,
        fresh=True,
        label="random numbers of each run",
    )
)


def _masked(unifier: Unifier, attrs: Attrs, key: Shape) -> Shape:
    if len(key) != 1 or not unifier.unify(key[0], 2):
        raise ShapeError(f"expects a key of shape (2,), got {render_shape(key)}", expected=(2,), got=key, operand=0)
    shape: Shape = attrs["shape"]
    return shape


def _mixed(z: Any) -> Any:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _mask_reference(key: Any, shape: Any, p: float, dtype: Any) -> Any:
    """SplitMix64 (Steele, Lea & Flood 2014), started from the key; an element takes 32 bits."""
    seed, draw = np.asarray(key, np.int64).astype(np.uint64).reshape(2, 1)
    size = int(np.prod(shape))
    steps = np.arange(1, size // 2 + 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    words = _mixed(_mixed(seed + _mixed(draw)) + steps)
    bits = np.stack([words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)], -1).reshape(-1)[:size]
    kept = bits >= round(p * 2**32)
    return (kept * (1 / (1 - p) if p < 1 else 0.0)).astype(dtype.dtype).reshape(shape)


register(
    Op(
        name="dropout_mask",  # of `shape`: 0 with probability p, else 1 / (1 - p)
        shape=_masked,
        operands=(INDEX,),
        reference=_mask_reference,
        promote="none",
        result=lambda attrs: attrs["dtype"],
        kernel="dropout_mask",
        label="dropout mask",
        params=lambda attrs, shapes: (float(attrs["p"]),),
    )
)
