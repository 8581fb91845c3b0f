"""Writes a changed copy of a graph: what passes that replace nodes have in common."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from typing import TypeAlias

from graphnet import _core
from graphnet.ir.control import ELEMENTWISE
from graphnet.ir.graph import Graph
from graphnet.ir.nodes import Node, Operand, TensorType, Value

__all__ = ["Change", "Rewriter", "rewrite_blocks"]

Change: TypeAlias = "tuple[str, tuple[Operand, ...], Mapping[str, object]]"
"""What a node without blocks becomes: op, operands (the old graph's), settings."""


class Rewriter:
    """Copies a graph node by node; what is replaced on the way is replaced in all later uses.

    A pass goes through `walk` and writes each node that it gets with `emit`, `join` or `replace`, or leaves it out.

    Args:
        graph: the old graph.
        retyped: what its types become, by the ids of their tuples; None where they stay.

    Attributes:
        graph: the old graph.
        result: the new one.
    """

    def __init__(self, graph: Graph, retyped: Mapping[int, tuple[TensorType, ...]] | None = None) -> None:
        self.graph = graph
        self.result = Graph(graph.name)
        self._moved: dict[Node, Value] = {}  # the first result of the new node, which all its uses share
        self._replaced: dict[Node, Operand] = {}
        new = self.result
        self._retyped = retyped
        self._state = self._moved, self._replaced, graph.types, retyped, new.nodes, new.types

    def now(self, operand: Operand) -> Operand:
        """What an operand of the old graph is in the new one."""
        return _core.now(operand, self._moved, self._replaced)

    def type_of(self, operand: Operand) -> TensorType:
        """The type of an operand of either graph."""
        new = type(operand) is Value and operand.node in self.result.types
        return (self.result if new else self.graph).type_of(operand)

    def walk(self, changed: Container[Node]) -> Iterator[Node]:
        """The nodes that change, in order, to be written by the caller; the others are copied."""
        nodes, at = self.graph.nodes, 0
        while (at := _core.keep(nodes, at, changed, self._state)) < len(nodes):
            yield nodes[at]
            at += 1

    def has(self, node: Node) -> bool:
        """Whether a node of the old graph was copied or replaced."""
        return node in self.result.types or node in self._moved or node in self._replaced

    def keep(self, node: Node) -> None:
        """Copy a node out of turn."""
        _core.keep([node], 0, (), self._state)

    def apply(self, changes: Mapping[Node, Change], dropped: set[Node]) -> Graph:
        """The new graph, with all changes made; nodes that are dropped are looked at by nothing."""
        _core.rewrite(self.graph.nodes, changes, dropped, self._state)
        return self.finish()

    def emit(
        self,
        node: Node,
        op: str,
        inputs: Sequence[Operand],
        attrs: Mapping[str, object],
        blocks: tuple[Graph, ...] | None = None,
    ) -> None:
        """Put another node in the place of one; operands are the new graph's. Without blocks, it has the old one's."""
        if blocks is None:
            blocks = node.blocks if op == node.op else ()
        made = Node(op, tuple(inputs), attrs, node.name, node.scope, node.where, blocks)
        self._moved[node] = Value(made)
        types = self.graph.types[node]
        self.result.add(made, types if self._retyped is None else self._retyped[id(types)])

    def join(self, made: Node, nodes: Sequence[Node]) -> None:
        """Put a node in the place of several of one result each; its results are theirs, in order."""
        self.result.add(made, tuple([self.graph.types[node][0] for node in nodes]))
        for slot, node in enumerate(nodes):
            self._replaced[node] = Value(made, slot)

    def replace(self, node: Node, operand: Operand) -> None:
        """Leave a node out: an operand of the new graph is its result."""
        self._replaced[node] = operand

    def copy(self) -> Graph:
        """The graph with all its nodes."""
        self.result.nodes, self.result.types = list(self.graph.nodes), dict(self.graph.types)
        return self.finish()

    def finish(self) -> Graph:
        """The new graph."""
        self.result.inputs = list(self.graph.inputs)
        self.result.outputs = [self.now(o) for o in self.graph.outputs]
        self.result.updates = {buffer: self.now(o) for buffer, o in self.graph.updates.items()}
        self.result.parameter_names = dict(self.graph.parameter_names)
        self.result.buffer_names = dict(self.graph.buffer_names)
        return self.result


def rewrite_blocks(graph: Graph, apply: Callable[[Graph], Graph]) -> Graph:
    """The graph with a pass applied to the blocks of its loops and branches; the graph itself where none changes."""
    changed: dict[Node, tuple[Graph, ...]] = {}
    for node in graph.nodes:
        if node.blocks and node.op != ELEMENTWISE:
            blocks = tuple([apply(block) for block in node.blocks])
            if any(new is not old for new, old in zip(blocks, node.blocks)):
                changed[node] = blocks
    if not changed:
        return graph
    new = Rewriter(graph)
    for node in new.walk(changed):
        new.emit(node, node.op, tuple(map(new.now, node.inputs)), node.attrs, changed[node])
    return new.finish()
