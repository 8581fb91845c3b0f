"""What computing a node costs: operations on numbers, and bytes of memory. The rules are in the table's rows."""

from __future__ import annotations

from graphnet.ir import Dim, Graph, Literal, Node, Operand, Shape, Value, product
from graphnet.ops.table import row

__all__ = ["node_flops", "result_bytes"]


def node_flops(graph: Graph, node: Node) -> Dim:
    """How many additions, multiplications and other operations on numbers a node computes.

    A size with a name gives an expression in it. Views, inputs and ops that only move data count 0; of a loop one trip
    is counted, of a branch both sides.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(gn.nn.Sequential(gn.nn.Linear(20, 4), gn.nn.ReLU()), ("N", 20))
        >>> [node_flops(graph, node) for node in graph.nodes]
        [0, 160*N, 4*N]
    """
    if node.blocks:
        total: Dim = 0
        for block in node.blocks:
            for inner in block.nodes:
                total = total + node_flops(block, inner)
        return total
    op = row(node.op)
    if op is None:
        return 0
    return op.count_flops(node.attrs, [_shape(graph, o) for o in node.inputs], graph.types[node][0].shape)


def result_bytes(graph: Graph, node: Node) -> Dim:
    """How much memory a node's results take; 0 for views, which lie in their operand's, and for inputs.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(gn.nn.Linear(20, 4), ("N", 20))
        >>> result_bytes(graph, graph.node("linear"))
        16*N
    """
    op = row(node.op)
    if node.op == "input" or (op is not None and op.view is not None):
        return 0
    total: Dim = 0
    for shape, dtype in graph.types[node]:
        total = total + dtype.itemsize * product(shape)
    return total


def _shape(graph: Graph, operand: Operand) -> Shape:
    if isinstance(operand, Literal):
        return ()
    return graph.type_of(operand).shape if isinstance(operand, Value) else operand._type().shape
