"""The row of embeddings: rows of a table at whole numbers."""

from __future__ import annotations

from typing import Any

from graphnet.errors import ShapeError
from graphnet.ir import Shape, Unifier, render_shape
from graphnet.ops.onnx_layers import EMBEDDING
from graphnet.ops.table import FLOAT, INDEX, Attrs, Op, Site, register

__all__: list[str] = []


def _looked_up(unifier: Unifier, attrs: Attrs, weight: Shape, index: Shape) -> Shape:
    if len(weight) != 2:
        raise ShapeError(
            f"expects a table of shape (entries, features), got {render_shape(weight)}", got=weight, operand=0
        )
    return (*index, weight[1])


def _gradient(n: Site, g: Any) -> Any:
    """Summed for each entry; none for the padding's; divided by how often it comes, if asked for."""
    index, padding = n.x(1), n.attrs["padding_idx"]
    if padding is not None:
        g = n("where", n("eq", _column(n, index), _whole(n, padding)), 0, g)
    if n.attrs["scale_grad_by_freq"]:
        ones = n("expand", 1, shape=n.shapes[1])
        counts = n("index_add", ones, index, shape=n.shapes[0][:1])
        g = n("div", g, _column(n, n("take", counts, index)))
    return n("index_add", g, index, shape=n.shapes[0])


def _column(n: Site, value: Any) -> Any:
    """With one more axis, along which it broadcasts."""
    return n("reshape", value, shape=(*n.shapes[1], 1))


def _whole(n: Site, number: int) -> Any:
    return n("cast", number, dtype=n.dtypes[1])


register(
    Op(
        name="embedding",
        shape=_looked_up,
        operands=(FLOAT, INDEX),
        reference=lambda weight, index, padding_idx, scale_grad_by_freq: weight[index],
        gradients=(_gradient, None),
        promote="none",
        saves="1",
        kernel="embedding",
        onnx=EMBEDDING,
        flops=0,
    )
)
