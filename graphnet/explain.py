"""What compiling makes of a graph: what was fused and left out, the memory that it plans, the work of every node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from graphnet.errors import ArgumentError
from graphnet.ir import ELEMENTWISE, Dim, Graph, Node, Symbol, Value, substitute, symbols
from graphnet.liveness import Liveness
from graphnet.ops import node_flops, result_bytes
from graphnet.passes import PASSES, plan, resolve

__all__ = ["Explanation", "Step", "explain"]


class Step(NamedTuple):
    """A node of the graph that runs.

    `flops` counts additions, multiplications and so on; `bytes` is the memory of its results; `takes_in` names the
    nodes that were fused into it. Steps within a loop or branch follow it with a greater `depth`; its own figures are
    those of one trip, or of both sides.
    """

    name: str
    op: str
    type: str
    flops: Dim
    bytes: Dim
    takes_in: tuple[str, ...]
    depth: int = 0


class Explanation:
    """How a graph runs; printing it shows a table.

    Attributes:
        name: of the graph.
        passes: for every pass its name and the number of nodes before and after, those in loops and branches included.
        steps: the nodes that run, views left out.
        planned, unplanned: bytes of the results' memory with and without reuse; None while sizes are unknown.
        flops: of all nodes together.
    """

    def __init__(self, name: str, passes: Sequence[tuple[str, int, int]], steps: Sequence[Step]) -> None:
        self.name, self.passes, self.steps = name, tuple(passes), tuple(steps)
        self.planned: int | None = None
        self.unplanned: int | None = None

    @property
    def flops(self) -> Dim:
        """The operations on numbers of one run; a loop's body counts for one trip."""
        total: Dim = 0
        for step in self.steps:
            if step.depth == 0:
                total = total + step.flops
        return total

    @property
    def fused(self) -> dict[str, tuple[str, ...]]:
        """The nodes that others were fused into, with these."""
        return {step.name: step.takes_in for step in self.steps if step.takes_in}

    def __str__(self) -> str:
        head = ("node", "op", "type", "FLOPs", "bytes", "takes in")
        rows = [
            ("  " * s.depth + s.name, s.op, s.type, _number(s.flops), _number(s.bytes), ", ".join(s.takes_in))
            for s in self.steps
        ]
        wide = [max(len(row[i]) for row in [head, *rows]) for i in range(5)]
        lines = [f"{self.name}: {self.passes[0][1]} nodes, {len(self.steps)} after the passes"]
        lines += [f"  {name}: {before} nodes -> {after}" for name, before, after in self.passes if before != after]
        for row in [head, *rows]:
            cells = [f"{text:<{width}}" for text, width in zip(row[:3], wide[:3])]
            cells += [f"{text:>{width}}" for text, width in zip(row[3:5], wide[3:])]
            lines.append("  ".join([*cells, row[5]]).rstrip())
        lines.append(f"FLOPs: {_number(self.flops)}")
        if self.planned is None:
            lines.append("memory: known with the sizes")
        else:
            lines.append(f"memory: {self.planned:,} bytes planned, {self.unplanned:,} without reuse")
        return "\n".join(lines)

    __repr__ = __str__


def explain(graph: Graph, sizes: Mapping[str, int] | None = None) -> Explanation:
    """What compiling makes of a graph.

    Args:
        graph: a graph of which no gradient is taken any more.
        sizes: numbers for sizes with names; memory is planned once all are known.

    Raises:
        ArgumentError: a size of that name does not occur.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU()), ("N", 20))
        >>> print(graph.explain(N=8))
        Sequential: 3 nodes, 1 after the passes
          fuse: 3 nodes -> 2
        node  op           type           FLOPs  bytes  takes in
        1     linear_relu  float32(8, 4)  1,312    128  0 (linear)
        FLOPs: 1,312
        memory: 768 bytes planned, 768 without reuse
    """
    graph = resolve(graph, _numbers(graph, sizes or {}))
    passes: list[tuple[str, int, int]] = []
    taken: dict[str, list[str]] = {}
    for apply in PASSES:
        before, graph = graph, apply(graph)
        passes.append((apply.__name__, _count(before), _count(graph)))
        _note_fused(before, graph, taken)
    live = Liveness(graph, [*graph.outputs, *graph.updates.values()])
    result = Explanation(graph.name, passes, list(_steps(graph, live, taken, 0)))
    if all(isinstance(d, int) for types in graph.types.values() for t in types for d in t.shape):
        planned = plan(live.buffers())
        result.planned, result.unplanned = planned.size, planned.unplanned
    return result


def _steps(graph: Graph, live: Liveness, taken: Mapping[str, Sequence[str]], depth: int) -> Iterator[Step]:
    """The steps of a graph or block, those of its blocks included."""
    for node in live.steps(graph):
        if node.op == "input" or (result_bytes(graph, node) == 0 and node_flops(graph, node) == 0):
            continue
        kind = ", ".join(map(str, graph.types[node]))
        row = (node_flops(graph, node), result_bytes(graph, node), tuple(taken.get(node.name, ())))
        yield Step(node.name, node.op, kind, *row, depth)
        if node.op != ELEMENTWISE:
            for block in node.blocks:
                yield from _steps(block, live, taken, depth + 1)


def _count(graph: Graph) -> int:
    """How many nodes there are, a group as one."""
    return sum(1 + sum(map(_count, node.blocks if node.op != ELEMENTWISE else ())) for node in graph.nodes)


def _numbers(graph: Graph, sizes: Mapping[str, int]) -> dict[Symbol, Dim]:
    known = {s.name: s for types in graph.types.values() for t in types for s in symbols(t.shape)}
    for name in sizes:
        if name not in known:
            raise ArgumentError(f"explain: {graph.name} has no size {name!r}; it has {', '.join(known) or 'none'}")
    return {known[name]: substitute(size, {}) for name, size in sizes.items()}


def _note_fused(before: Graph, after: Graph, taken: dict[str, list[str]]) -> None:
    """Note which nodes went into which, where a pass put another op in a node's place."""
    ops = {node.name: node for node in before.walk()}
    left = {node.name for node in after.walk()}
    for node in after.walk():
        old = ops.get(node.name)
        if old is None or old.op == node.op:
            continue
        if node.op == ELEMENTWISE:
            members = [ops[inner.name] for inner in node.blocks[0].nodes if inner.name in ops]
            taken[node.name] = [_label(member) for member in [*members, old]]
            continue
        gone = [o.node for o in old.inputs if isinstance(o, Value) and o.node.name not in left]
        names = [name for inner in gone for name in (*taken.pop(inner.name, ()), _label(inner))]
        taken.setdefault(node.name, []).extend(names)


def _label(node: Node) -> str:
    return f"{node.name} ({node.op})"


def _number(size: Dim) -> str:
    return f"{size:,}" if isinstance(size, int) else str(size)
