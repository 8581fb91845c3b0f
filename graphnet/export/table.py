"""A network's layers as a table: shapes and numbers of parameters."""

from __future__ import annotations

from typing import NamedTuple

from graphnet.export.calls import Call, Item, Tree
from graphnet.export.text import one_line, plural, type_text
from graphnet.ir import Dim, Graph, Parameter, product

__all__ = ["Row", "rows", "text"]


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
    """

    path: str
    cls: str
    shape: str
    parameters: Dim
    shared_with: str
    shared: Dim
    operations: int


def rows(graph: Graph) -> list[Row]:
    """One row for each call of a layer and each operation of the user's own code, in order.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU())
        >>> for row in rows(gn.trace(net, ("N", 20))):
        ...     print(row.path, row.cls, row.shape, row.parameters)
        0 Linear (N, 4) 84
        1 ReLU (N, 4) 0
    """
    tree = Tree(graph)
    users: dict[Parameter, str] = {}  # the path of the first
    result: list[Row] = []
    stack: list[Item] = [tree.root]
    while stack:
        item = stack.pop()
        if isinstance(item, Call) and not item.leaf:
            stack.extend(reversed(item.items))
        else:
            result.append(_row(graph, item, tree.nodes(item), users))
    return result


def _row(graph: Graph, item: Item, indices: list[int], users: dict[Parameter, str]) -> Row:
    nodes = [graph.nodes[i] for i in indices]
    last = nodes[-1]
    path, cls = last.name, last.op
    if isinstance(item, Call) and item.scope is not None:
        path, cls = item.scope.path or graph.name, item.scope.cls
    new: list[Parameter] = []
    old: list[Parameter] = []
    for parameter in dict.fromkeys(p for node in nodes for p in node.parameters):
        (old if parameter in users else new).append(parameter)
    shared_with = users[old[0]] if old else ""
    users.update(dict.fromkeys(new, path))
    return Row(path, cls, type_text(graph.types[last]), _size(new), shared_with, _size(old), len(nodes))


def _size(parameters: list[Parameter]) -> Dim:
    total: Dim = 0
    for parameter in parameters:
        total = total + product(parameter._type().shape)
    return total


def text(graph: Graph) -> str:
    """The table as plain text, with the total below.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU())
        >>> print(text(gn.trace(net, ("N", 20))))
        Sequential
        path   class   output   parameters
        ----------------------------------
        input  input   (N, 20)
        0      Linear  (N, 4)           84
        1      ReLU    (N, 4)            0
        ----------------------------------
        84 parameters
    """
    table = [("path", "class", "output", "parameters", "")]
    table += [(n.name, "input", type_text(graph.types[n]), "", "") for n in graph.inputs]
    found = rows(graph)
    for row in found:
        note = f"shared with {row.shared_with}" if row.shared_with else ""
        table.append((row.path, row.cls, row.shape, _count(row.parameters), note))
    shown = [tuple(one_line(cell) for cell in line) for line in table]
    wide = [max(len(line[i]) for line in shown) for i in range(4)]
    lines = [f"{a:<{wide[0]}}  {b:<{wide[1]}}  {c:<{wide[2]}}  {d:>{wide[3]}}  {e}".rstrip() for a, b, c, d, e in shown]
    rule = "-" * max(map(len, lines))
    return "\n".join([one_line(graph.name), lines[0], rule, *lines[1:], rule, _total(graph)])


def _total(graph: Graph) -> str:
    used = graph.used_parameters()
    count: dict[Parameter, int] = {}
    for node in graph.nodes:
        for parameter in dict.fromkeys(node.parameters):
            count[parameter] = count.get(parameter, 0) + 1
    shared = [p for p in used if count.get(p, 0) > 1]
    total = _size(used)
    line = plural(total, "parameter") if isinstance(total, int) else f"{total} parameters"
    return f"{line}, of which {_count(_size(shared))} shared" if shared else line


def _count(number: Dim) -> str:
    return f"{number:,}" if isinstance(number, int) else str(number)
