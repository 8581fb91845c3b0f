"""Rows of the activations that have kernels of their own; the others are composed of elementwise rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from graphnet.ops import onnx_layers as rules
from graphnet.ops.elementwise import erf_reference
from graphnet.ops.onnx import Onnx
from graphnet.ops.table import FLOAT, GradientRule, Op, Site, broadcast, register

__all__: list[str] = []


def _gelu_reference(x: Any) -> Any:
    return 0.5 * x * (1 + erf_reference(x / math.sqrt(2)))


def _gelu_gradient(n: Site, g: Any) -> Any:
    """Φ(x) + x φ(x), with the normal distribution's function Φ and density φ (Hendrycks & Gimpel 2016)."""
    x = n.x(0)
    below = n("mul", n("add", n("erf", n("mul", x, math.sqrt(0.5))), 1), 0.5)
    density = n("mul", n("exp", n("mul", n("mul", x, x), -0.5)), 1 / math.sqrt(2 * math.pi))
    return n("mul", g, n("add", below, n("mul", x, density)))


_SLOPE, _CUBIC = math.sqrt(2 / math.pi), 0.044715


def _gelu_tanh_reference(x: Any) -> Any:
    return 0.5 * x * (1 + np.tanh(_SLOPE * (x + _CUBIC * x**3)))


def _gelu_tanh_gradient(n: Site, g: Any) -> Any:
    x = n.x(0)
    square = n("mul", x, x)
    t = n("tanh", n("mul", n("mul", x, n("add", n("mul", square, _CUBIC), 1)), _SLOPE))
    inner = n("mul", n("add", n("mul", square, 3 * _CUBIC), 1), _SLOPE)
    steep = n("mul", n("mul", x, n("sub", 1, n("mul", t, t))), inner)
    return n("mul", g, n("mul", n("add", n("add", t, 1), steep), 0.5))


def _silu_reference(x: Any) -> Any:
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-x))


def _silu_gradient(n: Site, g: Any) -> Any:
    s = n("sigmoid", n.x(0))
    return n("mul", g, n("mul", s, n("add", n("mul", n.x(0), n("sub", 1, s)), 1)))


_ROWS: tuple[tuple[str, Any, GradientRule, int, Onnx | str], ...] = (
    ("gelu", _gelu_reference, _gelu_gradient, 5, rules.GELU),
    ("gelu_tanh", _gelu_tanh_reference, _gelu_tanh_gradient, 8, rules.GELU_TANH),
    ("silu", _silu_reference, _silu_gradient, 4, rules.SILU),
    # log(1 + exp(x))
    ("softplus", lambda x: np.logaddexp(0, x), lambda n, g: n("mul", g, n("sigmoid", n.x(0))), 4, "Softplus"),
)
for _name, _reference, _gradient, _flops, _onnx in _ROWS:
    register(
        Op(
            name=_name,
            shape=lambda unifier, attrs, x: x,
            operands=(FLOAT,),
            reference=_reference,
            gradients=(_gradient,),
            promote="float",
            saves="0",
            kernel=_name,
            pointwise=FLOAT,
            onnx=_onnx,
            flops=_flops,
        )
    )

register(
    Op(
        name="leaky_relu",  # x where it is positive, else x times the second operand, which broadcasts
        shape=broadcast,
        operands=(FLOAT, FLOAT),
        reference=lambda x, slope: np.where(x > 0, x, x * slope),
        gradients=(
            lambda n, g: n("where", n("gt", n.x(0), 0), g, n("mul", g, n.x(1))),
            lambda n, g: n("where", n("gt", n.x(0), 0), 0, n("mul", g, n.x(0))),
        ),
        promote="float",
        saves=("01", "0"),
        broadcasts=True,
        kernel="leaky_relu",
        pointwise=FLOAT,
        onnx=rules.LEAKY_RELU,
        flops=2,
    )
)
