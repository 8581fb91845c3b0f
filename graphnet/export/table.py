"""A network's layers as a table: shapes, parameters, operations on numbers, memory."""

from __future__ import annotations

from typing import Any, NamedTuple

from graphnet.export.calls import Call, Item, Tree
from graphnet.export.grid import as_html, as_text
from graphnet.export.text import plural, size_text, type_text
from graphnet.export.unfold import LOOPS, STATES, unfold
from graphnet.ir import Dim, Graph, Parameter, Scope, product
from graphnet.ops import node_flops, result_bytes

__all__ = ["Row", "Summary", "rows", "summarized", "text"]


_RIGHT = (3, 4, 5)  # the columns of numbers


class Row(NamedTuple):
    """A call of a layer, or an operation of the user's own code.

    Attributes:
        path: the layer's path; the operation's name.
        cls: the layer's class; the operation.
        shape: of the result.
        parameters: how many numbers it is the first to use; what it shares with an earlier row counts there.
        shared_with: the path of the first row that it shares a parameter with, or nothing.
        shared: how many numbers it shares with earlier rows.
        operations: how many it consists of.
        flops: how many additions, multiplications and other operations on numbers it computes.
        bytes: how much memory its results take, those inside it included.
        within: the loop or branch that it is in, or nothing; numbers are those of one trip.
    """

    path: str
    cls: str
    shape: str
    parameters: Dim
    shared_with: str
    shared: Dim
    operations: int
    flops: Dim
    bytes: Dim
    within: str = ""


def rows(graph: Graph) -> list[Row]:
    """One row for each call of a layer and each operation of the user's own code, in order.

    What is inside a loop or branch is counted as one trip of it.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU())
        >>> for row in rows(gn.trace(net, ("N", 20))):
        ...     print(row.path, row.cls, row.shape, row.parameters)
        0 Linear (N, 4) 84
        1 ReLU (N, 4) 0
    """
    graph = unfold(graph).graph
    tree = Tree(graph)
    users: dict[Parameter, str] = {}  # the path of the first
    within: dict[Scope | None, str] = {}  # of calls, the loop or branch that they are in
    result: list[Row] = []
    stack: list[Item] = [tree.root]
    while stack:
        item = stack.pop()
        if isinstance(item, Call) and not item.leaf:
            stack.extend(reversed(item.items))
        elif isinstance(item, Call) or graph.nodes[item].op not in STATES:
            result.append(_row(graph, item, tree.nodes(item), users, within))
    return result


def _row(
    graph: Graph, item: Item, indices: list[int], users: dict[Parameter, str], within: dict[Scope | None, str]
) -> Row:
    nodes = [graph.nodes[i] for i in indices]
    last = nodes[-1]
    path, cls = last.name, last.op
    if isinstance(item, Call) and item.scope is not None:
        path, cls = item.scope.label or graph.name, item.scope.cls
    new: list[Parameter] = []
    old: list[Parameter] = []
    for parameter in dict.fromkeys(p for node in nodes for p in node.parameters):
        (old if parameter in users else new).append(parameter)
    shared_with = users[old[0]] if old else ""
    users.update(dict.fromkeys(new, path))
    flops: Dim = 0
    memory: Dim = 0
    for node in nodes:
        flops, memory = flops + node_flops(graph, node), memory + result_bytes(graph, node)
    shape = type_text(graph.types[last])
    loop = "" if last.op in LOOPS else _within(last.scope, within)  # its own node is not in it
    return Row(path, cls, shape, _size(new), shared_with, _size(old), len(nodes), flops, memory, loop)


def _within(scope: Scope | None, known: dict[Scope | None, str]) -> str:
    """The innermost loop or branch that a call is in; `known` holds those of other calls."""
    missing: list[Scope | None] = []
    while scope is not None and scope not in known:
        missing.append(scope)
        if scope.cls in LOOPS and not scope.library:
            known[scope] = scope.label
            break
        scope = scope.parent
    found = known.get(scope, "")
    known.update(dict.fromkeys(missing, found))
    return found


