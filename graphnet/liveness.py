"""When each value of a graph is in use, blocks included: what memory planning asks."""

from __future__ import annotations

from collections.abc import Sequence

from graphnet import _core
from graphnet.ir import BRANCH, ELEMENTWISE, Graph, Loop, Node, Operand, Value
from graphnet.ops import row
from graphnet.passes.memory import Buffer

__all__ = ["Liveness"]


class Liveness:
    """The values that need memory of their own, and the steps between which they need it.

    The extension walks over the nodes; here is what it has to know of operations and of nodes with blocks.

    Attributes:
        table: what was found, for a program to be built from.
    """

    def __init__(self, graph: Graph, outputs: Sequence[Operand]) -> None:
        self.table = _core.Liveness(_traits)
        self.table.visit(graph, outputs, self._control)
        self.table.use(outputs)

    def buffers(self) -> list[Buffer]:
        """The memory that each of the values needs, and when, in order of first use."""
        return [Buffer(*buffer) for buffer in self.table.buffers()]

    def steps(self, graph: Graph) -> list[Node]:
        """The nodes to compute of the graph, or of a block in it, in order."""
        return self.table.steps(graph)

    def owner(self, operand: Operand) -> Operand:
        """The value whose memory an operand lies in, or the constant or number that it is."""
        return self.table.owner(operand)  # type: ignore[no-any-return]

    def owns(self, value: Value) -> bool:
        """Whether a value has memory of its own: views have not, nor have stacks, which grow in memory apart."""
        return self.table.owns(value)

    def _control(self, graph: Graph, node: Node) -> None:
        table, types = self.table, graph.types[node]
        results = [Value(node, slot) for slot in range(len(types))]
        loop = Loop(node) if node.op != BRANCH else None
        owned = results if loop is None else results[: len(loop.states) + 1]  # with the number of trips
        for value, type in zip(owned, types):
            table.own(value, type)
        if loop is None:
            for block in node.blocks:
                table.give(block.inputs, node.inputs[1:])
        else:
            owned += self._enter(loop, results)
        for block in node.blocks:
            table.visit(block, block.outputs, self._control)
            table.use(block.outputs)
            table.advance()
        table.use(node.inputs)  # captured values are read in every trip
        table.use(owned)

    def _enter(self, loop: Loop, results: list[Value]) -> list[Value]:
        """Say what stands outside for the inputs of a loop's blocks, and return the others: elements of stacks."""
        n, k = len(loop.states), len(loop.stacks)
        for block in loop.node.blocks:
            self.table.give(block.inputs[:n], results[:n])  # states stay in one place
            self.table.give(block.inputs[n + k if block is loop.body else n :], loop.captured)
        elements = loop.body.inputs[n : n + k]
        for inner in elements:
            self.table.own(Value(inner), loop.body.types[inner][0])
        return [Value(inner) for inner in elements]


def _traits(name: str) -> tuple[bool, bool, bool, bool, bool, bool, int]:
    """What the extension has to know of an operation.

    Whether it draws anew at every run, is made from settings alone, only looks at memory, needs that packed, keeps its
    order, is a group; from which operand on it overwrites, or -1.
    """
    op = row(name)
    if op is None:
        return False, False, False, False, False, name == ELEMENTWISE, -1
    overwrites = -1 if op.overwrites is None else op.overwrites
    ordered = name in ("reshape", "detach")
    return op.fresh, op.source is not None, op.view is not None, op.packed, ordered, False, overwrites
