"""Graphs for networkx, and back."""

from __future__ import annotations

import importlib
from typing import Any

from graphnet.errors import ArgumentTypeError, MissingPackageError, kind_of
from graphnet.export.record import Records, reading, rebuild
from graphnet.ir import Graph, Node, Parameter, Value

__all__ = ["from_networkx", "to_networkx"]


def to_networkx(graph: Graph) -> Any:
    """A graph as a `networkx.MultiDiGraph` whose nodes are named as in the graph.

    Nodes have the attributes

    - `kind`: "input" or "op"; `op`: the operation; `attrs`: its settings, a dict;
    - `shapes`, `dtypes`: of its results; `output`: whether it is among the graph's;
    - `path`, `cls`: of the module call that it belongs to; `calls`: of all that it is inside of, from the
      outside, each with a number that tells calls of one module apart: (path, class, number);
    - `layer`: whether that call is one of graphnet's own layers; `where`: the place in the source as (file, line);
    - `operands`: what it takes, in order: ("node", name, slot), ("parameter", name), ("constant", number, shape,
      dtype) or ("literal", value, dtype); `parameters`: the names of those it uses, each once;
    - `blocks`: the graphs inside a loop or branch, each a `MultiDiGraph`.

    Edges of `kind` "data" have `name`, the data's type; `operand`, the position at the node that takes it; `slot`,
    which of the results it is. Those of kind "shared" lead from each user of a parameter to the next, with the
    parameter's `name` and its `operand` position at the second.

    The graph itself has `name`, `inputs` and `outputs`, names in order, and `parameters`: shape and dtype by name.
    For the way back it also has `results`, its outputs as operands, and their nesting, `structure`; `calls`, what is
    known of each module call, by number; `buffers`, constants by name, and `updates`, what a run leaves in them; and
    `tensors`, the parameters by name and the constants by number themselves.

    Raises:
        MissingPackageError: networkx is not installed.

    Example:
        >>> import graphnet as gn
        >>> g = gn.trace(gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU()), ("N", 20)).to_networkx()
        >>> list(g.nodes), g.nodes["0"]["cls"], g.graph["outputs"]
        (['input', '0', '1'], 'Linear', ['1'])
    """
    networkx, records = _networkx(), Records(graph)
    result = _graph(networkx, records, graph)
    result.graph.update(
        outputs=[graph.operand_text(output) for output in graph.outputs],
        parameters={name: tuple(p._type()) for name, p in records.parameters.items()},
        structure=getattr(graph, "structure", None),
        updates=records.updates(),
        buffers=records.buffers(),
    )
    result.graph.update(calls=records.calls.rows, tensors=(records.parameters, list(records.constants)))
    return result


def _graph(networkx: Any, records: Records, graph: Graph) -> Any:
    outputs = {output.node for output in graph.outputs if isinstance(output, Value)}
    result = networkx.MultiDiGraph(**records.whole(graph))
    for node in graph.nodes:
        result.add_node(
            node.name,
            kind="input" if node.op == "input" else "op",
            **_node(records, graph, node),
            output=node in outputs,
            path=node.path,
            cls=node.scope.cls if node.scope is not None else "",
            layer=node.scope is not None and node.scope.library,
            parameters=[records.graph.operand_text(p) for p in dict.fromkeys(node.parameters)],
            blocks=[_graph(networkx, records, block) for block in node.blocks],
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
                    name = records.graph.operand_text(operand)
                    result.add_edge(before.name, node.name, kind="shared", name=name, operand=position)
                last[operand] = node
    return result


def _node(records: Records, graph: Graph, node: Node) -> dict[str, Any]:
    row = records.node(graph, node)
    del row["call"]
    return {**row, "calls": records.calls.path(node.scope)}


def from_networkx(graph: Any) -> tuple[Graph, Any]:
    """The graph that `to_networkx` wrote, with the same parameters, and the nesting of its outputs.

    Nodes and their attributes count; edges only repeat what `operands` says.

    Raises:
        ArgumentTypeError: not a networkx graph.
        GraphError: an attribute is missing or does not fit.
    """
    if not isinstance(getattr(graph, "graph", None), dict) or not callable(getattr(graph, "nodes", None)):
        raise ArgumentTypeError(f"from_networkx: expects a networkx graph, got {kind_of(graph)}")

    def nodes(whole: Any) -> Any:
        for name, row in whole["nodes"].nodes(data=True):
            call = row["calls"][-1][2] if row["calls"] else None
            yield name, {**row, "call": call}, [{**block.graph, "nodes": block} for block in row["blocks"]]

    with reading("from_networkx", "not a graph that to_networkx wrote"):
        parameters, constants = graph.graph["tensors"]
        whole = {**graph.graph, "nodes": graph}
        result = rebuild(whole, nodes, parameters, constants, graph.graph["calls"])
        return result, graph.graph["structure"]


def _networkx() -> Any:
    """The package, imported when it is wanted: it takes as long to import as all of graphnet."""
    try:
        return importlib.import_module("networkx")
    except ImportError as error:
        raise MissingPackageError("to_networkx needs the package networkx: pip install networkx") from error
