"""ONNX operators that compute element by element, or reduce, as compositions of rows.

Formulas and default settings are those of the ONNX operator specification (onnx/docs/Operators.md).
"""

from __future__ import annotations

import math
from typing import Any

from graphnet.dtypes import bool_, float32
from graphnet.onnx.registry import operator
from graphnet.ops.onnx import Reader
from graphnet.ops.onnx_elementwise import over_axes
from graphnet.ops.onnx_shaping import as_int64, axis_in, flat_at, last_axis

__all__: list[str] = []


@operator("And")
def _and(n: Reader) -> Any:
    return n("mul", n.x(0), n.x(1))


@operator("Or")
def _or(n: Reader) -> Any:
    return n("add", n.x(0), n.x(1))


@operator("Xor")
def _xor(n: Reader) -> Any:
    return n("ne", n.x(0), n.x(1))


def _sum(n: Reader) -> Any:
    total = n.x(0)
    for index in range(1, n.count):
        total = n("add", total, n.x(index))
    return total


operator("Sum")(_sum)


@operator("Mean")
def _mean(n: Reader) -> Any:
    total = _sum(n)
    return n("div", total, n.number(n.count, total))


@operator("Reciprocal")
def _reciprocal(n: Reader) -> Any:
    return n("div", n.number(1, n.x(0)), n.x(0))


@operator("CastLike")
def _cast_like(n: Reader) -> Any:
    n.attr("saturate", 1)
    n.attr("round_mode")
    return n("cast", n.x(0), dtype=n.dtype(n.x(1)))


@operator("Clip")
def _clip(n: Reader) -> Any:
    x = n.x(0)
    low = n.x(1) if n.has(1) else n.attr("min")
    high = n.x(2) if n.has(2) else n.attr("max")
    for op, bound in (("maximum", low), ("minimum", high)):
        if bound is not None:
            x = n(op, x, n.number(bound, x) if isinstance(bound, float) else bound)
    return x


@operator("IsInf")
def _is_inf(n: Reader) -> Any:
    x, found = n.x(0), None
    for name, value in (("detect_positive", math.inf), ("detect_negative", -math.inf)):
        if n.attr(name, 1):
            hit = n("eq", x, n.number(value, x))
            found = hit if found is None else n("add", found, hit)
    return n("cast", n("mul", n("isnan", x), n("logical_not", n("isnan", x))), dtype=bool_) if found is None else found


def _choose(n: Reader, condition: Any, yes: Any, no: Any) -> Any:
    return n("where", condition, yes, no)


def _negative(n: Reader, x: Any) -> Any:
    return n("lt", x, n.number(0, x))


def _scaled(n: Reader, x: Any, factor: float) -> Any:
    return x if factor == 1 else n("mul", x, n.number(factor, x))


def _expm1_below(n: Reader, x: Any) -> Any:
    """exp(x) - 1 where x < 0, else 0: without the overflow that where(...) would leave in the gradient."""
    below = n("minimum", x, n.number(0, x))
    return n("expm1", below)


@operator("Elu")
def _elu(n: Reader) -> Any:
    x, alpha = n.x(0), n.attr("alpha", 1.0)
    return _choose(n, _negative(n, x), _scaled(n, _expm1_below(n, x), alpha), x)


@operator("Selu")
def _selu(n: Reader) -> Any:
    x = n.x(0)
    alpha, gamma = n.attr("alpha", 1.67326319217681884765625), n.attr("gamma", 1.05070102214813232421875)
    return _scaled(n, _choose(n, _negative(n, x), _scaled(n, _expm1_below(n, x), alpha), x), gamma)


@operator("Celu")
def _celu(n: Reader) -> Any:
    x, alpha = n.x(0), n.attr("alpha", 1.0)
    return _choose(n, _negative(n, x), _scaled(n, _expm1_below(n, _scaled(n, x, 1 / alpha)), alpha), x)


@operator("LeakyRelu")
def _leaky_relu(n: Reader) -> Any:
    x = n.x(0)
    return n("leaky_relu", x, n.number(n.attr("alpha", 0.01), x))


@operator("ThresholdedRelu")
def _thresholded_relu(n: Reader) -> Any:
    x = n.x(0)
    return _choose(n, n("gt", x, n.number(n.attr("alpha", 1.0), x)), x, n.number(0, x))


@operator("Shrink")
def _shrink(n: Reader) -> Any:
    x, bias, limit = n.x(0), n.number(n.attr("bias", 0.0), n.x(0)), n.attr("lambd", 0.5)
    above = _choose(n, n("gt", x, n.number(limit, x)), n("sub", x, bias), n.number(0, x))
    return _choose(n, n("lt", x, n.number(-limit, x)), n("add", x, bias), above)


def _clipped(n: Reader, x: Any, low: float, high: float) -> Any:
    return n("minimum", n("maximum", x, n.number(low, x)), n.number(high, x))


