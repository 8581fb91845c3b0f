"""Constant folding: what depends on numbers alone is computed once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphnet.ir import Constant, Graph, Literal, Node, Operand, Rewriter, TensorType, Value, rewrite_blocks
from graphnet.ops import TABLE

__all__ = ["fold_constants"]

LARGEST = 1 << 20  # bytes of a folded result; larger ones are computed again in every run


class Folded(Constant):
    """A result that every run would compute again."""

    __slots__ = ("_array", "_kind")

    def __init__(self, array: Any, kind: TensorType) -> None:
        self._array, self._kind = array, kind

    def _type(self) -> TensorType:
        return self._kind

    def _values(self) -> Any:
        return self._array


def fold_constants(graph: Graph) -> Graph:
    """The graph with nodes replaced by their results that depend on nothing but numbers in the program.

    Parameters and other tensors are no such numbers: their values may change between runs. Integer arithmetic stays,
    which may fail when it is run.

    Example:
        >>> import graphnet as gn
        >>> graph = gn.trace(lambda x: x * (gn.arange(3.0).exp() + 1), (2, 3))
        >>> len(fold_constants(graph).nodes) <= len(graph.nodes)
        True
    """
    graph = rewrite_blocks(graph, fold_constants)
    known, folded = dict[Value, Any](), dict[Node, Folded]()
    for node in graph.nodes:
        arrays = _arrays(node, known)
        kind = graph.types[node][0] if arrays is not None else None
        if arrays is None or kind is None or not _fits(kind):
            continue
        op = TABLE[node.op]
        if op.source is not None:
            known[Value(node)] = op.source(node.attrs)
            continue
        with np.errstate(all="ignore"):
            result = op.view(arrays[0], node.attrs) if op.view is not None else op.reference(*arrays, **node.attrs)
        known[Value(node)] = result = np.asarray(result, kind.dtype.dtype)
        folded[node] = Folded(result, kind)
    if not folded:
        return graph
    new = Rewriter(graph)
    for node in new.walk(folded):
        new.replace(node, folded[node])
    return new.finish()


def _arrays(node: Node, known: Mapping[Value, Any]) -> list[Any] | None:
    """The operands as arrays, where the node depends on numbers alone."""
    for operand in node.inputs:
        if operand not in known if type(operand) is Value else type(operand) is not Literal:
            return None
    op = TABLE.get(node.op)
    if op is None or op.fresh or node.blocks or (op.view is not None and node.inputs[0] not in known):
        return None
    found = [_array(o, known) for o in node.inputs]
    return None if any(array is None for array in found) else found


def _array(operand: Operand, known: Mapping[Value, Any]) -> Any:
    if isinstance(operand, Value):
        return known.get(operand)
    if isinstance(operand, Literal) and isinstance(operand.value, (bool, int, float)):
        return np.asarray(operand.value, operand.dtype.dtype)
    return None


def _fits(kind: TensorType) -> bool:
    """Whether a result is one to keep: floating-point, of known size, not large."""
    if not kind.dtype.is_floating_point or not all(isinstance(d, int) for d in kind.shape):
        return False
    return math.prod(map(int, kind.shape)) * kind.dtype.itemsize <= LARGEST
