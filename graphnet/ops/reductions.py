"""Rows of ops that reduce over axes. Attributes: `axes` (non-negative, ascending) and `keepdims`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphnet.dtypes import bool_, int64
from graphnet.errors import ShapeError
from graphnet.ir import Shape, Unifier, product, render_shape
from graphnet.ops import onnx_elementwise as rules
from graphnet.ops.onnx import Onnx
from graphnet.ops.table import ANY, BOOL, FLOAT, NUMBER, Attrs, GradientRule, Op, Site, check_axis, register

__all__: list[str] = []


def _kept(attrs: Attrs, shape: Shape) -> Shape:
    return tuple(1 if axis in attrs["axes"] else dim for axis, dim in enumerate(shape))


def _reduced(unifier: Unifier, attrs: Attrs, shape: Shape) -> Shape:
    for axis in attrs["axes"]:
        check_axis(axis, shape)
    if attrs["keepdims"]:
        return _kept(attrs, shape)
    return tuple(dim for axis, dim in enumerate(shape) if axis not in attrs["axes"])


def _reduced_not_empty(unifier: Unifier, attrs: Attrs, shape: Shape) -> Shape:
    result = _reduced(unifier, attrs, shape)
    for axis in attrs["axes"]:
        if shape[axis] == 0:
            raise ShapeError(f"axis {axis} of {render_shape(shape)} is empty: there is no largest or smallest element")
    return result


def _arg_reduced(unifier: Unifier, attrs: Attrs, shape: Shape) -> Shape:
    if len(attrs["axes"]) != 1 or not shape:
        raise ShapeError(f"expects one axis to search along, got {attrs['axes']} of shape {render_shape(shape)}")
    return _reduced_not_empty(unifier, attrs, shape)


def _over_axes(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda x, axes, keepdims, first=False: np.asarray(function(x, axis=axes, keepdims=keepdims))


def _spread(n: Site, value: Any) -> Any:
    """A result-shaped value, seen in the input's shape."""
    if not n.attrs["keepdims"]:
        value = n("reshape", value, shape=_kept(n.attrs, n.shapes[0]))
    return n("expand", value, shape=n.shapes[0])


def _count(attrs: Attrs, shapes: Sequence[Shape]) -> Any:
    return product(shapes[0][axis] for axis in attrs["axes"])


def _mean_gradient(n: Site, g: Any) -> Any:
    return _spread(n, n("div", g, _count(n.attrs, n.shapes)))


def _extremum_gradient(n: Site, g: Any) -> Any:
    """Evenly to all elements that tie, as torch.amax does; with `first`, to the one that argmax names."""
    if n.attrs.get("first") and n.attrs["axes"]:
        found = n(f"arg{n.op.name}", n.x(0), axes=n.attrs["axes"], keepdims=True)
        places = n("iota", shape=n.shapes[0], axis=n.attrs["axes"][0])
        return n("where", n("eq", places, found), _spread(n, g), 0)
    hits = n("cast", n("eq", n.x(0), _spread(n, n.y())), dtype=n.dtypes[0])
    share = n("div", g, n("sum", hits, axes=n.attrs["axes"], keepdims=n.attrs["keepdims"]))
    return n("mul", hits, _spread(n, share))


def _prod_gradient(n: Site, g: Any) -> Any:
    """The product of the other elements, right also where elements are 0."""
    x, over = n.x(0), {"axes": n.attrs["axes"], "keepdims": n.attrs["keepdims"]}
    zero = n("eq", x, 0)
    safe = n("where", zero, 1, x)
    others = n("div", _spread(n, n("prod", safe, **over)), safe)
    zeros = n("sum", n("cast", zero, dtype=n.dtypes[0]), **over)
    left = n("sub", _spread(n, zeros), n("cast", zero, dtype=n.dtypes[0]))
    return n("mul", _spread(n, g), n("where", n("eq", left, 0), others, 0))


def _reduction(
    name: str,
    reference: Callable[..., Any],
    gradient: GradientRule | None = None,
    *,
    takes: str,
    saves: str = "",
    shape: Callable[..., Shape] = _reduced,
    params: Callable[[Attrs, Sequence[Shape]], tuple[float, ...]] | None = None,
    kernel: str | None = None,
    onnx: Onnx | None = None,
    result: Any = None,
) -> None:
    register(
        Op(
            name=name,
            shape=shape,
            operands=(takes,),
            reference=reference,
            gradients=(gradient,),
            promote="none",
            saves=saves,
            kernel=kernel or name,
            params=params,
            kernel_shape=lambda attrs, shapes: _kept(attrs, shapes[0]),
            result=result,
            onnx=onnx,
            flops=lambda attrs, shapes, shape: product(shapes[0]),
        )
    )


_reduction("sum", _over_axes(np.sum), lambda n, g: _spread(n, g), takes=NUMBER, onnx=rules.reduced("ReduceSum", "sum"))
_reduction(
    "mean",
    _over_axes(np.mean),
    _mean_gradient,
    takes=FLOAT,
    kernel="sum",
    # The mean of nothing is 0 * inf = NaN, as in NumPy and PyTorch.
    params=lambda attrs, shapes: (1 / count if (count := int(_count(attrs, shapes))) else float("inf"),),
    onnx=rules.reduced("ReduceMean", "mean"),
)
_reduction(
    "prod", _over_axes(np.prod), _prod_gradient, takes=NUMBER, saves="0", onnx=rules.reduced("ReduceProd", "prod")
)
_reduction(
    "max",
    _over_axes(np.max),
    _extremum_gradient,
    takes=ANY,
    saves="0y",
    shape=_reduced_not_empty,
    onnx=rules.reduced("ReduceMax", "max", -math.inf),
)
_reduction(
    "min",
    _over_axes(np.min),
    _extremum_gradient,
    takes=ANY,
    saves="0y",
    shape=_reduced_not_empty,
    onnx=rules.reduced("ReduceMin", "min", math.inf),
)
_reduction("any", _over_axes(np.any), takes=BOOL, result=bool_, onnx=rules.ANY_)
_reduction("all", _over_axes(np.all), takes=BOOL, result=bool_, onnx=rules.ALL)
for _name, _function in (("argmax", np.argmax), ("argmin", np.argmin)):
    _reduction(
        _name,
        lambda x, axes, keepdims, f=_function: np.asarray(f(x, axis=axes[0], keepdims=keepdims)),
        takes=ANY,
        shape=_arg_reduced,
        params=lambda attrs, shapes: (float(attrs["axes"][0]),),
        result=int64,
        onnx=rules.found({"argmax": "ArgMax", "argmin": "ArgMin"}[_name], _name),
    )
