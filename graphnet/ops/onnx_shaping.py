"""How rows that move elements, softmax and its loss read from ONNX and are written as it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphnet.dtypes import bool_, int64
from graphnet.ir import Dim, Shape, product
from graphnet.ops.onnx import Onnx, Reader, Writer

__all__ = [
    "ARGSORT",
    "CONCAT",
    "EXPAND",
    "GATHER",
    "GATHER_ELEMENTS",
    "INDEX_ADD",
    "IOTA",
    "NARROW",
    "RESHAPE",
    "SCATTER_ADD",
    "SET_AT",
    "SET_SLICE",
    "SLICE",
    "TRANSPOSE",
    "UNSLICE",
    "as_int64",
    "axis_in",
    "combined_at",
    "flat_at",
    "last_axis",
]

_LARGEST, _LOWEST = 2**63 - 1, -(2**63)


def axis_in(n: Reader, axis: int, rank: int) -> int:
    """An axis counted from the front."""
    if not -rank <= axis < max(rank, 1):
        raise n.fail(f"axis {axis} is out of range for {rank} axes")
    return axis + rank if axis < 0 else axis


def as_int64(n: Reader, value: Any) -> Any:
    """Integers as int64, which indices are."""
    return value if n.dtype(value) is int64 else n("cast", value, dtype=int64)


def _read_reshape(n: Reader) -> Any:
    x = n.x(0)
    shape = n.shape(x)
    target = list(n.ints(1)) if n.has(1) else list(n.attr("shape"))
    if not n.attr("allowzero", 0):
        target = [shape[i] if isinstance(d, int) and d == 0 else d for i, d in enumerate(target)]
    return n("reshape", x, shape=tuple(target))


def _write_reshape(w: Writer) -> str:
    shape = list(w.shape)
    if any(isinstance(d, int) and d == 0 for d in shape):
        return w("Reshape", w.x(0), w.sizes(shape), allowzero=1)
    unknown = [axis for axis, d in enumerate(shape) if not isinstance(d, int)]
    if len(unknown) == 1 and not any(isinstance(d, int) and d == 0 for d in w.shapes[0]):
        shape[unknown[0]] = -1
    return w("Reshape", w.x(0), w.sizes(shape))


RESHAPE = Onnx("Reshape", read=_read_reshape, write=_write_reshape)


def _read_transpose(n: Reader) -> Any:
    x = n.x(0)
    axes = n.attr("perm") or reversed(range(len(n.shape(x))))
    return n("permute", x, axes=tuple(axes))


def _write_transpose(w: Writer) -> str:
    return w("Transpose", w.x(0), perm=list(w.attrs["axes"])) if w.shape else w("Identity", w.x(0))


TRANSPOSE = Onnx("Transpose", read=_read_transpose, write=_write_transpose)


def _read_expand(n: Reader) -> Any:
    x, target = n.x(0), n.ints(1)
    shape = n.shape(x)
    rank = max(len(shape), len(target))
    have: list[Dim] = [*[1] * (rank - len(shape)), *shape]
    wanted: list[Dim] = [1] * (rank - len(target)) + list(target)
    result = tuple(b if isinstance(a, int) and a == 1 else a if isinstance(b, int) and b == 1 else b
                   for a, b in zip(have, wanted))  # fmt: skip
    return n("expand", x, shape=result)


EXPAND = Onnx("Expand", read=_read_expand, write=lambda w: w("Expand", w.x(0), w.sizes(w.shape)))


def _read_slice(n: Reader) -> Any:
    x = n.x(0)
    shape = n.shape(x)
    if n.version < 10 and not n.has(1):
        starts, ends, axes, steps = n.attr("starts"), n.attr("ends"), n.attr("axes"), None
    else:
        starts, ends = n.ints(1), n.ints(2)
        axes, steps = n.ints(3) if n.has(3) else None, n.ints(4) if n.has(4) else None
    index: list[Any] = [(None, None, None)] * len(shape)
    for place, axis in enumerate(axes if axes is not None else range(len(starts))):
        step = steps[place] if steps is not None else 1
        index[axis_in(n, axis, len(shape))] = _bounds(starts[place], ends[place], step, shape[axis])
    return n("slice", x, index=tuple(index))


def _bounds(start: Any, stop: Any, step: int, size: Dim) -> tuple[Any, Any, Any]:
    """A slice as Python has it, whole axes without bounds so that their size may stay open."""
    if step < 0:
        return start, None if isinstance(stop, int) and stop < -(2**31) + 2 else stop, step
    if isinstance(start, int) and start == 0 and (stop is size or (isinstance(stop, int) and stop >= 2**31 - 1)):
        start = stop = None
    elif isinstance(stop, int) and stop >= 2**31 - 1:
        stop = None
    return start, stop, None if step == 1 else step


def _write_slice(w: Writer) -> str:
    return _cut(w, w.x(0), w.attrs["index"])


def _cut(w: Writer, x: str, index: Any) -> str:
    starts: list[Any] = []
    stops: list[Any] = []
    axes, steps, dropped, added = [], [], [], []
    axis = place = 0
    for entry in index:
        if entry is None:
            added.append(place)
            place += 1
            continue
        if not isinstance(entry, tuple):
            dropped.append(axis)
            entry = (entry, entry + 1 if not isinstance(entry, int) or entry != -1 else _LARGEST, 1)
        else:
            place += 1
        start, stop, step = entry
        if (start, stop, step) != (None, None, None):
            back = step is not None and step < 0
            starts.append((_LARGEST if back else 0) if start is None else start)
            stops.append((_LOWEST if back else _LARGEST) if stop is None else stop)
            axes.append(axis)
            steps.append(1 if step is None else step)
        axis += 1
    if axes:
        x = w("Slice", x, w.sizes(starts), w.sizes(stops), w.sizes(axes), w.sizes(steps))
    if dropped:
        x = w("Squeeze", x, w.sizes(dropped))
    if added:
        x = w("Unsqueeze", x, w.sizes(added))
    return x if axes or dropped or added else w("Identity", x)


SLICE = Onnx("Slice", read=_read_slice, write=_write_slice)


def _write_narrow(w: Writer) -> str:
    axis, start = w.attrs["axis"], w.attrs["start"]
    return w("Slice", w.x(0), w.sizes([start]), w.sizes([start + w.attrs["length"]]), w.sizes([axis]))


NARROW = Onnx(write=_write_narrow, reads=False)


def _write_unslice(w: Writer) -> str:
    g, before, after = w.x(0), list[Any](), list[Any]()
    axes = iter(w.attrs["shape"])
    gone, place = list[int](), 0
    single = list[int]()
    for entry in w.attrs["index"]:
        if entry is None:
            gone.append(place)
            place += 1
            continue
        size = next(axes)
        if not isinstance(entry, tuple):
            single.append(len(before))
            entry = (entry, entry + 1 if entry != -1 else None, None)
        else:
            place += 1
        start, stop, step = entry
        if step not in (None, 1):
            return _placed(w, w("Expand", w.constant(0, w.dtype), w.sizes(w.shape)), g)
        if isinstance(size, int):
            start, stop, _ = slice(start, stop).indices(size)
        elif start is None and stop is None:
            start, stop = 0, size
        before.append(start)
        after.append(size - max(stop, start))
    if gone:
        g = w("Squeeze", g, w.sizes(gone))
    if single:
        g = w("Unsqueeze", g, w.sizes(single))
    return w("Pad", g, w.sizes([*before, *after]))


def _placed(w: Writer, x: str, values: str) -> str:
    """x with values where `slice` would look, by the elements' numbers."""
    whole, flat = w.sizes(w.shape), w.sizes([-1])
    count = w("Squeeze", w.sizes([product(w.shape)]), w.sizes([0]))
    numbers = w("Range", w.constant(0, int64), count, w.constant(1, int64))
    places = _cut(w, w("Reshape", numbers, whole, allowzero=1), w.attrs["index"])
    spread = w("Reshape", w("Expand", values, w("Shape", places)), flat)
    return w(
        "Reshape", w("ScatterElements", w("Reshape", x, flat), w("Reshape", places, flat), spread), whole, allowzero=1
    )


