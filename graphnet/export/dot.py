"""Graphs in Graphviz's DOT language."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from graphnet.errors import ArgumentError
from graphnet.export.calls import Call, Item, Tree, checked_depth
from graphnet.export.links import Links
from graphnet.export.look import KINDS, SHARED, Scale, Values, number_text, numbers_by_name, op_kind, value_of
from graphnet.export.repeats import Repeats, Run
from graphnet.export.text import escaped, lines, operation_text, parameter_name, plural, signature, type_text
from graphnet.export.unfold import unfold
from graphnet.ir import Constant, Graph, Operand, Parameter, TensorType, Value, Where

__all__ = ["to_dot"]

_DIRECTIONS = ("LR", "TB", "RL", "BT")
_HEAD = """\
  graph [fontname="Helvetica,Arial,sans-serif", fontsize=14, labelloc=t, rankdir=%s, nodesep=0.3, ranksep=0.4]
  node [fontname="Helvetica,Arial,sans-serif", fontsize=11, shape=box, style=filled, fillcolor=white, \
color="#37474f", margin="0.14,0.08", height=0.3]
  edge [fontname="Helvetica,Arial,sans-serif", fontsize=9, color="#37474f", arrowsize=0.7]"""

_CLUSTER = (
    'style="rounded,filled", fillcolor="#f7f9fa", color="#90a4ae", penwidth=1, fontsize=11, labeljust=l, margin=10'
)
_TIMES = 'style="rounded,dashed", color="#37474f", penwidth=1.6, fontsize=13, labeljust=l, margin=10'
_LEGEND = 'style="rounded", color="#90a4ae", penwidth=1, fontsize=11, labeljust=l, margin=10'
_LOOP = f"{_CLUSTER.replace('penwidth=1', 'penwidth=2.2').replace('#90a4ae', '#6a1b9a')}"
_BACK = 'label="next trip", style=bold, constraint=false, color="#6a1b9a", fontcolor="#6a1b9a"'
_NOTE_EDGE = "style=dotted, arrowhead=none"
_SHARED = f'style=dashed, dir=none, constraint=false, color="{SHARED}", fontcolor="{SHARED}"'


def to_dot(
    graph: Graph,
    depth: int | None = None,
    *,
    collapse: bool = True,
    direction: str = "LR",
    shared: bool = True,
    legend: bool = False,
    values: Mapping[str, float] | None = None,
) -> str:
    r"""A graph as text in the DOT language.

    Layers, and operations of the user's own code, are nodes; calls of modules with several operations are boxes
    around them. Dashed lines without arrows join the users of a parameter.

    Args:
        graph: the graph.
        depth: how many levels of modules are shown open; 0 shows the network as one node, 1 the children of the
            outermost module as one node each. None shows all.
        collapse: whether a block that comes at least 4 times in a row (12 operations or more in all) is
            drawn once, with how often: "×20".
        direction: where data flow: "LR" from left to right, "TB" down, "RL", "BT".
        shared: whether what shares weights is outlined and joined.
        legend: whether to tell what the outlines and colours mean.
        values: numbers by name of a node or path of a module, which colour them and stand below their names.

    Raises:
        ArgumentTypeError: depth is not a whole number; values are not numbers by name.
        ArgumentError: depth is negative; an unknown direction.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU())
        >>> text = gn.trace(net, ("N", 20)).to_dot()
        >>> text.splitlines()[0]
        'digraph "Sequential" {'
        >>> r"0\nLinear\n(N, 4)" in text
        True
    """
    if direction not in _DIRECTIONS:
        raise ArgumentError(f"to_dot: direction is one of {', '.join(_DIRECTIONS)}, got {direction!r}")
    numbers = numbers_by_name("to_dot", values)
    return (
        "\n".join(_Picture(graph, checked_depth("to_dot", depth), collapse, direction, shared, legend, numbers).lines)
        + "\n"
    )


class _Picture:
    """The lines of a picture, and which of its nodes stands for which node of the graph."""

    def __init__(
        self,
        graph: Graph,
        depth: int | None,
        collapse: bool,
        direction: str,
        shared: bool,
        legend: bool,
        values: Values,
    ) -> None:
        (self.graph, self.backs), self.depth = unfold(graph), depth
        graph = self.graph
        self.values = values
        self.scale = Scale(self.values.values())
        self.kinds: dict[str, None] = {}  # those that occur
        self.tree = Tree(graph)
        self.links = Links(graph)
        self.repeats = Repeats(graph, self.tree, self.links) if collapse else None
        self.shown: dict[int, str] = {}  # node of the graph -> node of the picture
        self.alias: dict[int, int] = {}  # node of a block that is not drawn -> the same in the one that is
        self.results: dict[str, int] = {}  # node that stands for a whole call -> how many values come out of it
        self.noted: set[Constant] = set()
        self.places: dict[Where, str] = {}
        self.clusters = 0
        self.sharing = {user for users in self.links.shared.values() for user in users} if shared else set()
        root = self.tree.root.scope
        title = lines(graph.name, root.cls if root is not None and root.cls != graph.name else "")
        self.lines = [f'digraph "{escaped(graph.name)}" {{', _HEAD % direction, f'  label="{title}"']
        self._inputs()
        self._calls()
        self._outputs()
        self._shared_constants()
        self._data_edges()
        if shared:
            self._shared_edges()
        if legend:
            self._legend()
        self.lines.append("}")

    # -- nodes --------------------------------------------------------------------------------------------

    def _box(
        self, name: str, label: str, kind: str, *tooltip: str, names: tuple[str, ...] = (), mark: bool = False
    ) -> None:
        """A node; `names` are those under which `values` may know it, `mark` outlines it as sharing weights."""
        self.kinds.setdefault(kind)
        _, style, fill = KINDS[kind]
        value = value_of(self.values, names) if self.values else None
        if value is None:
            style = f'{style}, fillcolor="{fill}"'
        else:
            label, style = f"{label}\\n{number_text(value)}", f"{style}, {self.scale.style(value)}"
        style += f', color="{SHARED}"' if mark else ""
        tip = f', tooltip="{lines(*tooltip)}"' if any(tooltip) else ""
        self.lines.append(f'  {name} [label="{label}", {style}{tip}]')

    def _types(self, index: int) -> tuple[TensorType, ...]:
        return self.graph.types[self.graph.nodes[index]]

    def _place(self, where: Where | None) -> str:
        if where is None:
            return ""
        if where not in self.places:  # writing one asks the operating system for the working directory
            self.places[where] = str(where)
        return self.places[where]

    def _tip(self, index: int) -> tuple[str, str]:
        node = self.graph.nodes[index]
        return signature(self.graph, node), self._place(node.where)

    def _inputs(self) -> None:
        for index, node in enumerate(self.graph.nodes):
            if node.op == "input":
                self.shown[index] = f"n{index}"
                label = lines("input" if node.name == "input" else f"input {node.name}", type_text(self._types(index)))
                self._box(f"n{index}", label, "input", self._place(node.where), names=(node.name,))

    def _calls(self) -> None:
        root = self.tree.root
        whole = root.node is not None or not self._open(root)
        todo: list[Item | str] = [root] if whole else self._parts(root)[::-1]
        while todo:
            part = todo.pop()
            if isinstance(part, str):
                self.lines.append(part)
            elif not isinstance(part, Call):
                self._op(part)
            elif part.node is not None:
                self._layer(part, part.node)
            elif not self._open(part):
                self._fold(part)
            else:
                path, cls, place = self._heading(part)
                style = _LOOP if part.loop else _CLUSTER
                self.lines.append(self._cluster(lines(path, cls, end="\\l"), style, place))
                todo.append("  }")
                todo.extend(self._parts(part)[::-1])

    def _open(self, call: Call) -> bool:
        return self.depth is None or call.level < self.depth

    def _heading(self, call: Call) -> tuple[str, str, str]:
        """Path, class and source place of a call."""
        scope = call.scope
        path = scope.label if scope is not None else ""
        if not path and call.level == 0:
            path = self.graph.name
        cls = scope.cls if scope is not None and scope.cls != path else ""
        return path, cls, self._place(scope.where) if scope is not None else ""

    def _cluster(self, label: str, style: str, tooltip: str = "") -> str:
        self.clusters += 1
        tip = f', tooltip="{escaped(tooltip)}"' if tooltip else ""
        return f'  subgraph "cluster_{self.clusters}" {{ graph [label="{label}", {style}{tip}]'

    def _parts(self, call: Call) -> list[Item | str]:
        """What is drawn of a call: its items, with one block of each run in a box."""
        parts: list[Item | str] = []
        at = 0
        for run in self.repeats.runs(call.items) if self.repeats is not None else ():
            end = run.start + run.period * run.times
            parts += call.items[at : run.start]
            parts.append(self._cluster(self._times(call, run), _TIMES))
            parts += call.items[run.start : run.start + run.period]
            parts.append("  }")
            self._hide(call.items[run.start : end], run.period)
            at = end
        return parts + call.items[at:]

    def _times(self, call: Call, run: Run) -> str:
        ends = call.items[run.start], call.items[run.start + run.period * run.times - 1]
        names = [self._heading(item)[0] if isinstance(item, Call) else self.graph.nodes[item].name for item in ends]
        return lines(f"×{run.times}", " … ".join(names), "with the same weights" if run.tied else "", end="\\l")

    def _hide(self, items: list[Item], period: int) -> None:
        """Let the nodes of the first block stand for those of the later ones."""
        drawn = [n for item in items[:period] for n in self.tree.nodes(item)]
        hidden = [n for item in items[period:] for n in self.tree.nodes(item)]
        for i, node in enumerate(hidden):
            self.alias[node] = drawn[i % len(drawn)]

    def _op(self, index: int) -> None:
        node = self.graph.nodes[index]
        self.shown[index] = f"n{index}"
        operation = operation_text(self.graph, node)
        name = node.name if node.name != operation else ""
        label = lines(operation, name, type_text(self._types(index)))
        self._box(
            f"n{index}", label, op_kind(node.op), *self._tip(index), names=(node.name,), mark=index in self.sharing
        )
        self._own_constants(index)

    def _layer(self, call: Call, index: int) -> None:
        path, cls, _ = self._heading(call)
        self.shown[index] = f"n{index}"
        kind = "weights" if self.links.weights[index] else "plain"
        node = self.graph.nodes[index]
        fused = ""
        if op_kind(node.op) == "fused":
            kind, fused = "fused", operation_text(self.graph, node)
        label = lines(path, cls, fused, type_text(self._types(index)))
        names = node.name, path
        self._box(f"n{index}", label, kind, *self._tip(index), names=names, mark=index in self.sharing)
        self._own_constants(index)

    def _fold(self, call: Call) -> None:
        """Draw a call as one node."""
        name, nodes = f"c{call.number}", self.tree.nodes(call)
        self.shown.update(dict.fromkeys(nodes, name))
        out = [n for n in nodes if any(self.shown.get(user) != name for user in self.links.users(n))]
        self.results[name] = len(out)
        types = [t for n in out or nodes[-1:] for t in self._types(n)]
        path, cls, place = self._heading(call)
        label = lines(path, cls, type_text(types), plural(len(nodes), "operation"))
        names = path, *(self.graph.nodes[n].name for n in reversed(nodes))
        self._box(name, label, "folded", place, names=names, mark=not self.sharing.isdisjoint(nodes))

    def _outputs(self) -> None:
        several = len(self.graph.outputs) > 1
        for i, output in enumerate(self.graph.outputs):
            types = (self.graph.type_of(output),) if isinstance(output, Value) else ()
            self._box(f"out{i}", lines(f"output {i}" if several else "output", type_text(types)), "output")
            if not isinstance(output, Value):
                self._note(f"out{i}_value", output)
        for i, buffer in enumerate(self.graph.updates):
            self._box(f"update{i}", lines("update", self.graph.operand_text(buffer)), "note")

    # -- constants ----------------------------------------------------------------------------------------

    def _note(self, name: str, operand: Operand) -> None:
        if isinstance(operand, Parameter):
            self._box(name, lines("parameter", parameter_name(self.graph, operand)), "note")
        elif isinstance(operand, Constant):
            known = self.graph.buffer_names.get(operand)
            heading = ("buffer", known) if known is not None else ("constant",)
            self._box(name, lines(*heading, type_text([operand._type()])), "note")
        else:
            self._box(name, lines(self.graph.operand_text(operand)), "note")

    def _own_constants(self, index: int) -> None:
        """Notes for constants that this node alone uses, so that they are drawn in the same box."""
        for k, operand in enumerate(self.graph.nodes[index].inputs):
            if not isinstance(operand, Constant) or isinstance(operand, Parameter) or operand in self.noted:
                continue
            if set(self.links.constants[operand]) == {index}:
                self._attach(f"n{index}_{k}", operand, [f"n{index}"])

    def _attach(self, name: str, constant: Constant, users: list[str]) -> None:
        self.noted.add(constant)
        self._note(name, constant)
        self.lines += [f"  {name} -> {user} [{_NOTE_EDGE}]" for user in users]

    def _shared_constants(self) -> None:
        for k, (constant, users) in enumerate(self.links.constants.items()):
            names = list(dict.fromkeys(self._drawn(user) for user in users))
            if constant not in self.noted and not all(name in self.results for name in names):
                self._attach(f"k{k}", constant, names)

    # -- edges --------------------------------------------------------------------------------------------

    def _drawn(self, index: int) -> str:
        """The node of the picture that stands for a node of the graph."""
        while index in self.alias:
            index = self.alias[index]
        return self.shown[index]

    def _data_edges(self) -> None:
        merged: set[tuple[str, str, str]] = set()
        for index, sources in enumerate(self.links.sources):
            if index in self.alias:
                continue  # only its own block and the one before lead here
            target = self.shown[index]
            for source, result in sources:
                self._edge(self._drawn(source), target, self._types(source)[result], merged)
        for i, output in enumerate(self.graph.outputs):
            if isinstance(output, Value):
                self._edge(self._drawn(self.links.index[output.node]), f"out{i}", self.graph.type_of(output), merged)
            else:
                self.lines.append(f"  out{i}_value -> out{i} [{_NOTE_EDGE}]")
        for i, new in enumerate(self.graph.updates.values()):
            if isinstance(new, Value):
                self.lines.append(f"  {self._drawn(self.links.index[new.node])} -> update{i} [style=dotted]")

        for back in self.backs:
            ends = [self._drawn(self.links.index[node]) for node in (back.source, back.target)]
            if ends[0] != ends[1]:
                self.lines.append(f"  {ends[0]} -> {ends[1]} [{_BACK}]")

    def _edge(self, source: str, target: str, type: TensorType, merged: set[tuple[str, str, str]]) -> None:
        if source == target:
            return
        # Where a source shows one result, its own label tells the shape.
        label = f' [label="{escaped(type_text([type]))}"]' if self.results.get(source, 1) > 1 else ""
        if source in self.results or target in self.results:
            if (source, target, label) in merged:
                return
            merged.add((source, target, label))
        self.lines.append(f"  {source} -> {target}{label}")

    def _shared_edges(self) -> None:
        pairs: dict[tuple[str, str], list[str]] = {}
        for parameter, uses in self.links.shared.items():
            users = list(dict.fromkeys(map(self._drawn, uses)))
            for pair in itertools.pairwise(users):
                pairs.setdefault(pair, []).append(parameter_name(self.graph, parameter))
        for (a, b), names in pairs.items():
            shown = names if len(names) <= 3 else [*names[:2], f"and {len(names) - 2} more"]
            self.lines.append(f'  {a} -> {b} [label="{lines(*shown)}", {_SHARED}]')

    def _legend(self) -> None:
        """A box that tells what occurs."""
        self.lines.append(self._cluster("legend\\l", _LEGEND))
        for kind in [kind for kind in KINDS if kind in self.kinds]:
            self._box(f"legend_{kind}", KINDS[kind].meaning, kind)
        if self.links.shared and self.sharing:
            for end in "ab":
                self._box(f"legend_shared_{end}", "shares weights", "weights", mark=True)
            self.lines.append(f'  legend_shared_a -> legend_shared_b [label="the same", {_SHARED}]')
        if self.values:
            if self.values.meaning:
                self.lines.append(f'  legend_values [label="{lines(self.values.meaning)}", shape=plaintext, style=""]')
            steps = dict.fromkeys(
                (self.scale.low, *((0.0,) if self.scale.low < 0 < self.scale.high else ()), self.scale.high)
            )
            for i, value in enumerate(steps):
                self.lines.append(f'  legend_value_{i} [label="{number_text(value)}", {self.scale.style(value)}]')
        self.lines.append("  }")
