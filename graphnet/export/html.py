"""Graphs as one page that opens in any browser, without a network: `page.html` with the graph put in as JSON."""

from __future__ import annotations

import json
import linecache
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphnet.export.calls import Call, Item, Tree, checked_depth
from graphnet.export.links import Links
from graphnet.export.look import (
    KINDS,
    Scale,
    Values,
    checked_direction,
    number_text,
    numbers_by_name,
    op_kind,
    value_of,
)
from graphnet.export.repeats import Repeats
from graphnet.export.text import markup, operation_text, parameter_name, plural, signature, size_text, type_text
from graphnet.export.unfold import unfold
from graphnet.ir import Dim, Graph, Parameter, Value, Where, product
from graphnet.ops import node_flops, result_bytes

__all__ = ["page"]

_SHOWN = 40  # how many boxes a page opens with at most
_ROW = 100  # items side by side; more of them come in parts
_TEMPLATE = Path(__file__).with_name("page.html")

_Entry = dict[str, Any]


def page(
    graph: Graph,
    depth: int | None = None,
    *,
    collapse: bool = True,
    direction: str = "LR",
    shared: bool = True,
    legend: bool = True,
    values: Mapping[str, float] | None = None,
) -> str:
    """A graph as a page of HTML.

    Args:
        graph, direction, shared, legend, values: as for `to_dot`.
        depth: how many levels of modules are open at first; None opens as many as fit a window.
        collapse: whether blocks that repeat are put together.

    Raises:
        ArgumentError, ArgumentTypeError: as `to_dot`.

    Example:
        >>> import graphnet as gn
        >>> text = page(gn.trace(gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU()), ("N", 20)))
        >>> text.startswith("<!doctype html>"), "http://" in text.replace("http://www.w3.org", "")
        (True, False)
    """
    checked_direction("draw", direction)
    built = _Page(graph, collapse, shared, numbers_by_name("draw", values))
    level = checked_depth("draw", depth)
    data = {
        "name": graph.name,
        "items": built.items,
        "root": built.root,
        "open": built.opened(level),
        "edges": built.edges,
        "again": built.again(),
        "shared": built.shared,
        "direction": direction,
        "kinds": {kind: KINDS[kind].meaning for kind in KINDS if kind in built.kinds} if legend else {},
        "meaning": built.values.meaning if legend else "",
        "fills": {kind: KINDS[kind].fill for kind in KINDS},
    }
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
    template = _TEMPLATE.read_text(encoding="utf-8")
    return template.replace("%TITLE%", markup(graph.name)).replace("%DATA%", text)


