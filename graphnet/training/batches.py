"""Batches from what users have: loaders, data sets, pairs of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from graphnet.errors import ArgumentError, ArgumentTypeError, kind_of
from graphnet.keys import Generator
from graphnet.nn import Module
from graphnet.tensor import Tensor, check_tensor
from graphnet.utils.data import DataLoader, Dataset, TensorDataset

__all__ = ["batches_of", "generators_of", "inputs_of", "rows_of"]


def batches_of(what: str, net: Module, data: Any, batch_size: int | None, shuffle: bool) -> Any:
    """Something that gives batches in every pass.

    Args:
        what: what errors begin with.
        net: whose float type arrays are brought to.
        data: a loader or another iterable of batches; a data set; or a tuple of tensors or arrays, inputs first and
            the target last.
        batch_size: of batches made here; 32 by default.
        shuffle: whether batches made here come in random order.
    """
    if isinstance(data, (tuple, list)) and data and all(isinstance(part, (Tensor, np.ndarray)) for part in data):
        if len(data) < 2:
            raise ArgumentError(f"{what}: expects inputs and a target, got {len(data)} array")
        arrays, _ = net._take_arrays(tuple(data), {})
        data = TensorDataset(*arrays)
    if isinstance(data, Dataset):
        return DataLoader(data, 32 if batch_size is None else batch_size, shuffle=shuffle)
    if isinstance(data, (Tensor, np.ndarray, str, Mapping)) or not isinstance(data, Iterable):
        raise ArgumentTypeError(
            f"{what}: expects a loader, a data set or a tuple (inputs, targets), got {kind_of(data)}"
        )
    if isinstance(data, Iterator):
        raise ArgumentTypeError(f"{what}: an iterator ends after one pass; pass a DataLoader or a list of batches")
    return data


def inputs_of(what: str, net: Module, batch: Any) -> tuple[Any, ...]:
    """The tensors of a batch: inputs, then the target."""
    if not isinstance(batch, (tuple, list)) or len(batch) < 2:
        raise ArgumentTypeError(
            f"{what}: a batch is a tuple or list with inputs first and the target last, got {kind_of(batch)}"
            + (f" of {len(batch)}" if isinstance(batch, (tuple, list)) else "")
        )
    if all(isinstance(part, Tensor) for part in batch):
        return tuple(batch)
    batch, _ = net._take_arrays(tuple(batch), {})
    return tuple(check_tensor(what, part) for part in batch)


def rows_of(inputs: tuple[Any, ...]) -> int:
    """How many samples a batch has."""
    shape = inputs[0]._values().shape
    return int(shape[0]) if shape else 1


def generators_of(data: Any) -> list[Generator]:
    """The generators of its own that a loader draws from."""
    by = getattr(data, "batch_sampler", None)
    parts = (data, getattr(data, "sampler", None), by, getattr(by, "sampler", None))
    found = [getattr(part, "generator", None) for part in parts]
    return list({id(g): g for g in found if isinstance(g, Generator)}.values())
