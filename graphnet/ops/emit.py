"""Adds nodes to a graph with their types inferred: what tracing and differentiation both write with."""

from __future__ import annotations

from collections.abc import Sequence

from graphnet.ir import Graph, Literal, Node, Operand, Scope, TensorType, Unifier, Value, Where
from graphnet.ops.table import Attrs, Op, infer

__all__ = ["Emitter"]


class Emitter:
    """Writes into one graph and learns sizes on the way."""

    __slots__ = ("_taken", "graph", "sizes")

    def __init__(self, graph: Graph, sizes: Unifier) -> None:
        self.graph = graph
        self.sizes = sizes
        self._taken: dict[str, int] = dict.fromkeys((node.name for node in graph.nodes), 1)

    def type_of(self, operand: Operand) -> TensorType:
        """Shape and dtype of an operand, with all sizes that are known by now."""
        if isinstance(operand, Literal):
            return TensorType((), operand.dtype)
        found = self.graph.type_of(operand) if isinstance(operand, Value) else operand._type()
        return TensorType(self.sizes.resolve_shape(found.shape), found.dtype)

    def unique(self, name: str) -> str:
        """The name, with a number behind it where it is taken."""
        count = self._taken.get(name, 0) + 1
        self._taken[name] = count
        return name if count == 1 else self.unique(f"{name}#{count}")

    def input(self, name: str, type: TensorType, where: Where | None = None) -> Value:
        """Add an input."""
        node = Node("input", (), name=self.unique(name), where=where)
        return Value(self.graph.add(node, (type,)))

    def emit(
        self,
        op: Op,
        operands: Sequence[Operand],
        attrs: Attrs,
        name: str,
        scope: Scope | None = None,
        where: Where | None = None,
    ) -> Value:
        """Add an operation.

        Raises:
            ShapeError, DTypeError: the operands do not fit.
        """
        result = infer(op, self.sizes, [self.type_of(o) for o in operands], attrs)
        node = Node(op.name, tuple(operands), attrs, self.unique(name), scope, where)
        return Value(self.graph.add(node, (result,)))
