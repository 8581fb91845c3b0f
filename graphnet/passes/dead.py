"""Dead code: nodes that no output needs, results of loops and branches, and what these take from outside."""

from __future__ import annotations

from collections.abc import Iterable

from graphnet import _core
from graphnet.ir import BRANCH, COUNTED, ELEMENTWISE, Graph, Loop, Node, Operand, TensorType, Value
from graphnet.ops import TABLE

__all__ = ["remove_dead"]


_FRESH = frozenset(name for name, op in TABLE.items() if op.fresh)


def remove_dead(graph: Graph) -> Graph:
    """The graph with its inputs and the nodes that lead to outputs and updates; what is drawn anew stays too.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(lambda x: (x.exp(), x.sin())[0], (3,))
        >>> [node.op for node in remove_dead(graph).nodes]
        ['input', 'exp']
    """
    return _pruned(graph, graph.outputs)[0]


def _pruned(graph: Graph, outputs: Iterable[Operand]) -> tuple[Graph, set[Node]]:
    """A graph with only what leads to these outputs, and which of its inputs do."""
    outputs = list(outputs)
    used = {o for o in (*outputs, *graph.updates.values()) if isinstance(o, Value)}
    taken = {o.node for o in used}  # the nodes of those, for nodes that have one result
    smaller: dict[Node, _Smaller] = {}
    kept: list[Node] = []
    at = len(graph.nodes)
    while (at := _core.live(graph.nodes, at, taken, used, _FRESH, kept)) > 0:
        node = graph.nodes[at - 1]
        slots = {slot for slot in range(len(graph.types[node])) if Value(node, slot) in used}
        smaller[node] = _Smaller(node, graph.types[node], slots)
        kept.append(node)
        for operand in smaller[node].operands:
            if type(operand) is Value:
                taken.add(operand.node)
                if operand.node.blocks:
                    used.add(operand)
        at -= 1
    reached = taken.intersection(graph.inputs)
    if len(kept) == len(graph.nodes) and not smaller and outputs == graph.outputs:
        return graph, reached
    result = Graph(graph.name)
    moved: dict[Node, Node] = {}

    def now(old: Operand) -> Operand:
        if not isinstance(old, Value) or old.node not in moved:
            return old
        return Value(moved[old.node], smaller[old.node].slots[old.slot] if old.node in smaller else old.slot)

    for node in reversed(kept):
        new, types, less = node, graph.types[node], smaller.get(node)
        if less is not None:
            inputs = tuple(map(now, less.operands))
            new = Node(node.op, inputs, less.attrs, node.name, node.scope, node.where, less.blocks)
            types = less.types
        elif moved and any(isinstance(o, Value) and o.node in moved for o in node.inputs):
            new = Node(node.op, tuple(map(now, node.inputs)), node.attrs, node.name, node.scope, node.where)
        if new is not node:
            moved[node] = new
        result.add(new, types)
    result.outputs = [now(o) for o in outputs]
    result.inputs = [moved.get(node, node) for node in graph.inputs]
    result.parameter_names, result.buffer_names = dict(graph.parameter_names), dict(graph.buffer_names)
    result.updates = {buffer: now(new) for buffer, new in graph.updates.items()}
    return result, reached


class _Smaller:
    """What is left of a node of control flow when only some of its results are used.

    Attributes:
        operands, attrs, blocks, types: of the new node; the operands still as they were.
        slots: the new numbers of the results that are left.
    """

    def __init__(self, node: Node, types: tuple[TensorType, ...], used: set[int]) -> None:
        self.attrs = node.attrs
        (self._branch if node.op in (BRANCH, ELEMENTWISE) else self._loop)(node, used)
        self.types = tuple([types[slot] for slot in self.slots])

    def _branch(self, node: Node, used: set[int]) -> None:
        slots = sorted(used)
        pairs = [_pruned(block, [block.outputs[slot] for slot in slots]) for block in node.blocks]
        first = 1 if node.op == BRANCH else 0  # the condition
        count = len(node.inputs) - first
        left = [
            i
            for i in range(count)
            if any(block.inputs[i] in reached for block, (_, reached) in zip(node.blocks, pairs))
        ]
        self.operands: tuple[Operand, ...] = (*node.inputs[:first], *(node.inputs[first + i] for i in left))
        self.blocks: tuple[Graph, ...] = tuple([_with_inputs(new, left) for new, _ in pairs])
        self.slots = {slot: number for number, slot in enumerate(slots)}

    def _loop(self, node: Node, used: set[int]) -> None:
        loop = Loop(node)
        n, k = len(loop.states), len(loop.stacks)
        body, condition = loop.body, loop.condition
        states = {slot for slot in used if slot < n}
        written = sorted(slot - n - 1 for slot in used if slot > n)
        check, asked = _pruned(condition, condition.outputs) if condition is not None else (None, set())
        if condition is not None:
            states |= {i for i in range(n) if condition.inputs[i] in asked}
        while True:  # a state is needed where the next value of a needed one is made from it
            outputs = [body.outputs[i] for i in (*sorted(states), *(n + w for w in written))]
            new, reached = _pruned(body, outputs)
            more = states | {i for i in range(n) if body.inputs[i] in reached}
            if more == states:
                break
            states = more
        chosen = sorted(states)
        stacks = [i for i in range(k) if body.inputs[n + i] in reached]
        captured = [i for i in range(len(loop.captured)) if body.inputs[n + k + i] in reached]
        if condition is not None:
            asked_too = {i for i in range(len(loop.captured)) if condition.inputs[n + i] in asked}
            captured = sorted({*captured, *asked_too})
        new = _with_inputs(new, [*chosen, *(n + i for i in stacks), *(n + k + i for i in captured)])
        self.blocks = (new,)
        if check is not None:
            self.blocks = (_with_inputs(check, [*chosen, *(n + i for i in captured)]), new)
        first = node.inputs[:1] if node.op == COUNTED else ()
        states_left = [loop.states[i] for i in chosen]
        self.operands = (*first, *states_left, *(loop.stacks[i] for i in stacks), *(loop.captured[i] for i in captured))
        self.attrs = {**node.attrs, "states": len(chosen), "stacks": len(stacks)}
        kept = [*chosen, n, *(n + 1 + w for w in written)]
        self.slots = {slot: number for number, slot in enumerate(kept)}


def _with_inputs(block: Graph, left: list[int]) -> Graph:
    """A block without the other inputs, which nothing uses."""
    if len(left) == len(block.inputs):
        return block
    gone = {node for i, node in enumerate(block.inputs) if i not in set(left)}
    result = Graph(block.name)
    result.inputs = [block.inputs[i] for i in left]
    result.nodes = [node for node in block.nodes if node not in gone]
    result.types = {node: types for node, types in block.types.items() if node not in gone}
    result.outputs = block.outputs
    return result
