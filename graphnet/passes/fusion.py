"""Fusion: a bias, a ReLU, a mask or an optimizer's update inside the product or sum that it follows."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping

from graphnet import _core
from graphnet.ir import Change, Graph, Literal, Node, Operand, Rewriter, Value, rewrite_blocks
from graphnet.ops.fused import MATMUL_UPDATES, SUM_UPDATES, UPDATES

__all__ = ["fuse"]

_RECTIFIED = {"linear": "linear_relu", "affine": "affine_relu"}
_UPDATES = {UPDATES[kernel]: (name, SUM_UPDATES[kernel]) for kernel, name in MATMUL_UPDATES.items()}
_PRODUCTS, _SUMS = ("matmul",), ("sum",)
_ADDED = frozenset(("add",))
_TAKEN_IN = frozenset(("relu", "relu_backward", *_UPDATES))


def fuse(graph: Graph) -> Graph:
    """The graph with products taking in what is done to their results, where nothing else looks at them.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(gn.nn.Sequential(gn.nn.Linear(3, 4), gn.nn.ReLU()), (5, 3))
        >>> [node.op for node in fuse(graph).nodes]
        ['input', 'linear_relu']
    """
    graph = rewrite_blocks(graph, fuse)
    return _pass(_pass(graph, _into_affine, _ADDED), _into_product, _TAKEN_IN)


class _Uses:
    """Which results are looked at just once, by a node."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        ends = (*graph.outputs, *graph.updates.values())
        self.count = _core.use_counts(graph.nodes)
        for end in ends:
            if isinstance(end, Value):
                self.count[end.node] = 2  # more than once in any case

    def producer(self, operand: Operand, ops: Container[str]) -> Node | None:
        """The node of one of these ops whose result is used here and nowhere else."""
        if type(operand) is not Value or operand.node.op not in ops or self.count[operand.node] != 1:
            return None
        return operand.node


_Match = tuple[Node, str, tuple[Operand, ...], Mapping[str, object]]  # what goes, the op, operands, settings


def _pass(graph: Graph, match: Callable[[_Uses, Node], _Match | None], ops: frozenset[str]) -> Graph:
    """The graph with nodes of these ops taking in what they match with."""
    absorbed, fused = set[Node](), dict[Node, Change]()
    candidates = [node for node in graph.nodes if node.op in ops]
    uses = _Uses(graph) if candidates else None
    for node in candidates:
        assert uses is not None
        found = match(uses, node)
        if found is not None:
            absorbed.add(found[0])
            fused[node] = found[1:]
    if not fused:
        return graph
    return Rewriter(graph).apply(fused, absorbed)


def _into_affine(uses: _Uses, node: Node) -> _Match | None:
    """a @ b + bias."""
    result = uses.graph.types[node][0]
    for operand, bias in (node.inputs, node.inputs[::-1]):
        product = uses.producer(operand, _PRODUCTS)
        if product is None or isinstance(bias, Literal):
            continue
        if uses.graph.type_of(operand) == result and uses.graph.type_of(bias).shape == result.shape[-1:]:
            return product, "affine", (*product.inputs, bias), {}
    return None


def _into_product(uses: _Uses, node: Node) -> _Match | None:
    """relu(product), relu_backward(a @ b, y), an update by a @ b or by the sums of columns."""
    first = node.inputs[0]
    if node.op == "relu":
        product = uses.producer(first, _RECTIFIED)
        return None if product is None else (product, _RECTIFIED[product.op], product.inputs, {})
    product = uses.producer(first, _PRODUCTS)
    if product is None:
        total = uses.producer(first, _SUMS) if node.op in _UPDATES else None
        if total is not None and _of_columns(uses, total):
            return total, _UPDATES[node.op][1], (*total.inputs, *node.inputs[1:]), node.attrs
        return None
    if len(uses.graph.types[product][0].shape) != 2:  # then operands have more axes than two
        return None
    if node.op == "relu_backward":
        return product, "matmul_relu_backward", (*product.inputs, node.inputs[1]), {}
    for operand in node.inputs[1:]:
        if len(uses.graph.type_of(operand).shape) != 2:
            return None
    return product, _UPDATES[node.op][0], (*product.inputs, *node.inputs[1:]), node.attrs


def _of_columns(uses: _Uses, total: Node) -> bool:
    """Whether a sum is that of a matrix' rows, a number for each column."""
    return (
        len(uses.graph.type_of(total.inputs[0]).shape) == 2
        and len(uses.graph.type_of(Value(total)).shape) == 1
        and (
            tuple(total.attrs["axes"]) == (0,)  # type: ignore[arg-type]
        )
    )
