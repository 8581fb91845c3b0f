"""The graph: nodes in topological order, what they share, and the types of their results beside them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from graphnet import _core
from graphnet.errors import GraphError
from graphnet.ir.dims import render_shape
from graphnet.ir.nodes import Constant, Literal, Node, Operand, Parameter, Scope, TensorType, Value

__all__ = ["Edge", "Graph"]

C = TypeVar("C", bound=Constant)


class Edge(NamedTuple):
    """A line of the graph: data flowing from node to node, or a parameter that two nodes share.

    `kind` is "data" or "shared"; `name` is the data's type or the shared parameter's name. Shared edges
    lead from each use of the parameter to the next one, so the graph stays acyclic.
    """

    source: Node
    target: Node
    kind: str
    name: str


class Graph:
    """A directed acyclic graph of layer and operation nodes.

    Attributes:
        name: what the graph is called.
        nodes: inputs and operations in topological order.
        inputs: the nodes that stand for the graph's inputs, in the order in which they are passed.
        outputs: the results, in order.
        types: shape and dtype of every node's results; a side table, nodes carry none.
        parameter_names: what each parameter is called here.
        updates: what a run leaves in buffers, such as running statistics: buffer -> its new value.
        buffer_names: what each buffer is called here.
    """

    def __init__(self, name: str = "graph") -> None:
        self.name = name
        self.nodes: list[Node] = []
        self.inputs: list[Node] = []
        self.outputs: list[Operand] = []
        self.types: dict[Node, tuple[TensorType, ...]] = {}
        self.parameter_names: dict[Parameter, str] = {}
        self.updates: dict[Constant, Operand] = {}
        self.buffer_names: dict[Constant, str] = {}

    def __getstate__(self) -> dict[str, object]:
        """The attributes, after all module calls, those around others first: copying meets no deep nest of them."""
        scopes: dict[Scope, None] = {}
        for node in self.walk():
            missing: list[Scope] = []
            scope = node.scope
            while scope is not None and scope not in scopes:
                missing.append(scope)
                scope = scope.parent
            scopes.update(dict.fromkeys(reversed(missing)))
        return {"_scopes": list(scopes), **self.__dict__}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update({name: value for name, value in state.items() if name != "_scopes"})

    def add(self, node: Node, types: tuple[TensorType, ...]) -> Node:
        """Append a node whose operands are in the graph already."""
        self.nodes.append(node)
        self.types[node] = types
        if node.op == "input":
            self.inputs.append(node)
        return node

    def type_of(self, operand: Operand) -> TensorType:
        """Shape and dtype of an operand of its nodes."""
        return _core.type_of(self.types, operand)

    @property
    def edges(self) -> list[Edge]:
        """Data edges, one per use, then shared-weight edges."""
        data = [
            Edge(v.node, node, "data", str(self.type_of(v)))
            for node in self.nodes
            for v in node.inputs
            if isinstance(v, Value)
        ]
        shared = [
            Edge(a, b, "shared", self.parameter_names.get(parameter, "?"))
            for parameter, nodes in self._uses().items()
            for a, b in itertools.pairwise(nodes)
        ]
        return data + shared

    @property
    def shared(self) -> dict[str, tuple[Node, ...]]:
        """Which nodes share which parameter: its name, then its users in order. One user is not sharing."""
        return {
            self.parameter_names.get(parameter, "?"): tuple(nodes)
            for parameter, nodes in self._uses().items()
            if len(nodes) > 1
        }

    def used_parameters(self) -> list[Parameter]:
        """Every parameter once, in order of first use."""
        return self.used(Parameter)

    def used(self, kind: type[C]) -> list[C]:
        """Every operand of a class once, in order of first use."""
        found: dict[Any, None] = {}
        stack: list[tuple[Graph, int]] = [(self, 0)]
        while stack:
            graph, start = stack.pop()
            at = _core.used(graph.nodes, start, kind, found)
            if at < len(graph.nodes):
                stack.append((graph, at + 1))
                stack.extend((block, 0) for block in reversed(graph.nodes[at].blocks))
            else:
                found.update(dict.fromkeys(o for o in graph.outputs if isinstance(o, kind)))
        return list(found)

    def trained(self) -> list[Parameter]:
        """The used parameters that gradients are computed for."""
        return [parameter for parameter in self.used_parameters() if parameter.requires_grad]

    def walk(self) -> Iterator[Node]:
        """All nodes, those within blocks after the node that they belong to."""
        if not any(node.blocks for node in self.nodes):
            yield from self.nodes
            return
        stack = [iter(self.nodes)]
        while stack:
            for node in stack[-1]:
                yield node
                if node.blocks:
                    stack.extend(iter(block.nodes) for block in reversed(node.blocks))
                    break
            else:
                stack.pop()

    def _uses(self) -> dict[Parameter, list[Node]]:
        uses: dict[Parameter, list[Node]] = {}
        for node in self.walk():
            for operand in node.inputs:
                if type(operand) is not Value and isinstance(operand, Parameter):
                    users = uses.setdefault(operand, [])
                    if not users or users[-1] is not node:
                        users.append(node)
            for block in node.blocks:
                for output in block.outputs:
                    if isinstance(output, Parameter) and node not in uses.setdefault(output, []):
                        uses[output].append(node)
        for output in self.outputs:
            if isinstance(output, Parameter):
                uses.setdefault(output, [])
        return uses

    def node(self, name: str) -> Node:
        """The node of that name.

        Raises:
            GraphError: there is none; the message lists near names.
        """
        for node in self.walk():
            if node.name == name:
                return node
        raise GraphError(f"{self.name} has no node {name!r}; it has {', '.join(n.name for n in self.nodes[:20])}")

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __len__(self) -> int:
        return len(self.nodes)

    def operand_text(self, operand: Operand) -> str:
        """An operand as text: the name of the node, parameter or constant."""
        if isinstance(operand, Parameter):
            return self.parameter_names.get(operand, "parameter")
        if isinstance(operand, (Value, Literal)):
            return repr(operand) if isinstance(operand, Value) else str(operand)
        if operand in self.buffer_names:
            return self.buffer_names[operand]
        shape = getattr(operand, "shape", None)
        return f"constant{render_shape(shape)}" if shape is not None else "constant"

    def __str__(self) -> str:
        arguments = ", ".join(f"{n.name}: {self.types[n][0]}" for n in self.inputs)
        rows: list[tuple[str, str, str]] = []
        self._rows(self, "  ", rows)
        wide = [min(max((len(r[i]) for r in rows if r[1]), default=0), limit) for i, limit in ((0, 72), (1, 28))]
        lines = [f"graph {self.name}({arguments}):"]
        lines += [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c and '# ' + c}".rstrip() for a, b, c in rows]
        lines += [f"  # {name} is shared by {', '.join(n.name for n in nodes)}" for name, nodes in self.shared.items()]
        return "\n".join(lines)

    def _rows(self, graph: Graph, indent: str, rows: list[tuple[str, str, str]]) -> None:
        """The lines of a graph, which is this one or a block in it: text, types, origin."""
        for node in graph.nodes:
            if node.op == "input":
                continue
            operands = [self.operand_text(o) for o in node.inputs]
            operands += [f"{k}={_plain(v)}" for k, v in node.settings.items()]
            layer = f"{node.scope.cls}" if node.scope is not None and node.scope.library else ""
            origin = ", ".join(part for part in (layer, str(node.where or "")) if part)
            types = ", ".join(str(t) for t in graph.types[node])
            rows.append((f"{indent}{node.name} = {node.op}({', '.join(operands)})", types, origin))
            for block in node.blocks:
                arguments = ", ".join(f"{n.name}: {block.types[n][0]}" for n in block.inputs)
                rows.append((f"{indent}  {block.name}({arguments}):", "", ""))
                self._rows(block, f"{indent}    ", rows)
        rows.append((f"{indent}return " + ", ".join(self.operand_text(o) for o in graph.outputs), "", ""))
        for buffer, new in graph.updates.items():
            rows.append((f"{indent}update {self.operand_text(buffer)} = {self.operand_text(new)}", "", ""))

    def verify(self) -> None:
        """Check the structure.

        Raises:
            GraphError: naming the node, the cause and the likely fix.
        """
        if not self.outputs:
            raise GraphError(f"{self.name} has no output: nothing would be computed; mark one with g.output(...)")
        self._verify_block(self, {})

    def _verify_block(self, graph: Graph, names: dict[str, Node]) -> None:
        """Check the structure of a graph, which is this one or a block in it."""
        seen: set[Node] = set()
        at = 0
        while True:
            at, wrong, operand = _core.check(graph.nodes, at, graph.types, names, seen, Parameter, self.parameter_names)
            if not wrong:
                break
            node = graph.nodes[at]
            if wrong != "blocks":
                raise GraphError(self._told(graph, node, wrong, operand))
            for block in node.blocks:
                self._verify_block(block, names)
            at += 1
        for output in graph.outputs:
            if isinstance(output, Value) and output.node not in seen:
                raise GraphError(f"the output {output!r} is not in {_this(self, graph)}; it was made in another one")
        for buffer, new in graph.updates.items():
            if isinstance(new, Value) and new.node not in seen:
                raise GraphError(f"the new value {new!r} of {self.operand_text(buffer)} is not in this graph")

    def _told(self, graph: Graph, node: Node, wrong: str, operand: Any) -> str:
        """What is wrong with a node, and the likely fix."""
        if wrong == "name":
            return f"two nodes are named {node.name!r}: names are unique, rename one"
        if wrong == "type":
            return f"{node.name}: no type is recorded; infer shapes after adding nodes"
        if wrong == "parameter":
            return f"{node.name}: uses a parameter without a name; enter it in parameter_names"
        source, slot = operand
        if wrong == "slot":
            return f"{node.name}: {source.name} has no result {slot}"
        known = source in graph.types
        cause = "comes later: a cycle or a wrong order" if known else f"is not in {_this(self, graph)}"
        return f"{node.name}: its input {source.name} {cause}; add producers first"


def _this(whole: Graph, graph: Graph) -> str:
    return "this graph" if graph is whole else f"the block {graph.name}, which takes values only through its inputs"


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_plain, value))}{',' if len(value) == 1 else ''})"
    return str(value) if hasattr(value, "terms") or hasattr(value, "serial") else repr(value)
