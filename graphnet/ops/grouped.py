"""Groups of operations on elements: what NumPy computes for them, from their members' rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.ir import Graph, Literal, Operand, Value
from graphnet.ops.table import row

__all__ = ["group_reference"]


def group_reference(block: Graph, arrays: Sequence[Any]) -> list[Any]:
    """The results of a node `elementwise` whose block this is, for arrays in the place of its operands; for tests.

    Example:
        >>> import graphnet as gn, numpy as np
        >>> from graphnet.passes import group_elementwise
        >>> graph = group_elementwise(gn.trace(lambda x: x * x + 1, (3,)))
        >>> group_reference(graph.outputs[0].node.blocks[0], [np.float32([1, 2, 3])])
        [array([ 2.,  5., 10.], dtype=float32)]
    """
    values: dict[Value, Any] = dict(zip(map(Value, block.inputs), arrays))

    def array(operand: Operand) -> Any:
        if isinstance(operand, Literal):
            return np.asarray(operand.value, operand.dtype.dtype)
        assert isinstance(operand, Value)
        return values[operand]

    for node in block.nodes:
        op, (shape, dtype) = row(node.op), block.types[node][0]
        if op is not None:
            with np.errstate(all="ignore"):
                result = op.reference(*map(array, node.inputs), **node.attrs)
            values[Value(node)] = np.broadcast_to(np.asarray(result, dtype.dtype), tuple(map(int, shape)))
    return [array(output) for output in block.outputs]
