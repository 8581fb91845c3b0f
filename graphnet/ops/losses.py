"""Rows of softmax and the losses that have kernels of their own.

`softmax` and `log_softmax` work along the last axis. `cross_entropy` follows
torch.nn.functional.cross_entropy: attributes `reduction` ("none", "mean", "sum"), `ignore_index` and
`label_smoothing`; targets are class indices (N,) or probabilities (N, C), the optional third operand
weighs the classes. `nll_loss` is the part of it behind log_softmax, for class indices.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.errors import ShapeError
from graphnet.ir import Shape, Unifier, product, render_shape
from graphnet.ops.onnx_layers import BINARY_ENTROPY, CROSS_ENTROPY, NLL, softmaxed
from graphnet.ops.table import ANY, FLOAT, INDEX, Attrs, Op, Site, broadcast, register

__all__: list[str] = []

_SMALLEST = float(np.float32(1e-12))  # what binary_cross_entropy divides by at least, as PyTorch's
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


def _cross_entropy_target(n: Site, g: Any) -> Any:
    """For probabilities as targets: -(1 - smoothing) w log p, times what a row counts."""
    rows = n.shapes[0][0]
    losses = n("mul", n("log_softmax", n.x(0)), n.attrs["label_smoothing"] - 1)
    if len(n.shapes) > 2:
        losses = n("mul", losses, n.x(2))
    if n.attrs["reduction"] == "mean":
        g = n("div", g, rows)
    return n("mul", losses, n("reshape", g, shape=(rows, 1)) if n.attrs["reduction"] == "none" else g)


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
        gradients=(_cross_entropy_gradient, _cross_entropy_target, None),
        promote="none",
        saves=("012", "02", ""),
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


def _labels_weight(n: Site, *weight: Any) -> Any:
    """What each row's class weighs, 0 for rows that are ignored."""
    ones = n("expand", 1, shape=n.shapes[0])
    settings = {"reduction": "none", "ignore_index": n.attrs["ignore_index"]}
    return n("neg", n("nll_loss", ones, n.x(1), *weight, **settings))


def _total_target(n: Site) -> Any:
    """Per row, the sum of the targets times what flows into the row."""
    weight = [n.x(3)] if len(n.shapes) > 3 else []
    smoothing, mean = n.attrs["label_smoothing"], n.attrs["reduction"] == "mean"
    rows, classes = n.shapes[0]
    flow = n.x(2)
    if len(n.shapes[1]) == 2:
        targets = n("add", n("mul", n.x(1), 1 - smoothing), n("div", smoothing, classes))
        total = n("sum", n("mul", targets, *weight) if weight else targets, axes=(1,), keepdims=False)
        return n("mul", total, n("div", flow, rows) if mean else flow)
    hard = _labels_weight(n, *weight)
    total = n("mul", hard, 1 - smoothing)
    if smoothing:
        share = (
            n("mul", n("sum", *weight, axes=(0,), keepdims=False), smoothing)
            if weight
            else n("mul", classes, smoothing)
        )
        total = n("add", total, n("mul", _labels_weight(n), n("div", share, classes)))
    return n("mul", total, n("div", flow, n("sum", hard, axes=(0,), keepdims=False)) if mean else flow)


def _second_logits(n: Site, v: Any) -> Any:
    """The Jacobian of softmax, p (v - <p, v>), times the row's total target."""
    p = n("softmax", n.x(0))
    pv = n("mul", p, v)
    turned = n("sub", pv, n("mul", p, _row_sum(n, pv)))
    return n("mul", turned, n("reshape", _total_target(n), shape=(n.shapes[0][0], 1)))


def _second_target(n: Site, v: Any) -> Any:
    """For probabilities as targets: (1 - smoothing) w (<p, v> - v), times what flows into the row."""
    rows = n.shapes[0][0]
    apart = n("sub", _row_sum(n, n("mul", n("softmax", n.x(0)), v)), v)
    apart = n("mul", apart, 1 - n.attrs["label_smoothing"])
    if len(n.shapes) > 3:
        apart = n("mul", apart, n.x(3))
    flow = n("div", n.x(2), rows) if n.attrs["reduction"] == "mean" else n.x(2)
    return n("mul", apart, n("reshape", flow, shape=(rows, 1)) if n.attrs["reduction"] == "none" else flow)


def _second_flow(n: Site, v: Any) -> Any:
    """<v, gradient for a flow of 1>."""
    one = n("expand", 1, shape=n.shapes[2])
    weight = [n.x(3)] if len(n.shapes) > 3 else []
    products = n("mul", v, n("cross_entropy_backward", n.x(0), n.x(1), one, *weight, **n.attrs))
    return n("sum", products, axes=(1,) if n.attrs["reduction"] == "none" else (0, 1), keepdims=False)


