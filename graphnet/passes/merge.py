"""Common code: what is computed twice from the same operands is computed once."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from graphnet.ir import Graph, Literal, Node, Operand, Rewriter, Value, rewrite_blocks
from graphnet.ops import TABLE, setting_key

__all__ = ["merge_common"]


def merge_common(graph: Graph) -> Graph:
    """The graph with nodes merged that compute the same from the same operands.

    Parameters and constants are identities and are never merged; neither are random numbers, updates of memory
    and blocks of control flow.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(lambda x: x.exp() + x.exp(), (3,))
        >>> [node.op for node in merge_common(graph).nodes]
        ['input', 'exp', 'add']
    """
    graph = rewrite_blocks(graph, merge_common)
    same: dict[Node, Node] = {}  # what computes the same as an earlier node
    first: dict[Hashable, Node] = {}  # by what is looked up fast: only nodes that are alike there are compared
    seen: dict[Hashable, Node] = {}

    def now(operand: Operand) -> Operand:
        if type(operand) is Value and operand[0] in same:
            return Value(same[operand[0]], operand[1])
        return operand

    for node in graph.nodes:
        lead = now(node.inputs[0]) if node.inputs else None
        fast = node.op, None if isinstance(lead, Literal) else lead
        before = first.setdefault(fast, node)
        if before is node:
            continue
        for each in (before, node):
            key = _key(each, list(map(now, each.inputs)))
            if key is not None:
                earlier = seen.setdefault(key, each)
                if earlier is not each:
                    same[each] = earlier
    if not same:
        return graph
    new = Rewriter(graph)
    for node in new.walk(same):
        new.replace(node, new.now(Value(same[node])))
    return new.finish()


def _key(node: Node, operands: Sequence[Operand]) -> Hashable | None:
    """What two nodes have in common that compute the same; None for those that stay."""
    op = TABLE.get(node.op)
    if op is None or op.fresh:
        return None
    try:
        return node.op, tuple(map(_operand, operands)), setting_key(node.attrs) if node.attrs else ()
    except TypeError:
        return None


def _operand(operand: Operand) -> Hashable:
    if isinstance(operand, Literal):
        value = operand.value
        if operand.dtype.is_floating_point and isinstance(value, int):
            value = float(value)
        return "literal", setting_key(value), operand.dtype
    return operand if isinstance(operand, Value) else ("constant", id(operand))
