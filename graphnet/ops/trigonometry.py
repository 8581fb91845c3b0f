"""Rows of the functions of angles and their like, and of rounding."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.ops.table import FLOAT, GradientRule, Op, Site, register

__all__: list[str] = []


def _square(n: Site) -> Any:
    return n("mul", n.x(0), n.x(0))


def _flat(n: Site, g: Any) -> Any:
    return n("expand", 0, shape=n.shape)


def _over_root(n: Site, g: Any, under: Any) -> Any:
    return n("div", g, n("sqrt", under))


_ROWS: tuple[tuple[str, Any, GradientRule, str, str], ...] = (
    ("tan", np.tan, lambda n, g: n("mul", g, n("add", n("mul", n.y(), n.y()), 1)), "y", "Tan"),
    ("asin", np.arcsin, lambda n, g: _over_root(n, g, n("sub", 1, _square(n))), "0", "Asin"),
    ("acos", np.arccos, lambda n, g: n("neg", _over_root(n, g, n("sub", 1, _square(n)))), "0", "Acos"),
    ("atan", np.arctan, lambda n, g: n("div", g, n("add", _square(n), 1)), "0", "Atan"),
    ("sinh", np.sinh, lambda n, g: n("mul", g, n("cosh", n.x(0))), "0", "Sinh"),
    ("cosh", np.cosh, lambda n, g: n("mul", g, n("sinh", n.x(0))), "0", "Cosh"),
    ("asinh", np.arcsinh, lambda n, g: _over_root(n, g, n("add", _square(n), 1)), "0", "Asinh"),
    ("acosh", np.arccosh, lambda n, g: _over_root(n, g, n("sub", _square(n), 1)), "0", "Acosh"),
    ("atanh", np.arctanh, lambda n, g: n("div", g, n("sub", 1, _square(n))), "0", "Atanh"),
    ("round", np.round, _flat, "", "Round"),  # halves to even
)
for _name, _reference, _gradient, _saves, _onnx in _ROWS:
    register(
        Op(
            name=_name,
            shape=lambda unifier, attrs, x: x,
            operands=(FLOAT,),
            reference=lambda x, f=_reference: f(x),
            gradients=(_gradient,),
            promote="float",
            saves=_saves,
            kernel=_name,
            pointwise=FLOAT,
            onnx=_onnx,
        )
    )