SET_SLICE = Onnx(write=lambda w: _placed(w, w.x(0), w.x(1)), reads=False)
UNSLICE = Onnx(write=_write_unslice, reads=False)


def _read_concat(n: Reader) -> Any:
    parts = [n.x(i) for i in range(n.count)]
    return n("cat", *parts, axis=axis_in(n, n.attr("axis", 1), len(n.shape(parts[0]))))


CONCAT = Onnx("Concat", read=_read_concat,
              write=lambda w: w("Concat", *(w.x(i) for i in range(w.count)), axis=w.attrs["axis"]))  # fmt: skip


def _read_gather(n: Reader) -> Any:
    x, index = n.x(0), as_int64(n, n.x(1))
    rank, extra = len(n.shape(x)), len(n.shape(index))
    axis = axis_in(n, n.attr("axis", 0), rank)
    if axis == 0:
        return n("take", x, index)
    front = n("take", n("permute", x, axes=(axis, *(a for a in range(rank) if a != axis))), index)
    rest = [extra + a for a in range(rank - 1)]
    return n("permute", front, axes=(*rest[:axis], *range(extra), *rest[axis:]))


def _places(w: Writer, frame: Shape, first: int = 1) -> str:
    """The indices of `take` and its counterparts, broadcast to `frame`, side by side along a last axis."""
    last = w.sizes([len(frame)])
    columns = [
        w("Unsqueeze", w.x(i) if w.shapes[i] == frame else w("Expand", w.x(i), w.sizes(frame)), last)
        for i in range(first, w.count)
    ]
    return columns[0] if len(columns) == 1 else w("Concat", *columns, axis=len(frame))