class _Page:
    """The graph as a flat list of items, of which some hold others.

    An item is a dict: `k` kind, `l` lines of its label, `d` details as (name, text), `c` the numbers of the items that
    it holds, `u` of the one that holds it, `v` the colour for its value.
    """

    def __init__(self, graph: Graph, collapse: bool, shared: bool, values: Values) -> None:
        (self.graph, self.backs), self.values = unfold(graph), values
        graph = self.graph
        self.scale = Scale(values.values())
        self.tree, self.links = Tree(graph), Links(graph)
        self.repeats, self.collapse = Repeats(graph, self.tree, self.links), collapse
        self.items: list[_Entry] = []
        self.of: dict[int, int] = {}  # node -> item
        self.kinds: set[str] = set()
        self.sources: dict[Where | None, tuple[str, str]] = {None: ("", "")}
        self.first_user: dict[Parameter, int] = {}
        for index, weights in enumerate(self.links.weights):
            for parameter in weights:
                self.first_user.setdefault(parameter, index)
        self.sharing = self._sharing() if shared else {}
        self.at = {node: i for i, node in enumerate(self.tree.order)}
        self.sums = self._sums()
        self.root = self._build()
        self.edges = self._edges()
        self.shared = [
            [parameter_name(graph, p), list(dict.fromkeys(self.of[u] for u in users))]
            for p, users in (self.links.shared.items() if shared else ())
        ]

    # -- items --------------------------------------------------------------------------------------------

    def _add(self, kind: str, label: Sequence[str], details: Sequence[tuple[str, str]], names: Sequence[str]) -> _Entry:
        self.kinds.add(kind)
        entry: _Entry = {"k": kind, "l": [part for part in label if part], "d": [d for d in details if d[1]]}
        value = value_of(self.values, names) if self.values else None
        if value is not None:
            entry["l"].append(number_text(value))
            entry["v"] = self.scale.colour(value)
        self.items.append(entry)
        return entry

    def _build(self) -> int:
        graph, tree = self.graph, self.tree
        top: list[int] = []
        for index, node in enumerate(graph.nodes):
            if node.op == "input":
                text = "input" if node.name == "input" else f"input {node.name}"
                self.of[index] = len(self.items)
                top.append(len(self.items))
                self._add("input", [text, type_text(graph.types[node])], [*self._place(node.where)], [node.name])
        top += self._call(tree.root) if tree.root.node is not None else self._rows(self._parts(tree.root))
        self.results: list[int] = []
        for i in range(len(graph.outputs)):
            output = graph.outputs[i]
            types = [graph.type_of(output)] if isinstance(output, Value) else []
            label = ["output" if len(graph.outputs) == 1 else f"output {i}", type_text(types)]
            label += [] if types else [graph.operand_text(output)]
            self.results.append(len(self.items))
            self._add("output", label, [], [])
        top += self.results
        scope = tree.root.scope
        cls = scope.cls if scope is not None and scope.cls != graph.name else ""
        details = [*self._cost(0, len(tree.order)), *(self._place(scope.where) if scope is not None else ())]
        return self._holder([graph.name, cls], top, details, [""])

    def _holder(self, label: list[str], inside: list[int], details: Sequence[tuple[str, str]], names: Any) -> int:
        number = len(self.items)
        entry = self._add("folded", label, details, names)
        entry["c"] = inside
        for inner in inside:
            self.items[inner]["u"] = number
        return number

    def _call(self, call: Call) -> list[int]:
        """The items of a call and of all calls in it; the number of its own."""
        done: dict[int, list[int]] = {}
        results: dict[int, list[int]] = {}
        stack = [(call, False)]
        while stack:  # deep networks meet no recursion limit
            now, ready = stack.pop()
            if now.node is not None:
                done[now.number] = [self._node(now.node, now)]
                results[now.number] = [now.node]
            elif not ready:
                stack.append((now, True))
                stack.extend((item, False) for item in now.items if isinstance(item, Call))
            else:
                inside = self._rows(self._parts(now, done))
                scope = now.scope
                assert scope is not None
                results[now.number] = found = self._results(now, results)
                shown = found or [self.tree.order[now.stop - 1]]
                types = type_text([t for n in shown for t in self.graph.types[self.graph.nodes[n]]])
                details = [
                    ("module", f"{scope.label} ({scope.cls})"),
                    ("result", types),
                    ("holds", plural(now.stop - now.start, "operation")),
                    *self._cost(now.start, now.stop),
                    *self._place(scope.where),
                ]
                label = [scope.label or self.graph.name, scope.cls, types]
                done[now.number] = [self._holder(label, inside, details, [scope.label])]
                if now.loop:
                    self.items[-1]["r"] = 1
        return done[call.number]

    def _results(self, call: Call, known: Mapping[int, list[int]]) -> list[int]:
        """The nodes of a call whose results are used outside it, given those of the calls inside."""
        inside = range(call.start, call.stop)
        given = [n for item in call.items for n in (known[item.number] if isinstance(item, Call) else [item])]
        return [n for n in given if any(user < 0 or self.at[user] not in inside for user in self.links.users(n))]

    def _parts(self, call: Call, done: Mapping[int, list[int]] | None = None) -> list[int]:
        """The items in a call, with those of a run put together."""
        numbers: list[int] = []
        for item in call.items:
            if not isinstance(item, Call):
                numbers.append(self._node(item, None))
            else:
                numbers += done[item.number] if done is not None else self._call(item)
        parts: list[int] = []
        at = 0
        for run in self.repeats.runs(call.items) if self.collapse else ():
            end = run.start + run.period * run.times
            parts += numbers[at : run.start]
            first, last = self._range(call.items[run.start]), self._range(call.items[end - 1])
            ends = self._title(call.items[run.start]), self._title(call.items[end - 1])
            label = [f"×{run.times}", " … ".join(ends), "the same weights" if run.tied else ""]
            details = [("repeats", f"{run.times} times"), *self._cost(first.start, last.stop)]
            parts.append(self._holder(label, self._rows(numbers[run.start : end]), details, []))
            at = end
        return [*parts, *numbers[at:]]

    def _range(self, item: Item) -> range:
        """Where the nodes of an item are in the tree's order."""
        return range(item.start, item.stop) if isinstance(item, Call) else range(self.at[item], self.at[item] + 1)

    def _title(self, item: Item) -> str:
        if isinstance(item, Call):
            return (item.scope.label if item.scope is not None else "") or self.graph.name
        return self.graph.nodes[item].name

    def _rows(self, numbers: list[int]) -> list[int]:
        """The same items, in parts where there are very many."""
        while len(numbers) > _ROW:
            chunks = [numbers[i : i + _ROW] for i in range(0, len(numbers), _ROW)]
            numbers = []
            for chunk in chunks:
                if len(chunk) == 1:
                    numbers += chunk
                    continue
                first, last = self.items[chunk[0]]["l"], self.items[chunk[-1]]["l"]
                count = sum(self._count(n) for n in chunk)
                label = [f"{first[0].partition(' … ')[0]} … {last[0].rpartition(' … ')[2]}", plural(count, "operation")]
                numbers.append(self._holder(label, chunk, [("holds", plural(count, "operation"))], []))
                self.items[-1]["n"] = count
        return numbers

    def _count(self, number: int) -> int:
        """How many operations are in an item."""
        stack = [number]
        while stack:
            entry = self.items[stack[-1]]
            inside = [self.items[n] for n in entry.get("c", ())]
            if "n" in entry or not inside:
                stack.pop()
            elif all("n" in inner or not inner.get("c") for inner in inside):
                entry["n"] = sum(inner.get("n", 1) for inner in inside)
            else:
                stack += [n for n in entry["c"] if self.items[n].get("c")]
        return int(self.items[number].get("n", 1))

    def _node(self, index: int, call: Call | None) -> int:
        graph = self.graph
        node = graph.nodes[index]
        types = type_text(graph.types[node])
        operation = operation_text(graph, node)
        scope = call.scope if call is not None else None
        where = node.where or (scope.where if scope is not None else None)
        details = [
            ("node", signature(graph, node)),
            ("module", f"{node.label} ({node.scope.cls})" if node.scope is not None and node.label else ""),
            ("result", types + self._dtypes(index)),
            *self._cost(self.at[index], self.at[index] + 1),
            *self._place(where),
        ]
        names = [node.name]
        if scope is not None:
            kind = "weights" if self.links.weights[index] else "plain"
            kind = "fused" if op_kind(node.op) == "fused" else kind
            label = [scope.label or graph.name, scope.cls if scope.cls != scope.label else ""]
            label += [operation if kind == "fused" else "", types]
            names.append(scope.label)
        else:
            kind, label = op_kind(node.op), [operation, node.name if node.name != operation else "", types]
        self.of[index] = len(self.items)
        entry = self._add(kind, label, details, names)
        if index in self.sharing:
            entry["s"] = 1
        return self.of[index]

    def _dtypes(self, index: int) -> str:
        kinds = {t.dtype.name for t in self.graph.types[self.graph.nodes[index]]}
        return " float32" if kinds == {"float32"} else ""

    def _sharing(self) -> dict[int, list[str]]:
        """For each node that shares weights, with which nodes."""
        found: dict[int, list[str]] = {}
        for users in self.links.shared.values():
            for user in users:
                others = found.setdefault(user, [])
                if len(others) < 8:
                    others += [self.graph.nodes[u].name for u in users[:9] if u != user]
        return {user: list(dict.fromkeys(others)) for user, others in found.items()}

    # -- details ------------------------------------------------------------------------------------------

    def _sums(self) -> list[tuple[Dim, Dim, Dim, int]]:
        """Of the nodes before each position in order: operations on numbers, bytes, parameters first used, all uses."""
        graph = self.graph
        costs: dict[int, tuple[Dim, Dim]] = {}  # of each kind of node
        sums: list[tuple[Dim, Dim, Dim, int]] = [(0, 0, 0, 0)]
        for index in self.tree.order:
            kind = self.repeats.kind(index)
            if kind not in costs:
                costs[kind] = node_flops(graph, graph.nodes[index]), result_bytes(graph, graph.nodes[index])
            flops, memory, own, uses = sums[-1]
            weights = self.links.weights[index]
            for parameter in dict.fromkeys(weights):
                if self.first_user[parameter] == index:
                    own = own + product(parameter._type().shape)
            sums.append((flops + costs[kind][0], memory + costs[kind][1], own, uses + len(weights)))
        return sums

    def _cost(self, start: int, stop: int) -> Iterator[tuple[str, str]]:
        """What nodes cost that are side by side in order."""
        graph = self.graph
        flops, memory, own, uses = (after - before for before, after in zip(self.sums[start], self.sums[stop]))
        yield "parameters", size_text(own) if uses else ""
        nodes = self.tree.order[start:stop] if stop - start <= 50 else []
        mine = set(nodes)
        for parameter in dict.fromkeys(p for n in nodes for p in self.links.weights[n]):
            note = "" if self.first_user[parameter] in mine else ", counted above"
            yield "", f"{parameter_name(graph, parameter)} {type_text([parameter._type()])}{note}"
        others = list(dict.fromkeys(o for n in nodes for o in self.sharing.get(n, ())))
        inside = {graph.nodes[n].name for n in nodes} if others else set()
        yield "shares with", ", ".join([o for o in others if o not in inside][:8])
        yield "FLOPs", size_text(flops)
        yield "memory", f"{size_text(memory)} bytes" if memory != 0 else ""

    def _place(self, where: Where | None) -> Iterator[tuple[str, str]]:
        if where not in self.sources:
            assert where is not None
            self.sources[where] = (str(where), linecache.getline(where.file, where.line).strip()[:200])
        place, line = self.sources[where]
        yield "source", place
        yield "", line

    # -- lines --------------------------------------------------------------------------------------------

    def _edges(self) -> list[list[Any]]:
        graph = self.graph
        edges: list[list[Any]] = []
        for index, sources in enumerate(self.links.sources):
            for source, slot in sources:
                edges.append([self.of[source], self.of[index], type_text([graph.types[graph.nodes[source]][slot]])])
        for number, output in zip(self.results, graph.outputs):
            if isinstance(output, Value):
                edges.append([self.of[self.links.index[output.node]], number, type_text([graph.type_of(output)])])
        return edges

    def again(self) -> list[list[int]]:
        """The lines that lead from one trip of a loop to the next."""
        index = self.links.index
        return [[self.of[index[back.source]], self.of[index[back.target]]] for back in self.backs]

    def opened(self, depth: int | None) -> list[int]:
        """The items that are open at first."""
        opened, row, shown, level = [self.root], [self.root], len(self.items[self.root]["c"]), 0
        if depth is not None:
            opened = opened if depth > 0 else []
        while row and (depth is None or level < depth):
            inner = [n for number in row for n in self.items[number]["c"] if "c" in self.items[n]]
            more = sum(len(self.items[n]["c"]) for n in inner)
            level += 1
            if (depth is None and shown + more > _SHOWN) or level == depth:
                break
            opened += inner
            row, shown = inner, shown + more
        return opened