register(
    Op(
        name="cross_entropy_backward",  # operands: logits, target, gradient of the loss[, weight]
        shape=lambda unifier, attrs, logits, *rest: logits,
        operands=(FLOAT, ANY, FLOAT, FLOAT),
        optional=1,
        reference=_cross_entropy_backward_reference,
        gradients=(_second_logits, _second_target, _second_flow, None),
        promote="none",
        saves=("0123", "023", "013", ""),
        kernel="cross_entropy_backward",
        params=_loss_params,
        flops=6,  # those of softmax, and the difference to the target
    )
)


def _nll_shape(unifier: Unifier, attrs: Attrs, logp: Shape, target: Shape, weight: Shape | None = None) -> Shape:
    if len(target) != 1:
        raise ShapeError(f"expects class indices of shape (N,), got {render_shape(target)}", got=target, operand=1)
    return _loss_shape(unifier, attrs, logp, target, weight)


def _nll_params(attrs: Attrs, shapes: Sequence[Shape]) -> tuple[float, ...]:
    return _REDUCTIONS[attrs["reduction"]], float(attrs["ignore_index"])


def _nll_flops(attrs: Attrs, shapes: Sequence[Shape], shape: Shape) -> Any:
    """A product and a sum for each row."""
    return 2 * shapes[1][0]


def _counted(like: Any, target: Any, weight: Any, ignore_index: int) -> tuple[Any, Any]:
    """The labels, 0 for those that are ignored, and what each row counts."""
    valid = target != ignore_index
    safe = np.where(valid, target, 0)
    return safe, valid * (np.ones(like.shape[1], like.dtype) if weight is None else weight)[safe]


def _nll_reference(logp: Any, target: Any, weight: Any = None, *, reduction: str, ignore_index: int) -> Any:
    safe, weights = _counted(logp, target, weight, ignore_index)
    losses = -logp[np.arange(len(logp)), safe] * weights
    if reduction == "none":
        return losses
    return np.asarray(losses.sum() / (weights.sum() if reduction == "mean" else 1))


def _nll_backward_reference(
    like: Any, target: Any, g: Any, weight: Any = None, *, reduction: str, ignore_index: int
) -> Any:
    safe, weights = _counted(like, target, weight, ignore_index)
    result = np.zeros_like(like)
    result[np.arange(len(like)), safe] = -weights * g / (weights.sum() if reduction == "mean" else 1)
    return result


def _nll_gradient(n: Site, g: Any) -> Any:
    like = n("expand", 0, shape=n.shapes[0])
    return n("nll_loss_backward", like, n.x(1), g, *[n.x(2) for _ in n.shapes[2:]], **n.attrs)


register(
    Op(
        name="nll_loss",
        shape=_nll_shape,
        operands=(FLOAT, INDEX, FLOAT),
        optional=1,
        reference=_nll_reference,
        gradients=(_nll_gradient, None, None),
        promote="none",
        saves=("12", "", ""),
        kernel="nll_loss",
        params=_nll_params,
        flops=_nll_flops,
        onnx=NLL,
    )
)

register(
    Op(
        name="nll_loss_backward",  # operands: a value of log p's shape that is not read, target, gradient[, weight]
        shape=lambda unifier, attrs, like, *rest: like,
        operands=(FLOAT, INDEX, FLOAT, FLOAT),
        optional=1,
        reference=_nll_backward_reference,
        gradients=(  # the loss is linear, so its gradient's gradient is the loss
            None,
            None,
            lambda n, v: n("nll_loss", v, n.x(1), *[n.x(3) for _ in n.shapes[3:]], **n.attrs),
            None,
        ),
        promote="none",
        saves=("", "", "13", ""),
        kernel="nll_loss_backward",
        params=_nll_params,
        flops=_nll_flops,
    )
)


def _binary_reference(x: Any, target: Any) -> Any:
    return (target - 1) * np.maximum(np.log1p(-x), -100) - target * np.maximum(np.log(x), -100)


def _binary_target(n: Site, g: Any) -> Any:
    """log(1 - x) - log x, infinite at the ends, as PyTorch's."""
    x = n.x(0)
    return n("mul", g, n("sub", n("log1p", n("neg", x)), n("log", x)))


register(
    Op(
        name="binary_entropy",  # -t log x - (1 - t) log(1 - x), logarithms not below -100, as PyTorch's
        shape=broadcast,
        operands=(FLOAT, FLOAT),
        reference=_binary_reference,
        gradients=(
            lambda n, g: n(
                "div",
                n("mul", g, n("sub", n.x(0), n.x(1))),
                n("maximum", n("mul", n("sub", 1, n.x(0)), n.x(0)), _SMALLEST),
            ),
            _binary_target,
        ),
        promote="float",
        saves=("01", "0"),
        broadcasts=True,
        kernel="binary_entropy",
        onnx=BINARY_ENTROPY,
        flops=8,
    )
)
