"""A graph as plain text: the tree of its modules, with shapes, sharing, and where data come from."""

from __future__ import annotations

from collections.abc import Mapping

from graphnet.export.calls import Call, Item, Tree, checked_depth
from graphnet.export.links import Links
from graphnet.export.look import Values, number_text, numbers_by_name, op_kind, value_of
from graphnet.export.repeats import Repeats
from graphnet.export.text import one_line, operation_text, parameter_name, plural, type_text
from graphnet.export.unfold import unfold
from graphnet.ir import Graph, Value

__all__ = ["outline"]


def outline(
    graph: Graph,
    depth: int | None = None,
    *,
    collapse: bool = True,
    shared: bool = True,
    values: Mapping[str, float] | None = None,
) -> str:
    """A graph as a tree of lines.

    A line tells the result's shape, the weights that it shares with others, and where its data come from unless that
    is the line before.

    Args:
        graph, depth, collapse, shared, values: as for `to_dot`.

    Raises:
        ArgumentError, ArgumentTypeError: a depth that is not a whole number from 0 up.

    Example:
        >>> import graphnet as gn
        >>> tied = gn.nn.Linear(20, 20)
        >>> print(outline(gn.trace(gn.nn.Sequential(tied, gn.nn.ReLU(), tied), ("N", 20))), end="")
        Sequential
        ├─ input       (N, 20)
        ├─ 0 (Linear)  (N, 20)  shares bias, weight with 2
        ├─ 1 (ReLU)    (N, 20)
        ├─ 2 (Linear)  (N, 20)  shares bias, weight with 0
        └─ output      (N, 20)
    """
    return (
        "\n".join(
            _Outline(graph, checked_depth("draw", depth), collapse, shared, numbers_by_name("draw", values)).lines()
        )
        + "\n"
    )


class _Outline:
    """The lines: text, type, remarks."""

    def __init__(self, graph: Graph, depth: int | None, collapse: bool, shared: bool, values: Values) -> None:
        self.graph = graph = unfold(graph).graph
        self.depth, self.shared, self.values = depth, shared, values
        self.tree, self.links = Tree(graph), Links(graph)
        self.repeats = Repeats(graph, self.tree, self.links) if collapse else None
        self.rows: list[tuple[str, str, str]] = []
        self.before: set[int] = set()  # the nodes of the line before

    def lines(self) -> list[str]:
        """All of them, in columns."""
        graph, root = self.graph, self.tree.root
        inputs = [i for i, node in enumerate(graph.nodes) if node.op == "input"]
        for index in inputs:
            self._row("├─ ", graph.nodes[index].name, [index], [graph.nodes[index].name])
        if len(inputs) == 1:
            self.before = set(inputs)
        if root.node is not None or not self._open(root):
            self._item(root, "├─ ")
        else:
            self._items(root, "", last=False)
        for i, output in enumerate(graph.outputs):
            name = "output" if len(graph.outputs) == 1 else f"output {i}"
            end = "└─ " if i == len(graph.outputs) - 1 else "├─ "
            types, source = "", graph.operand_text(output)
            if isinstance(output, Value):
                types = type_text([graph.type_of(output)])
                source = "" if self.links.index[output.node] in self.before else f"from {source}"
            self.rows.append((end + name, types, source))
        wide = [min(max(len(row[i]) for row in self.rows), limit) for i, limit in ((0, 60), (1, 32))]
        shown = [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c}".rstrip() for a, b, c in self.rows]
        return [one_line(graph.name), *map(one_line, shown)]

    def _open(self, call: Call) -> bool:
        return self.depth is None or call.level < self.depth

    def _items(self, call: Call, lead: str, *, last: bool = True) -> None:
        """The lines of what is in a call; deep networks meet no recursion limit."""
        stack: list[tuple[Item | tuple[str, set[int]], str, bool]] = []

        def push(call: Call, lead: str, last: bool) -> None:
            parts = self._parts(call)
            stack.extend([(part, lead, last and i == len(parts) - 1) for i, part in enumerate(parts)][::-1])

        push(call, lead, last)
        while stack:
            part, lead, end = stack.pop()
            branch, below = ("└─ ", "   ") if end else ("├─ ", "│  ")
            if isinstance(part, tuple):
                self.rows.append((f"{lead}{branch}{part[0]}", "", ""))
                self.before |= part[1]
            elif self._item(part, lead + branch) and isinstance(part, Call):
                push(part, lead + below, True)

    def _parts(self, call: Call) -> list[Item | tuple[str, set[int]]]:
        """The items of a call; of blocks that repeat the first, and a remark on the others with their nodes."""
        parts: list[Item | tuple[str, set[int]]] = []
        at = 0
        for run in self.repeats.runs(call.items) if self.repeats is not None else ():
            first, end = run.start + run.period, run.start + run.period * run.times
            parts += call.items[at:first]
            each = f", {run.period} at a time" if run.period > 1 else ""
            tied = " with the same weights" if run.tied else ""
            hidden = {n for item in call.items[first:end] for n in self.tree.nodes(item)}
            parts.append((f"… ×{run.times} in all{each}{tied}", hidden))
            at = end
        return [*parts, *call.items[at:]]

    def _item(self, item: Item, lead: str) -> bool:
        """Add the line of an item; whether its own items come below."""
        graph = self.graph
        if not isinstance(item, Call):
            node = graph.nodes[item]
            text = operation_text(graph, node)
            self._row(lead, text if text == node.name else f"{node.name}: {text}", [item], [node.name])
            return False
        scope = item.scope
        path = (scope.label if scope is not None else "") or graph.name
        text = f"{path} ({scope.cls})" if scope is not None and scope.cls != path else path
        if item.node is None and self._open(item) and item.items:
            self.rows.append((lead + text, "", ""))
            return True
        nodes = self.tree.nodes(item)
        if item.node is not None and op_kind(graph.nodes[item.node].op) == "fused":
            text = f"{text}: {operation_text(graph, graph.nodes[item.node])}"
        self._row(
            lead,
            text if len(nodes) == 1 else f"{text}, {plural(len(nodes), 'operation')}",
            nodes,
            [path, *(graph.nodes[n].name for n in nodes[::-1])],
        )
        return False

    def _row(self, lead: str, text: str, nodes: list[int], names: list[str]) -> None:
        graph, mine = self.graph, set(nodes)
        results = [n for n in nodes if any(user not in mine for user in self.links.users(n))] or nodes[-1:]
        sources = {source for n in nodes for source, _ in self.links.sources[n]} - mine
        value = value_of(self.values, names)
        remarks = [number_text(value)] if value is not None else []
        remarks += [self._sharing(mine)] if self.shared else []
        if sources - self.before or len(sources) > 1:
            remarks.append("from " + _some([graph.nodes[s].name for s in sorted(sources)]))
        remarks = [remark for remark in remarks if remark]
        self.rows.append(
            (lead + text, type_text([t for n in results for t in graph.types[graph.nodes[n]]]), "; ".join(remarks))
        )
        self.before = mine

    def _sharing(self, nodes: set[int]) -> str:
        names: list[str] = []
        others: dict[str, None] = {}
        for index in sorted(nodes):
            for parameter in dict.fromkeys(self.links.weights[index]):
                users = [u for u in self.links.shared.get(parameter, ()) if u not in nodes]
                if users:
                    names.append(parameter_name(self.graph, parameter).rpartition(".")[2])
                    others.update(dict.fromkeys(self.graph.nodes[u].name for u in users))
        return f"shares {_some(sorted(set(names)))} with {_some(list(others))}" if names else ""


def _some(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 4 else [*names[:3], f"{len(names) - 3} more"])
