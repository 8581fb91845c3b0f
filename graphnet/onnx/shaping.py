"""ONNX operators that make, move, pick or place elements, as compositions of rows."""

from __future__ import annotations

import operator as python
from typing import Any

import numpy as np

from graphnet.errors import TraceError
from graphnet.ir import Dim, SymbolicDim, product
from graphnet.onnx.registry import operator
from graphnet.ops.onnx import ELEMENT_TYPES, Reader
from graphnet.ops.onnx_shaping import as_int64, axis_in
from graphnet.tensor.functions import einsum

__all__: list[str] = []

_ALL = (None, None, None)


def _sizes(n: Reader, dims: Any) -> Any:
    """Sizes as a vector, of dtype object where some are open."""
    dims = list(dims)
    result = np.empty(len(dims), object if any(isinstance(d, SymbolicDim) for d in dims) else np.int64)
    result[:] = dims
    return n.const(result)


def _part(n: Reader, x: Any, axis: int, start: Any, stop: Any, step: Any = None) -> Any:
    rank = len(n.shape(x))
    return n("slice", x, index=tuple((start, stop, step) if a == axis else _ALL for a in range(rank)))


@operator("Constant")
def _constant(n: Reader) -> Any:
    kinds: dict[str, Any] = {"value": None, "value_float": np.float32, "value_floats": np.float32}
    kinds |= {"value_int": np.int64, "value_ints": np.int64}
    for name, dtype in kinds.items():
        value = n.attr(name)
        if value is not None:
            return n.const(np.asarray(value, dtype))
    raise n.fail("graphnet has constants of numbers only")


@operator("ConstantOfShape")
def _constant_of_shape(n: Reader) -> Any:
    value = n.attr("value")
    number = np.zeros((), np.float32) if value is None else value.reshape(())
    return n("expand", n.const(number), shape=tuple(n.ints(0)))


@operator("Shape")
def _shape(n: Reader) -> Any:
    shape = n.shape(n.x(0))
    return _sizes(n, shape[n.attr("start", 0) : n.attr("end", len(shape))])


@operator("Size")
def _size(n: Reader) -> Any:
    return n("reshape", _sizes(n, [product(n.shape(n.x(0)))]), shape=())


@operator("Flatten")
def _flatten(n: Reader) -> Any:
    x, axis = n.x(0), n.attr("axis", 1)
    shape = n.shape(x)
    axis = axis + len(shape) if axis < 0 else axis
    return n("reshape", x, shape=(product(shape[:axis]), product(shape[axis:])))


@operator("Squeeze")
def _squeeze(n: Reader) -> Any:
    x = n.x(0)
    shape = n.shape(x)
    axes = n.ints(1) if n.has(1) else n.attr("axes")
    if axes is None:
        if any(isinstance(d, SymbolicDim) for d in shape):
            raise TraceError("which axes have size 1 is known with data only")
        gone = {a for a, d in enumerate(shape) if d == 1}
    else:
        gone = {axis_in(n, a, len(shape)) for a in axes}
    for axis in sorted(gone):
        if isinstance(shape[axis], int) and shape[axis] != 1:
            raise n.fail(f"axis {axis} of shape {shape} has not the size 1")
    return n("reshape", x, shape=tuple(d for a, d in enumerate(shape) if a not in gone))


@operator("Unsqueeze")
def _unsqueeze(n: Reader) -> Any:
    x = n.x(0)
    shape = list(n.shape(x))
    axes = n.ints(1) if n.has(1) else n.attr("axes")
    rank = len(shape) + len(axes)
    for axis in sorted(axis_in(n, a, rank) for a in axes):
        shape.insert(axis, 1)
    return n("reshape", x, shape=tuple(shape))


