"""Loops and branches as ONNX's Loop and If: what is inside them as subgraphs, which see the values around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphnet.dtypes import bool_, int64
from graphnet.errors import GraphError
from graphnet.ir import Graph, Literal, Node, Operand, TensorType, Value
from graphnet.ir.control import BRANCH, COUNTED, Loop

if TYPE_CHECKING:
    from graphnet.onnx.writer import GraphWriter

__all__ = ["write_control"]


def write_control(writer: GraphWriter, graph: Graph, node: Node, values: dict[Operand, str]) -> list[Any]:
    """The ONNX nodes of a node of control flow; its results' names are entered in `values`.

    Raises:
        GraphError: a loop of a gradient, with stacks.
    """
    return _branch(writer, graph, node, values) if node.op == BRANCH else _loop(writer, graph, node, values)


def _enter(block: Graph, names: Sequence[str]) -> dict[Operand, str]:
    return {Value(inner): name for inner, name in zip(block.inputs, names)}


def _results(writer: GraphWriter, block: Graph, values: dict[Operand, str], nodes: list[Any]) -> list[str]:
    """The names of a block's outputs: each made within it, and none twice."""
    made = {name for node in nodes for name in node.output}
    names = []
    for operand in block.outputs:
        name = writer.operand(operand, values)
        if name not in made or name in names:
            own = writer.fresh(f"{block.name}.output")
            nodes.append(writer.onnx.helper.make_node("Identity", [name], [own], name=own))
            name = own
        names.append(name)
    return names


def _type(block: Graph, operand: Operand) -> TensorType:
    if isinstance(operand, Value):
        return block.type_of(operand)
    return TensorType((), operand.dtype) if isinstance(operand, Literal) else operand._type()


def _truth(writer: GraphWriter, name: str, type: TensorType, nodes: list[Any], label: str) -> str:
    """A truth value without axes, as ONNX has it."""
    if not type.shape:
        return name
    own = writer.fresh(f"{label}.condition")
    nodes.append(writer.onnx.helper.make_node("Reshape", [name, writer.sizes([])], [own], name=own))
    return own


def _branch(writer: GraphWriter, graph: Graph, node: Node, values: dict[Operand, str]) -> list[Any]:
    helper = writer.onnx.helper
    pred, *captured = [writer.operand(o, values) for o in node.inputs]
    before: list[Any] = []
    pred = _truth(writer, pred, graph.type_of(node.inputs[0]), before, node.name)
    graphs = []
    for block in node.blocks:
        inner = _enter(block, captured)
        nodes = writer.nodes(block, inner)
        names = _results(writer, block, inner, nodes)
        infos = [writer.info(n, block.type_of(o)) for n, o in zip(names, block.outputs)]
        graphs.append(helper.make_graph(nodes, block.name, [], infos))
    outputs = [writer.fresh(node.name) for _ in graph.types[node]]
    values.update((Value(node, slot), name) for slot, name in enumerate(outputs))
    made = helper.make_node("If", [pred], outputs, name=outputs[0], then_branch=graphs[0], else_branch=graphs[1])
    made.doc_string = node.describe()
    return [*before, made]


def _loop(writer: GraphWriter, graph: Graph, node: Node, values: dict[Operand, str]) -> list[Any]:
    loop, helper = Loop(node), writer.onnx.helper
    if node.op == COUNTED or loop.stacks or loop.written or loop.condition is None:
        raise GraphError(f"to_onnx: {node.describe()}: the loop of a gradient has no counterpart in ONNX")
    states = [writer.operand(o, values) for o in loop.states]
    captured = [writer.operand(o, values) for o in loop.captured]
    test = loop.condition

    def holds(now: list[str], nodes: list[Any]) -> str:
        """Whether to go on from these states."""
        inner = _enter(test, [*now, *captured])
        nodes += writer.nodes(test, inner)
        (result,) = test.outputs
        return _truth(writer, writer.operand(result, inner), test.type_of(result), nodes, node.name)

    before: list[Any] = []
    first = holds(states, before)
    count, going = writer.fresh(f"{node.name}.trip"), writer.fresh(f"{node.name}.going")
    inside = [writer.fresh(f"{node.name}.{i.name}") for i, _ in zip(loop.body.inputs, states)]
    inner = _enter(loop.body, [*inside, *captured])
    nodes = writer.nodes(loop.body, inner)
    following = _results(writer, loop.body, inner, nodes)
    last = holds(following, nodes)
    if last in following or last not in {name for n in nodes for name in n.output}:
        own = writer.fresh(f"{node.name}.on")
        nodes.append(helper.make_node("Identity", [last], [own], name=own))
        last = own
    infos = [writer.info(count, TensorType((), int64)), writer.info(going, TensorType((), bool_))]
    infos += [writer.info(n, _type(loop.body, Value(i))) for n, i in zip(inside, loop.body.inputs)]
    results = [writer.info(last, TensorType((), bool_))]
    results += [writer.info(n, _type(loop.body, o)) for n, o in zip(following, loop.body.outputs)]
    start = [first, *states]
    outputs = [writer.fresh(node.name) for _ in states]
    if writer.uses(Value(node, len(states))):  # the number of trips: one more state, which counts
        own = writer.fresh(f"{node.name}.count")
        one, total = writer.number(1, int64), writer.fresh(f"{node.name}.counted")
        nodes.append(helper.make_node("Add", [own, one], [total], name=total))
        infos.append(writer.info(own, TensorType((), int64)))
        results.append(writer.info(total, TensorType((), int64)))
        start.append(writer.number(0, int64))
        outputs.append(writer.fresh(f"{node.name}.trips"))
    values.update((Value(node, slot), name) for slot, name in enumerate(outputs))
    body = helper.make_graph(nodes, loop.body.name, infos, results)
    made = helper.make_node("Loop", ["", *start], outputs, name=outputs[0], body=body)
    made.doc_string = node.describe()
    return [*before, made]
