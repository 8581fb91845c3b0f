"""Graphs for networkx."""

from __future__ import annotations

import importlib
from typing import Any

from graphnet.ir import Constant, Graph, Literal, Node, Operand, Parameter, Scope, Value

__all__ = ["to_networkx"]


def to_networkx(graph: Graph) -> Any:
    """A graph as a `networkx.MultiDiGraph` whose nodes are named as in the graph.

    Nodes have the attributes

    - `kind`: "input" or "op"; `op`: the operation; `attrs`: its settings, a dict;
    - `shapes`, `dtypes`: of its results; `output`: whether it is among the graph's;
    - `path`, `cls`: of the module call that it belongs to; `calls`: of all that it is inside of, from the
      outside, each with a number that tells calls of one module apart: (path, class, number);
    - `layer`: whether that call is one of graphnet's own layers; `where`: the place in the source as (file, line);
    - `operands`: what it takes, in order: ("node", name, slot), ("parameter", name), ("constant", number, shape,
      dtype) or ("literal", value, dtype); `parameters`: the names of those it uses, each once.

    Edges of `kind` "data" have `name`, the data's type; `operand`, the position at the node that takes it; `slot`,
    which of the results it is. Those of kind "shared" lead from each user of a parameter to the next, with the
    parameter's `name` and its `operand` position at the second.

    The graph itself has `name`, `inputs` and `outputs`, names in order, and `parameters`: shape and dtype by name.

    Raises:
        ImportError: networkx is not installed.

    Example:
        >>> import graphnet as gn
        >>> g = gn.trace(gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU()), ("N", 20)).to_networkx()
        >>> list(g.nodes), g.nodes["0"]["cls"], g.graph["outputs"]
        (['input', '0', '1'], 'Linear', ['1'])
    """
    networkx = _networkx()
    constants: dict[Constant, int] = {}
    calls: dict[Scope | None, tuple[tuple[str, str, int], ...]] = {None: ()}
    outputs = {output.node for output in graph.outputs if isinstance(output, Value)}
    result = networkx.MultiDiGraph(
        name=graph.name,
        inputs=[node.name for node in graph.inputs],
        outputs=[graph.operand_text(output) for output in graph.outputs],
        parameters={graph.operand_text(p): tuple(p._type()) for p in graph.used_parameters()},
    )
    for node in graph.nodes:
        types = graph.types[node]
        result.add_node(
            node.name,
            kind="input" if node.op == "input" else "op",
            op=node.op,
            attrs=dict(node.attrs),
            shapes=[tuple(t.shape) for t in types],
            dtypes=[t.dtype.name for t in types],
            output=node in outputs,
            path=node.path,
            cls=node.scope.cls if node.scope is not None else "",
            calls=_calls(node.scope, calls),
            layer=node.scope is not None and node.scope.library,
            where=tuple(node.where) if node.where is not None else None,
            operands=[_operand(graph, operand, constants) for operand in node.inputs],
            parameters=[graph.operand_text(p) for p in dict.fromkeys(node.parameters)],
        )
    last: dict[Parameter, Node] = {}
    for node in graph.nodes:
        for position, operand in enumerate(node.inputs):
            if isinstance(operand, Value):
                attributes = {"name": str(graph.type_of(operand)), "operand": position, "slot": operand.slot}
                result.add_edge(operand.node.name, node.name, kind="data", **attributes)
            elif isinstance(operand, Parameter):
                before = last.get(operand, node)
                if before is not node:
                    name = graph.operand_text(operand)
                    result.add_edge(before.name, node.name, kind="shared", name=name, operand=position)
                last[operand] = node
    return result


def _networkx() -> Any:
    """The package, imported when it is wanted: it takes as long to import as all of graphnet."""
    try:
        return importlib.import_module("networkx")
    except ImportError as error:
        raise ImportError("to_networkx needs the package networkx: pip install networkx") from error


def _operand(graph: Graph, operand: Operand, constants: dict[Constant, int]) -> tuple[object, ...]:
    if isinstance(operand, Value):
        return "node", operand.node.name, operand.slot
    if isinstance(operand, Literal):
        return "literal", operand.value, operand.dtype.name
    if isinstance(operand, Parameter):
        return "parameter", graph.operand_text(operand)
    shape, dtype = operand._type()
    return "constant", constants.setdefault(operand, len(constants)), tuple(shape), dtype.name


def _calls(
    scope: Scope | None, known: dict[Scope | None, tuple[tuple[str, str, int], ...]]
) -> tuple[tuple[str, str, int], ...]:
    missing: list[Scope] = []
    while scope is not None and scope not in known:
        missing.append(scope)
        scope = scope.parent
    calls = known[scope]
    for inner in reversed(missing):
        calls = known[inner] = (*calls, (inner.path, inner.cls, len(known)))
    return calls
