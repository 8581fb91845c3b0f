"""A graph as plain records, from which networkx and JSON are made, and the way back.

Identities stay: tensors, module calls and sizes are numbered, and a number used twice is the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from graphnet.dtypes import as_dtype
from graphnet.errors import ArgumentError, GraphError, GraphnetError
from graphnet.ir import Constant, Graph, Literal, Node, Operand, Parameter, Scope, TensorType, Value, Where
from graphnet.ops import TABLE

__all__ = ["Calls", "Records", "reading", "rebuild"]


class Calls:
    """Module calls by number: ("parent", "name", "cls", "where", "library") of each."""

    def __init__(self) -> None:
        self.numbers: dict[Scope, int] = {}
        self._calls: dict[Scope, tuple[str, str, int]] = {}
        self.rows: list[dict[str, Any]] = []

    def number(self, scope: Scope | None) -> int | None:
        """The number of a call; those that it is inside of have theirs too then."""
        if scope is None:
            return None
        missing: list[Scope] = []
        at: Scope | None = scope
        while at is not None and at not in self.numbers:
            missing.append(at)
            at = at.parent
        for inner in reversed(missing):
            self.numbers[inner] = len(self.rows)
            self.rows.append(
                {
                    "parent": None if inner.parent is None else self.numbers[inner.parent],
                    "name": inner.name,
                    "cls": inner.cls,
                    "where": None if inner.where is None else tuple(inner.where),
                    "library": inner.library,
                }
            )
        return self.numbers[scope]

    def path(self, scope: Scope | None) -> tuple[tuple[str, str, int], ...]:
        """All calls that a node is inside of, from the outside: path, class, number."""
        self.number(scope)
        calls: list[tuple[str, str, int]] = []
        while scope is not None:
            call = self._calls.get(scope)
            if call is None:
                call = self._calls[scope] = (scope.label, scope.cls, self.numbers[scope])
            calls.append(call)
            scope = scope.parent
        return tuple(reversed(calls))


class Records:
    """The records of a graph and of the blocks in it.

    Attributes:
        calls: the module calls.
        constants: what the graph refers to besides parameters: constants and buffers, by number.
        parameters: the parameters by name.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.calls = Calls()
        self.constants: dict[Constant, int] = {}
        self.parameters: dict[str, Parameter] = {graph.operand_text(p): p for p in graph.used_parameters()}

    def operand(self, operand: Operand) -> tuple[object, ...]:
        """("node", name, slot), ("parameter", name), ("constant", number, shape, dtype), ("literal", value, dtype)."""
        if isinstance(operand, Value):
            return "node", operand.node.name, operand.slot
        if isinstance(operand, Literal):
            return "literal", operand.value, operand.dtype.name
        if isinstance(operand, Parameter):
            return "parameter", self.graph.operand_text(operand)
        shape, dtype = operand._type()
        return "constant", self.constants.setdefault(operand, len(self.constants)), tuple(shape), dtype.name

    def node(self, graph: Graph, node: Node) -> dict[str, Any]:
        """What there is to say of a node, without its blocks."""
        types = graph.types[node]
        return {
            "op": node.op,
            "attrs": dict(node.attrs),
            "shapes": [tuple(t.shape) for t in types],
            "dtypes": [t.dtype.name for t in types],
            "where": tuple(node.where) if node.where is not None else None,
            "operands": [self.operand(operand) for operand in node.inputs],
            "call": self.calls.number(node.scope),
        }

    def whole(self, graph: Graph) -> dict[str, Any]:
        """What there is to say of a graph or block, without its nodes."""
        return {
            "name": graph.name,
            "inputs": [node.name for node in graph.inputs],
            "results": [self.operand(output) for output in graph.outputs],
        }

    def updates(self) -> list[tuple[object, object]]:
        """What a run leaves in buffers: (buffer, value)."""
        return [(self.operand(buffer), self.operand(new)) for buffer, new in self.graph.updates.items()]

    def buffers(self) -> dict[str, int]:
        """The buffers by name, as numbers of constants."""
        return {name: self.constants.setdefault(b, len(self.constants)) for b, name in self.graph.buffer_names.items()}