def _write_take(w: Writer) -> str:
    if w.count == 2:
        return w("Gather", w.x(0), w.x(1), axis=0)
    return w("GatherND", w.x(0), _places(w, w.shape[: len(w.shape) - len(w.shapes[0]) + w.count - 1]))


GATHER = Onnx("Gather", read=_read_gather, write=_write_take)


def _zeros(w: Writer) -> str:
    return w("Expand", w.constant(0, w.dtype), w.sizes(w.attrs["shape"]))


def _frame(w: Writer, values: int, indices: int) -> Shape:
    """What the indices broadcast to, read off the values: their shape ends with the axes that are not indexed."""
    return w.shapes[values][: len(w.shapes[values]) - len(w.shape) + indices]


INDEX_ADD = Onnx(
    write=lambda w: w("ScatterND", _zeros(w), _places(w, _frame(w, 0, w.count - 1)), w.x(0), reduction="add"),
    reads=False,
)


def combined_at(reduction: str | None = None) -> Onnx:
    """Values put at indices, or combined with what is there."""
    how = {} if reduction is None else {"reduction": reduction}

    def write(w: Writer) -> str:
        if reduction in ("max", "min") and w.version < 18:
            raise w.fail(f"the reduction {reduction} is in ONNX from version 18 on")
        return w("ScatterND", w.x(0), _places(w, _frame(w, 1, w.count - 2), 2), w.x(1), **how)

    return Onnx(write=write, reads=False)


SET_AT = combined_at()


def _read_gather_elements(n: Reader) -> Any:
    x = n.x(0)
    return n("gather", x, as_int64(n, n.x(1)), axis=axis_in(n, n.attr("axis", 0), len(n.shape(x))))


def _write_gather_elements(w: Writer) -> str:
    if w.shape:
        return w("GatherElements", w.x(0), w.x(1), axis=w.attrs["axis"])
    one = w.sizes([1])
    found = w("GatherElements", w("Reshape", w.x(0), one), w("Reshape", w.x(1), one), axis=0)
    return w("Reshape", found, w.sizes([]))


def _write_scatter_add(w: Writer) -> str:
    if not w.shape:
        return w("Identity", w.x(0))
    return w("ScatterElements", _zeros(w), w.x(1), w.x(0), axis=w.attrs["axis"], reduction="add")


GATHER_ELEMENTS = Onnx("GatherElements", read=_read_gather_elements, write=_write_gather_elements)
SCATTER_ADD = Onnx(write=_write_scatter_add, reads=False)


def _write_iota(w: Writer) -> str:
    shape, axis = w.attrs["shape"], w.attrs["axis"]
    size = w("Squeeze", w.sizes([shape[axis]]), w.sizes([0]))
    along = w("Range", w.constant(0, int64), size, w.constant(1, int64))
    others = [a for a in range(len(shape)) if a != axis]
    return w("Expand", w("Unsqueeze", along, w.sizes(others)) if others else along, w.sizes(shape))


IOTA = Onnx(write=_write_iota, reads=False)


def last_axis(n: Reader, x: Any, axis: int, f: Callable[[Any], Any]) -> Any:
    """A function along the last axis, applied along another one."""
    rank = len(n.shape(x))
    if axis == rank - 1:
        return f(x)
    axes = tuple(rank - 1 if a == axis else axis if a == rank - 1 else a for a in range(rank))
    return n("permute", f(n("permute", x, axes=axes)), axes=axes)


def flat_at(n: Reader, x: Any, axis: int) -> Any:
    """Axes before `axis` as one, and those from there on."""
    shape: Shape = n.shape(x)
    return n("reshape", x, shape=(product(shape[:axis]), product(shape[axis:])))


def _write_argsort(w: Writer) -> str:
    axis = w.attrs["axis"]
    if not w.shapes[0]:
        return w.constant(0, int64)
    count = w.attrs["count"]
    x = w("Cast", w.x(0), to=6) if w.dtypes[0] is bool_ else w.x(0)
    sizes = w.sizes([w.shape[axis] if count is None else count])
    return w.nth(1, "TopK", x, sizes, outputs=2, axis=axis, largest=int(w.attrs["descending"]))


ARGSORT = Onnx(write=_write_argsort, reads=False)
