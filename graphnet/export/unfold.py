"""Graphs for pictures: what is inside loops and branches stands beside the rest, in boxes of its own."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from graphnet.ir import Graph, Node, Operand, Scope, TensorType, Value
from graphnet.ir.control import BRANCH, COUNTED, ELEMENTWISE, LOOP, Loop

__all__ = ["LOOPS", "STATES", "Back", "Unfolded", "unfold"]

LOOPS = (LOOP, COUNTED, BRANCH, ELEMENTWISE)  # the ops, which are also the classes of their boxes
STATES = ("state", "element")  # what the nodes are called that stand for a block's inputs


class Back(NamedTuple):
    """What a trip of a loop hands to the next: from the node that computes it to the state."""

    source: Node
    slot: int
    target: Node


class Unfolded(NamedTuple):
    """A graph without blocks, for looking at, and the lines that lead back in it."""

    graph: Graph
    backs: list[Back]


def unfold(graph: Graph) -> Unfolded:
    """The graph with the nodes of its blocks beside the others.

    A loop is a scope of class "while" or "repeat", with scopes "condition" and "body" in it; a branch one of class
    "if" with "then" and "else". A node "state" stands for what goes around a loop, "element" for what is taken from a
    stack at each trip. The node of the loop or branch itself stands for the results, behind its blocks. Operations
    that run as one loop are a scope of class "elementwise". A graph without blocks is given back as it is.

    Example:
        >>> import graphnet as gn
        >>> def halved(x):
        ...     return gn.while_loop(lambda x: x.sum() > 1, lambda x: (x / 2,), (x,))[0]
        >>> flat, backs = unfold(gn.trace(halved, (3,)))
        >>> [(node.op, node.path) for node in flat.nodes][1:]
        [('state', 'while'), ('sum', 'while.condition'), ('gt', 'while.condition'), ('div', 'while.body'), \
('while', 'while')]
        >>> [(back.source.op, back.target.op) for back in backs]
        [('div', 'state')]
    """
    if not any(node.blocks for node in graph.nodes):
        return Unfolded(graph, [])
    return _Unfolder(graph).result


_Given: TypeAlias = "tuple[list[list[Operand]], list[Node]]"  # of each block, what it takes; the nodes of states


class _Unfolder:
    def __init__(self, graph: Graph) -> None:
        self.result = Unfolded(Graph(graph.name), [])
        self.result.graph.parameter_names = graph.parameter_names
        self.names: set[str] = {node.name for node in graph.walk()}
        values: dict[Value, Operand] = {}
        self._add(graph, values, {})
        new = self.result.graph
        new.outputs = [self._operand(o, values) for o in graph.outputs]

    def _add(self, graph: Graph, values: dict[Value, Operand], scopes: dict[Scope | None, Scope | None]) -> None:
        """Add the nodes of a graph or block; `scopes` tells where they are put."""
        for node in graph.nodes:
            if node.op == "input" and Value(node) in values:
                continue
            scope = self._moved(node.scope, scopes)
            if node.blocks:
                self._blocks(graph, node, scope, values)
                continue
            inputs = tuple(self._operand(o, values) for o in node.inputs)
            new = node
            if scope is not node.scope or any(a is not b for a, b in zip(inputs, node.inputs)):
                new = Node(node.op, inputs, node.attrs, node.name, scope, node.where)
            self._put(new, graph.types[node])
            values.update((Value(node, slot), Value(new, slot)) for slot in range(len(graph.types[node])))

    def _put(self, node: Node, types: tuple[TensorType, ...]) -> Node:
        return self.result.graph.add(node, types)

    def _operand(self, operand: Operand, values: dict[Value, Operand]) -> Operand:
        return values.get(operand, operand) if isinstance(operand, Value) else operand

    def _moved(self, scope: Scope | None, scopes: dict[Scope | None, Scope | None]) -> Scope | None:
        """The scope of a block's node, within the block's own."""
        if scope in scopes or scope is None:
            return scopes.get(scope)
        missing = []
        at: Scope | None = scope
        while at is not None and at not in scopes:
            missing.append(at)
            at = at.parent
        found = scopes.get(at)
        if found is None and at is None and None not in scopes:
            return scope  # of the graph itself: nothing moves
        for old in reversed(missing):
            found = scopes[old] = Scope(found, old.name, old.cls, old.where, old.library)
            found._label = old.label  # what the module is called, wherever it is called from
        return found

    def _blocks(self, graph: Graph, node: Node, scope: Scope | None, values: dict[Value, Operand]) -> None:
        """Add the nodes of a node's blocks, then the node that stands for its results."""
        label = node.label
        name = node.op if node.name == label else node.name.removeprefix(f"{label}.") if label else node.name
        box = Scope(scope, name, node.op, node.where)
        operands = [self._operand(o, values) for o in node.inputs]
        if node.op == ELEMENTWISE:
            block = node.blocks[0]
            inner = {Value(own): operand for own, operand in zip(block.inputs, operands)}
            self._add(block, inner, {node.scope: box})
            values.update((Value(node, slot), self._operand(o, inner)) for slot, o in enumerate(block.outputs))
            return
        given, states = (self._branch if node.op == BRANCH else self._loop)(node, operands, box)
        names = ("then", "else") if node.op == BRANCH else ("condition", "body")[-len(node.blocks) :]
        results: list[Operand] = [operands[0]] if node.op in (BRANCH, COUNTED) else []
        for name, block, inputs in zip(names, node.blocks, given):
            inner = {Value(own): operand for own, operand in zip(block.inputs, inputs)}
            self._add(block, inner, {node.scope: Scope(box, name, name, None)})
            outputs = [self._operand(o, inner) for o in block.outputs]
            results += outputs
            if name == "body":
                for output, state in zip(outputs, states):
                    if isinstance(output, Value) and output.node is not state:
                        self.result.backs.append(Back(output.node, output.slot, state))
        new = Node(node.op, tuple(results), node.settings, node.name, box, node.where)
        self._put(new, graph.types[node])
        values.update((Value(node, slot), Value(new, slot)) for slot in range(len(graph.types[node])))

    def _branch(self, node: Node, operands: list[Operand], box: Scope) -> _Given:
        """What the blocks of a branch take: captured values as they are."""
        return [operands[1:], operands[1:]], []

    def _loop(self, node: Node, operands: list[Operand], box: Scope) -> _Given:
        """What the blocks of a loop take: states, elements of stacks, captured values; and the nodes of the states."""
        loop = Loop(node)
        first = 1 if node.op == COUNTED else 0
        count = len(loop.states)
        body = node.blocks[-1]
        types = [body.types[inner][0] for inner in body.inputs]
        nodes = []
        for i, operand in enumerate(operands[first : first + count + len(loop.stacks)]):
            kind = "state" if i < count else "element"
            name = self._free(f"{node.name}.{kind}{i if i < count else i - count}")
            nodes.append(self._put(Node(kind, (operand,), {}, name, box, node.where), (types[i],)))
        captured = operands[first + len(nodes) :]
        values: list[Operand] = [Value(n) for n in nodes]
        whole = [*values, *captured]
        return ([whole] if node.op == COUNTED else [[*values[:count], *captured], whole]), nodes[:count]

    def _free(self, name: str) -> str:
        while name in self.names:
            name += "'"
        self.names.add(name)
        return name
