"""Rows of softmax and the losses that have kernels of their own.

`softmax` and `log_softmax` work along the last axis. `cross_entropy` follows
torch.nn.functional.cross_entropy: attributes `reduction` ("none", "mean", "sum"), `ignore_index` and
`label_smoothing`; targets are class indices (N,) or probabilities (N, C), the optional third operand
weighs the classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.errors import ShapeError
from graphnet.ir import Shape, Unifier, product, render_shape
from graphnet.ops.onnx_shaping import CROSS_ENTROPY, softmaxed
from graphnet.ops.table import ANY, FLOAT, Attrs, Op, Site, register

__all__: list[str] = []

_REDUCTIONS = {"none": 0.0, "mean": 1.0, "sum": 2.0}


def _along_last(unifier: Unifier, attrs: Attrs, x: Shape) -> Shape:
    if not x:
        raise ShapeError("expects at least one axis, got a 0-d tensor")
    return x


def _softmax_reference(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True)) if x.size else x
    return e / e.sum(-1, keepdims=True)


def _log_softmax_reference(x: Any) -> Any:
    shifted = x - x.max(-1, keepdims=True) if x.size else x
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def _row_sum(n: Site, value: Any) -> Any:
    last = len(n.shape) - 1
    total = n("sum", value, axes=(last,), keepdims=True)
    return n("expand", total, shape=n.shape)


def _softmax_gradient(n: Site, g: Any) -> Any:
    y = n.y()
    return n("mul", y, n("sub", g, _row_sum(n, n("mul", g, y))))


for _name, _reference, _gradient in (
    ("softmax", _softmax_reference, _softmax_gradient),
    (
        "log_softmax",
        _log_softmax_reference,
        lambda n, g: n("sub", g, n("mul", n("exp", n.y()), _row_sum(n, g))),
    ),
):
    register(
        Op(
            name=_name,
            shape=_along_last,
            operands=(FLOAT,),
            reference=_reference,
            gradients=(_gradient,),
            promote="float",
            saves="y",
            kernel=_name,
            flops=5,  # the largest, its distance, exp, their sum, and the quotient or difference
            onnx=softmaxed({"softmax": "Softmax", "log_softmax": "LogSoftmax"}[_name], _name),
        )
    )


def _loss_shape(unifier: Unifier, attrs: Attrs, logits: Shape, target: Shape, weight: Shape | None = None) -> Shape:
    if len(logits) != 2:
        raise ShapeError(f"expects logits of shape (N, C), got {render_shape(logits)}")
    expected: Shape = logits if len(target) == 2 else logits[:1]
    if len(target) != len(expected) or not all(unifier.unify(a, b) for a, b in zip(expected, target)):
        raise ShapeError(
            f"expects targets of shape {render_shape(logits[:1])} (class indices) or "
            f"{render_shape(logits)} (probabilities) for logits {render_shape(logits)}, got {render_shape(target)}",
            expected=expected,
            got=target,
            operand=1,
        )
    if weight is not None and (len(weight) != 1 or not unifier.unify(weight[0], logits[1])):
        raise ShapeError(
            f"expects a weight for each of {logits[1]} classes, got shape {render_shape(weight)}",
            expected=logits[1:],
            got=weight,
            operand=2,
        )
    return logits[:1] if attrs["reduction"] == "none" else ()


def _loss_params(attrs: Attrs, shapes: Sequence[Shape]) -> tuple[float, ...]:
    return _REDUCTIONS[attrs["reduction"]], float(attrs["ignore_index"]), float(attrs["label_smoothing"])


def _cross_entropy_reference(
    logits: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int, label_smoothing: float
) -> Any:
    logp, classes = _log_softmax_reference(logits), logits.shape[1]
    class_weight = np.ones(classes, logits.dtype) if weight is None else weight
    if target.ndim == 2:
        smoothed = target * (1 - label_smoothing) + label_smoothing / classes
        losses = -(smoothed * logp * class_weight).sum(1)
        denominator = len(logits)
    else:
        valid = target != ignore_index
        safe = np.where(valid, target, 0)
        rows = np.arange(len(logits))
        hard = -logp[rows, safe] * class_weight[safe]
        soft = -(logp * class_weight).sum(1) / classes
        losses = np.where(valid, (1 - label_smoothing) * hard + label_smoothing * soft, 0)
        denominator = (class_weight[safe] * valid).sum()
    if reduction == "none":
        return losses
    return np.asarray(losses.sum() / (denominator if reduction == "mean" else 1))


def _cross_entropy_gradient(n: Site, g: Any) -> Any:
    operands = [n.x(i) for i in range(len(n.shapes))]
    return n("cross_entropy_backward", operands[0], operands[1], g, *operands[2:], **n.attrs)


register(
    Op(
        name="cross_entropy",
        shape=_loss_shape,
        operands=(FLOAT, ANY, FLOAT),
        optional=1,
        reference=_cross_entropy_reference,
        gradients=(_cross_entropy_gradient, None, None),
        promote="none",
        saves="012",
        kernel="cross_entropy",
        params=_loss_params,
        flops=lambda attrs, shapes, shape: 5 * product(shapes[0]),  # those of log_softmax
        onnx=CROSS_ENTROPY,
    )
)


def _cross_entropy_backward_reference(
    logits: Any, target: Any, g: Any, weight: Any = None, *, reduction: str, ignore_index: int, label_smoothing: float
) -> Any:
    p, (rows, classes) = _softmax_reference(logits), logits.shape
    class_weight = np.ones(classes, logits.dtype) if weight is None else weight
    if target.ndim == 2:
        wanted = (target * (1 - label_smoothing) + label_smoothing / classes) * class_weight
        denominator = rows
    else:
        valid = target != ignore_index
        safe = np.where(valid, target, 0)
        wanted = np.full_like(logits, label_smoothing / classes) * class_weight
        wanted[np.arange(rows), safe] += (1 - label_smoothing) * class_weight[safe]
        wanted *= valid[:, None]
        denominator = (class_weight[safe] * valid).sum()
    upstream = np.broadcast_to(g, (rows,))[:, None] / (denominator if reduction == "mean" else 1)
    return (p * wanted.sum(1, keepdims=True) - wanted) * upstream


register(
    Op(
        name="cross_entropy_backward",  # operands: logits, target, gradient of the loss[, weight]
        shape=lambda unifier, attrs, logits, *rest: logits,
        operands=(FLOAT, ANY, FLOAT, FLOAT),
        optional=1,
        reference=_cross_entropy_backward_reference,
        promote="none",
        kernel="cross_entropy_backward",
        params=_loss_params,
        flops=6,  # those of softmax, and the difference to the target
    )
)
