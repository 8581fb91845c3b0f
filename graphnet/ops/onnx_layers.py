"""How softmax, losses, activations and normalisation read from ONNX and are written as it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.dtypes import int64
from graphnet.ir import product
from graphnet.ops.onnx import ELEMENT_TYPES, Onnx, Reader, Writer
from graphnet.ops.onnx_shaping import as_int64, axis_in, flat_at, last_axis

__all__ = [
    "BINARY_ENTROPY",
    "CROSS_ENTROPY",
    "EMBEDDING",
    "GELU",
    "GELU_TANH",
    "LEAKY_RELU",
    "NLL",
    "NORMALIZE",
    "RMS_NORM",
    "SILU",
    "softmaxed",
]


def softmaxed(operator: str, op: str) -> Onnx:
    """Softmax or its logarithm; up to version 12 over all axes from one on."""

    def read(n: Reader) -> Any:
        x = n.x(0)
        rank = len(n.shape(x))
        if n.version < 13:
            axis = axis_in(n, n.attr("axis", 1), rank)
            return n("reshape", n(op, flat_at(n, x, axis)), shape=n.shape(x))
        return last_axis(n, x, axis_in(n, n.attr("axis", -1), rank), lambda v: n(op, v))

    return Onnx(operator, read=read, write=lambda w: w(operator, w.x(0), axis=-1))


def _by_rows(n: Reader, op: str, **settings: Any) -> Any:
    """A loss of (N, C) and (N,) for scores (N, C, d1, ...)."""
    scores, target = n.x(0), as_int64(n, n.x(1))
    weight = [n.x(2)] if n.has(2) else []
    settings |= {"reduction": n.attr("reduction", "mean"), "ignore_index": n.attr("ignore_index", -100)}
    shape = n.shape(scores)
    if len(shape) == 2:
        return n(op, scores, target, *weight, **settings)
    count = product((shape[0], *shape[2:]))
    rows = n("reshape", n("permute", scores, axes=(0, *range(2, len(shape)), 1)), shape=(count, shape[1]))
    loss = n(op, rows, n("reshape", target, shape=(count,)), *weight, **settings)
    return n("reshape", loss, shape=(shape[0], *shape[2:])) if settings["reduction"] == "none" else loss


def _read_cross_entropy(n: Reader) -> Any:
    loss = _by_rows(n, "cross_entropy", label_smoothing=0.0)
    if n.results < 2:
        return loss
    return loss, last_axis(n, n.x(0), 1, lambda v: n("log_softmax", v))


def _write_cross_entropy(w: Writer) -> str:
    reduction, smoothing = w.attrs["reduction"], w.attrs["label_smoothing"]
    scores, target, weight = w.x(0), w.x(1), [w.x(2)] if w.count > 2 else []
    hard = len(w.shapes[1]) == 1
    ignore = {"ignore_index": w.attrs["ignore_index"]}
    if hard and not smoothing:
        return w("SoftmaxCrossEntropyLoss", scores, target, *weight, reduction=reduction, **ignore)
    # (1 - s) * loss of the target + s * mean of the losses of all classes
    logp, along, dtype = w("LogSoftmax", scores, axis=1), w.sizes([1]), w.dtypes[0]
    classes = w("Cast", w("Squeeze", w.sizes([w.shapes[0][1]]), w.sizes([0])), to=_NUMBER[dtype])
    weighed = w("Mul", logp, *weight) if weight else logp
    share = w("Div", w.constant(smoothing, dtype), classes)
    rest = w.constant(1 - smoothing, dtype)
    if not hard:
        wanted = w("Add", w("Mul", target, rest), share)
        losses = w("Neg", w("ReduceSum", w("Mul", wanted, weighed), along, keepdims=0))
        return _total(w, losses, None, reduction)
    own = w("NegativeLogLikelihoodLoss", logp, target, *weight, reduction="none", **ignore)
    every = w("Neg", w("Mul", w("ReduceSum", weighed, along, keepdims=0), share))
    skipped = w("Equal", target, w.constant(ignore["ignore_index"], int64))
    zero = w.constant(0, dtype)
    losses = w("Where", skipped, zero, w("Add", w("Mul", own, rest), every))
    safe = w("Where", skipped, w.constant(0, int64), target)
    each = w("Gather", *weight, safe, axis=0) if weight else w.constant(1, dtype)
    return _total(w, losses, w("Where", skipped, zero, each), reduction)


def _total(w: Writer, losses: str, weights: str | None, reduction: str) -> str:
    if reduction == "none":
        return losses
    if reduction == "sum":
        return w("ReduceSum", losses, keepdims=0)
    if weights is None:
        return w("ReduceMean", losses, keepdims=0)
    return w("Div", w("ReduceSum", losses, keepdims=0), w("ReduceSum", weights, keepdims=0))


_NUMBER = {dtype: number for number, dtype in ELEMENT_TYPES.items()}
CROSS_ENTROPY = Onnx("SoftmaxCrossEntropyLoss", read=_read_cross_entropy, write=_write_cross_entropy)


def _write_nll(w: Writer) -> str:
    return w("NegativeLogLikelihoodLoss", *(w.x(i) for i in range(w.count)), **w.attrs)


NLL = Onnx("NegativeLogLikelihoodLoss", read=lambda n: _by_rows(n, "nll_loss"), write=_write_nll)


def _write_binary_entropy(w: Writer) -> str:
    x, target, one, least = w.x(0), w.x(1), w.constant(1, w.dtype), w.constant(-100, w.dtype)
    wrong = w("Mul", w("Sub", target, one), w("Max", w("Log", w("Sub", one, x)), least))
    return w("Sub", wrong, w("Mul", target, w("Max", w("Log", x), least)))


BINARY_ENTROPY = Onnx(write=_write_binary_entropy, reads=False)


def _read_layer_norm(n: Reader) -> Any:
    x, eps = n.x(0), n.attr("epsilon", 1e-5)
    n.attr("stash_type", 1)
    rank = len(n.shape(x))
    axes = tuple(range(axis_in(n, n.attr("axis", -1), rank), rank))
    center = n.kind == "LayerNormalization"
    result = n("normalize", x, axes=axes, eps=eps, center=center, least=1)
    if not n.is_known(n.x(1)) or (n.known(1) != 1).any():
        result = n("mul", result, n.x(1))
    if not center:
        return result
    if n.has(2):
        result = n("add", result, n.x(2))
    if n.results < 2:
        return result
    mean = n("mean", x, axes=axes, keepdims=True)
    off = n("sub", x, mean)
    variance = n("mean", n("mul", off, off), axes=axes, keepdims=True)
    return result, mean, n("div", n.number(1, x), n("sqrt", n("add", variance, n.number(eps, x))))


def _write_normalize(w: Writer) -> str:
    axes, eps, center = w.attrs["axes"], w.attrs["eps"], w.attrs["center"]
    sizes = w.shape[axes[0] :] if axes else ()
    x = w.x(0)
    if center and axes == tuple(range(axes[0] if axes else 0, len(w.shape))) and all(isinstance(d, int) for d in sizes):
        return w("LayerNormalization", x, w.constant(np.ones(sizes)), axis=axes[0], epsilon=eps)

    def mean(value: str) -> str:
        if w.version >= 18:
            return w("ReduceMean", value, w.sizes(axes), keepdims=1)
        return w("ReduceMean", value, axes=list(axes), keepdims=1)

    shifted = w("Sub", x, mean(x)) if center else x
    variance = w("Add", mean(w("Mul", shifted, shifted)), w.constant(eps, w.dtype))
    return w("Div", shifted, w("Sqrt", variance))


NORMALIZE = Onnx("LayerNormalization", read=_read_layer_norm, write=_write_normalize)
RMS_NORM = _read_layer_norm
EMBEDDING = Onnx(write=lambda w: w("Gather", w.x(0), w.x(1), axis=0), reads=False)


def _read_gelu(n: Reader) -> Any:
    return n("gelu_tanh" if n.attr("approximate", "none") == "tanh" else "gelu", n.x(0))


def _write_gelu(w: Writer, approximate: str) -> str:
    x = w.x(0)
    if w.version >= 20:
        return w("Gelu", x, approximate=approximate)
    half, one = w("Mul", x, w.constant(0.5)), w.constant(1)
    if approximate == "none":
        return w("Mul", half, w("Add", w("Erf", w("Mul", x, w.constant(math.sqrt(0.5)))), one))
    cube = w("Mul", w("Mul", x, w("Mul", x, x)), w.constant(0.044715))
    inner = w("Mul", w("Add", x, cube), w.constant(math.sqrt(2 / math.pi)))
    return w("Mul", half, w("Add", w("Tanh", inner), one))


GELU = Onnx("Gelu", read=_read_gelu, write=lambda w: _write_gelu(w, "none"))
GELU_TANH = Onnx(write=lambda w: _write_gelu(w, "tanh"), reads=False)


def _read_swish(n: Reader) -> Any:
    x, alpha = n.x(0), n.attr("alpha", 1.0)
    if alpha == 1:
        return n("silu", x)
    return n("mul", x, n("sigmoid", n("mul", x, n.number(alpha, x))))


SILU = Onnx("Swish", read=_read_swish, write=lambda w: w("Mul", w.x(0), w("Sigmoid", w.x(0))))


def _read_prelu(n: Reader) -> Any:
    x, slope = n.x(0), n.x(1)
    if n.version < 7 and len(n.shape(slope)) == 1 and len(n.shape(x)) > 2:  # one slope for each channel
        slope = n("reshape", slope, shape=(*n.shape(slope), *[1] * (len(n.shape(x)) - 2)))
    return n("leaky_relu", x, slope)


def _write_prelu(w: Writer) -> str:
    x = w.x(0) if w.shapes[0] == w.shape else w("Expand", w.x(0), w.sizes(w.shape))
    return w("PRelu", x, w.x(1))


LEAKY_RELU = Onnx("PRelu", read=_read_prelu, write=_write_prelu)
