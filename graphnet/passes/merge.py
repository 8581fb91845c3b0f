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
    alike: dict[Hashable, list[Node]] = {}  # by what is looked up fast: where none are equal there, none are at all
    for node in graph.nodes:
        alike.setdefault((node.op, *node.inputs[:1]), []).append(node)
    keys = [_key(node, node.inputs) for nodes in alike.values() if len(nodes) > 1 for node in nodes]
    keys = [key for key in keys if key is not None]
    if len(set(keys)) == len(keys):
        return graph
    new = Rewriter(graph)
    seen: dict[Hashable, Node] = {}
    for node in graph.nodes:
        key = _key(node, [new.now(o) for o in node.inputs])
        before = seen.get(key) if key is not None else None
        if before is None:
            new.keep(node)
            if key is not None:
                seen[key] = new.result.nodes[-1]
        else:
            new.replace(node, Value(before))
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
