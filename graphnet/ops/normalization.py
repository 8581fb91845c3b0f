"""Rows of normalisation: y = (x - mean) / sqrt(variance + eps) over some axes.

Attributes: `axes` (non-negative, ascending); `eps`; `center` (without it no mean is subtracted and the mean square
stands for the variance, as in RMSNorm); `least`, how many elements a mean is at least taken of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from graphnet.errors import ShapeError
from graphnet.ir import Shape, Unifier, product, render_shape
from graphnet.ops.onnx_layers import NORMALIZE
from graphnet.ops.table import FLOAT, Attrs, Op, Site, register

__all__: list[str] = []


def _normalized(unifier: Unifier, attrs: Attrs, x: Shape, *rest: Shape) -> Shape:
    if not all(0 <= axis < len(x) for axis in attrs["axes"]):
        raise ShapeError(f"axes {attrs['axes']} are not all among those of shape {render_shape(x)}", got=x, operand=0)
    count = unifier.resolve(product(x[axis] for axis in attrs["axes"]))
    if isinstance(count, int) and count < attrs["least"]:
        raise ShapeError(
            f"expects at least {attrs['least']} values per channel in training, got shape {render_shape(x)}: "
            "one value alone has no variance",
            got=x,
            operand=0,
        )
    return x


def _params(attrs: Attrs, shapes: Sequence[Shape]) -> tuple[float, ...]:
    return float(attrs["eps"]), float(attrs["center"]), *map(float, attrs["axes"])


def _moments(x: Any, axes: Any, eps: Any, center: Any) -> tuple[Any, Any]:
    """x without its mean, and 1 / sqrt(variance + eps)."""
    if not x.size:
        return x, np.ones_like(x)
    shifted = x - x.mean(axes, keepdims=True) if center else x
    return shifted, 1 / np.sqrt((shifted**2).mean(axes, keepdims=True) + eps)


def _reference(x: Any, axes: Any, eps: Any, center: Any, least: Any) -> Any:
    shifted, scale = _moments(x, axes, eps, center)
    return shifted * scale


def _backward_reference(g: Any, x: Any, axes: Any, eps: Any, center: Any, least: Any) -> Any:
    if not x.size:
        return g
    shifted, scale = _moments(x, axes, eps, center)
    y = shifted * scale
    mean = g.mean(axes, keepdims=True) if center else 0
    return (g - mean - y * (g * y).mean(axes, keepdims=True)) * scale


def _second(n: Site, v: Any) -> Any:
    """The gradient for x of <v, h>, with h = J g the result and J the symmetric Jacobian of y.

    With means written E and s = 1 / sqrt(variance + eps): J g = s (g - E[g] - y E[g y]), so
    <v, h> = N s (E[v g] - E[v] E[g] - E[v y] E[g y]), ds/dx = -s² y / N and d E[v y]/dx = J v / N.
    """
    g, x, h = n.x(0), n.x(1), n.y()
    axes, center = n.attrs["axes"], n.attrs["center"]

    def mean(value: Any) -> Any:
        return n("mean", value, axes=axes, keepdims=True)

    y = n("normalize", x, **n.attrs)
    shifted = n("sub", x, mean(x)) if center else x
    scale = n("div", 1, n("sqrt", n("add", mean(n("mul", shifted, shifted)), n.attrs["eps"])))
    along_g, along_v = mean(n("mul", g, y)), mean(n("mul", v, y))
    both = mean(n("mul", v, g))
    if center:
        both = n("sub", both, n("mul", mean(v), mean(g)))
    both = n("sub", both, n("mul", along_g, along_v))
    turned = n("normalize_backward", v, x, **n.attrs)
    first = n("mul", n("mul", both, n("mul", scale, scale)), y)
    rest = n("mul", scale, n("add", n("mul", along_g, turned), n("mul", along_v, h)))
    return n("neg", n("add", first, rest))


register(
    Op(
        name="normalize",
        shape=_normalized,
        operands=(FLOAT,),
        reference=_reference,
        gradients=(lambda n, g: n("normalize_backward", g, n.x(0), **n.attrs),),
        promote="none",
        saves="0",
        kernel="normalize",
        onnx=NORMALIZE,
        params=_params,
        flops=6,
    )
)

register(
    Op(
        name="normalize_backward",  # operands: the gradient of y, x
        shape=_normalized,
        operands=(FLOAT, FLOAT),
        reference=_backward_reference,
        gradients=(lambda n, v: n("normalize_backward", v, n.x(1), **n.attrs), _second),
        promote="none",
        saves=("1", "01y"),
        kernel="normalize_backward",
        params=_params,
        flops=12,
    )
)


def _moved_shape(unifier: Unifier, attrs: Attrs, x: Shape, mean: Shape, variance: Shape, momentum: Shape) -> Shape:
    kept = [dim for axis, dim in enumerate(x) if axis not in attrs["axes"]]
    if len(kept) != 1 or momentum:
        raise ShapeError(f"expects one axis that is kept and one momentum, got {render_shape(x)} over {attrs['axes']}")
    for operand, shape in ((1, mean), (2, variance)):
        if len(shape) != 1 or not unifier.unify(shape[0], kept[0]):
            raise ShapeError(
                f"expects statistics of shape ({kept[0]},), got {render_shape(shape)}",
                expected=tuple(kept),
                got=shape,
                operand=operand,
            )
    return (2, kept[0])


def _moved_reference(x: Any, mean: Any, variance: Any, momentum: Any, axes: Any) -> Any:
    with np.errstate(all="ignore"):
        batch = [x.mean(axes), x.var(axes, ddof=1)]
    return np.stack([(1 - momentum) * old + momentum * new for old, new in zip((mean, variance), batch)])


register(
    Op(
        name="running_statistics",  # mean and variance, moved by momentum towards those of x (of a sample) over `axes`
        shape=_moved_shape,
        operands=(FLOAT, FLOAT, FLOAT, FLOAT),
        reference=_moved_reference,
        kernel="running_statistics",
        params=lambda attrs, shapes: tuple(map(float, attrs["axes"])),
        flops=lambda attrs, shapes, shape: 4 * product(shapes[0]),
    )
)