@operator("HardSigmoid")
def _hard_sigmoid(n: Reader) -> Any:
    x = n.x(0)
    alpha, beta = n.attr("alpha", 0.2), n.attr("beta", 0.5)
    return _clipped(n, n("add", _scaled(n, x, alpha), n.number(beta, x)), 0, 1)


@operator("HardSwish")
def _hard_swish(n: Reader) -> Any:
    x = n.x(0)
    return n("mul", x, _clipped(n, n("add", _scaled(n, x, 1 / 6), n.number(0.5, x)), 0, 1))


@operator("Softsign")
def _softsign(n: Reader) -> Any:
    x = n.x(0)
    return n("div", x, n("add", n("abs", x), n.number(1, x)))


@operator("Mish")
def _mish(n: Reader) -> Any:
    x = n.x(0)
    return n("mul", x, n("tanh", n("softplus", x)))


@operator("Hardmax")
def _hardmax(n: Reader) -> Any:
    x = n.x(0)
    shape = n.shape(x)
    rank = len(shape)
    axis = axis_in(n, n.attr("axis", 1 if n.version < 13 else -1), rank)

    def pick(v: Any) -> Any:
        last = len(n.shape(v)) - 1
        best = n("argmax", v, axes=(last,), keepdims=True)
        return n("cast", n("eq", n("iota", shape=n.shape(v), axis=last), best), dtype=n.dtype(x))

    if n.version < 13:
        return n("reshape", pick(flat_at(n, x, axis)), shape=shape)
    return last_axis(n, x, axis, pick)


@operator("Dropout")
def _dropout(n: Reader) -> Any:
    """Outside of training, which needs random numbers."""
    n.attr("seed")
    ratio = float(n.known(1)) if n.has(1) else n.attr("ratio", 0.5)
    training = bool(n.known(2)) if n.has(2) else False
    n.attr("is_test")
    if training and ratio:
        raise n.fail("dropout of a model exported for training draws random numbers; export it in eval mode")
    if n.results < 2:
        return n.x(0)
    return n.x(0), n("expand", n.const(True), shape=n.shape(n.x(0)))


def _square_sum(n: Reader, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    return n("sum", n("mul", x, x), axes=axes, keepdims=keep)


@operator("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceSumSquare", "ReduceLogSumExp")
def _reduce(n: Reader) -> Any:
    x, axes, keep = over_axes(n)
    kind = n.kind.removeprefix("Reduce")
    if axes is None:  # every element on its own
        ops = {"L1": ("abs",), "L2": ("abs",), "LogSum": ("log",), "LogSumExp": ("exp", "log")}
        for op in ops.get(kind, ()):
            x = n(op, x)
        return x if kind != "SumSquare" else n("mul", x, x)
    if kind == "L1":
        return n("sum", n("abs", x), axes=axes, keepdims=keep)
    if kind == "SumSquare":
        return _square_sum(n, x, axes, keep)
    dtype = n.dtype(x)
    if not dtype.is_floating_point:
        x = n("cast", x, dtype=float32)
    if kind == "L2":
        result = n("sqrt", _square_sum(n, x, axes, keep))
    elif kind == "LogSum":
        result = n("log", n("sum", x, axes=axes, keepdims=keep))
    else:
        result = _log_sum_exp(n, x, axes, keep)
    return result if n.dtype(result) is dtype else n("cast", result, dtype=dtype)


def _log_sum_exp(n: Reader, x: Any, axes: tuple[int, ...], keep: bool) -> Any:
    shape = n.shape(x)
    if any(isinstance(shape[axis], int) and shape[axis] == 0 for axis in axes):
        return n("log", n("sum", x, axes=axes, keepdims=keep))
    top = n("max", x, axes=axes, keepdims=True)
    top = n("detach", _choose(n, n("isfinite", top), top, n.number(0, x)))
    total = n("log", n("sum", n("exp", n("sub", x, top)), axes=axes, keepdims=True))
    result = n("add", total, top)
    if keep:
        return result
    return n("reshape", result, shape=tuple(d for a, d in enumerate(shape) if a not in axes))


@operator("HannWindow", "HammingWindow", "BlackmanWindow")
def _window(n: Reader) -> Any:
    size = as_int64(n, n.x(0))
    periodic, kind = n.attr("periodic", 1), n.attr("output_datatype", 1)
    if kind != 1:
        raise n.fail("it gives float32 only")
    count = int(n.known(0))
    steps = n("cast", n("iota", shape=(count,), axis=0), dtype=float32)
    length = n("cast", size if periodic else n("sub", size, n.number(1, size)), dtype=float32)
    turn = n("div", n("mul", steps, n.number(2 * math.pi, steps)), length)
    if n.kind == "BlackmanWindow":
        a, b, c = 0.42, 0.5, 0.08
    elif n.kind == "HannWindow":
        a, b, c = 0.5, 0.5, 0.0
    else:
        a, b, c = 25 / 46, 1 - 25 / 46, 0.0
    result = n("sub", n.number(a, steps), _scaled(n, n("cos", turn), b))
    return n("add", result, _scaled(n, n("cos", _scaled(n, turn, 2)), c)) if c else result