def _size(parameters: list[Parameter]) -> Dim:
    total: Dim = 0
    for parameter in parameters:
        total = total + product(parameter._type().shape)
    return total


class Summary(tuple[Row, ...]):
    """The rows of a network's table, which it is printed as.

    Attributes:
        graph: the graph that it is of.

    Example:
        >>> import graphnet as gn
        >>> table = gn.summary(gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU()), ("N", 20))
        >>> table.records()[0]["flops"], table.totals()["parameters"]
        ('160*N', 84)
    """

    graph: Graph

    def records(self) -> list[dict[str, Any]]:
        """The rows as dicts of texts and numbers; what depends on a size with a name is a text such as "160*N"."""
        return [{name: _plain(value) for name, value in row._asdict().items()} for row in self]

    def totals(self) -> dict[str, Any]:
        """Parameters counted once, those that several nodes use, operations on numbers, bytes of results."""
        return {name: _plain(value) for name, value in _totals(self.graph, self).items()}

    def __str__(self) -> str:
        return text(self.graph, self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(self.graph.name, _lines(self.graph, self), [_total(self.graph, self)], _RIGHT)


def summarized(graph: Graph) -> Summary:
    """The table of a graph."""
    result = Summary(rows(graph))
    result.graph = graph
    return result


def text(graph: Graph, found: Summary | None = None) -> str:
    """The table as plain text, with the totals below.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU())
        >>> print(text(gn.trace(net, ("N", 20))))
        Sequential
        path   class   output   parameters  FLOPs  bytes
        ------------------------------------------------
        input  input   (N, 20)
        0      Linear  (N, 4)           84  160 N   16 N
        1      ReLU    (N, 4)            0    4 N   16 N
        ------------------------------------------------
        84 parameters, 164 N FLOPs, 32 N bytes of results
    """
    found = summarized(graph) if found is None else found
    return as_text(graph.name, _lines(graph, found), [_total(graph, found)], _RIGHT)


def _lines(graph: Graph, found: Summary) -> list[tuple[str, ...]]:
    """The cells of the table, the head first."""
    table: list[tuple[str, ...]] = [("path", "class", "output", "parameters", "FLOPs", "bytes", "")]
    table += [(n.name, "input", type_text(graph.types[n]), "", "", "", "") for n in graph.inputs]
    for row in found:
        notes = [f"in {row.within}" if row.within else "", f"shared with {row.shared_with}" if row.shared_with else ""]
        numbers = (size_text(row.parameters), size_text(row.flops), size_text(row.bytes))
        table.append((row.path, row.cls, row.shape, *numbers, "; ".join(filter(None, notes))))
    return table


def _totals(graph: Graph, found: Summary) -> dict[str, Dim]:
    count: dict[Parameter, int] = {}
    for node in unfold(graph).graph.nodes:
        for parameter in dict.fromkeys(node.parameters):
            count[parameter] = count.get(parameter, 0) + 1
    used = graph.used_parameters()
    flops: Dim = 0
    memory: Dim = 0
    for row in found:
        flops, memory = flops + row.flops, memory + row.bytes
    shared = [p for p in used if count.get(p, 0) > 1]
    return {"parameters": _size(used), "shared": _size(shared), "flops": flops, "bytes": memory}


def _total(graph: Graph, found: Summary) -> str:
    totals = _totals(graph, found)
    shared = f", of which {size_text(totals['shared'])} shared" if totals["shared"] != 0 else ""
    parts = [_counted(totals["parameters"], "parameter") + shared, f"{size_text(totals['flops'])} FLOPs"]
    told = ", ".join([*parts, f"{size_text(totals['bytes'])} bytes of results"])
    return f"{told}; of a loop one trip, of a branch both sides" if any(n.blocks for n in graph.nodes) else told


def _counted(number: Dim, word: str) -> str:
    return plural(number, word) if isinstance(number, int) else f"{size_text(number)} {word}s"


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else str(value)
