"""Updates: an optimizer's work as nodes of the graph, each as early as it can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphnet.ir import ELEMENTWISE, Constant, Graph, Node, Operand, Value
from graphnet.ops import FUSED, row
from graphnet.ops.fused import CHOSEN_UPDATES, UPDATES

__all__ = ["Update", "add_updates", "place_updates"]


class Update(NamedTuple):
    """What is overwritten for one parameter: it and what is kept for it; where `chosen` holds, if there is one."""

    kernel: str
    gradient: Operand
    overwritten: tuple[Constant, ...]
    chosen: Operand | None = None


def add_updates(graph: Graph, updates: Sequence[Update]) -> Graph:
    """The graph with a node for every update behind all others; their results are outputs, after the first one."""
    new = Graph(graph.name)
    for node in graph.nodes:
        new.add(node, graph.types[node])
    new.parameter_names, new.buffer_names = dict(graph.parameter_names), dict(graph.buffer_names)
    new.updates = dict(graph.updates)
    new.outputs = list(graph.outputs[:1])
    taken = {node.name for node in graph.nodes}
    for number, update in enumerate(updates):
        parameter = update.overwritten[0]
        name = f"update.{graph.parameter_names.get(parameter, number)}"  # type: ignore[call-overload]
        while name in taken:
            name += "'"
        taken.add(name)
        ops, chosen = (UPDATES, ()) if update.chosen is None else (CHOSEN_UPDATES, (update.chosen,))
        node = Node(ops[update.kernel], (update.gradient, *chosen, *update.overwritten), {"number": number}, name)
        new.add(node, (parameter._type(),))
        new.outputs.append(Value(node))
    return new


def place_updates(graph: Graph) -> Graph:
    """The graph with every update where its gradient is made, behind all that read the memory it overwrites.

    No update comes before a node that may refuse its data, such as a label out of range: then nothing is updated.
    """
    if not any(node.op in FUSED and FUSED[node.op].overwrites is not None for node in graph.nodes):
        return graph
    last: dict[Constant, int] = {}  # the last reader of a constant's memory, through views too
    seen: dict[Value, frozenset[Constant]] = {}  # whose memory a view looks at
    earliest = -1
    for index, node in enumerate(graph.nodes):
        op = row(node.op)
        if op is not None and op.overwrites is not None:
            continue
        roots: set[Constant] = set()
        for operand in node.inputs:
            if isinstance(operand, Constant):
                roots.add(operand)
            elif isinstance(operand, Value):
                roots |= seen.get(operand, frozenset())
        for root in roots:
            last[root] = index
        if node.op == ELEMENTWISE:  # it makes memory of its own, and refuses nothing
            continue
        if roots and (op is None or op.view is not None):
            seen[Value(node)] = frozenset(roots)
        if node.op != "input" and (op is None or _may_refuse(graph, node)):
            earliest = index
    behind: dict[int, list[Node]] = {}
    position = {node: index for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        op = row(node.op)
        if op is None or op.overwrites is None:
            continue
        memory = [o for o in node.inputs[op.overwrites :] if isinstance(o, Constant)]
        after = max([earliest, *(position[s] for s in node.sources), *(last.get(m, -1) for m in memory)])
        behind.setdefault(after, []).append(node)
    new = Graph(graph.name)
    for index, node in enumerate(graph.nodes):
        op = row(node.op)
        if op is None or op.overwrites is None:
            new.add(node, graph.types[node])
        for update in behind.get(index, ()):
            new.add(update, graph.types[update])
    new.outputs, new.updates = list(graph.outputs), dict(graph.updates)
    new.parameter_names, new.buffer_names = dict(graph.parameter_names), dict(graph.buffer_names)
    return new


def _may_refuse(graph: Graph, node: Node) -> bool:
    """Whether a kernel may find its data wrong: only those that look at integers do."""
    types = [graph.type_of(o) if isinstance(o, Value) else None for o in node.inputs]
    return any(t is not None and not t.dtype.is_floating_point and t.dtype.category == 1 for t in types)
