"""The graph of what ran eagerly."""

from __future__ import annotations

from typing import Any

from graphnet.errors import GradientError
from graphnet.graph import Graph
from graphnet.ir import Scope, Value
from graphnet.tensor import check_tensor
from graphnet.tensor.autograd import collect
from graphnet.tensor.symbolic import node_name

__all__ = ["graph_of"]


def graph_of(*tensors: Any, root: Any = None) -> Graph:
    """The graph of what was computed eagerly to get these tensors: loops as often as they ran, branches as taken.

    Only what leads to parameters and other tensors that require a gradient is recorded, and `backward()` frees it.

    Args:
        *tensors: results; they become the graph's outputs.
        root: a module whose paths name the parameters.

    Raises:
        GradientError: nothing was recorded, or it was freed.

    Example:
        >>> import graphnet as gn
        >>> x = gn.ones(2, requires_grad=True)
        >>> while x.sum() < 10:
        ...     x = x * 2
        >>> [node.op for node in gn.graph_of(x)]
        ['mul', 'mul', 'mul']
    """
    records = [check_tensor("graph_of", t)._record for t in tensors]
    graph = Graph("recorded")
    emitter = graph._open("graph_of").emitter
    moved: dict[Any, Value] = {}
    named: set[Scope] = set()
    known = [record for record in records if record is not None]
    if not records or len(known) < len(records):
        raise GradientError("graph_of: a tensor was not computed from anything that requires a gradient")
    for record in reversed(collect(known)):
        if record.freed:
            raise GradientError(f"graph_of: the graph behind {record.describe()} was freed by backward()")
        operands = [moved.get(o, o) for o in record.operands]
        op, scope, where, _ = record.origin
        moved[record] = emitter.emit(record.op, operands, record.attrs, node_name(op, scope, named), scope, where)
    graph.outputs = [moved[record] for record in known]
    graph.structure = 0 if len(known) == 1 else tuple(range(len(known)))
    if root is not None:
        graph._root = root
    graph._finish()
    return graph
