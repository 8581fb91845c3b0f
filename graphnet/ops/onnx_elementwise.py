"""How rows that compute element by element, reduce or multiply read from ONNX and are written as it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphnet.dtypes import bool_, float64, int64
from graphnet.ops.onnx import ELEMENT_TYPES, Onnx, Reader, Writer

__all__ = [
    "ADD",
    "ALL",
    "ANY_",
    "CAST",
    "DIV",
    "EXPM1",
    "FLOOR_DIV",
    "GEMM",
    "IS_FINITE",
    "LOG1P",
    "MATMUL",
    "MAX",
    "MIN",
    "MOD",
    "MUL",
    "NOT_EQUAL",
    "POW",
    "RELU",
    "RELU_BACKWARD",
    "compared",
    "found",
    "over_axes",
    "reduced",
]


def _each(op: str) -> Callable[[Reader], Any]:
    """All inputs, one after the other."""

    def read(n: Reader) -> Any:
        value = n.x(0)
        for index in range(1, n.count):
            value = n(op, value, n.x(index))
        return value

    return read


def _logical(operator: str, logical: str) -> Callable[[Writer], str]:
    """The operator, or another one between truth values."""
    return lambda w: w(logical if w.dtype is bool_ else operator, w.x(0), w.x(1))


ADD = Onnx("Add", write=_logical("Add", "Or"))
MUL = Onnx("Mul", write=_logical("Mul", "And"))
MAX = Onnx("Max", read=_each("maximum"), write=_logical("Max", "Or"))
MIN = Onnx("Min", read=_each("minimum"), write=_logical("Min", "And"))


def _read_div(n: Reader) -> Any:
    a, b = n.x(0), n.x(1)
    if n.dtype(a).is_floating_point:
        return n("div", a, b)
    if n.is_open(a) or n.is_open(b):
        return n("floor_div", a, b)
    sign = n("mul", n("sign", a), n("sign", b))  # integers are divided towards zero
    return n("mul", n("floor_div", n("abs", a), n("abs", b)), sign)


DIV = Onnx("Div", read=_read_div)


def _write_floor_div(w: Writer) -> str:
    a, b = w.x(0), w.x(1)
    if w.dtype.is_floating_point:
        return w("Floor", w("Div", a, b))
    return w("Div", w("Sub", a, w("Mod", a, b)), b)


FLOOR_DIV = Onnx(write=_write_floor_div, reads=False)


def _read_mod(n: Reader) -> Any:
    a, b = n.x(0), n.x(1)
    if not n.attr("fmod", 0):
        return n("remainder", a, b)
    return n("mul", n("sign", a), n("remainder", n("abs", a), n("abs", b)))


def _write_mod(w: Writer) -> str:
    a, b = w.x(0), w.x(1)
    if not w.dtype.is_floating_point:
        return w("Mod", a, b)
    return w("Sub", a, w("Mul", w("Floor", w("Div", a, b)), b))


MOD = Onnx("Mod", read=_read_mod, write=_write_mod)


def _read_pow(n: Reader) -> Any:
    base, exponent = n.x(0), n.x(1)
    dtype = n.dtype(base)
    if n.dtype(exponent) is dtype:
        return n("pow", base, exponent)
    if dtype.is_floating_point:
        return n("pow", base, n("cast", exponent, dtype=dtype))
    if not n.dtype(exponent).is_floating_point:
        return n("cast", n("pow", n("cast", base, dtype=int64), n("cast", exponent, dtype=int64)), dtype=dtype)
    return n("cast", n("pow", n("cast", base, dtype=float64), n("cast", exponent, dtype=float64)), dtype=dtype)


POW = Onnx("Pow", read=_read_pow)


def compared(operator: str) -> Onnx:
    """A comparison; ONNX orders numbers only."""

    def write(w: Writer) -> str:
        a, b = w.x(0), w.x(1)
        if w.dtypes[0] is bool_:
            a, b = w("Cast", a, to=6), w("Cast", b, to=6)
        return w(operator, a, b)

    return Onnx(operator, write=write)


NOT_EQUAL = Onnx(write=lambda w: w("Not", w("Equal", w.x(0), w.x(1))), reads=False)
EXPM1 = Onnx(write=lambda w: w("Sub", w("Exp", w.x(0)), w.constant(1, w.dtype)), reads=False)
LOG1P = Onnx(write=lambda w: w("Log", w("Add", w.x(0), w.constant(1, w.dtype))), reads=False)
IS_FINITE = Onnx(write=lambda w: w("Not", w("Or", w("IsInf", w.x(0)), w("IsNaN", w.x(0)))), reads=False)
RELU = Onnx("Relu", write=lambda w: w("Relu", w.x(0)) if w.dtype.is_floating_point else w("Max", w.x(0), w.constant(0)))
RELU_BACKWARD = Onnx(
    write=lambda w: w("Where", w("LessOrEqual", w.x(1), zero := w.constant(0, w.dtype)), zero, w.x(0)), reads=False
)


def _read_cast(n: Reader) -> Any:
    number = n.attr("to")
    n.attr("saturate", 1)  # both are of narrow float types alone
    n.attr("round_mode", "up")
    if number not in ELEMENT_TYPES:
        raise n.fail(f"graphnet does not have the element type {number} to which it converts")
    return n("cast", n.x(0), dtype=ELEMENT_TYPES[number])


def _write_cast(w: Writer) -> str:
    return w("Cast", w.x(0), to=next(number for number, dtype in ELEMENT_TYPES.items() if dtype is w.dtype))


CAST = Onnx("Cast", read=_read_cast, write=_write_cast)


def _read_matmul(n: Reader) -> Any:
    a, b = n.x(0), n.x(1)
    dtype = n.dtype(a)
    if not dtype.is_floating_point:  # sums below 2^53 are exact
        a, b = n("cast", a, dtype=float64), n("cast", b, dtype=float64)
    left, right = n.shape(a), n.shape(b)
    if len(left) == 1:
        a = n("reshape", a, shape=(1, *left))
    if len(right) == 1:
        b = n("reshape", b, shape=(*right, 1))
    result = n("matmul", a, b)
    shape = n.shape(result)
    wanted = (*(shape[:-2]), *(shape[-2:-1] if len(left) > 1 else ()), *(shape[-1:] if len(right) > 1 else ()))
    if len(wanted) != len(shape):
        result = n("reshape", result, shape=wanted)
    return result if dtype.is_floating_point else n("cast", result, dtype=dtype)


MATMUL = Onnx("MatMul", read=_read_matmul)


def _read_gemm(n: Reader) -> Any:
    """Y = alpha A' B' + beta C."""
    a, b, c = n.x(0), n.x(1), n.x(2) if n.has(2) else None
    alpha, beta = n.attr("alpha", 1.0), n.attr("beta", 1.0)
    if n.attr("transA", 0):
        a = n("permute", a, axes=(1, 0))
    across, b_shape = n.attr("transB", 0), n.shape(b)
    n.attr("broadcast", 1)  # of the first versions
    if across:
        bias = c if c is not None and alpha == beta == 1 and n.shape(c) == b_shape[:1] else None
        result = n("linear", a, b, *([] if bias is None else [bias]))
        c = None if bias is not None else c
    else:
        result = n("matmul", a, b)
    if alpha != 1:
        result = n("mul", result, n.number(alpha, result))
    if c is None:
        return result
    return n("add", result, c if beta == 1 else n("mul", c, n.number(beta, c)))


def _write_linear(w: Writer) -> str:
    x, weight, *bias = (w.x(i) for i in range(w.count))
    if len(w.shapes[0]) == 2:
        return w("Gemm", x, weight, *bias, transB=1)
    product = w("MatMul", x, w("Transpose", weight, perm=[1, 0]))
    return w("Add", product, *bias) if bias else product


GEMM = Onnx("Gemm", read=_read_gemm, write=_write_linear)


def over_axes(n: Reader) -> tuple[Any, tuple[int, ...] | None, bool]:
    """Operand, axes (None for none at all) and keepdims of a reduction, whose axes are an attribute or an input."""
    x, keep = n.x(0), bool(n.attr("keepdims", 1))
    axes = n.ints(1) if n.has(1) else n.attr("axes")
    rank, nothing = len(n.shape(x)), n.attr("noop_with_empty_axes", 0)
    if not axes:
        return (x, None, keep) if nothing else (x, tuple(range(rank)), keep)
    return x, tuple(sorted({axis + rank if axis < 0 else axis for axis in axes})), keep


def _write_over_axes(w: Writer, operator: str, x: str) -> str:
    axes = w.attrs["axes"]
    if not axes:
        return w("Identity", x)
    keep = int(w.attrs["keepdims"])
    if w.version >= 18 or operator == "ReduceSum":
        return w(operator, x, w.sizes(axes), keepdims=keep)
    return w(operator, x, axes=list(axes), keepdims=keep)


def reduced(operator: str, op: str, empty: float | None = None) -> Onnx:
    """A reduction; `empty` is its value over no elements, where the row has none."""

    def read(n: Reader) -> Any:
        x, axes, keep = over_axes(n)
        if axes is None:
            return x
        shape = n.shape(x)
        if empty is not None and any(isinstance(shape[axis], int) and shape[axis] == 0 for axis in axes):
            if n.dtype(x).category == 1:
                raise n.fail("there is no largest or smallest of no integers")
            kept = tuple(1 if axis in axes else dim for axis, dim in enumerate(shape))
            out = kept if keep else tuple(dim for axis, dim in enumerate(shape) if axis not in axes)
            return n("expand", n.number(empty if n.dtype(x) is not bool_ else empty > 0, x), shape=out)
        return n(op, x, axes=axes, keepdims=keep)

    def write(w: Writer) -> str:
        if w.dtypes[0] is not bool_:
            return _write_over_axes(w, operator, w.x(0))
        return w("Cast", _write_over_axes(w, operator, w("Cast", w.x(0), to=6)), to=9)

    return Onnx(operator, read=read, write=write)


def _write_truth(operator: str) -> Callable[[Writer], str]:
    return lambda w: w("Cast", _write_over_axes(w, operator, w("Cast", w.x(0), to=7)), to=9)


ANY_ = Onnx(write=_write_truth("ReduceSum"), reads=False)
ALL = Onnx(write=_write_truth("ReduceProd"), reads=False)


def found(operator: str, op: str) -> Onnx:
    """ArgMax and ArgMin."""

    def read(n: Reader) -> Any:
        x, keep = n.x(0), bool(n.attr("keepdims", 1))
        shape = n.shape(x)
        axis = n.attr("axis", 0) % max(len(shape), 1)
        if not n.attr("select_last_index", 0):
            return n(op, x, axes=(axis,), keepdims=keep)
        back = tuple((None, None, -1 if at == axis else None) for at in range(len(shape)))
        place = n(op, n("slice", x, index=back), axes=(axis,), keepdims=keep)
        return n("sub", n.number(shape[axis] - 1, place), place)

    def write(w: Writer) -> str:
        x = w("Cast", w.x(0), to=6) if w.dtypes[0] is bool_ else w.x(0)
        return w(operator, x, axis=w.attrs["axes"][0], keepdims=int(w.attrs["keepdims"]))

    return Onnx(operator, read=read, write=write)
