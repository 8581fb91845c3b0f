"""Writes a changed copy of a graph: what passes that replace nodes have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphnet.ir.graph import Graph
from graphnet.ir.nodes import Literal, Node, Operand, TensorType, Value

__all__ = ["Rewriter"]


class Rewriter:
    """Copies a graph node by node; what is replaced on the way is replaced in all later uses.

    Attributes:
        graph: the old graph.
        result: the new one.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.result = Graph(graph.name)
        self._moved: dict[Operand, Operand] = {}

    def now(self, operand: Operand) -> Operand:
        """What an operand of the old graph is in the new one."""
        return self._moved.get(operand, operand) if isinstance(operand, Value) else operand

    def type_of(self, operand: Operand) -> TensorType:
        """The type of an operand of either graph."""
        if isinstance(operand, Value):
            types = self.result.types.get(operand.node) or self.graph.types[operand.node]
            return types[operand.slot]
        return operand._type() if not isinstance(operand, Literal) else TensorType((), operand.dtype)

    def keep(self, node: Node) -> None:
        """Copy a node."""
        self.emit(node, node.op, tuple(map(self.now, node.inputs)), node.attrs)

    def emit(self, node: Node, op: str, inputs: Sequence[Operand], attrs: Mapping[str, object]) -> None:
        """Put another node in the place of one; operands are the new graph's."""
        made = node
        if op != node.op or attrs is not node.attrs or any(a is not b for a, b in zip(inputs, node.inputs)):
            blocks = node.blocks if op == node.op else ()
            made = Node(op, tuple(inputs), attrs, node.name, node.scope, node.where, blocks)
            for slot in range(len(self.graph.types[node])):
                self._moved[Value(node, slot)] = Value(made, slot)
        self.result.add(made, self.graph.types[node])

    def replace(self, node: Node, operand: Operand) -> None:
        """Leave a node out: an operand of the new graph is its result."""
        self._moved[Value(node)] = operand

    def finish(self) -> Graph:
        """The new graph."""
        self.result.inputs = list(self.graph.inputs)
        self.result.outputs = [self.now(o) for o in self.graph.outputs]
        self.result.updates = {buffer: self.now(o) for buffer, o in self.graph.updates.items()}
        self.result.parameter_names = dict(self.graph.parameter_names)
        self.result.buffer_names = dict(self.graph.buffer_names)
        return self.result
