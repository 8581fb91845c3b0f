"""Rows that passes write: several ops in one kernel, and updates of memory in place.

They are not in `TABLE`: networks do not record them, and no gradient is taken of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet.errors import ShapeError
from graphnet.ir import Shape, Unifier, product
from graphnet.ops.products import LINEAR_ROW, MATMUL_ROW
from graphnet.ops.table import BOOL, FLOAT, FUSED, TABLE, Attrs, Op

__all__ = ["CHOSEN_UPDATES", "MATMUL_UPDATES", "SUM_UPDATES", "UPDATES"]


def _enter(op: Op) -> None:
    assert op.name not in TABLE and op.name not in FUSED, f"two rows for {op.name}"
    FUSED[op.name] = op


def _relu(x: Any) -> Any:
    return np.where(x <= 0, np.zeros_like(x), x)


_enter(
    Op(
        name="linear_relu",  # relu(linear(x, weight[, bias]))
        shape=LINEAR_ROW.shape,
        operands=(FLOAT, FLOAT, FLOAT),
        optional=1,
        reference=lambda x, weight, bias=0: _relu(LINEAR_ROW.reference(x, weight, bias)),
        promote="none",
        kernel="linear",
        params=lambda attrs, shapes: (1.0,),
        flops=lambda attrs, shapes, shape: LINEAR_ROW.count_flops(attrs, shapes, shape) + product(shape),
    )
)


def _affine_shape(unifier: Unifier, attrs: Attrs, a: Shape, b: Shape, bias: Shape) -> Shape:
    result = MATMUL_ROW.shape(unifier, attrs, a, b)
    if len(bias) != 1 or not unifier.unify(bias[0], result[-1]):
        raise ShapeError(f"expects a bias of shape ({result[-1]},), got {bias}")
    return result


for _name, _rectify in (("affine", False), ("affine_relu", True)):
    _enter(
        Op(
            name=_name,  # a @ b + bias, then relu
            shape=_affine_shape,
            operands=(FLOAT, FLOAT, FLOAT),
            reference=(lambda a, b, bias: _relu(a @ b + bias)) if _rectify else (lambda a, b, bias: a @ b + bias),
            promote="none",
            kernel="matmul",
            params=(lambda attrs, shapes: (0.0, 1.0)) if _rectify else (lambda attrs, shapes: (0.0, 0.0)),
            flops=lambda attrs, shapes, shape: MATMUL_ROW.count_flops(attrs, shapes[:2], shape) + product(shape),
        )
    )

_enter(
    Op(
        name="matmul_relu_backward",  # relu_backward(a @ b, y), of matrices
        shape=lambda unifier, attrs, a, b, y: MATMUL_ROW.shape(unifier, attrs, a, b),
        operands=(FLOAT, FLOAT, FLOAT),
        reference=lambda a, b, y: np.where(y <= 0, 0, a @ b).astype(y.dtype),
        promote="none",
        kernel="matmul_relu_backward",
        flops=lambda attrs, shapes, shape: MATMUL_ROW.count_flops(attrs, shapes[:2], shape) + product(shape),
    )
)


def _updated(count: int, gradient: Callable[..., Shape]) -> Any:
    """The shape rule of an update whose gradient is made of the first `count` operands."""

    def shape(unifier: Unifier, attrs: Attrs, *shapes: Shape) -> Shape:
        found = gradient(unifier, *shapes[:count])
        for operand, kept in enumerate(shapes[count:], count):
            if len(kept) != len(found) or not all(map(unifier.unify, kept, found)):
                raise ShapeError(f"an update of {kept} by a gradient of shape {found}", operand=operand)
        return shapes[count]

    return shape


def _chosen_shape(unifier: Unifier, attrs: Attrs, gradient: Shape, chosen: Shape, *kept: Shape) -> Shape:
    if chosen:
        raise ShapeError(f"expects one truth value, got shape {chosen}", operand=1)
    found: Shape = _updated(1, lambda unifier, gradient: gradient)(unifier, attrs, gradient, *kept)
    return found


def _no_reference(*operands: Any) -> Any:
    raise NotImplementedError("an optimizer's kernel, which its own tests hold against NumPy")


def _update_flops(attrs: Attrs, shapes: Sequence[Shape], shape: Shape) -> Any:
    return 2 * len(shapes) * product(shape)


def _matmul_update_flops(attrs: Attrs, shapes: Sequence[Shape], shape: Shape) -> Any:
    return MATMUL_ROW.count_flops(attrs, shapes[:2], shape) + 2 * len(shapes[1:]) * product(shape)


def _sum_update_flops(attrs: Attrs, shapes: Sequence[Shape], shape: Shape) -> Any:
    return product(shapes[0]) + 2 * len(shapes) * product(shape)


UPDATES: dict[str, str] = {}
"""An optimizer's kernel -> the op that updates a parameter by its gradient: gradient, parameter, what is kept."""
CHOSEN_UPDATES: dict[str, str] = {}
"""The same where a truth value behind the gradient says whether there is one."""
MATMUL_UPDATES = {"sgd": "update.matmul_sgd", "adam": "update.matmul_adam"}
"""The same with two matrices for the gradient, whose product it is."""
SUM_UPDATES = {"sgd": "update.sum_sgd", "adam": "update.sum_adam"}
"""The same with a matrix whose columns' sums are the gradient, as a bias has it."""

for _kernel in ("sgd", "adam", "rmsprop", "adagrad"):
    UPDATES[_kernel] = f"update.{_kernel}"
    _enter(
        Op(
            name=UPDATES[_kernel],
            shape=_updated(1, lambda unifier, gradient: gradient),
            operands=(FLOAT, FLOAT),
            variadic=True,
            reference=_no_reference,
            promote="none",
            like=1,
            kernel=_kernel,
            overwrites=1,
            flops=_update_flops,
        )
    )
    CHOSEN_UPDATES[_kernel] = f"update.{_kernel}_if"
    _enter(
        Op(
            name=CHOSEN_UPDATES[_kernel],
            shape=_chosen_shape,
            operands=(FLOAT, BOOL, FLOAT),
            variadic=True,
            reference=_no_reference,
            promote="none",
            like=2,
            kernel=_kernel,
            chosen=True,
            overwrites=2,
            flops=_update_flops,
        )
    )
for _kernel, _name in MATMUL_UPDATES.items():
    _enter(
        Op(
            name=_name,
            shape=_updated(2, lambda unifier, a, b: MATMUL_ROW.shape(unifier, {}, a, b)),
            operands=(FLOAT, FLOAT, FLOAT),
            variadic=True,
            reference=_no_reference,
            promote="none",
            like=2,
            kernel=f"matmul_{_kernel}",
            overwrites=2,
            flops=_matmul_update_flops,
        )
    )
for _kernel, _name in SUM_UPDATES.items():
    _enter(
        Op(
            name=_name,
            shape=_updated(1, lambda unifier, gradient: gradient[1:]),
            operands=(FLOAT, FLOAT),
            variadic=True,
            reference=_no_reference,
            promote="none",
            like=1,
            kernel=f"sum_{_kernel}",
            overwrites=1,
            flops=_sum_update_flops,
        )
    )
