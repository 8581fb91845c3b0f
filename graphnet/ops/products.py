"""Rows of the matrix products."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.errors import ShapeError
from graphnet.ir import Dim, Shape, Unifier, product, render_shape
from graphnet.ops.onnx_elementwise import GEMM, MATMUL
from graphnet.ops.table import FLOAT, Attrs, Op, Site, broadcast, register

__all__ = ["LINEAR_ROW", "MATMUL_ROW"]


def _multiplied(unifier: Unifier, attrs: Attrs, a: Shape, b: Shape) -> Shape:
    if len(a) < 2 or len(b) < 2:
        raise ShapeError(f"expects matrices, got shapes {render_shape(a)} and {render_shape(b)}")
    if not unifier.unify(a[-1], b[-2]):
        raise ShapeError(
            f"the first operand {render_shape(a)} has {a[-1]} columns, the second {render_shape(b)} has {b[-2]} rows",
            expected=b[-2],
            got=a[-1],
            operand=0,
        )
    return (*broadcast(unifier, attrs, a[:-2], b[:-2]), a[-2], b[-1])


def _multiply_adds(attrs: Attrs, shapes: Sequence[Shape], shape: Shape) -> Dim:
    """A multiplication and an addition for each element of the result and of the axis that is summed over."""
    return 2 * shapes[0][-1] * product(shape)


def _transposed(n: Site, x: Any, rank: int) -> Any:
    return n("permute", x, axes=(*range(rank - 2), rank - 1, rank - 2))


MATMUL_ROW = register(
    Op(
        name="matmul",  # of matrices, batched over leading axes, which broadcast
        shape=_multiplied,
        operands=(FLOAT, FLOAT),
        reference=np.matmul,
        promote="none",
        gradients=(
            lambda n, g: n("matmul", g, _transposed(n, n.x(1), len(n.shapes[1]))),
            lambda n, g: n("matmul", _transposed(n, n.x(0), len(n.shapes[0])), g),
        ),
        saves=("1", "0"),
        broadcasts=True,
        kernel="matmul",
        label="@",
        flops=_multiply_adds,
        onnx=MATMUL,
    )
)


def _linear(unifier: Unifier, attrs: Attrs, x: Shape, weight: Shape, bias: Shape | None = None) -> Shape:
    if len(x) < 1 or len(weight) != 2:
        raise ShapeError(
            f"expects an input of shape (*, in_features) and a weight (out_features, in_features), "
            f"got {render_shape(x)} and {render_shape(weight)}",
            expected="(*, in_features)",
            got=x,
            operand=0,
        )
    if not unifier.unify(weight[1], x[-1]):
        raise ShapeError(
            f"expects {unifier.resolve(weight[1])} input features, got {unifier.resolve(x[-1])}",
            expected=unifier.resolve(weight[1]),
            got=unifier.resolve(x[-1]),
            operand=0,
        )
    if bias is not None and (len(bias) != 1 or not unifier.unify(bias[0], weight[0])):
        raise ShapeError(
            f"expects a bias of shape ({weight[0]},), got {render_shape(bias)}",
            expected=(weight[0],),
            got=bias,
            operand=2,
        )
    return (*x[:-1], weight[0])


def _rows(n: Site, value: Any, shape: Shape) -> Any:
    """All leading axes as one."""
    return value if len(shape) == 2 else n("reshape", value, shape=(product(shape[:-1]), shape[-1]))


def _linear_input(n: Site, g: Any) -> Any:
    rows = n("matmul", _rows(n, g, n.shape), n.x(1))
    return rows if len(n.shape) == 2 else n("reshape", rows, shape=n.shapes[0])


def _linear_weight(n: Site, g: Any) -> Any:
    return n("matmul", _transposed(n, _rows(n, g, n.shape), 2), _rows(n, n.x(0), n.shapes[0]))


def _linear_reference(x: Any, weight: Any, bias: Any = 0) -> Any:
    return x @ weight.T + bias


LINEAR_ROW = register(
    Op(
        name="linear",  # y = x A^T + b, as torch.nn.functional.linear; x (*, in), A (out, in), b (out)
        shape=_linear,
        operands=(FLOAT, FLOAT, FLOAT),
        optional=1,
        reference=_linear_reference,
        promote="none",
        gradients=(
            # g as rows: (*, out) @ (out, in)
            _linear_input,
            _linear_weight,
            lambda n, g: n("sum", g, axes=tuple(range(len(n.shape) - 1)), keepdims=False),
        ),
        saves=("1", "0", ""),
        kernel="linear",
        flops=_multiply_adds,  # the bias is what the sums start from
        onnx=GEMM,
    )
)
