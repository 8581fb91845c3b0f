"""Adds nodes to a graph with their types inferred: what tracing and differentiation both write with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphnet import _core
from graphnet.ir import Graph, Node, Operand, Scope, Symbol, TensorType, Unifier, Value, Where
from graphnet.ir.control import result_types
from graphnet.ops.table import TABLE, Attrs, Op, infer

__all__ = ["Emitter"]


class Emitter:
    """Writes into one graph and learns sizes on the way.

    A block of a node of control flow is written by an emitter of its own, made by `inner`; names are unique in all.
    """

    __slots__ = ("_taken", "graph", "sizes")

    def __init__(self, graph: Graph, sizes: Unifier) -> None:
        self.graph = graph
        self.sizes = sizes
        self._taken: dict[str, int] = dict.fromkeys((node.name for node in graph.walk()), 1)

    def inner(self, name: str, *, throwaway: bool = False) -> Emitter:
        """An emitter into a new block; of a `throwaway` one the names can be taken again."""
        result = Emitter.__new__(Emitter)
        result.graph, result.sizes = Graph(name), self.sizes
        result._taken = dict(self._taken) if throwaway else self._taken
        return result

    def type_of(self, operand: Operand) -> TensorType:
        """Shape and dtype of an operand, with all sizes that are known by now."""
        found = self.graph.type_of(operand)
        if not self.sizes.values:
            return found
        shape = self.sizes.resolve_shape(found.shape)
        return TensorType(shape, found.dtype) if shape is not found.shape else found

    def unique(self, name: str) -> str:
        """The name, with a number behind it where it is taken."""
        return _core.unique(self._taken, name)

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
        return _core.emit(self.graph, self.sizes, self._taken, infer, op, operands, attrs, name, scope, where)

    def replay(self, steps: tuple[Any, ...], results: tuple[Any, ...], node: Node, g: Operand) -> tuple[Any, ...]:
        """Add the operations of a node's gradient (`graphnet.passes.gradient`), and give some of their results."""
        return _core.replay(self.graph, self._taken, steps, results, node, g)

    def carry(
        self, nodes: list[Node], end: int, wanted: set[Any], gradients: dict[Any, Any], recipes: dict[Any, Any]
    ) -> int:
        """Carry gradients backward over the nodes before `end`, as far as recipes are known and no two are added."""
        return _core.carry(nodes, end, self.graph, self._taken, wanted, gradients, recipes)

    def control(
        self,
        op: str,
        operands: Sequence[Operand],
        attrs: Attrs,
        blocks: tuple[Graph, ...],
        name: str,
        scope: Scope | None = None,
        where: Where | None = None,
    ) -> Node:
        """Add a node of control flow, whose blocks are finished."""
        node = Node(op, tuple(operands), attrs, self.unique(name), scope, where, blocks)
        types = [self.type_of(o) for o in operands]
        return self.graph.add(node, result_types(node, types, Symbol(f"{node.name}.trips")))

    def copy(
        self,
        node: Node,
        operands: Sequence[Operand],
        prefix: str = "",
        moved: Callable[[Scope | None], Scope | None] = lambda scope: scope,
    ) -> Node:
        """Add a node like another one with these operands; within its blocks, nodes like those there."""
        name, scope = f"{prefix}{node.name}", moved(node.scope)
        if not node.blocks:
            return self.emit(TABLE[node.op], operands, node.attrs, name, scope, node.where).node
        blocks = tuple([self.copy_block(block, prefix, moved) for block in node.blocks])
        return self.control(node.op, operands, node.attrs, blocks, name, scope, node.where)

    def copy_block(
        self,
        block: Graph,
        prefix: str = "",
        moved: Callable[[Scope | None], Scope | None] = lambda scope: scope,
    ) -> Graph:
        """A block like another one, for a node of this graph."""
        inner = self.inner(f"{prefix}{block.name}")
        values: dict[Node, Node] = {}
        for node in block.inputs:
            values[node] = inner.input(f"{prefix}{node.name}", block.types[node][0], node.where).node
        inner.copy_nodes(block, values, prefix, moved)
        inner.graph.outputs = [_operand(values, o) for o in block.outputs]
        return inner.graph

    def copy_nodes(
        self,
        block: Graph,
        values: dict[Node, Node],
        prefix: str = "",
        moved: Callable[[Scope | None], Scope | None] = lambda scope: scope,
    ) -> None:
        """Add the operations of a block; `values` says what stands for its inputs, and then for all its nodes."""
        for node in block.nodes:
            if node.op != "input":
                values[node] = self.copy(node, [_operand(values, o) for o in node.inputs], prefix, moved)


def _operand(values: dict[Node, Node], operand: Operand) -> Operand:
    return Value(values[operand.node], operand.slot) if isinstance(operand, Value) else operand
