"""Writing into memory that tensors have, and telling the record of gradients about it.

Memory is written in place; the record is functional. A write through a view becomes an operation on the tensor that
the view was taken of, its root: `y[0] *= 2` is recorded as y = set_slice(y, y[0] * 2). Every living view of the root
is then recorded again as a view of the new value. PyTorch does the same (CopySlices); a traced graph, which has no
memory, needs nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.errors import ArgumentError, DTypeError, GradientError, ShapeError, TraceError, with_article
from graphnet.ir import render_shape
from graphnet.ops import TABLE
from graphnet.places import user_site
from graphnet.program import run_kernel
from graphnet.tensor.autograd import Memory, Record, duplicate, seen_by
from graphnet.tensor.core import Array, Base, View, apply, make
from graphnet.tensor.state import state

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["InPlace", "write"]


class InPlace(Base):
    """Taking over the result of an operation: the in-place forms."""

    __slots__ = ()

    def _overwrite(self, result: Base) -> Self:
        """Take over a result computed out of place."""
        have, new = self._type(), result._type()
        if not self._fits(new.shape):
            raise ShapeError(
                f"in place: a result of shape {render_shape(new.shape)} does not fit into {render_shape(have.shape)}",
                expected=tuple(have.shape),
                got=tuple(new.shape),
            )
        if new.dtype.category > have.dtype.category:
            raise DTypeError(
                f"in place: {with_article(new.dtype.name)} result does not fit into "
                f"{with_article(have.dtype.name)} tensor"
            )
        write(self, (), result)
        return self


def write(tensor: Base, part: View, content: Base, indices: Sequence[Base] = ()) -> None:
    """Write `content` where `part`, views one after the other, looks at the tensor's memory, or at indices of that.

    The content broadcasts to the part; at indices it has the shape that `take` would give.

    Raises:
        GradientError: the tensor is, or looks at, a leaf that requires a gradient.
        ArgumentError: the memory is read-only.
    """
    if content._dtype is not tensor._dtype:
        content = apply("cast", content, dtype=tensor._dtype)
    root, way = tensor._view or (tensor, None)
    chain = (*(way or ()), *part)
    seen = content._view if not indices else None
    if seen is not None and seen[0] is root and len(seen[1]) == len(chain) and tuple(seen[1]) == chain:
        return  # x[0] += 1 ends with x[0] = what has been written already
    tracer = next((t._tracer for t in (tensor, content, *indices) if t._tracer is not None), None)
    if tracer is not None or (root._buffer and state.tracer is not None):
        _trace(tracer or state.tracer, root, chain, content, indices)
        return
    recorded = state.grad and (content._requires_grad or tensor._requires_grad or root._requires_grad)
    target = _writable(tensor)
    if recorded and root._record is None and root._requires_grad:
        raise GradientError(
            f"a leaf tensor that requires a gradient{' (seen through a view)' if tensor is not root else ''} cannot be "
            "overwritten while gradients are recorded; use with graphnet.no_grad(): or write to its .data"
        )
    for name, attrs in part:
        view = TABLE[name].view
        assert view is not None
        target = view(target, attrs)
    source = content._looked_at()
    if np.may_share_memory(source, target):
        source = duplicate(source)  # x[1:] = x[:-1] reads what x held before
    if recorded:
        fresh = _placed(root, chain, content, indices)
        _keep_past(fresh, root)
    if indices:
        run_kernel("index_put", (source, *(i._looked_at() for i in indices)), (target,))
    else:
        run_kernel("copy", (source,), (target,))
    tensor._memory.version += 1
    if recorded:
        root._become(fresh)
        _look_again(root, None)


def _writable(tensor: Base) -> Array:
    """The memory, where it may be overwritten; an array of the caller's is copied first."""
    if tensor._memory.borrowed and not any(True for _ in seen_by(tensor._memory, tensor)):
        tensor._array, tensor._memory = duplicate(tensor._values()), Memory()
    values = tensor._values()
    if not values.flags.writeable:
        raise ArgumentError("the tensor's memory is read-only (a broadcast view or a read-only array); clone() it")
    return values


