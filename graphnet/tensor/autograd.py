"""The eager record of what was computed, and the backward pass over it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np

from graphnet.dtypes import DType, as_dtype
from graphnet.errors import GradientError
from graphnet.ir import Literal, Node, Origin, Shape, TensorType, Unifier
from graphnet.ops import TABLE, Op, infer
from graphnet.ops.gradient import reverse
from graphnet.ops.table import Attrs
from graphnet.program import execute

__all__ = ["Leaf", "Memory", "Record", "backward", "collect", "duplicate"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_order = itertools.count()
CONCRETE = Unifier()  # sizes are all integers in eager calls: nothing is ever learnt


class Memory:
    """A piece of memory that tensors share: how often it was overwritten, and by whom it is seen."""

    __slots__ = ("borrowed", "version", "viewers")

    def __init__(self) -> None:
        self.version = 0
        self.borrowed = False  # an array of the caller's: copied before it is overwritten
        self.viewers: list[Any] | None = None  # weak references to tensors, once there are several


class Leaf(Protocol):
    """A tensor at which gradients end up."""

    def _accumulate(self, gradient: Array) -> None: ...


class Record:
    """A node that ran: its operands' origins and the values that its gradient rules read.

    It is the site that gradient rules see (`graphnet.ops.Site`), with arrays for values.
    """

    __slots__ = (
        "attrs", "dtype", "dtypes", "freed", "memories", "node", "op", "operand", "order", "origin",
        "result", "retained", "saved", "shape", "shapes", "sources", "versions",
    )  # fmt: skip

    def __init__(
        self,
        op: Op,
        node: Node,
        attrs: Attrs,
        sources: tuple[Record | Leaf | None, ...],
        types: Sequence[TensorType],
        result: TensorType,
        arrays: Sequence[Array],
        memories: Sequence[Memory | None],
        out: Array,
        out_memory: Memory,
    ) -> None:
        self.op = op
        self.node: Node | None = node
        self.origin = Origin(node.op, node.scope, node.where)
        self.attrs = attrs
        self.sources = sources
        self.shapes: tuple[Shape, ...] = tuple(t.shape for t in types)
        self.dtypes: tuple[DType, ...] = tuple(t.dtype for t in types)
        self.shape = result.shape
        self.dtype = result.dtype
        saves = op.saves
        self.saved: tuple[Array | None, ...] | None = tuple(
            a if str(i) in saves else None for i, a in enumerate(arrays)
        )
        self.memories = (*memories, out_memory)
        self.versions = tuple(m.version if m is not None else 0 for m in self.memories)
        self.result = out if "y" in saves else None
        self.order = next(_order)
        self.operand = 0
        self.freed = False
        self.retained: Any = None  # weak reference to a tensor that keeps its gradient

    @property
    def key(self) -> Record:
        """Itself: gradients of its result are filed under it."""
        return self

    def targets(self) -> tuple[Record | Leaf | None, ...]:
        """Where the gradients of the operands go."""
        return self.sources

    def describe(self) -> str:
        """The node, for errors."""
        return str(self.origin)

    def shape_of(self, value: Any) -> Shape:
        """The shape of an array."""
        return tuple(value.shape)

    def _unchanged(self, index: int) -> None:
        memory = self.memories[index]
        if memory is not None and memory.version != self.versions[index]:
            what = "its result" if index == len(self.shapes) else f"its operand {index}"
            raise GradientError(
                f"{self.describe()}: {what} was overwritten in place after it was computed, so the gradient of "
                f"{self.op.name} can no longer be computed; write y = y + 1 for y += 1, or clone() first"
            )

    def x(self, index: int) -> Any:
        """An operand's array, if nothing overwrote it since."""
        array = self.saved[index] if self.saved is not None else None
        assert array is not None, f"{self.op.name} must save {index}"
        self._unchanged(index)
        return array

    def y(self) -> Any:
        """The result's array, if nothing overwrote it since."""
        assert self.result is not None, f"{self.op.name} must save its result"
        self._unchanged(len(self.shapes))
        return self.result

    def number(self, index: int) -> Any:
        """An operand that was written as a number."""
        operand = self.node.inputs[index] if self.node is not None else None
        return operand.value if isinstance(operand, Literal) else None

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> Any:
        """Compute an op on arrays; numbers take the result's dtype."""
        row = TABLE[op]
        arrays = [i if isinstance(i, np.ndarray) else np.asarray(i, self.dtype.dtype) for i in inputs]
        types = [TensorType(a.shape, as_dtype(a.dtype)) for a in arrays]
        return execute(row, arrays, attrs, infer(row, CONCRETE, types, attrs))

    def free(self) -> None:
        """Forget what a backward pass needs."""
        self.saved = self.result = self.node = None
        self.sources = ()
        self.memories = ()
        self.freed = True


def collect(roots: Iterable[Record]) -> list[Record]:
    """All records that the roots were computed from, and the roots, latest first."""
    found = dict.fromkeys(roots)
    stack = list(found)
    while stack:
        for source in stack.pop().sources:
            if isinstance(source, Record) and source not in found:
                found[source] = None
                stack.append(source)
    return sorted(found, key=lambda record: -record.order)


def backward(root: Record, gradient: Array, retain_graph: bool) -> None:
    """Add to every leaf's gradient what flows to it from `gradient` at the root.

    Raises:
        GradientError: the graph was freed by an earlier pass, or a value it needs was overwritten.
    """
    records = collect([root])
    for record in records:
        if record.freed:
            raise GradientError(
                f"backward: the graph behind {record.describe()} was freed by an earlier backward(); "
                "pass retain_graph=True to the earlier one, or compute the value again"
            )
    gradients: dict[Any, Any] = {root: gradient}
    reverse(_keeping(records, gradients), gradients)
    given: set[int] = {id(gradient)}
    for leaf, array in gradients.items():
        # Rules may hand one array to several operands, or a view: each leaf gets memory of its own.
        if array.base is not None or id(array) in given or not array.flags.writeable:
            array = duplicate(array)
        given.add(id(array))
        leaf._accumulate(array)
    if not retain_graph:
        for record in records:
            record.free()


def duplicate(array: Array) -> Array:
    """The same elements in memory of their own."""
    return execute(TABLE["copy"], (array,), {}, TensorType(array.shape, as_dtype(array.dtype)))


def _keeping(records: list[Record], gradients: dict[Any, Any]) -> Iterable[Any]:
    """The records in order, leaving each retained gradient with its tensor on the way."""
    for record in records:
        tensor = record.retained() if record.retained is not None else None
        if tensor is not None and record in gradients:
            tensor._accumulate(duplicate(gradients[record]))
        yield record
