"""Indexing: what stands in the brackets, as ops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.dtypes import bool_, int64
from graphnet.errors import ArgumentTypeError, GradientError, IndexOutOfRangeError, ShapeError
from graphnet.ir import render_shape
from graphnet.program import run_kernel
from graphnet.tensor.autograd import duplicate
from graphnet.tensor.core import Base, apply, as_array, check_tensor
from graphnet.tensor.state import state
from graphnet.whole import whole

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["get", "put"]


def get(tensor: Any, index: Any) -> Tensor:
    """What `tensor[index]` gives."""
    rows = _row_index(index)
    if rows is not None:
        return _take(tensor, rows)
    basic = _basic(index, tuple(tensor._type().shape))
    return apply("slice", tensor, index=basic)


def put(tensor: Any, index: Any, value: Any) -> None:
    """Do `tensor[index] = value`, in the memory that the tensor has."""
    new = check_tensor("assignment", value)
    target = tensor._writable(new._requires_grad)
    if state.grad and (tensor._requires_grad or new._requires_grad):
        raise GradientError(
            "assigning to elements is not differentiable here; build the tensor with graphnet.where(mask, a, b) or "
            "graphnet.cat(...), or assign under no_grad()"
        )
    source = as_array(new, tensor._dtype)
    if np.may_share_memory(source, target):
        source = duplicate(source)  # x[1:] = x[:-1] reads what x held before
    rows = _row_index(index)
    if rows is not None:
        _put_rows(target, rows, source)
    else:
        basic = _basic(index, target.shape)
        whole = (*(slice(*e) if isinstance(e, tuple) else e for e in basic), ...)
        window = target[whole]
        lead = source.ndim - window.ndim
        if lead > 0 and source.shape[:lead] == (1,) * lead:
            source = source.reshape(source.shape[lead:])
        _check_broadcasts(source.shape, window.shape)
        run_kernel("copy", (source,), (window,))
    tensor._memory.version += 1


def _put_rows(target: Any, rows: Tensor, source: Any) -> None:
    positions = _positions(rows, target.shape)
    mask = rows._dtype is bool_
    if not target.ndim:
        raise IndexOutOfRangeError("a 0-d tensor has no rows to assign to")
    size = target.shape[0] if not mask or rows.ndim == 1 else rows.numel()
    if positions.size and not (-size <= positions.min() and positions.max() < size):
        raise IndexOutOfRangeError(f"an index from {positions.min()} to {positions.max()} leaves axis 0 of size {size}")
    lead = rows.ndim if mask else 1
    shape = (*positions.shape, *target.shape[lead:])
    _check_broadcasts(source.shape, shape)
    target[rows._values() if mask else positions] = source


def _positions(rows: Tensor, shape: tuple[Any, ...]) -> Any:
    """An integer index as it is, a bool one as the positions of what is true."""
    values = rows._values()
    if rows._dtype is not bool_:
        if rows._dtype.is_floating_point:
            raise ArgumentTypeError(f"tensors used as indices are integer or bool, got {rows._dtype.name}")
        return values
    if values.shape != shape[: values.ndim]:
        raise ShapeError(
            f"a bool index of shape {render_shape(values.shape)} does not fit a tensor of shape {render_shape(shape)}",
            expected=shape[: values.ndim],
            got=values.shape,
        )
    return np.flatnonzero(values)


def _check_broadcasts(shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    try:
        fits = len(shape) <= len(target) and np.broadcast_shapes(shape, target) == target
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"assignment: a value of shape {render_shape(shape)} does not broadcast to {render_shape(target)}, "
            "the shape of the indexed part",
            expected=target,
            got=shape,
        )


def _row_index(index: Any) -> Any:
    """An integer or bool tensor, array or list as the only index, as a tensor; None for other indices."""
    if isinstance(index, list):
        index = np.asarray(index, np.int64 if not index else None)
    if isinstance(index, (np.ndarray, Base)):
        index = check_tensor("index", index)
        return index if index._tracer is not None or index.ndim or index._dtype is bool_ else None
    return None


def _take(tensor: Any, index: Any) -> Tensor:
    shape = tuple(tensor._type().shape)
    if index._dtype is not int64:
        if index._dtype is bool_ and index.ndim != 1:
            tensor = apply("reshape", tensor, shape=(index.numel(), *shape[index.ndim :]))
        index = check_tensor("index", _positions(index, shape).astype(np.int64))
    return apply("take", tensor, index)


def _basic(index: Any, shape: tuple[Any, ...]) -> tuple[Any, ...]:
    """An entry for every axis and new axis: int, None, or (start, stop, step)."""
    entries = list(index) if isinstance(index, tuple) else [index]
    taken = sum(1 for e in entries if e is not None and e is not Ellipsis)
    if taken > len(shape):
        raise IndexOutOfRangeError(f"{taken} indices for a tensor with {len(shape)} axes, shape {render_shape(shape)}")
    dots = [i for i, e in enumerate(entries) if e is Ellipsis]
    if len(dots) > 1:
        raise IndexOutOfRangeError("only one ... fits into an index")
    at = dots[0] if dots else len(entries)
    entries[at : at + 1] = [slice(None)] * (len(shape) - taken)
    result: list[Any] = []
    axis = 0
    for entry in entries:
        if entry is None:
            result.append(None)
            continue
        size = shape[axis]
        if isinstance(entry, slice):
            result.append(_slice(entry))
        else:
            result.append(_position(entry, size, axis))
        axis += 1
    return tuple(result)


def _slice(entry: slice) -> tuple[int | None, ...]:
    parts = tuple(None if p is None else _whole(p) for p in (entry.start, entry.stop, entry.step))
    if parts[2] is not None and parts[2] <= 0:
        raise ArgumentTypeError(f"a slice's step is positive, got {parts[2]}")
    return parts


def _position(entry: Any, size: Any, axis: int) -> int:
    position = _whole(entry)
    if isinstance(size, int) and not -size <= position < size:
        raise IndexOutOfRangeError(f"index {position} is out of range for axis {axis} with size {size}")
    return position


def _whole(value: Any) -> int:
    return whole("an index, where it is not a slice, None, ... or one integer or bool tensor,", value)
