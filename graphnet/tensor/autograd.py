"""The eager record of what was computed."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np

from graphnet.dtypes import DType, dtype_of
from graphnet.errors import GradientError
from graphnet.ir import Literal, Origin, Shape, TensorType, Unifier
from graphnet.ops import TABLE, Op, infer
from graphnet.ops.table import Attrs
from graphnet.program import Memory, execute

__all__ = ["Memory", "Record", "check_kept", "collect", "duplicate", "seen_by"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Saved: TypeAlias = "tuple[Array, Memory | None, int]"  # an array, its memory, and how often that was written by then

_order = itertools.count()
CONCRETE = Unifier()  # sizes are all integers in eager calls: nothing is ever learnt


def seen_by(memory: Memory, tensor: Any) -> Iterator[Any]:
    """The other living tensors that look at a piece of memory."""
    for reference in memory.viewers or ():
        viewer = reference()
        if viewer is not None and viewer is not tensor:
            yield viewer


class Record:
    """A node that ran: its operands and the values that its gradient rules read.

    It is the site that gradient rules see (`graphnet.ops.Site`), with arrays for values. Operands are other
    records, tensors that were not computed, and literals.
    """

    __slots__ = (
        "attrs", "dtype", "edges", "freed", "op", "operand", "operands", "order", "origin", "result", "retained",
        "saved", "shape", "types",
    )  # fmt: skip

    def __init__(
        self,
        op: Op,
        attrs: Attrs,
        operands: tuple[Any, ...],
        edges: tuple[Any, ...],
        types: Sequence[TensorType],
        result: TensorType,
        saved: dict[int, Saved],
        out: Saved | None,
        origin: Origin,
    ) -> None:
        self.op = op
        self.attrs = attrs
        self.operands = operands
        self.edges = edges  # per operand, where its gradient goes; None for those that required none by then
        self.types = types
        self.shape, self.dtype = result
        self.saved = saved  # operands that rules read, by their number
        self.result = out
        self.origin = origin
        self.order = next(_order)
        self.operand = 0
        self.freed = False
        self.retained: Any = None  # weak reference to a tensor that keeps its gradient

    @property
    def key(self) -> Record:
        """Itself: gradients of its result are filed under it."""
        return self

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The shapes of the operands."""
        return tuple(t.shape for t in self.types)

    @property
    def dtypes(self) -> tuple[DType, ...]:
        """The dtypes of the operands."""
        return tuple(t.dtype for t in self.types)

    def targets(self) -> tuple[Any, ...]:
        """Where the gradients of the operands go."""
        return self.edges

    def describe(self) -> str:
        """The node, for errors."""
        return str(self.origin)

    def shape_of(self, value: Any) -> Shape:
        """The shape of an array."""
        return tuple(value.shape)

    def _unchanged(self, saved: Saved, what: str) -> Array:
        array, memory, version = saved
        if memory is not None and memory.version != version:
            raise GradientError(
                f"{self.describe()}: {what} was overwritten in place after it was computed, so the gradient of "
                f"{self.op.name} can no longer be computed; write y = y + 1 for y += 1, or clone() first"
            )
        return array

    def x(self, index: int) -> Any:
        """An operand's array, if nothing overwrote it since."""
        return self._unchanged(self.saved[index], f"its operand {index}")

    def y(self) -> Any:
        """The result's array, if nothing overwrote it since."""
        assert self.result is not None, f"{self.op.name} must save its result"
        return self._unchanged(self.result, "its result")

    def number(self, index: int) -> Any:
        """An operand that was written as a number."""
        operand = self.operands[index]
        return operand.value if isinstance(operand, Literal) else None

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> Any:
        """Compute an op on arrays; numbers take the result's dtype."""
        row = TABLE[op]
        arrays = [i if isinstance(i, np.ndarray) else np.asarray(i, self.dtype.dtype) for i in inputs]
        types = [TensorType(a.shape, dtype_of(a)) for a in arrays]
        return execute(row, arrays, attrs, infer(row, CONCRETE, types, attrs))

    def keep(self, memory: Memory) -> None:
        """Copy saved operands that lie in memory which the in-place form of this very operation overwrites now."""
        for index, (array, owner, version) in self.saved.items():
            if owner is memory and version == memory.version:
                self.saved[index] = duplicate(array), None, 0

    def free(self) -> None:
        """Forget what a backward pass needs."""
        self.saved, self.operands, self.edges, self.result, self.freed = {}, (), (), None, True


def collect(roots: Iterable[Record]) -> list[Record]:
    """All records that the roots were computed from, and the roots, latest first."""
    found = dict.fromkeys(roots)
    stack = list(found)
    while stack:
        for operand in stack.pop().operands:
            if type(operand) is Record and operand not in found:
                found[operand] = None
                stack.append(operand)
    return sorted(found, key=lambda record: -record.order)


def check_kept(records: Iterable[Record], what: str) -> None:
    """Raise GradientError where an earlier pass freed what this one needs."""
    for record in records:
        if record.freed:
            raise GradientError(
                f"{what}: the graph behind {record.describe()} was freed by an earlier backward(); "
                "pass retain_graph=True to the earlier one, or compute the value again"
            )


def duplicate(array: Array) -> Array:
    """The same elements in memory of their own."""
    return execute(TABLE["copy"], (array,), {}, TensorType(array.shape, dtype_of(array)))
