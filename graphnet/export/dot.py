"""Graphs in Graphviz's DOT language."""

from __future__ import annotations

import itertools

from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.export.calls import Call, Item, Tree
from graphnet.export.links import Links
from graphnet.export.repeats import Repeats, Run
from graphnet.export.text import escaped, lines, operation_text, parameter_name, plural, signature, type_text
from graphnet.ir import Constant, Graph, Operand, Parameter, TensorType, Value, Where

__all__ = ["to_dot"]

_HEAD = """\
  graph [fontname="Helvetica,Arial,sans-serif", fontsize=14, labelloc=t, rankdir=LR, nodesep=0.3, ranksep=0.4]
  node [fontname="Helvetica,Arial,sans-serif", fontsize=11, shape=box, style=filled, fillcolor=white, \
color="#37474f", margin="0.14,0.08", height=0.3]
  edge [fontname="Helvetica,Arial,sans-serif", fontsize=9, color="#37474f", arrowsize=0.7]"""

# Kinds differ in outline as well as in colour, for print and for readers who do not see the colours.
_INPUT = 'shape=ellipse, margin="0.04,0.04", fillcolor="#dcedc8"'
_OUTPUT = 'shape=ellipse, margin="0.04,0.04", peripheries=2, fillcolor="#dcedc8"'
_WEIGHTS = 'fillcolor="#bbdefb", penwidth=1.8'
_PLAIN = 'style="rounded,filled", fillcolor="#fff3c4"'
_OP = 'style="rounded,filled", fillcolor=white, color="#78909c"'
_FOLDED = 'fillcolor="#e1d5ec", peripheries=2'
_NOTE = 'shape=note, fillcolor="#eceff1", color="#78909c", fontsize=9'
_CLUSTER = (
    'style="rounded,filled", fillcolor="#f7f9fa", color="#90a4ae", penwidth=1, fontsize=11, labeljust=l, margin=10'
)
_TIMES = 'style="rounded,dashed", color="#37474f", penwidth=1.6, fontsize=13, labeljust=l, margin=10'
_NOTE_EDGE = "style=dotted, arrowhead=none"
_SHARED = 'style=dashed, dir=none, constraint=false, color="#c62828", fontcolor="#c62828"'


def to_dot(graph: Graph, depth: int | None = None, *, collapse: bool = True) -> str:
    r"""A graph as text in the DOT language.

    Layers, and operations of the user's own code, are nodes; calls of modules with several operations are boxes
    around them. Dashed lines without arrows join the users of a parameter.

    Args:
        graph: the graph.
        depth: how many levels of modules are shown open; 0 shows the network as one node, 1 the children of the
            outermost module as one node each. None shows all.
        collapse: whether a block that comes at least 4 times in a row (12 operations or more in all) is
            drawn once, with how often: "×20".

    Raises:
        ArgumentTypeError: depth is not a whole number.
        ArgumentError: depth is negative.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU())
        >>> text = gn.trace(net, ("N", 20)).to_dot()
        >>> text.splitlines()[0]
        'digraph "Sequential" {'
        >>> r"0\nLinear\n(N, 4)" in text
        True
    """
    if depth is not None:
        if isinstance(depth, bool) or not hasattr(depth, "__index__"):
            raise ArgumentTypeError(f"to_dot: depth is a whole number or None, got {depth!r}")
        if int(depth) < 0:
            raise ArgumentError(f"to_dot: depth is 0 or more levels, got {depth}")
    return "\n".join(_Picture(graph, None if depth is None else int(depth), collapse).lines) + "\n"


class _Picture:
    """The lines of a picture, and which of its nodes stands for which node of the graph."""

    def __init__(self, graph: Graph, depth: int | None, collapse: bool) -> None:
        self.graph, self.depth = graph, depth
        self.tree = Tree(graph)
        self.links = Links(graph)
        self.repeats = Repeats(graph, self.tree, self.links) if collapse else None
        self.shown: dict[int, str] = {}  # node of the graph -> node of the picture
        self.alias: dict[int, int] = {}  # node of a block that is not drawn -> the same in the one that is
        self.results: dict[str, int] = {}  # node that stands for a whole call -> how many values come out of it
        self.noted: set[Constant] = set()
        self.places: dict[Where, str] = {}
        self.clusters = 0
        root = self.tree.root.scope
        title = lines(graph.name, root.cls if root is not None and root.cls != graph.name else "")
        self.lines = [f'digraph "{escaped(graph.name)}" {{', _HEAD, f'  label="{title}"']
        self._inputs()
        self._calls()
        self._outputs()
        self._shared_constants()
        self._data_edges()
        self._shared_edges()
        self.lines.append("}")

    # -- nodes --------------------------------------------------------------------------------------------

    def _box(self, name: str, label: str, style: str, *tooltip: str) -> None:
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
                self._box(f"n{index}", label, _INPUT, self._place(node.where))

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
                self.lines.append(self._cluster(lines(path, cls, end="\\l"), _CLUSTER, place))
                todo.append("  }")
                todo.extend(self._parts(part)[::-1])

    def _open(self, call: Call) -> bool:
        return self.depth is None or call.level < self.depth

    def _heading(self, call: Call) -> tuple[str, str, str]:
        """Path, class and source place of a call."""
        scope = call.scope
        path = scope.path if scope is not None else ""
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
        self._box(f"n{index}", label, _OP, *self._tip(index))
        self._own_constants(index)

    def _layer(self, call: Call, index: int) -> None:
        path, cls, _ = self._heading(call)
        self.shown[index] = f"n{index}"
        weights = bool(self.links.weights[index])
        label = lines(path, cls, type_text(self._types(index)))
        self._box(f"n{index}", label, _WEIGHTS if weights else _PLAIN, *self._tip(index))
        self._own_constants(index)

    def _fold(self, call: Call) -> None:
        """Draw a call as one node."""
        name, nodes = f"c{call.number}", self.tree.nodes(call)
        self.shown.update(dict.fromkeys(nodes, name))
        out = [n for n in nodes if any(self.shown.get(user) != name for user in self.links.users(n))]
        self.results[name] = len(out)
        types = [t for n in out or nodes[-1:] for t in self._types(n)]
        path, cls, place = self._heading(call)
        self._box(name, lines(path, cls, type_text(types), plural(len(nodes), "operation")), _FOLDED, place)

    def _outputs(self) -> None:
        several = len(self.graph.outputs) > 1
        for i, output in enumerate(self.graph.outputs):
            types = (self.graph.type_of(output),) if isinstance(output, Value) else ()
            self._box(f"out{i}", lines(f"output {i}" if several else "output", type_text(types)), _OUTPUT)
            if not isinstance(output, Value):
                self._note(f"out{i}_value", output)

    # -- constants ----------------------------------------------------------------------------------------

    def _note(self, name: str, operand: Operand) -> None:
        if isinstance(operand, Parameter):
            self._box(name, lines("parameter", parameter_name(self.graph, operand)), _NOTE)
        elif isinstance(operand, Constant):
            self._box(name, lines("constant", type_text([operand._type()])), _NOTE)
        else:
            self._box(name, lines(self.graph.operand_text(operand)), _NOTE)

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
