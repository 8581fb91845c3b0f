"""Rows of ops that work element by element, with NumPy's broadcasting.

Gradients are those of calculus; at kinks they follow PyTorch (derivatives.yaml): 0 for `abs` and `relu`
at 0, half to each operand where `maximum` and `minimum` tie.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.dtypes import bool_
from graphnet.ops import onnx_elementwise as rules
from graphnet.ops.onnx import Onnx
from graphnet.ops.table import ANY, BOOL, FLOAT, NUMBER, GradientRule, Op, Site, broadcast, register

__all__ = ["erf_reference"]


def _binary(
    name: str,
    reference: Any,
    *gradients: GradientRule | None,
    saves: str | tuple[str, ...] = "",
    takes: str = NUMBER,
    promote: str = "common",
    compares: bool = False,
    pointwise: str = ANY,
    label: str = "",
    kernel: str = "",
    onnx: str | Onnx | None = None,
) -> None:
    register(
        Op(
            name=name,
            shape=broadcast,
            operands=(takes, takes),
            reference=reference,
            gradients=gradients,
            promote=promote,
            saves=saves,
            broadcasts=True,
            result=bool_ if compares else None,
            kernel=kernel or name,
            pointwise=pointwise,
            label=label,
            onnx=onnx,
        )
    )


def _unary(
    name: str,
    reference: Any,
    gradient: GradientRule | None = None,
    *,
    saves: str = "",
    takes: str = FLOAT,
    onnx: str | Onnx | None = None,
    tests: bool = False,
) -> None:
    register(
        Op(
            name=name,
            shape=lambda unifier, attrs, x: x,
            operands=(takes,),
            reference=reference,
            gradients=(gradient,),
            promote="float" if takes == FLOAT else "common",
            saves=saves,
            result=bool_ if tests else None,
            kernel=name,
            pointwise=ANY,
            onnx=onnx,
        )
    )


def _where_wins(mine: int, comparison: str) -> GradientRule:
    """g where operand `mine` wins the comparison, half of it where both tie."""

    def rule(n: Site, g: Any) -> Any:
        a, b = n.x(mine), n.x(1 - mine)
        return n("where", n("eq", a, b), n("mul", g, 0.5), n("where", n(comparison, a, b), g, 0))

    return rule


def _same(n: Site, g: Any) -> Any:
    return g


def _nothing(n: Site, g: Any) -> Any:
    """Zeros: the slope of a step, whatever flows in (g * 0 would keep infinities as NaN)."""
    return n("expand", 0, shape=n.shape)


def _pow_base(n: Site, g: Any) -> Any:
    number = n.number(1)
    if number is not None:
        return _nothing(n, g) if number == 0 else n("mul", n("mul", g, number), n("pow", n.x(0), number - 1))
    x, p = n.x(0), n.x(1)
    slope = n("mul", p, n("pow", x, n("sub", p, 1)))
    return n("mul", g, n("where", n("eq", p, 0), 0, slope))  # 0 * 0**-1 would be NaN


def _pow_exponent(n: Site, g: Any) -> Any:
    x, p = n.x(0), n.x(1)
    vanishes = n("minimum", n("eq", x, 0), n("ge", p, 0))
    return n("mul", g, n("where", vanishes, 0, n("mul", n.y(), n("log", x))))


def _relu_reference(x: Any) -> Any:
    return np.maximum(x, 0)


def erf_reference(x: Any) -> Any:
    """The error function of each element."""
    return np.vectorize(math.erf, otypes=[x.dtype])(x) if x.size else x.copy()


_binary("add", np.add, _same, _same, takes=ANY, label="+", onnx=rules.ADD)
_binary("sub", np.subtract, _same, lambda n, g: n("neg", g), label="-", onnx="Sub")
_binary(
    "mul",
    np.multiply,
    lambda n, g: n("mul", g, n.x(1)),
    lambda n, g: n("mul", g, n.x(0)),
    saves=("1", "0"),
    takes=ANY,
    label="*",
    onnx=rules.MUL,
)
_binary(
    "div",
    np.divide,
    lambda n, g: n("div", g, n.x(1)),
    lambda n, g: n("neg", n("mul", g, n("div", n("div", n.x(0), n.x(1)), n.x(1)))),
    saves=("1", "01"),
    promote="float",
    label="/",
    onnx=rules.DIV,
)
_binary("pow", np.power, _pow_base, _pow_exponent, saves=("01", "01y"), pointwise=FLOAT, label="**", onnx=rules.POW)
_binary("floor_div", np.floor_divide, pointwise=FLOAT, label="//", onnx=rules.FLOOR_DIV)
_binary(
    "remainder",
    np.remainder,
    _same,
    lambda n, g: n("neg", n("mul", g, n("floor", n("div", n.x(0), n.x(1))))),
    saves=("", "01"),
    pointwise=FLOAT,  # a whole number is not divided by 0
    label="%",
    onnx=rules.MOD,
)
_binary(
    "maximum",
    np.maximum,
    _where_wins(0, "gt"),
    _where_wins(1, "gt"),
    saves="01",
    takes=ANY,
    onnx=rules.MAX,
)
_binary(
    "minimum",
    np.minimum,
    _where_wins(0, "lt"),
    _where_wins(1, "lt"),
    saves="01",
    takes=ANY,
    onnx=rules.MIN,
)
# max(x, low) and min(x, high) with the gradients of torch.clamp: all of it to x where both are equal.
_binary(
    "clamp_min",
    np.maximum,
    lambda n, g: n("where", n("ge", n.x(0), n.x(1)), g, 0),
    lambda n, g: n("where", n("lt", n.x(0), n.x(1)), g, 0),
    saves="01",
    kernel="maximum",
    onnx=Onnx("Max", reads=False),
)
_binary(
    "clamp_max",
    np.minimum,
    lambda n, g: n("where", n("le", n.x(0), n.x(1)), g, 0),
    lambda n, g: n("where", n("gt", n.x(0), n.x(1)), g, 0),
    saves="01",
    kernel="minimum",
    onnx=Onnx("Min", reads=False),
)
_binary("eq", np.equal, takes=ANY, compares=True, label="==", onnx="Equal")
_binary("ne", np.not_equal, takes=ANY, compares=True, label="!=", onnx=rules.NOT_EQUAL)
_binary("lt", np.less, takes=ANY, compares=True, label="<", onnx=rules.compared("Less"))
_binary("le", np.less_equal, takes=ANY, compares=True, label="<=", onnx=rules.compared("LessOrEqual"))
_binary("gt", np.greater, takes=ANY, compares=True, label=">", onnx=rules.compared("Greater"))
_binary("ge", np.greater_equal, takes=ANY, compares=True, label=">=", onnx=rules.compared("GreaterOrEqual"))

_unary("neg", np.negative, lambda n, g: n("neg", g), takes=NUMBER, onnx="Neg")
_unary("abs", np.abs, lambda n, g: n("mul", g, n("sign", n.x(0))), saves="0", takes=NUMBER, onnx="Abs")
_unary("sign", np.sign, _nothing, takes=NUMBER, onnx="Sign")
_unary("exp", np.exp, lambda n, g: n("mul", g, n.y()), saves="y", onnx="Exp")
_unary("log", np.log, lambda n, g: n("div", g, n.x(0)), saves="0", onnx="Log")
_unary("expm1", np.expm1, lambda n, g: n("mul", g, n("add", n.y(), 1)), saves="y", onnx=rules.EXPM1)
_unary("log1p", np.log1p, lambda n, g: n("div", g, n("add", n.x(0), 1)), saves="0", onnx=rules.LOG1P)
_unary("sqrt", np.sqrt, lambda n, g: n("div", n("mul", g, 0.5), n.y()), saves="y", onnx="Sqrt")
_unary("sin", np.sin, lambda n, g: n("mul", g, n("cos", n.x(0))), saves="0", onnx="Sin")
_unary("cos", np.cos, lambda n, g: n("neg", n("mul", g, n("sin", n.x(0)))), saves="0", onnx="Cos")
_unary("tanh", np.tanh, lambda n, g: n("mul", g, n("sub", 1, n("mul", n.y(), n.y()))), saves="y", onnx="Tanh")
_unary(
    "sigmoid",
    lambda x: np.exp(-np.logaddexp(0, -x.astype(np.float64))).astype(x.dtype),
    lambda n, g: n("mul", g, n("mul", n.y(), n("sub", 1, n.y()))),
    saves="y",
    onnx="Sigmoid",
)
_unary(
    "erf",
    erf_reference,
    lambda n, g: n("mul", n("mul", g, 2 / math.sqrt(math.pi)), n("exp", n("neg", n("mul", n.x(0), n.x(0))))),
    saves="0",
    onnx="Erf",
)
_unary("floor", np.floor, _nothing, onnx="Floor")
_unary("ceil", np.ceil, _nothing, onnx="Ceil")
_unary("relu", _relu_reference, lambda n, g: n("relu_backward", g, n.y()), saves="y", takes=NUMBER, onnx=rules.RELU)
_unary("logical_not", np.logical_not, takes=BOOL, onnx="Not")
_unary("isnan", np.isnan, takes=FLOAT, tests=True, onnx="IsNaN")
_unary("isfinite", np.isfinite, takes=FLOAT, tests=True, onnx=rules.IS_FINITE)

_binary(
    "relu_backward",
    lambda g, y: np.where(y <= 0, np.zeros_like(g), g),
    lambda n, g: n("relu_backward", g, n.x(1)),
    None,
    saves="1",
    takes=FLOAT,
    onnx=rules.RELU_BACKWARD,
)

register(
    Op(
        name="where",
        shape=broadcast,
        operands=(BOOL, ANY, ANY),
        reference=np.where,
        gradients=(
            None,
            lambda n, g: n("where", n.x(0), g, 0),
            lambda n, g: n("where", n.x(0), 0, g),
        ),
        promote="after first",
        like=1,
        saves="0",
        broadcasts=True,
        kernel="where",
        pointwise=ANY,
        onnx="Where",
        flops=0,
    )
)

register(
    Op(
        name="cast",
        shape=lambda unifier, attrs, x: x,
        operands=(ANY,),
        reference=lambda x, dtype: x.astype(dtype.dtype),
        gradients=(lambda n, g: n("cast", g, dtype=n.dtypes[0]),),
        promote="none",
        result=lambda attrs: attrs["dtype"],
        kernel="copy",
        pointwise=ANY,
        flops=0,
        onnx=rules.CAST,
    )
)

register(
    Op(
        name="copy",
        shape=lambda unifier, attrs, x: x,
        operands=(ANY,),
        reference=np.array,
        gradients=(_same,),
        promote="none",
        kernel="copy",
        pointwise=ANY,
        onnx="Identity",
        flops=0,
    )
)
