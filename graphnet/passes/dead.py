"""Dead code: what no output needs is left out."""

from __future__ import annotations

from graphnet.ir import Graph, Node, Rewriter, Value
from graphnet.ops import TABLE

__all__ = ["remove_dead"]


def remove_dead(graph: Graph) -> Graph:
    """The graph with its inputs and the nodes that lead to outputs and updates; what is drawn anew stays too.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(lambda x: (x.exp(), x.sin())[0], (3,))
        >>> [node.op for node in remove_dead(graph).nodes]
        ['input', 'exp']
    """
    needed: set[Node] = set(graph.inputs)
    needed.update(node for node in graph.nodes if node.op in TABLE and TABLE[node.op].fresh)
    stack = [o.node for o in (*graph.outputs, *graph.updates.values()) if isinstance(o, Value)]
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            stack.extend(node.sources)
    new = Rewriter(graph)
    for node in graph.nodes:
        if node in needed:
            new.keep(node)
    return new.finish()
