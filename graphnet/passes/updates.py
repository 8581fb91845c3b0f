"""Updates: an optimizer's work as nodes of the graph, each as early as it can be."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

from graphnet.ir import ELEMENTWISE, Constant, Graph, Node, Operand, Rewriter, Value
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
    new = Rewriter(graph).copy()
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
    updating = [node for node in graph.nodes if (op := FUSED.get(node.op)) is not None and op.overwrites is not None]
    if not updating:
        return graph
    memory = {node: [o for o in node.inputs[_overwrites(node) :] if isinstance(o, Constant)] for node in updating}
    last, earliest = _last_readers(graph, memory.keys(), {o for held in memory.values() for o in held})
    behind: dict[int, list[Node]] = {}
    position = {node: index for index, node in enumerate(graph.nodes)}
    for node, held in memory.items():
        after = max([earliest, *(position[s] for s in node.sources), *(last.get(m, -1) for m in held)])
        behind.setdefault(after, []).append(node)
    new = Rewriter(graph).copy()
    new.nodes = list(behind.get(-1, ()))
    for index, node in enumerate(graph.nodes):
        if node not in memory:
            new.nodes.append(node)
        if index in behind:
            new.nodes += behind[index]
    return new


def _overwrites(node: Node) -> int:
    found = FUSED[node.op].overwrites
    assert found is not None
    return found


def _last_readers(
    graph: Graph, updates: Container[Node], overwritten: set[Constant]
) -> tuple[dict[Constant, int], int]:
    """Where each of the constants is read last, through views too, and the last node that may refuse its data."""
    last: dict[Constant, int] = {}
    seen: dict[Value, frozenset[Constant]] = {}  # whose memory a view looks at
    integers = {node for node, types in graph.types.items() if any(t.dtype.category == 1 for t in types)}
    viewing = {name: op is None or op.view is not None for name in {n.op for n in graph.nodes} for op in [row(name)]}
    earliest = -1
    for index, node in enumerate(graph.nodes):
        if node in updates:
            continue
        roots: set[Constant] = set()
        for operand in node.inputs:
            if type(operand) is Value:
                if operand in seen:
                    roots |= seen[operand]
            elif operand in overwritten:
                roots.add(operand)
        for root in roots:
            last[root] = index
        if node.op == ELEMENTWISE:  # it makes memory of its own, and refuses nothing
            continue
        if roots and viewing[node.op]:
            seen[Value(node)] = frozenset(roots)
        # A kernel may find its data wrong where it looks at integers.
        if node.op != "input" and (row(node.op) is None or not integers.isdisjoint(node.sources)):
            earliest = index
    return last, earliest
