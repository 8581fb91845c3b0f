"""Rows that combine elements at integer indices with others: products, largest and smallest ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.ir import product
from graphnet.ops import onnx_shaping as rules
from graphnet.ops.indexing import set_at_shape
from graphnet.ops.table import INDEX, NUMBER, Op, Site, register

__all__: list[str] = []


def _indices(n: Site) -> list[Any]:
    return [n.x(index) for index in range(2, len(n.shapes))]


def _wins(n: Site, g: Any) -> Any:
    """Where the operand is the result; of several equal ones each gets the whole."""
    return n("where", n("eq", n.x(0), n.y()), g, 0)


def _value_wins(n: Site, g: Any) -> Any:
    places = _indices(n)
    return n("where", n("eq", n.x(1), n("take", n.y(), *places)), n("take", g, *places), 0)


def _factor(n: Site, g: Any) -> Any:
    """Where a factor is 0 it is NaN."""
    return n("div", n("take", n("mul", g, n.y()), *_indices(n)), n.x(1))


def _combine(ufunc: Any) -> Any:
    def reference(x: Any, values: Any, *indices: Any) -> Any:
        result = np.array(x)
        ufunc.at(result, indices, values)
        return result

    return reference


for _name, _ufunc, _gradients, _saves, _kernel, _onnx in (
    (
        "mul_at",
        np.multiply,
        (lambda n, g: n("mul_at", g, n.x(1), *_indices(n)), _factor, None),
        ("12", "12y", ""),
        "index_mul",
        "mul",
    ),
    ("max_at", np.maximum, (_wins, _value_wins, None), ("0y", "12y", ""), "index_max", "max"),
    ("min_at", np.minimum, (_wins, _value_wins, None), ("0y", "12y", ""), "index_min", "min"),
):
    register(
        Op(
            name=_name,  # operands: x, values, and indices as for `take`
            shape=set_at_shape,
            operands=(NUMBER, NUMBER, INDEX),
            variadic=True,
            reference=_combine(_ufunc),
            gradients=_gradients,
            promote="none",
            saves=_saves,
            kernel=_kernel,
            seeded=True,
            flops=lambda attrs, shapes, shape: product(shapes[1]),
            onnx=rules.combined_at(_onnx),
        )
    )
