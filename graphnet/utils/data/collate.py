"""Samples put together into a batch."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from graphnet.dtypes import float64
from graphnet.errors import ArgumentError, ArgumentTypeError, ShapeError, kind_of
from graphnet.tensor.core import check_tensor
from graphnet.tensor.creation import tensor
from graphnet.tensor.functions import stack
from graphnet.tensor.tensor import Tensor

__all__ = ["default_collate", "default_convert"]


def default_collate(batch: Sequence[Any]) -> Any:
    """A batch from a list of samples, as torch.utils.data.default_collate.

    Tensors, arrays and numbers get a first axis for the samples (floats are float64 then, ints int64); strings stay a
    list; dicts, lists and tuples of these are put together entry by entry.

    Raises:
        ArgumentTypeError: samples of another type. ShapeError, ArgumentError: samples of unequal shapes or lengths.

    Example:
        >>> from graphnet.utils.data import default_collate
        >>> default_collate([{"x": 1, "name": "a"}, {"x": 2, "name": "b"}])
        {'x': tensor([1, 2]), 'name': ['a', 'b']}
    """
    if not len(batch):
        raise ArgumentError("default_collate: a batch has at least one sample")
    first = batch[0]
    if isinstance(first, (Tensor, np.ndarray)):
        return _stacked([check_tensor("default_collate", sample) for sample in batch])
    if isinstance(first, (np.generic, bool, int)) and not isinstance(first, (str, bytes)):
        return tensor(np.asarray(batch)) if isinstance(first, np.generic) else tensor(list(batch))
    if isinstance(first, float):
        return tensor(list(batch), dtype=float64)
    if isinstance(first, (str, bytes)):
        return batch
    if isinstance(first, Mapping):
        entries = {key: default_collate([sample[key] for sample in batch]) for key in first}
        return _like(first, entries)
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in batch):
            lengths = sorted({len(sample) for sample in batch})
            raise ArgumentError(f"default_collate: samples of a batch have one length, got lengths {lengths}")
        parts = [default_collate(part) for part in zip(*batch)]
        if isinstance(first, tuple):
            return type(first)(*parts) if hasattr(first, "_fields") else parts
        return _like(first, parts)
    raise ArgumentTypeError(
        "default_collate: samples are tensors, NumPy arrays, numbers, strings, dicts, lists or tuples, "
        f"got {kind_of(first)}; pass a collate_fn of your own for others"
    )


def default_convert(data: Any) -> Any:
    """A sample with its arrays as tensors: what a loader without batches gives.

    Example:
        >>> import numpy as np
        >>> from graphnet.utils.data import default_convert
        >>> default_convert({"x": np.arange(2), "name": "a"})
        {'x': tensor([0, 1]), 'name': 'a'}
    """
    if isinstance(data, (np.ndarray, np.generic)) and data.dtype.kind in "biuf":
        return check_tensor("default_convert", data)
    if isinstance(data, Mapping):
        return _like(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple):
        parts = [default_convert(part) for part in data]
        return type(data)(*parts) if hasattr(data, "_fields") else parts
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _like(data, [default_convert(part) for part in data])
    return data


def _stacked(samples: list[Tensor]) -> Tensor:
    shapes = {tuple(sample.shape) for sample in samples}
    if len(shapes) > 1:
        raise ShapeError(
            "default_collate: samples of a batch have one shape, got " + ", ".join(map(str, sorted(shapes))),
            expected="one shape",
            got=shapes,
        )
    result: Tensor = stack(samples)
    return result


def _like(first: Any, entries: Any) -> Any:
    """Entries in a container of the same type, with what else it holds."""
    try:
        if isinstance(first, MutableMapping):
            clone = copy.copy(first)
            clone.update(entries)
            return clone
        if isinstance(first, MutableSequence):
            sequence = copy.copy(first)
            for number, entry in enumerate(entries):
                sequence[number] = entry
            return sequence
        return type(first)(entries)
    except TypeError:
        return entries
