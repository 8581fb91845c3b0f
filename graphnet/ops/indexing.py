"""Rows of ops that pick elements by integer indices, and their counterparts that put them back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.dtypes import int64
from graphnet.errors import ShapeError
from graphnet.ir import Dim, Shape, Unifier, product, render_shape
from graphnet.ops import onnx_shaping as rules
from graphnet.ops.table import ANY, INDEX, NUMBER, Attrs, Op, Site, broadcast, check_axis, register

__all__ = ["set_at_shape"]


def _taken(unifier: Unifier, attrs: Attrs, x: Shape, *indices: Shape) -> Shape:
    if len(indices) > len(x):
        raise ShapeError(f"{len(indices)} indices for a tensor of shape {render_shape(x)}", got=x, operand=0)
    return (*broadcast(unifier, attrs, *indices), *x[len(indices) :])


def _put(unifier: Unifier, attrs: Attrs, values: Shape, *indices: Shape) -> Shape:
    shape: Shape = attrs["shape"]
    wanted = _taken(unifier, attrs, shape, *indices)
    if len(values) != len(wanted) or not all(map(unifier.unify, values, wanted)):
        raise ShapeError(
            f"expects values of shape {render_shape(wanted)}, got {render_shape(values)}",
            expected=wanted,
            got=values,
            operand=0,
        )
    return shape


def _index_add_reference(g: Any, *indices: Any, shape: Sequence[int]) -> Any:
    result = np.zeros(shape, g.dtype)
    np.add.at(result, indices, g)
    return result


def _indices(n: Site, first: int = 1) -> list[Any]:
    return [n.x(index) for index in range(first, len(n.shapes))]


register(
    Op(
        name="take",  # x[i, j, ...] for as many leading axes as indices, which broadcast; negative ones count back
        shape=_taken,
        operands=(ANY, INDEX),
        variadic=True,
        reference=lambda x, *indices: x[indices],
        gradients=(lambda n, g: n("index_add", g, *_indices(n), shape=n.shapes[0]), None),
        promote="none",
        saves="1",
        kernel="take",
        flops=0,
        onnx=rules.GATHER,
    )
)

register(
    Op(
        name="index_add",  # zeros of `shape` with the operand added where `take` would read
        shape=_put,
        operands=(NUMBER, INDEX),
        variadic=True,
        reference=_index_add_reference,
        gradients=(lambda n, g: n("take", g, *_indices(n)), None),
        promote="none",
        saves="1",
        kernel="index_add",
        zeroed=True,
        flops=lambda attrs, shapes, shape: product(shapes[0]),
        onnx=rules.INDEX_ADD,
    )
)


def set_at_shape(unifier: Unifier, attrs: Attrs, x: Shape, values: Shape, *indices: Shape) -> Shape:
    """The shape of x with values put where `take` would read."""
    return _put(unifier, {"shape": x}, values, *indices)


def _set_at_reference(x: Any, values: Any, *indices: Any) -> Any:
    result = np.array(x)
    result[indices] = values
    return result


register(
    Op(
        name="set_at",  # x with values where `take` would read; the last one stays where an index repeats
        shape=set_at_shape,
        operands=(ANY, ANY, INDEX),
        variadic=True,
        reference=_set_at_reference,
        gradients=(
            lambda n, g: n("set_at", g, n("expand", 0, shape=n.shapes[1]), *_indices(n, 2)),
            lambda n, g: n("take", g, *_indices(n, 2)),
            None,
        ),
        promote="none",
        saves="2",
        kernel="index_put",
        seeded=True,
        flops=0,
        onnx=rules.SET_AT,
    )
)


def _gathered(unifier: Unifier, attrs: Attrs, x: Shape, index: Shape) -> Shape:
    check_axis(attrs["axis"], x or (1,))
    fits = len(x) == len(index) and all(
        axis == attrs["axis"] or not (isinstance(n, int) and isinstance(m, int)) or n <= m
        for axis, (n, m) in enumerate(zip(index, x))
    )
    if not fits:
        raise ShapeError(
            f"an index of shape {render_shape(index)} is larger than {render_shape(x)} along another axis than "
            f"{attrs['axis']}, or has another number of axes",
            expected=x,
            got=index,
            operand=1,
        )
    return index


def _scattered(unifier: Unifier, attrs: Attrs, values: Shape, index: Shape) -> Shape:
    if len(values) != len(index) or not all(map(unifier.unify, values, index)):
        raise ShapeError(
            f"expects values of the index's shape {render_shape(index)}, got {render_shape(values)}",
            expected=index,
            got=values,
            operand=0,
        )
    _gathered(unifier, attrs, attrs["shape"], index)
    shape: Shape = attrs["shape"]
    return shape


def _gather_reference(x: Any, index: Any, axis: int) -> Any:
    if not x.ndim:
        return np.broadcast_to(x, index.shape).copy()
    inside = tuple(slice(None) if a == axis else slice(n) for a, n in enumerate(index.shape))
    return np.take_along_axis(x[inside], index, axis)


def _scatter_add_reference(values: Any, index: Any, axis: int, shape: Sequence[int]) -> Any:
    result = np.zeros(shape, values.dtype)
    if not values.ndim:
        return result + values
    places = list(np.indices(index.shape, sparse=True))
    places[axis] = index
    np.add.at(result, tuple(places), values)
    return result


register(
    Op(
        name="gather",  # x at the index's own places, but along `axis` where the index says
        shape=_gathered,
        operands=(ANY, INDEX),
        reference=_gather_reference,
        gradients=(
            lambda n, g: n("scatter_add", g, n.x(1), axis=n.attrs["axis"], shape=n.shapes[0]),
            None,
        ),
        promote="none",
        saves="1",
        kernel="gather",
        params=lambda attrs, shapes: (float(attrs["axis"]),),
        flops=0,
        onnx=rules.GATHER_ELEMENTS,
    )
)

register(
    Op(
        name="scatter_add",  # zeros of `shape` with the operand added where `gather` would read
        shape=_scattered,
        operands=(NUMBER, INDEX),
        reference=_scatter_add_reference,
        gradients=(lambda n, g: n("gather", g, n.x(1), axis=n.attrs["axis"]), None),
        promote="none",
        saves="1",
        kernel="scatter_add",
        params=lambda attrs, shapes: (float(attrs["axis"]),),
        zeroed=True,
        onnx=rules.SCATTER_ADD,
        flops=lambda attrs, shapes, shape: product(shapes[0]),
    )
)


def _argsorted(unifier: Unifier, attrs: Attrs, x: Shape) -> Shape:
    axis, count = attrs["axis"], attrs["count"]
    check_axis(axis, x or (1,))  # a 0-d tensor counts as having one axis
    if count is None or not x:
        return x
    have: Dim = x[axis]
    if isinstance(have, int) and isinstance(count, int) and count > have:
        raise ShapeError(
            f"{count} elements of axis {axis} of shape {render_shape(x)}, which has {have}",
            expected=have,
            got=count,
            operand=0,
        )
    return (*x[:axis], count, *x[axis + 1 :])


def _argsort_reference(x: Any, axis: int, descending: bool, count: int | None) -> Any:
    if not x.ndim:
        return np.zeros((), np.int64)
    if not descending:
        order = np.argsort(x, axis, kind="stable")
    else:  # backwards, the last of equal ones first, and turned round: the first comes first again
        order = x.shape[axis] - 1 - np.flip(np.argsort(np.flip(x, axis), axis, kind="stable"), axis)
    return np.take(order, range(x.shape[axis] if count is None else count), axis)


register(
    Op(
        name="argsort",  # where the elements of `axis` stand in order, stably, NaN as the largest; the first `count`
        shape=_argsorted,
        operands=(ANY,),
        reference=_argsort_reference,
        promote="none",
        result=int64,
        kernel="argsort",
        params=lambda attrs, shapes: (float(attrs["axis"]), float(attrs["descending"])),
        onnx=rules.ARGSORT,
    )
)
