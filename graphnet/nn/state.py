"""Loading a state dict: everything is checked before anything is written."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphnet.errors import GraphnetError, GraphnetWarning, ShapeError, StateDictError
from graphnet.ir import render_shape
from graphnet.nn.parameter import StateTensor
from graphnet.places import stack_depth
from graphnet.tensor.core import check_tensor
from graphnet.tensor.tensor import Tensor

__all__ = ["LoadResult", "load_into"]


class LoadResult(tuple[list[str], list[str]]):
    """What `load_state_dict` found: `missing_keys` and `unexpected_keys`."""

    __slots__ = ()

    @property
    def missing_keys(self) -> list[str]:
        """Keys that the module has and the state dict lacks."""
        return self[0]

    @property
    def unexpected_keys(self) -> list[str]:
        """Keys that the state dict has and the module lacks."""
        return self[1]

    def __repr__(self) -> str:
        if not self[0] and not self[1]:
            return "<All keys matched successfully>"
        return f"LoadResult(missing_keys={self[0]}, unexpected_keys={self[1]})"


def load_into(
    name: str, own: Mapping[str, Any], state_dict: Mapping[str, Any], strict: bool, assign: bool = False
) -> LoadResult:
    """Copy values into parameters and buffers, in place; lazy ones learn their sizes.

    Args:
        name: what errors call the module.
        own: the module's parameters and buffers by key.
        state_dict: the values by key.
        strict: whether missing and unexpected keys are errors.
        assign: take over the values' memory and dtype.
    """
    missing = [key for key in own if key not in state_dict]
    unexpected = [key for key in state_dict if key not in own]
    problems = []
    if strict and missing:
        problems.append(f"missing keys: {', '.join(map(repr, missing))}")
    if strict and unexpected:
        problems.append(f"unexpected keys: {', '.join(map(repr, unexpected))}")
    loaded: list[tuple[Any, Tensor]] = []
    tied: dict[int, tuple[str, Any]] = {}
    for key, target in own.items():
        if key not in state_dict:
            continue
        try:
            value = check_tensor(repr(key), state_dict[key]).detach()
            values = None if isinstance(target, StateTensor) and target.is_lazy else target._values()
            shape = tuple(value.shape)
            _check_fits(target, shape, values)
        except GraphnetError as error:
            problems.append(str(error) if repr(key) in str(error) else f"{key!r}: {error}")
            continue
        before = tied.setdefault(id(target), (key, value))
        if before[1] is not value and not _same(before[1], value):
            warnings.warn(
                f"load_state_dict: {before[0]!r} and {key!r} are one tied parameter, but their values differ; "
                f"those of {key!r} are kept",
                GraphnetWarning,
                stacklevel=stack_depth(),
            )
        loaded.append((target, value))
    if problems:
        raise StateDictError(f"load_state_dict for {name}: " + "\n  ".join(["", *problems]).strip())
    for target, value in loaded:
        if isinstance(value._source, StateTensor) and value._source.is_lazy:
            continue  # values that are not known yet cannot be copied; both sides stay lazy
        if isinstance(target, StateTensor):
            target.settle_as(tuple(value.shape))
        if assign:
            target.data = value
        else:
            target.data.copy_(value)
    return LoadResult((missing, unexpected))


def _check_fits(target: Any, shape: tuple[Any, ...], values: Any) -> None:
    have = tuple(target.shape)
    fits = len(have) == len(shape) and all(a == b or not isinstance(a, int) for a, b in zip(have, shape))
    if not fits or (values is not None and values.shape != shape):
        raise ShapeError(f"expects shape {render_shape(have)}, got {render_shape(shape)}", expected=have, got=shape)


def _same(a: Tensor, b: Tensor) -> bool:
    return a._array is not None and b._array is not None and np.array_equal(a._array, b._array, equal_nan=True)