def _trace(tracer: Any, root: Base, chain: View, content: Base, indices: Sequence[Base]) -> None:
    """A write as operations of a graph that is being traced."""
    if any(name == "detach" for name, _ in chain) or (root._requires_grad and not state.grad):
        raise TraceError(
            f"{user_site()}: {root._origin}: a write that no gradient is to see (through detach(), or under "
            "no_grad()) cannot be traced; clone() the detached tensor first"
        )
    fresh = _placed(root, chain, content, indices)
    if root._tracer is None:
        tracer.update(root, fresh)
    elif fresh._tracer is not root._tracer:
        raise TraceError(
            f"{user_site()}: {root._origin} comes from outside the {fresh._tracer.emitter.graph.name} in "
            "which it is overwritten in place; make it part of the state, or write y = y * 2 for y *= 2"
        )
    else:
        root._memory.version += 1
        root._become(fresh)
    _look_again(root, root._tracer or tracer.running())


def _placed(root: Any, chain: Iterable[tuple[str, dict[str, Any]]], content: Any, indices: Sequence[Base]) -> Any:
    """The root's value after the write, computed out of place."""
    steps = list(chain)
    last = steps.pop() if steps and steps[-1][0] == "slice" and not indices else None
    parents = [root]
    for name, attrs in steps:
        parents.append(apply(name, parents[-1], **attrs))
    parent = parents.pop()
    if last is not None:
        index: Any = last[1]["index"]
        if not parent._requires_grad and all(entry == (None, None, None) for entry in index):
            inside: Any = apply("expand", content, shape=tuple(parent._type().shape))
        else:
            inside = apply("set_slice", parent, content, index=index)
    elif indices:
        inside = apply("set_at", parent, content, *indices)
    elif content._requires_grad or not parent._requires_grad:
        inside = content
    else:
        whole = ((None, None, None),) * len(parent._type().shape)
        inside = apply("set_slice", parent, content, index=whole)  # which still requires a gradient, of zero
    for (name, attrs), parent in zip(reversed(steps), reversed(parents)):
        if name == "slice":
            inside = apply("set_slice", parent, inside, index=attrs["index"])
        elif name == "reshape":
            inside = apply("reshape", inside, shape=tuple(parent._type().shape))
        elif name == "permute":
            inside = apply("permute", inside, axes=tuple(int(a) for a in np.argsort(attrs["axes"])))
        else:
            raise GradientError(f"overwriting a tensor through {name} is not differentiable; clone() it first")
    return inside


def _look_again(root: Base, tracer: Any) -> None:
    """Let all that look at the root have the history of its new value."""
    for viewer in list(seen_by(root._memory, root)):
        if viewer._tracer is tracer and viewer._view is not None and viewer._view[0] is root:
            seen: Any = root
            for name, attrs in viewer._view[1]:
                seen = apply(name, seen, **attrs)
            stopped = any(name == "detach" for name, _ in viewer._view[1])
            viewer._become(seen)
            viewer._requires_grad = viewer._requires_grad and not stopped


def _keep_past(fresh: Base, root: Base) -> None:
    """Let the records behind a new value keep what the write overwrites: operands, and constants that they name."""
    if fresh._record is None:
        return
    memory = root._memory
    since = root._record.order if root._record is not None else -1  # what came before cannot name it
    kept: dict[Base, Base] = {}
    stack, done = [fresh._record], set()
    while stack:
        record = stack.pop()
        if record in done or record is root._record:
            continue
        done.add(record)
        record.keep(memory)
        operands = []
        for operand in record.operands:
            if isinstance(operand, Base) and operand._memory is memory and not operand._requires_grad:
                if operand not in kept:
                    kept[operand] = make(duplicate(operand._values()), operand._dtype)
                operands.append(kept[operand])
                continue
            if type(operand) is Record and operand.order > since:
                stack.append(operand)
            operands.append(operand)
        record.operands = tuple(operands)
