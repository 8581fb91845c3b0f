"""When each value of a graph is in use, blocks included: what memory planning asks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from graphnet.ir import BRANCH, ELEMENTWISE, Constant, Graph, Loop, Node, Operand, TensorType, Value
from graphnet.ops import row
from graphnet.passes.memory import Buffer

__all__ = ["Liveness", "needed"]


class Liveness:
    """The values that need memory of their own, and the steps between which they need it.

    Attributes:
        values: they, in order of first use, with their types.
        nodes: the nodes to compute, of the graph and of every block, in order.
        given: what stands outside a block for an input of it.
    """

    def __init__(self, graph: Graph, outputs: Sequence[Operand]) -> None:
        self.graph = graph
        self.values: dict[Value, TensorType] = {}
        self.nodes: dict[Graph, list[Node]] = {}
        self.given: dict[Value, Operand] = {}
        self._stacks: set[Value] = set()  # they grow in memory of their own
        self._owner: dict[Value, Value] = {}  # views live where what they look at lives
        self._first: dict[Value, int] = {}
        self._last: dict[Value, int] = {}
        self._now = 0
        self._visit(graph, outputs)
        self._use(outputs)

    def buffers(self) -> list[Buffer]:
        """The memory that each of the values needs, and when."""
        return [
            Buffer(int(math.prod(type.shape)) * type.dtype.itemsize, self._first[value], self._last[value])
            for value, type in self.values.items()
        ]

    def owner(self, operand: Operand) -> Operand:
        """The value whose memory an operand lies in, or the constant or number that it is."""
        while isinstance(operand, Value):
            found = self._owner.get(operand)
            if found == operand or operand in self._stacks:
                break
            operand = self.given[operand] if found is None else found
        return operand

    def is_view(self, node: Node) -> bool:
        """Whether a node's result lies in the memory of its operand: not where that would have to be packed first."""
        op = row(node.op)
        if op is None or op.view is None or node.inputs[0] in self.graph.updates:  # the old value is gone after a run
            return False
        return not op.packed or self._is_contiguous(node.inputs[0])

    def _is_contiguous(self, operand: Operand) -> bool:
        """Whether a value lies in row-major order: results of kernels do, views may not."""
        while isinstance(operand, Value):
            if operand in self.given:
                operand = self.given[operand]
                continue
            node = operand.node
            op = row(node.op)
            if op is None or op.view is None:
                return op is None or op.source is None
            if node.op not in ("reshape", "detach"):
                return False
            if op.packed and not self._is_contiguous(node.inputs[0]):
                return True  # it was packed
            operand = node.inputs[0]
        return not isinstance(operand, Constant) or bool(operand._values().flags.c_contiguous)

    def _visit(self, graph: Graph, outputs: Iterable[Operand]) -> None:
        chosen = needed(graph, outputs)
        self.nodes[graph] = [node for node in graph.nodes if node in chosen]
        for node in self.nodes[graph]:
            self._now += 1
            self._use(node.inputs)
            if node.op == ELEMENTWISE:
                for slot, type in enumerate(graph.types[node]):
                    self._own(Value(node, slot), type, None)
            elif node.blocks:
                self._control(graph, node)
            elif node.op != "input":
                op = row(node.op)
                overwrites = None if op is None else op.overwrites
                source = node.inputs[overwrites or 0] if overwrites is not None or self.is_view(node) else None
                self._own(Value(node), graph.types[node][0], source)
            elif graph is self.graph:
                self._own(Value(node), graph.types[node][0], None)
                self._first[Value(node)] = 0
        self._now += 1

    def _own(self, value: Value, type: TensorType, viewed: Operand | None) -> None:
        if isinstance(viewed, Value):
            self._owner[value] = viewed
        elif viewed is None:
            self.values[value], self._owner[value] = type, value
            self._first[value] = self._last[value] = self._now
        else:
            self.given[value] = viewed  # a view of a constant

    def _use(self, operands: Iterable[Operand]) -> None:
        owners, last, stacks, now = self._owner, self._last, self._stacks, self._now
        for operand in operands:
            if type(operand) is Value:
                owner: Operand | None = owners.get(operand)
                if owner is not operand:
                    owner = self.owner(operand)
                if type(owner) is Value and owner not in stacks:
                    last[owner] = now  # which only grows

    def _control(self, graph: Graph, node: Node) -> None:
        types = graph.types[node]
        outside: Sequence[Operand] = node.inputs[1:]
        if node.op == BRANCH:
            for slot, type in enumerate(types):
                self._own(Value(node, slot), type, None)
            for block in node.blocks:
                self.given.update(zip(map(Value, block.inputs), outside))
        else:
            loop = Loop(node)
            n, k = len(loop.states), len(loop.stacks)
            outside = loop.captured
            for slot, type in enumerate(types[: n + 1]):
                self._own(Value(node, slot), type, None)
            self._stacks.update(Value(node, slot) for slot in loop.stack_slots())
            for block in node.blocks:
                heads = [Value(inner) for inner in block.inputs]
                self.given.update(zip(heads, [Value(node, slot) for slot in range(n)]))  # states stay in one place
                skip = n + k if block is loop.body else n
                self.given.update(zip(heads[skip:], loop.captured))
            for inner in loop.body.inputs[n : n + k]:
                self._own(Value(inner), loop.body.types[inner][0], None)
        for block in node.blocks:
            self._visit(block, block.outputs)
            self._use(block.outputs)
            self._now += 1
        self._use(node.inputs)  # captured values are read in every trip
        self._use(Value(node, slot) for slot in range(len(types)) if Value(node, slot) in self._owner)
        if node.op != BRANCH:
            self._use(Value(inner) for inner in loop.body.inputs[n : n + k])


def needed(graph: Graph, outputs: Iterable[Operand]) -> set[Node]:
    """The nodes that lead to the outputs, the inputs, and what is drawn anew at every run."""
    found: set[Node] = set(graph.inputs)
    wanted = {o.node for o in outputs if isinstance(o, Value)}
    for node in reversed(graph.nodes):
        if node in wanted or ((op := row(node.op)) is not None and op.fresh):
            found.add(node)
            wanted.update([o[0] for o in node.inputs if type(o) is Value])
    return found
