"""Rows of ops that move or repeat elements without changing them: views, joins, picks."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.dtypes import int64
from graphnet.errors import IndexOutOfRangeError, ShapeError
from graphnet.ir import Dim, Shape, SymbolicDim, Unifier, exact_quotient, product, render_shape
from graphnet.ops import onnx_shaping as rules
from graphnet.ops.onnx import Onnx
from graphnet.ops.table import ANY, Attrs, Op, Site, check_axis, register

__all__ = ["sliced_shape"]


def _reshaped(unifier: Unifier, attrs: Attrs, x: Shape) -> Shape:
    target: list[Dim] = list(attrs["shape"])
    total = product(x)
    unknown = [axis for axis, dim in enumerate(target) if isinstance(dim, int) and dim == -1]
    if len(unknown) > 1:
        raise ShapeError(f"to {render_shape(target)}: only one size can be left open with -1")
    if unknown:
        known = product(dim for axis, dim in enumerate(target) if axis != unknown[0])
        rest = exact_quotient(unifier.resolve(total), unifier.resolve(known)) if known != 0 else None
        if rest is None:
            raise ShapeError(
                f"to {render_shape(target)}: {render_shape(x)} has {total} elements, which is not a multiple of {known}"
            )
        target[unknown[0]] = rest
    if not unifier.unify(total, product(target)):
        raise ShapeError(
            f"to {render_shape(target)}: expects {product(target)} elements, got {total} in shape {render_shape(x)}",
            expected=product(target),
            got=total,
            operand=0,
        )
    return tuple(target)


register(
    Op(
        name="reshape",
        shape=_reshaped,
        operands=(ANY,),
        reference=lambda x, shape: x.reshape(shape),
        gradients=(lambda n, g: n("reshape", g, shape=n.shapes[0]),),
        view=lambda x, attrs: x.reshape(attrs["shape"]),
        packed=True,
        onnx=rules.RESHAPE,
    )
)


def _permuted(unifier: Unifier, attrs: Attrs, x: Shape) -> Shape:
    axes = attrs["axes"]
    if sorted(axes) != list(range(len(x))):
        raise ShapeError(f"{axes} is not an order of the {len(x)} axes of shape {render_shape(x)}", got=x, operand=0)
    return tuple(x[axis] for axis in axes)


register(
    Op(
        name="permute",  # attribute: axes, for each axis of the result the input's
        shape=_permuted,
        operands=(ANY,),
        reference=np.transpose,
        gradients=(
            lambda n, g: n("permute", g, axes=tuple(int(axis) for axis in np.argsort(n.attrs["axes"], kind="stable"))),
        ),
        view=lambda x, attrs: x.transpose(attrs["axes"]),
        onnx=rules.TRANSPOSE,
    )
)


def _counted(unifier: Unifier, attrs: Attrs) -> Shape:
    shape: Shape = attrs["shape"]
    if any(isinstance(size, int) and size < 0 for size in shape):
        raise ShapeError(f"sizes are not negative, got {render_shape(shape)}")
    check_axis(attrs["axis"], shape)
    return shape


def _positions(attrs: Attrs) -> Any:
    shape, axis = attrs["shape"], attrs["axis"]
    along = np.arange(shape[axis]).reshape([-1 if a == axis else 1 for a in range(len(shape))])
    return np.broadcast_to(along, shape)


register(
    Op(
        name="iota",  # each element's position along `axis`, in a tensor of `shape`
        shape=_counted,
        operands=(),
        reference=lambda shape, axis: _positions({"shape": shape, "axis": axis}),
        promote="none",
        result=int64,
        source=_positions,
        onnx=rules.IOTA,
    )
)


register(
    Op(
        name="detach",  # the same values, through which no gradient flows
        shape=lambda unifier, attrs, x: x,
        operands=(ANY,),
        reference=np.array,
        gradients=(None,),
        promote="none",
        view=lambda x, attrs: x.view(),
        onnx=Onnx("Identity", reads=False),
    )
)


def _expanded(unifier: Unifier, attrs: Attrs, x: Shape) -> Shape:
    target: Shape = attrs["shape"]
    lead = len(target) - len(x)
    fits = lead >= 0 and all(
        (isinstance(dim, int) and dim == 1) or unifier.unify(dim, target[lead + axis]) for axis, dim in enumerate(x)
    )
    if not fits:
        raise ShapeError(
            f"{render_shape(x)} does not broadcast to {render_shape(target)}",
            expected=target,
            got=x,
            operand=0,
        )
    return target


register(
    Op(
        name="expand",
        shape=_expanded,
        operands=(ANY,),
        reference=lambda x, shape: np.broadcast_to(x, shape).copy(),
        gradients=(lambda n, g: g,),
        broadcasts=True,
        view=lambda x, attrs: np.broadcast_to(x, attrs["shape"]),
        onnx=rules.EXPAND,
    )
)


def sliced_shape(index: tuple[Any, ...], shape: Shape) -> Shape:
    """The shape that basic indexing gives; `index` has an entry (int, slice, None) for every axis.

    Raises:
        ShapeError: a slice with bounds over an axis of unknown size.
    """
    result: list[Dim] = []
    axes = iter(shape)
    for entry in index:
        if entry is None:
            result.append(1)
            continue
        dim = next(axes)
        if isinstance(entry, int) and isinstance(dim, int) and not -dim <= entry < dim:
            raise IndexOutOfRangeError(f"index {entry} is out of range for an axis of size {dim}")
        if isinstance(entry, slice):
            if entry == slice(None):
                result.append(dim)
            elif isinstance(entry.start, SymbolicDim) or isinstance(entry.stop, SymbolicDim):
                result.append(entry.stop - entry.start)
            elif isinstance(dim, int):
                result.append(len(range(*entry.indices(dim))))
            else:
                raise ShapeError(f"a slice of an axis of unknown size {dim} has a size that only data can tell")
    return tuple(result)


def _at(attrs: Attrs) -> tuple[Any, ...]:
    return tuple(slice(*entry) if isinstance(entry, tuple) else entry for entry in attrs["index"])


def _window(attrs: Attrs) -> tuple[Any, ...]:
    """The index with which NumPy gives a view, also of a single element."""
    return (*_at(attrs), ...)


# Attribute `index`: an entry for every axis and new axis: int, None, or (start, stop, step).
register(
    Op(
        name="slice",
        shape=lambda unifier, attrs, x: sliced_shape(_at(attrs), x),
        operands=(ANY,),
        reference=lambda x, index: np.asarray(x[_at({"index": index})]),
        gradients=(lambda n, g: n("unslice", g, index=n.attrs["index"], shape=n.shapes[0]),),
        view=lambda x, attrs: x[_window(attrs)],
        onnx=rules.SLICE,
    )
)


def _unslice_reference(g: Any, index: Any, shape: Any) -> Any:
    result = np.zeros(shape, g.dtype)
    result[_at({"index": index})] = g
    return result


register(
    Op(
        name="unslice",  # zeros of `shape` with the operand where `slice` would have taken it
        shape=lambda unifier, attrs, g: attrs["shape"],
        operands=(ANY,),
        reference=_unslice_reference,
        gradients=(lambda n, g: n("slice", g, index=n.attrs["index"]),),
        kernel="copy",
        zeroed=True,
        window=lambda out, attrs: out[_window(attrs)],
        flops=0,
        onnx=rules.UNSLICE,
    )
)


def _set_slice_shape(unifier: Unifier, attrs: Attrs, x: Shape, values: Shape) -> Shape:
    window = sliced_shape(_at(attrs), x)
    _expanded(unifier, {"shape": window}, values)
    return x


def _set_slice_reference(x: Any, values: Any, index: Any) -> Any:
    result = np.array(x)
    result[_at({"index": index})] = values
    return result


register(
    Op(
        name="set_slice",  # x with values, which broadcast, where `slice` would look
        shape=_set_slice_shape,
        operands=(ANY, ANY),
        reference=_set_slice_reference,
        gradients=(
            lambda n, g: n("set_slice", g, 0, index=n.attrs["index"]),
            lambda n, g: n("slice", g, index=n.attrs["index"]),
        ),
        promote="none",
        broadcasts=True,
        kernel="copy",
        seeded=True,
        window=lambda out, attrs: out[_window(attrs)],
        onnx=rules.SET_SLICE,
        flops=0,
    )
)


def _narrowed(attrs: Attrs, rank: int) -> tuple[Any, ...]:
    """`narrow` as an index of `slice`."""
    part = (attrs["start"], attrs["start"] + attrs["length"], None)
    return tuple(part if axis == attrs["axis"] else (None, None, None) for axis in range(rank))


register(
    Op(
        name="narrow",  # attributes: `length` elements of `axis` from `start` on, which exist
        shape=lambda unifier, attrs, x: tuple(attrs["length"] if a == attrs["axis"] else d for a, d in enumerate(x)),
        operands=(ANY,),
        reference=lambda x, axis, start, length: np.take(x, range(start, start + length), axis),
        gradients=(lambda n, g: n("unslice", g, index=_narrowed(n.attrs, len(n.shape)), shape=n.shapes[0]),),
        view=lambda x, attrs: x[_window({"index": _narrowed(attrs, x.ndim)})],
        onnx=rules.NARROW,
    )
)


def _joined(unifier: Unifier, attrs: Attrs, *shapes: Shape) -> Shape:
    axis, first = attrs["axis"], shapes[0]
    if not first:
        raise ShapeError("tensors without axes cannot be joined; unsqueeze(0) them or use stack", operand=0)
    check_axis(axis, first)
    for operand, shape in enumerate(shapes):
        fits = len(shape) == len(first) and all(
            unifier.unify(a, b) for i, (a, b) in enumerate(zip(first, shape)) if i != axis
        )
        if not fits:
            raise ShapeError(
                f"along axis {axis}: all sizes but that one must agree, operand {operand} is "
                f"{render_shape(shape)} and the first is {render_shape(first)}",
                expected=first,
                got=shape,
                operand=operand,
            )
    total: Dim = 0
    for shape in shapes:
        total = total + shape[axis]
    return (*first[:axis], total, *first[axis + 1 :])


def _part(n: Site, g: Any) -> Any:
    axis = n.attrs["axis"]
    start: Dim = 0
    for shape in n.shapes[: n.operand]:
        start = start + shape[axis]
    return n("narrow", g, axis=axis, start=start, length=n.shapes[n.operand][axis])


register(
    Op(
        name="cat",
        shape=_joined,
        operands=(ANY,),
        reference=lambda *xs, axis: np.concatenate(xs, axis),
        gradients=(_part,),
        variadic=True,
        kernel="concat",
        params=lambda attrs, shapes: (float(attrs["axis"]),),
        flops=0,
        onnx=rules.CONCAT,
    )
)
