"""Clipping: gradients scaled by one factor so that their common norm has a bound, in the same IR."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphnet.ir import Graph, Literal, Operand, Unifier
from graphnet.ops import TABLE
from graphnet.ops.emit import Emitter

__all__ = ["clip_norm"]


def clip_norm(graph: Graph, gradients: Sequence[Operand], bound: float) -> list[Operand]:
    """Add to a graph what scales gradients by min(1, bound / (norm + 1e-6)), as `nn.utils.clip_grad_norm_` does.

    Args:
        graph: a graph of gradients, which grows.
        gradients: operands in it.
        bound: the largest norm of all gradients taken together.

    Returns:
        The scaled gradients, in order.
    """
    emitter = Emitter(graph, Unifier())

    def emit(op: str, *operands: Operand, **attrs: Any) -> Operand:
        return emitter.emit(TABLE[op], operands, attrs, f"clip.{op}")

    types = [emitter.type_of(g) for g in gradients]
    common = max((t.dtype for t in types), key=lambda dtype: dtype.itemsize)
    total: Operand | None = None
    for gradient, (shape, dtype) in zip(gradients, types):
        square = emit("sum", emit("mul", gradient, gradient), axes=tuple(range(len(shape))), keepdims=False)
        square = square if dtype is common else emit("cast", square, dtype=common)
        total = square if total is None else emit("add", total, square)
    assert total is not None
    norm = emit("add", emit("sqrt", total), Literal(1e-6, common))
    factor = emit("minimum", emit("div", Literal(bound, common), norm), Literal(1.0, common))
    factors = {dtype: factor if dtype is common else emit("cast", factor, dtype=dtype) for _, dtype in types}
    return [emit("mul", gradient, factors[dtype]) for gradient, (_, dtype) in zip(gradients, types)]