def _scopes(rows: Sequence[Mapping[str, Any]]) -> list[Scope]:
    found: list[Scope] = []
    for row in rows:
        parent = None if row["parent"] is None else found[row["parent"]]
        where = None if row["where"] is None else Where(str(row["where"][0]), int(row["where"][1]))
        found.append(Scope(parent, row["name"], row["cls"], where, row["library"]))
    return found


def _leads(structure: Any, count: int) -> bool:
    """Whether the numbers in a nesting of outputs are those of outputs."""
    if structure is None or isinstance(structure, int):
        return structure is None or 0 <= structure < count
    parts = structure.values() if isinstance(structure, Mapping) else structure
    return all(_leads(part, count) for part in parts)


@contextmanager
def reading(what: str, none: str) -> Iterator[None]:
    """Say of whatever goes wrong with records that they are none of a graph.

    Args:
        what: who reads.
        none: what the records are not.
    """
    try:
        yield
    except ArgumentError:
        raise
    except GraphnetError as error:
        raise GraphError(f"{what}: {error}") from None
    except KeyError as error:
        raise GraphError(f"{what}: {error} is missing: {none}") from None
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise GraphError(f"{what}: {none}: {error}") from None


def rebuild(
    whole: Mapping[str, Any],
    nodes: Callable[[Mapping[str, Any]], Any],
    parameters: Mapping[str, Parameter],
    constants: Sequence[Constant],
    calls: Sequence[Mapping[str, Any]],
) -> Graph:
    """A graph from its records.

    Args:
        whole: what `Records.whole` says; also of blocks.
        nodes: gives (name, record, records of blocks) of each node of a graph or block.

    Raises:
        GraphError: an operand that there is not.
    """
    scopes = _scopes(calls)

    def make(whole: Mapping[str, Any]) -> Graph:
        graph = Graph(whole["name"])
        known: dict[str, Node] = {}

        def operand(entry: Sequence[Any]) -> Operand:
            kind, what, *rest = entry
            if kind == "node":
                if what not in known:
                    raise GraphError(f"there is no node {what!r} before it is used; nodes stand in topological order")
                node = known[what]
                if not 0 <= rest[0] < len(graph.types[node]):
                    raise GraphError(f"the node {what!r} has no result {rest[0]}")
                return Value(node, rest[0])
            if kind == "literal":
                return Literal(what, as_dtype(rest[0]))
            return parameters[what] if kind == "parameter" else constants[what]

        for name, row, blocks in nodes(whole):
            where = None if row["where"] is None else Where(*row["where"])
            scope = scopes[row["call"]] if row["call"] is not None else None
            inner = tuple(make(block) for block in blocks)
            if row["op"] in TABLE:
                TABLE[row["op"]].check_settings(row["attrs"])
            node = Node(row["op"], tuple(map(operand, row["operands"])), row["attrs"], name, scope, where, inner)
            types = zip(row["shapes"], row["dtypes"], strict=True)
            known[name] = graph.add(node, tuple(TensorType(tuple(s), as_dtype(d)) for s, d in types))
        graph.outputs = list(map(operand, whole["results"]))
        for buffer, new in whole.get("updates", ()):
            graph.updates[operand(buffer)] = operand(new)  # type: ignore[index]
        graph.inputs = [known[name] for name in whole["inputs"]]
        graph.parameter_names = {p: name for name, p in parameters.items()}
        return graph

    result = make(whole)
    count = len(result.outputs)
    if not _leads(whole["structure"], count):
        raise GraphError(f"the structure {whole['structure']} names other outputs than the {count} there are")
    result.buffer_names = {constants[number]: name for name, number in whole.get("buffers", {}).items()}
    return result
