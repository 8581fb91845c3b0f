"""Simplification: operations that change nothing are left out."""

from __future__ import annotations

from graphnet.ir import Graph, Literal, Node, Operand, Rewriter, Value, rewrite_blocks

__all__ = ["simplify"]

# x op literal = x, bit for bit; not x + 0, which turns -0 into 0.
_NEUTRAL = {"mul": 1, "div": 1, "sub": 0, "pow": 1}
_SAME = ("reshape", "expand", "cast", "detach")  # nothing happens where the type stays
_LOOKED_AT = frozenset((*_NEUTRAL, *_SAME, "permute"))


def simplify(graph: Graph) -> Graph:
    """The graph without operations that change nothing, for graphs of which no gradient is taken any more.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(lambda x: (x.detach() * 1).reshape(2, 3).T.T + 1, (2, 3))
        >>> [node.op for node in simplify(graph).nodes]
        ['input', 'permute', 'add']
    """
    graph = rewrite_blocks(graph, simplify)
    new = Rewriter(graph)
    looked_at = [node for node in graph.nodes if node.op in _LOOKED_AT]
    if not any(_simpler(new, node) is not None for node in looked_at):
        return graph
    for node in new.walk(set(looked_at)):
        found = _simpler(new, node)
        if found is None:
            new.keep(node)
        else:
            new.replace(node, found)
    return new.finish()


def _simpler(new: Rewriter, node: Node) -> Operand | None:
    """What the node's result is without it."""
    if not node.inputs:
        return None
    first = new.now(node.inputs[0])
    if not isinstance(first, Value):
        return None  # a parameter or a constant as an output has to be copied
    same = new.type_of(first) == new.graph.types[node][0]
    if node.op in _SAME:
        return first if same else None
    if node.op == "permute":
        axes = node.attrs["axes"]
        assert isinstance(axes, tuple)
        if first.node.op == "permute":
            before = first.node.attrs["axes"]
            assert isinstance(before, tuple)
            if all(before[a] == i for i, a in enumerate(axes)):
                return first.node.inputs[0]
        return first if axes == tuple(range(len(axes))) else None
    if node.op in _NEUTRAL and same and len(node.inputs) == 2:
        second = node.inputs[1]
        if isinstance(second, Literal) and type(second.value) in (int, float) and second.value == _NEUTRAL[node.op]:
            return first
    return None
