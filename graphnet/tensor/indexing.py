"""Indexing: what stands in the brackets, as ops.

Integers, slices, None and ... are one `slice`; integer and bool tensors, arrays and lists are then one `take` at all of
them together: they broadcast, and stand for the axes that they index. As in PyTorch, the new axes come where the
indexed ones were if these are next to each other, else first, and integers are taken before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.dtypes import bool_, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, IndexOutOfRangeError, ShapeError
from graphnet.ir import Shape, Unifier, render_shape
from graphnet.ops.shaping import sliced_shape
from graphnet.ops.table import broadcast
from graphnet.tensor.core import Base, View, apply, check_tensor, make
from graphnet.tensor.creation import tensor as from_lists
from graphnet.tensor.inplace import write
from graphnet.whole import whole

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["get", "put"]

_WHOLE = (None, None, None)
Basic = tuple[Any, ...]  # an entry for every axis and new axis: int, None, or (start, stop, step)
Picked = list[tuple[int, Any]]  # axes of what the basic part gives, ascending, and their index tensors


def get(tensor: Any, index: Any) -> Tensor:
    """What `tensor[index]` gives: a view for integers, slices, None and ...; a copy for tensors, arrays and lists."""
    shape = tuple(tensor._type().shape)
    if (
        isinstance(index, Base)
        and index._dtype is int64
        and shape
        and (index._tracer is not None or index._type().shape)
    ):
        return apply("take", tensor, index)  # as below, for the most common of such indices
    basic, picked = _parsed(index, shape)
    if not picked:
        return apply("slice", tensor, index=basic)
    if any(entry != _WHOLE for entry in basic):
        tensor = apply("slice", tensor, index=basic)
    order, back, _ = _order(picked, tuple(tensor._type().shape))
    if order is not None:
        tensor = apply("permute", tensor, axes=order)
    result = apply("take", tensor, *(i for _, i in picked))
    return result if back is None else apply("permute", result, axes=back)


def put(tensor: Any, index: Any, value: Any) -> None:
    """Do `tensor[index] = value`, in the memory that the tensor has.

    The value broadcasts to the part that is indexed. Where an index occurs twice, the last value stays.
    """
    new = check_tensor("assignment", value)
    shape = tuple(tensor._type().shape)
    basic, picked = _parsed(index, shape)
    window = sliced_shape(tuple(slice(*e) if isinstance(e, tuple) else e for e in basic), shape)
    order, back, wanted = _order(picked, window) if picked else (None, None, window)
    have = tuple(new._type().shape)
    lead = len(have) - len(wanted)
    if lead > 0 and have[:lead] == (1,) * lead:
        new, have = apply("reshape", new, shape=have[lead:]), have[lead:]
    _check_broadcasts(have, wanted)
    part: View = (("slice", {"index": basic}),)
    if picked:
        if have != wanted:
            new = apply("expand", new, shape=wanted)
        if back is not None:
            new = apply("permute", new, axes=tuple(int(a) for a in np.argsort(back)))
        if order is not None:
            part = (*part, ("permute", {"axes": order}))
        if new._dtype is not tensor._dtype:
            new = apply("cast", new, dtype=tensor._dtype)
    write(tensor, part, new, [i for _, i in picked])


def _check_broadcasts(shape: Shape, target: Shape) -> None:
    pairs = list(zip(reversed(shape), reversed(target)))
    unfit = [a for a, b in pairs if isinstance(a, int) and isinstance(b, int) and a not in (1, b)]
    if len(shape) > len(target) or unfit:
        raise ShapeError(
            f"assignment: a value of shape {render_shape(shape)} does not broadcast to {render_shape(target)}, "
            "the shape of the indexed part",
            expected=target,
            got=shape,
        )


def _order(picked: Picked, shape: Shape) -> tuple[Any, Any, Shape]:
    """The axes with the indexed ones first; the order that brings the result's in place; the result's shape.

    None stands for an order that changes nothing.
    """
    axes = [axis for axis, _ in picked]
    rest = [axis for axis in range(len(shape)) if axis not in axes]
    order: tuple[int, ...] | None = (*axes, *rest)
    if order == tuple(range(len(shape))):
        order = None
    found = broadcast(Unifier(), {}, *(tuple(i._type().shape) for _, i in picked))
    before = axes[0] if axes[-1] - axes[0] == len(axes) - 1 else 0
    lead = len(found)
    back = (*range(lead, lead + before), *range(lead), *range(lead + before, lead + len(rest)))
    sizes = [shape[axis] for axis in rest]
    return order, back if before and lead else None, (*sizes[:before], *found, *sizes[before:])


def _parsed(index: Any, shape: Shape) -> tuple[Basic, Picked]:
    """The basic part of an index, and what picks from that."""
    entries = [_entry(e) for e in index] if isinstance(index, tuple) else [_entry(index)]
    taken = sum(_consumes(e) for e in entries)
    if taken > len(shape):
        raise IndexOutOfRangeError(f"{taken} indices for a tensor with {len(shape)} axes, shape {render_shape(shape)}")
    dots = [i for i, e in enumerate(entries) if e is Ellipsis]
    if len(dots) > 1:
        raise IndexOutOfRangeError("only one ... fits into an index")
    at = dots[0] if dots else len(entries)
    entries[at : at + 1] = [slice(None)] * (len(shape) - taken)
    basic: list[Any] = []
    picked: Picked = []
    axis = kept = 0  # of the tensor, of what the basic part gives
    for entry in entries:
        if isinstance(entry, slice):
            basic.append(_slice(entry))
        elif entry is None:
            basic.append(None)
        elif isinstance(entry, bool):  # a new axis with all or nothing
            basic.append(None)
            picked.append((kept, make(np.arange(int(entry)), int64)))
        elif isinstance(entry, Base):
            indices = _indices(entry, shape, axis)
            basic.extend([_WHOLE] * len(indices))
            picked.extend((kept + i, index) for i, index in enumerate(indices))
            axis, kept = axis + len(indices), kept + len(indices)
            continue
        else:
            basic.append(_position(entry, shape[axis], axis))
            axis += 1
            continue
        axis, kept = axis + isinstance(entry, slice), kept + 1
    return tuple(basic), picked


def _entry(entry: Any) -> Any:
    """One entry as None, ..., slice, int, bool or a tensor with axes."""
    if entry is None or entry is Ellipsis or isinstance(entry, (int, slice)):
        return entry
    if isinstance(entry, (list, tuple, range)):
        entry = from_lists(list(entry)) if len(entry) else make(np.zeros(0, np.int64), int64)
    elif isinstance(entry, np.ndarray):
        entry = check_tensor("index", entry)
    elif isinstance(entry, np.bool_):
        return bool(entry)
    if not isinstance(entry, Base):
        return _whole(entry)
    if entry._dtype.is_floating_point:
        raise ArgumentTypeError(f"tensors used as indices are integer or bool, got {entry._dtype.name}")
    if entry._tracer is None and not entry._type().shape:
        return entry._looked_at().item()
    return entry


def _consumes(entry: Any) -> int:
    """How many axes an entry stands for."""
    if entry is None or entry is Ellipsis or isinstance(entry, bool):
        return 0
    return len(entry._type().shape) if isinstance(entry, Base) and entry._dtype is bool_ else 1


def _indices(entry: Any, shape: Shape, axis: int) -> list[Any]:
    """An index tensor as int64; a bool one as the places of what is true, for each of its axes."""
    if entry._dtype is not bool_:
        return [entry if entry._dtype is int64 else apply("cast", entry, dtype=int64)]
    values = entry._looked_at()
    fits = all(not isinstance(b, int) or a == b for a, b in zip(values.shape, shape[axis:]))
    if not fits:
        raise ShapeError(
            f"a bool index of shape {render_shape(values.shape)} does not fit a tensor of shape {render_shape(shape)}"
            + (f" at axis {axis}" if axis else ""),
            expected=shape[axis : axis + values.ndim],
            got=values.shape,
        )
    return [make(np.ascontiguousarray(places), int64) for places in np.nonzero(values)]


def _slice(entry: slice) -> tuple[int | None, ...]:
    parts = tuple(None if p is None else _whole(p) for p in (entry.start, entry.stop, entry.step))
    if parts[2] is not None and parts[2] <= 0:
        raise ArgumentError(f"a slice's step is positive, got {parts[2]}")
    return parts


def _position(entry: Any, size: Any, axis: int) -> int:
    if isinstance(size, int) and not -size <= entry < size:
        raise IndexOutOfRangeError(f"index {entry} is out of range for axis {axis} with size {size}")
    return int(entry)


def _whole(value: Any) -> int:
    return whole(
        "an index, where it is not a slice, None, ..., or a tensor, array or list of integers or bools,", value
    )