@operator("Split")
def _split(n: Reader) -> Any:
    x = n.x(0)
    axis = axis_in(n, n.attr("axis", 0), len(n.shape(x)))
    size = n.shape(x)[axis]
    parts = n.ints(1) if n.has(1) else n.attr("split")
    if parts is None:
        count = n.attr("num_outputs") or n.results
        if isinstance(size, SymbolicDim):
            raise TraceError("the sizes of the parts of an open size are known with data only")
        each = -(-size // count)
        parts = [each] * (count - 1) + [size - each * (count - 1)]
    start: Dim = 0
    results = []
    for length in parts:
        results.append(n("narrow", x, axis=axis, start=start, length=length))
        start = start + length
    return tuple(results)


@operator("Tile")
def _tile(n: Reader) -> Any:
    x, shape = n.x(0), n.shape(n.x(0))
    if n.version < 6:
        axis, times = int(n.known(2)), int(n.known(1))
        repeats: list[Any] = [times if a == axis else 1 for a in range(len(shape))]
    else:
        repeats = n.ints(1)
    inner = [d for size in shape for d in (1, size)]
    outer = [d for times, size in zip(repeats, shape) for d in (times, size)]
    spread = n("expand", n("reshape", x, shape=tuple(inner)), shape=tuple(outer))
    return n("reshape", spread, shape=tuple(a * b for a, b in zip(repeats, shape)))


def _pad_indices(mode: str, size: int, before: int, after: int) -> Any:
    """Which element stands at each place of a padded axis."""
    places = np.arange(-before, size + after)
    if mode == "edge":
        return np.clip(places, 0, size - 1)
    if mode == "wrap":
        return places % size
    period = max(2 * (size - 1), 1)
    folded = places % period
    return np.minimum(folded, period - folded) if size > 1 else np.zeros_like(places)


@operator("Pad")
def _pad(n: Reader) -> Any:
    x = n.x(0)
    shape = n.shape(x)
    rank = len(shape)
    mode = n.attr("mode", "constant")
    pads = list(n.ints(1) if n.has(1) else n.attr("pads", n.attr("paddings")))
    fill = n.x(2) if n.has(2) else n.number(n.attr("value", 0.0), x) if n.version < 11 else n.number(0, x)
    axes = [axis_in(n, a, rank) for a in n.ints(3)] if n.has(3) else list(range(rank))
    for axis, before, after in zip(axes, pads[: len(axes)], pads[len(axes) :]):
        for count, low in ((before, True), (after, False)):  # negative ones take elements away
            if isinstance(count, int) and count < 0:
                x = _part(n, x, axis, -count, None) if low else _part(n, x, axis, None, count)
        before, after = (max(c, 0) if isinstance(c, int) else c for c in (before, after))
        size = n.shape(x)[axis]
        if mode != "constant":
            if not isinstance(size, int):
                raise TraceError(f"an open size is padded with mode {mode!r}")
            x = _take(n, x, axis, n.const(_pad_indices(mode, size, before, after)))
            continue
        number, whole = n("reshape", fill, shape=()), n.shape(x)
        rim = [
            n("expand", number, shape=tuple(count if a == axis else d for a, d in enumerate(whole)))
            for count in (before, after)
        ]
        parts = [p for p, c in ((rim[0], before), (x, 1), (rim[1], after)) if not isinstance(c, int) or c]
        x = n("cat", *parts, axis=axis) if len(parts) > 1 else x
    return x


def _take(n: Reader, x: Any, axis: int, index: Any) -> Any:
    """Rows along an axis at a vector of indices."""
    rank = len(n.shape(x))
    if axis == 0:
        return n("take", x, index)
    axes = (axis, *(a for a in range(rank) if a != axis))
    back = tuple(axes.index(a) for a in range(rank))
    return n("permute", n("take", n("permute", x, axes=axes), index), axes=back)


@operator("DepthToSpace")
def _depth_to_space(n: Reader) -> Any:
    x, block = n.x(0), n.attr("blocksize")
    batch, depth, height, width = n.shape(x)
    rest = depth // (block * block)
    if n.attr("mode", "DCR") == "DCR":
        split, axes = (batch, block, block, rest, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split, axes = (batch, rest, block, block, height, width), (0, 1, 4, 2, 5, 3)
    x = n("permute", n("reshape", x, shape=split), axes=axes)
    return n("reshape", x, shape=(batch, rest, height * block, width * block))


@operator("SpaceToDepth")
def _space_to_depth(n: Reader) -> Any:
    x, block = n.x(0), n.attr("blocksize")
    batch, depth, height, width = n.shape(x)
    split = (batch, depth, height // block, block, width // block, block)
    axes = (0, 3, 5, 1, 2, 4) if n.attr("mode", "DCR") == "DCR" else (0, 1, 3, 5, 2, 4)
    x = n("permute", n("reshape", x, shape=split), axes=axes)
    return n("reshape", x, shape=(batch, depth * block * block, height // block, width // block))


@operator("Range")
def _range(n: Reader) -> Any:
    start, limit, step = (n.known(i).reshape(()) for i in range(3))
    if n.is_open(start) or n.is_open(limit) or n.is_open(step):
        if int(step) != 1:
            raise TraceError("the length of a range of open sizes is known with data only")
        places = n("iota", shape=(limit.item() - start.item(),), axis=0)
        return n("add", places, n.const(start))
    return n.const(np.arange(start.item(), limit.item(), step.item()).astype(start.dtype))


@operator("EyeLike")
def _eye_like(n: Reader) -> Any:
    x, kind = n.x(0), n.attr("dtype")
    dtype = n.dtype(x) if kind is None else ELEMENT_TYPES.get(kind)
    if dtype is None:
        raise n.fail(f"graphnet does not have the element type {kind}")
    shape = n.shape(x)
    rows = n("add", n("iota", shape=shape, axis=0), n.const(np.int64(n.attr("k", 0))))
    return n("cast", n("eq", rows, n("iota", shape=shape, axis=1)), dtype=dtype)


@operator("Trilu")
def _trilu(n: Reader) -> Any:
    x = n.x(0)
    shape = n.shape(x)[-2:]
    k = n.const(np.int64(int(n.known(1)) if n.has(1) else 0))
    rows, columns = n("iota", shape=shape, axis=0), n("iota", shape=shape, axis=1)
    kept = n("ge" if n.attr("upper", 1) else "le", columns, n("add", rows, k))
    return n("where", kept, x, n.number(0, x))


@operator("CenterCropPad")
def _center_crop_pad(n: Reader) -> Any:
    x = n.x(0)
    rank = len(n.shape(x))
    axes = [axis_in(n, a, rank) for a in n.attr("axes", list(range(rank)))]
    for axis, wanted in zip(axes, n.ints(1)):
        size = python.index(n.shape(x)[axis])
        if wanted < size:
            start = (size - wanted) // 2
            x = _part(n, x, axis, start, start + wanted)
        elif wanted > size:
            before = (wanted - size) // 2
            rims = [tuple(c if a == axis else d for a, d in enumerate(n.shape(x)))
                    for c in (before, wanted - size - before)]  # fmt: skip
            x = n("cat", *(part for part in (_zeros(n, rims[0], x), x, _zeros(n, rims[1], x))), axis=axis)
    return x


def _zeros(n: Reader, shape: Any, like: Any) -> Any:
    return n("expand", n.number(0, like), shape=shape)


@operator("OneHot")
def _one_hot(n: Reader) -> Any:
    index, depth = as_int64(n, n.x(0)), int(n.known(1).reshape(()))
    values = n.x(2)
    rank = len(n.shape(index)) + 1
    axis = axis_in(n, n.attr("axis", -1), rank)
    shape = list(n.shape(index))
    spread = n("reshape", index, shape=(*shape[:axis], 1, *shape[axis:]))
    wrapped = n("where", n("lt", spread, n.number(0, spread)), n("add", spread, n.number(depth, spread)), spread)
    places = n("iota", shape=(*shape[:axis], depth, *shape[axis:]), axis=axis)
    off, on = (n("reshape", _part(n, values, 0, i, i + 1), shape=()) for i in (0, 1))
    return n("where", n("eq", places, wrapped), on, off)


def _flat(n: Reader, x: Any, axes: int) -> Any:
    """The first axes as one."""
    shape = n.shape(x)
    return n("reshape", x, shape=(product(shape[:axes]), *shape[axes:]))


def _element_places(n: Reader, index: Any, axis: int) -> list[Any]:
    """For an index along one axis, the indices along all."""
    own = n.shape(index)
    return [index if a == axis else n("iota", shape=own, axis=a) for a in range(len(own))]


def _columns(n: Reader, index: Any) -> list[Any]:
    """The indices that stand side by side along the last axis."""
    shape = n.shape(index)
    last = len(shape) - 1
    full: tuple[Any, ...] = (_ALL,) * last
    return [n("slice", index, index=(*full, at)) for at in range(python.index(shape[last]))]


@operator("GatherND")
def _gather_nd(n: Reader) -> Any:
    x, index, batch = n.x(0), as_int64(n, n.x(1)), n.attr("batch_dims", 0)
    lead = n.shape(index)[:-1]
    return n("take", x, *(n("iota", shape=lead, axis=a) for a in range(batch)), *_columns(n, index))


def _scattered(n: Reader, x: Any, places: list[Any], updates: Any) -> Any:
    """A tensor with some elements replaced, or combined with others."""
    how = n.attr("reduction", "none")
    if how == "add":
        return n("add", x, n("index_add", updates, *places, shape=n.shape(x)))
    return n({"none": "set_at", "mul": "mul_at", "max": "max_at", "min": "min_at"}[how], x, updates, *places)


@operator("ScatterElements", "Scatter")
def _scatter_elements(n: Reader) -> Any:
    x, index = n.x(0), as_int64(n, n.x(1))
    axis = axis_in(n, n.attr("axis", 0), len(n.shape(x)))
    return _scattered(n, x, _element_places(n, index, axis), n.x(2))


@operator("ScatterND")
def _scatter_nd(n: Reader) -> Any:
    return _scattered(n, n.x(0), _columns(n, as_int64(n, n.x(1))), n.x(2))


@operator("TensorScatter")
def _tensor_scatter(n: Reader) -> Any:
    """Writes `update` into a cache from a place of its own for each entry of the batch."""
    cache, update = n.x(0), n.x(1)
    shape, new = n.shape(cache), n.shape(update)
    rank = len(shape)
    axis = axis_in(n, n.attr("axis", -2), rank)
    along = n("iota", shape=new, axis=axis)
    if n.has(2):
        along = n("add", along, n("reshape", as_int64(n, n.x(2)), shape=(-1, *[1] * (rank - 1))))
    if n.attr("mode", "linear") == "circular":
        along = n("remainder", along, n.number(shape[axis], along))
    return _scattered(n, cache, _element_places(n, along, axis), update)


@operator("ReverseSequence")
def _reverse_sequence(n: Reader) -> Any:
    x, lengths = n.x(0), as_int64(n, n.x(1))
    shape = n.shape(x)
    time, batch = n.attr("time_axis", 0), n.attr("batch_axis", 1)
    along = n("iota", shape=shape, axis=time)
    ends = n("reshape", lengths, shape=tuple(d if a == batch else 1 for a, d in enumerate(shape)))
    back = n("sub", n("sub", ends, n.number(1, ends)), along)
    return n("take", x, *_element_places(n, n("where", n("lt", along, ends), back, along), time))


@operator("TopK")
def _top_k(n: Reader) -> Any:
    x = n.x(0)
    axis = axis_in(n, n.attr("axis", -1), len(n.shape(x)))
    n.attr("sorted", 1)
    count = n.ints(1)[0] if n.has(1) else n.attr("k")
    order = n("argsort", x, axis=axis, descending=bool(n.attr("largest", 1)), count=count)
    return n("gather", x, order, axis=axis), order


@operator("Compress")
def _compress(n: Reader) -> Any:
    x, axis = n.x(0), n.attr("axis")
    chosen = np.flatnonzero(n.known(1)).astype(np.int64)
    if axis is None:
        return n("take", _flat(n, x, len(n.shape(x))), n.const(chosen))
    return _take(n, x, axis_in(n, axis, len(n.shape(x))), n.const(chosen))


@operator("NonZero")
def _non_zero(n: Reader) -> Any:
    return n.const(np.stack(np.nonzero(n.known(0))).astype(np.int64))


@operator("Unique")
def _unique(n: Reader) -> Any:
    """The result's size is known with data only, so it is looked for there, before the graph runs on."""
    x, axis = n.known(0), n.attr("axis")
    _, first, inverse, counts = np.unique(x, True, True, True, axis=axis)
    order = np.argsort(first, kind="stable") if not n.attr("sorted", 1) else np.arange(len(first))
    rank = np.argsort(order, kind="stable")
    chosen = first[order].astype(np.int64)
    picked = _take(n, n.x(0), axis % x.ndim, n.const(chosen)) if axis is not None else n(
        "take", _flat(n, n.x(0), x.ndim), n.const(chosen))  # fmt: skip
    numbers = rank[inverse.reshape(-1)].astype(np.int64)
    return picked, n.const(chosen), n.const(numbers), n.const(counts[order].astype(np.int64))


@operator("Einsum")
def _einsum(n: Reader) -> Any:
    return einsum(n.attr("equation"), *(n.tensor(n.x(i)) for i in range(n.count)))
