"""Grouping: neighbouring operations on elements become one node, which runs as one loop.

Nodes join where one reads the other and both have the same shape; broadcasting happens at the group's edge. What only
members look at is no result of the group and takes no memory.

A group must not wait for something that waits for it. Every node has a height, the number of edges behind it that no
group can take in, at most; members of a group have the same one. Along every edge heights fall, or stay where the edge
is within a group, so no way leads out of a group and back into it. Heights are the least possible, so that what a
forward pass leaves to the backward pass is computed there; then whole groups rise to those whose results they read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphnet.ir import ELEMENTWISE, Graph, Literal, Node, Operand, Rewriter, Value, rewrite_blocks
from graphnet.ops import row

__all__ = ["group_elementwise"]

MEMBERS, OPERANDS = 40, 48  # of a group at most, numbers among the operands: what the kernel takes


def group_elementwise(graph: Graph) -> Graph:
    """The graph with connected operations on elements in nodes `elementwise`, whose block has them.

    Example:
        >>> import graphnet as gn
        >>> def f(x):
        ...     return x * x.tanh() + 1
        >>> print(group_elementwise(gn.trace(f, (3,))))  # doctest: +ELLIPSIS
        graph f(x: float32(3,)):
          add = elementwise(x) ...
            elementwise(x#2: float32(3,)):
              tanh = tanh(x#2) ...
              mul = mul(x#2, tanh) ...
              add#2 = add(mul, 1) ...
              return add#2
          return add
    """
    return _grouped(graph, {node.name for node in graph.walk()})


def _grouped(graph: Graph, names: set[str]) -> Graph:
    """The same for a graph or a block; `names` are those in use."""
    graph = rewrite_blocks(graph, lambda block: _grouped(block, names))
    members = {node for node in graph.nodes if node.op != "input" and _joins(graph, node)}
    if not any(_near(graph, members, source, node) for node in members for source in node.sources):
        return graph
    groups = _groups(graph, members)
    return _Writer(graph, groups, names).result if groups else graph


def _joins(graph: Graph, node: Node) -> bool:
    """Whether a node can be a member."""
    op = row(node.op)
    return op is not None and bool(op.pointwise) and op.is_pointwise(graph.type_of(node.inputs[0]).dtype)


def _near(graph: Graph, members: set[Node], source: Node, node: Node) -> bool:
    """Whether an edge may lie within a group."""
    return source in members and node in members and graph.types[source][0].shape == graph.types[node][0].shape


def _groups(graph: Graph, members: set[Node]) -> list[list[Node]]:
    """The members of each group, in the graph's order."""
    heights = _heights(graph, members)
    found = _connected(graph, members, heights)
    if _raise(graph, members, heights, found):
        found = _connected(graph, members, heights)
    groups = []
    for group in found:
        for part in _parts(graph, group):
            groups += [g for g in _connected(graph, set(part), heights, part) if len(g) > 1]
    return groups


def _heights(graph: Graph, members: set[Node]) -> dict[Node, int]:
    heights = dict.fromkeys(graph.nodes, 0)
    for node in reversed(graph.nodes):
        own = heights[node]
        for source in node.sources:
            least = own if _near(graph, members, source, node) else own + 1
            if heights[source] < least:
                heights[source] = least
    return heights


def _connected(
    graph: Graph, members: set[Node], heights: Mapping[Node, int], nodes: Iterable[Node] | None = None
) -> list[list[Node]]:
    """The members that edges within groups connect, each set in the graph's order."""
    above: dict[Node, Node] = {}

    def root(node: Node) -> Node:
        while (up := above[node]) is not node:
            above[node] = above[up]
            node = up
        return node

    order = [node for node in (graph.nodes if nodes is None else nodes) if node in members]
    for node in order:
        above[node] = node
        for source in node.sources:
            if source in above and heights[source] == heights[node] and _near(graph, members, source, node):
                above[root(source)] = root(node)
    found: dict[Node, list[Node]] = {}
    for node in order:
        found.setdefault(root(node), []).append(node)
    return list(found.values())


def _raise(graph: Graph, members: set[Node], heights: dict[Node, int], groups: list[list[Node]]) -> bool:
    """Raise groups to those whose results they read, where nothing else that they read comes later."""
    changed = False
    for group in sorted(groups, key=lambda group: -heights[group[0]]):
        own, limit, reachable = set(group), None, -1
        for node in group:
            for source in node.sources:
                if source not in own:
                    near = _near(graph, members, source, node)
                    most = heights[source] if near else heights[source] - 1
                    limit = most if limit is None else min(limit, most)
                    reachable = max(reachable, heights[source]) if near else reachable
        if limit is not None and limit == reachable > heights[group[0]]:
            heights.update(dict.fromkeys(group, limit))
            changed = True
    return changed


def _parts(graph: Graph, group: list[Node]) -> list[list[Node]]:
    """A group in pieces that are not too large: a later one reads from earlier ones alone."""
    parts: list[list[Node]] = [[]]
    taken: set[Operand | tuple[object, ...]] = set()
    for node in group:
        operands = {(type(o), *o) if isinstance(o, Literal) else o for o in node.inputs}
        if len(parts[-1]) == MEMBERS or len(taken | operands) > OPERANDS:
            parts.append([])
            taken = set()
        parts[-1].append(node)
        taken |= operands
    return parts


class _Writer:
    """Writes the graph with groups in the place of their last members, what they need before them."""

    def __init__(self, graph: Graph, groups: list[list[Node]], names: set[str]) -> None:
        self.graph, self.new = graph, Rewriter(graph)
        self.group = {node: group for group in groups for node in group}
        self.names = names
        self.looked_at = {o for o in (*graph.outputs, *graph.updates.values()) if isinstance(o, Value)}
        group = self.group.get
        self.looked_at.update(
            [
                o
                for node in graph.nodes
                for o in node.inputs
                if type(o) is Value and o.node in self.group and group(o.node) is not group(node)
            ]
        )
        self.fresh = [node for node in graph.nodes if (op := row(node.op)) is not None and op.fresh]
        self.drawn = 0  # how many of them are written
        self.done: set[Node] = set()  # members of groups that are written
        # What is written in its turn; others that a group needs early come to this as they are written.
        self.special = {*self.group, *self.fresh, *self._late()}
        for node in self.new.walk(self.special):
            if node not in self.group or self.group[node][-1] is node:
                self._demand(node)
        self.result = self.new.finish()

    def _late(self) -> set[Node]:
        """Nodes that read of a group, through others or not, before its last member."""
        late, waiting = set[Node](), set[Node]()  # the latter: members of groups whose last one is still to come
        for node in self.graph.nodes:
            own = self.group.get(node)
            if own is not None:
                if own[-1] is node:
                    waiting.difference_update(own)
                else:
                    waiting.add(node)
            elif waiting and not (waiting.isdisjoint(node.sources) and late.isdisjoint(node.sources)):
                late.add(node)
        return late

    def _demand(self, node: Node) -> None:
        """Write a node, or the group it is in, behind what it reads."""
        stack = [node]
        while stack:
            top = stack[-1]
            if self._is_written(top):
                stack.pop()
                continue
            whole = self.group.get(top, [top])
            if (op := row(top.op)) is not None and op.fresh:  # random keys are drawn in the graph's order
                whole = self.fresh[self.drawn : self.drawn + 1]
                self.drawn += 1
            missing = [
                s for n in whole for s in n.sources if not self._is_written(s) and self.group.get(s) is not whole
            ]
            if missing:
                stack += reversed(missing)
                continue
            self._write(whole)

    def _is_written(self, node: Node) -> bool:
        return node in self.done or self.new.has(node)

    def _write(self, whole: list[Node]) -> None:
        if whole[0] in self.group:
            self._write_group(whole)
            self.done.update(whole)
        else:
            self.special.add(whole[0])
            self.new.keep(whole[0])

    def _write_group(self, members: list[Node]) -> None:
        last = members[-1]
        block = Graph(ELEMENTWISE)
        inner: dict[Operand, Value] = {}
        operands: list[Operand] = []

        def take(operand: Operand) -> Operand:
            if isinstance(operand, Literal):
                return operand
            if operand not in inner:
                source = operand.node.name if isinstance(operand, Value) else self.graph.operand_text(operand)
                node = Node("input", (), name=self._unique(source))
                inner[operand] = Value(block.add(node, (self.graph.type_of(operand),)))
                operands.append(operand)
            return inner[operand]

        own = set(members)
        for operand in (o for node in members for o in node.inputs):
            if not (isinstance(operand, Value) and operand.node in own):
                take(operand)
        for node in members:
            name = self._unique(node.name) if node is last else node.name
            made = Node(node.op, tuple(map(take, node.inputs)), node.attrs, name, node.scope, node.where)
            inner[Value(node)] = Value(block.add(made, self.graph.types[node]))
        results = [node for node in members if Value(node) in self.looked_at] or [last]
        block.outputs = [inner[Value(node)] for node in results]
        group = Node(ELEMENTWISE, tuple(map(self.new.now, operands)), {}, last.name, last.scope, last.where, (block,))
        self.new.join(group, results)

    def _unique(self, name: str) -> str:
        count, found = 1, name
        while found in self.names:
            count += 1
            found = f"{name}#{count}"
        self.names.add(found)
        return found
