"""Rows of operations on the bits of integers, and of running sums and products."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.errors import ShapeError
from graphnet.ir import Shape, Unifier, product
from graphnet.ops import onnx_shaping as rules
from graphnet.ops.onnx import Onnx, Reader, Writer
from graphnet.ops.table import INTEGER, NUMBER, Attrs, Op, Site, broadcast, register

__all__: list[str] = []


def _shift(x: Any, by: Any, left: bool) -> Any:
    width = 8 * x.dtype.itemsize
    inside = (by >= 0) & (by < width)
    safe = np.where(inside, by, 0)
    return np.where(inside, x << safe if left else x >> safe, 0 if left else np.where(x < 0, -1, 0)).astype(x.dtype)


def _write_shift(w: Writer) -> str:
    raise w.fail("ONNX Runtime and others shift unsigned numbers only")


def _read_shift(n: Reader) -> Any:
    direction = n.attr("direction")
    return n("shift_left" if direction == "LEFT" else "shift_right", n.x(0), n.x(1))


for _name, _reference, _onnx in (
    ("bitwise_and", np.bitwise_and, "BitwiseAnd"),
    ("bitwise_or", np.bitwise_or, "BitwiseOr"),
    ("bitwise_xor", np.bitwise_xor, "BitwiseXor"),
    ("shift_left", lambda x, by: _shift(x, by, True), Onnx("BitShift", read=_read_shift, write=_write_shift)),
    ("shift_right", lambda x, by: _shift(x, by, False), Onnx(write=_write_shift, reads=False)),
):
    register(
        Op(
            name=_name,
            shape=broadcast,
            operands=(INTEGER, INTEGER),
            reference=_reference,
            broadcasts=True,
            kernel=_name,
            pointwise=INTEGER,
            onnx=_onnx,
        )
    )

register(
    Op(
        name="bitwise_not",
        shape=lambda unifier, attrs, x: x,
        operands=(INTEGER,),
        reference=np.invert,
        kernel="bitwise_not",
        pointwise=INTEGER,
        onnx="BitwiseNot",
    )
)


def _along(unifier: Unifier, attrs: Attrs, x: Shape) -> Shape:
    if not 0 <= attrs["axis"] < len(x):
        raise ShapeError(f"there is no axis {attrs['axis']} in shape {x}", got=x, operand=0)
    return x


def _running(ufunc: Any, first: int) -> Any:
    def reference(x: Any, axis: int, exclusive: bool, reverse: bool) -> Any:
        x = np.flip(x, axis) if reverse else x
        if exclusive and x.shape[axis]:
            start = np.full_like(x.take([0], axis), first)
            x = np.concatenate([start, x.take(range(x.shape[axis] - 1), axis)], axis)
        result = ufunc.accumulate(x, axis)
        return np.flip(result, axis) if reverse else result

    return reference


def _other_way(n: Site, g: Any) -> Any:
    return n("cumsum", g, **{**n.attrs, "reverse": not n.attrs["reverse"]})


def _cumprod_gradient(n: Site, g: Any) -> Any:
    """Where elements are 0 it is NaN."""
    return n("div", _other_way(n, n("mul", g, n.y())), n.x(0))


def _read_running(op: str) -> Any:
    def read(n: Reader) -> Any:
        axis = rules.axis_in(n, int(n.known(1).reshape(())), len(n.shape(n.x(0))))
        return n(op, n.x(0), axis=axis, exclusive=bool(n.attr("exclusive", 0)), reverse=bool(n.attr("reverse", 0)))

    return read


def _write_running(operator: str, since: int) -> Any:
    def write(w: Writer) -> str:
        if w.version < since:
            raise w.fail(f"{operator} is in ONNX from version {since} on; use opset={since}")
        ways = {"exclusive": int(w.attrs["exclusive"]), "reverse": int(w.attrs["reverse"])}
        return w(operator, w.x(0), w("Squeeze", w.sizes([w.attrs["axis"]]), w.sizes([0])), **ways)

    return write


for _name, _ufunc, _first, _gradient, _saves, _operator, _since in (
    ("cumsum", np.add, 0, _other_way, "", "CumSum", 14),
    ("cumprod", np.multiply, 1, _cumprod_gradient, "0y", "CumProd", 26),
):
    register(
        Op(
            name=_name,  # attributes: axis; `exclusive`, without each element itself; `reverse`, from the end
            shape=_along,
            operands=(NUMBER,),
            reference=_running(_ufunc, _first),
            gradients=(_gradient,),
            saves=_saves,
            kernel=_name,
            params=lambda attrs, shapes: (float(attrs["axis"]), float(attrs["exclusive"]), float(attrs["reverse"])),
            onnx=Onnx(_operator, read=_read_running(_name), write=_write_running(_operator, _since)),
            flops=lambda attrs, shapes, shape: product(shape),
        )
    )
