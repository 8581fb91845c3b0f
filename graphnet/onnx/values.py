"""Values while an ONNX model is read: tensors, or NumPy arrays that are known already and computed with at once.

Shapes are arithmetic in ONNX (Shape, Gather, Concat, Reshape); here they are folded. An array of dtype object holds
sizes, some of which are symbols.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np

from graphnet.dtypes import DType, as_dtype, float32, int64
from graphnet.errors import TraceError
from graphnet.ir import Literal, SymbolicDim
from graphnet.ops import TABLE
from graphnet.tensor import SymbolicTensor, Tensor, apply, no_grad, state
from graphnet.tensor.core import wrap

__all__ = ["Known", "apply_op", "as_tensor", "dtype_of", "known", "make_tensor", "open_sizes", "shape_of"]

Known: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


def open_sizes(value: Any) -> bool:
    """Whether a value holds sizes that are not known."""
    return isinstance(value, np.ndarray) and value.dtype == object


def dtype_of(value: Any) -> DType:
    """The dtype of a value."""
    if isinstance(value, np.ndarray):
        return int64 if open_sizes(value) else as_dtype(value.dtype)
    return value.dtype  # type: ignore[no-any-return]


def shape_of(value: Any) -> tuple[Any, ...]:
    """The shape of a value."""
    return tuple(value.shape)


def known(value: Any) -> Known:
    """A value as an array.

    Raises:
        TraceError: it is known only with data.
    """
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, SymbolicTensor):
        raise TraceError("it depends on the values of the model's inputs")
    return np.asarray(value.detach().numpy())


def _settled(array: Any) -> Known:
    """Sizes as integers, where all of them are known."""
    result = np.asarray(array)
    if result.dtype == object and not any(isinstance(v, SymbolicDim) for v in result.flat):
        return result.astype(np.int64)
    return result


def _fold(op: str, arrays: tuple[Known, ...], attrs: Mapping[str, Any]) -> Any:
    """An op on known arrays: its kernel's result, or its reference's where sizes are symbols."""
    if not any(map(open_sizes, arrays)):
        with no_grad():
            return np.asarray(apply(op, *map(wrap, arrays), **attrs).numpy())
    if op == "cast":
        if attrs["dtype"].category == 1:
            return arrays[0]
        return state.tracer.apply(TABLE[op], [make_tensor(arrays[0], {})], dict(attrs))
    return _settled(TABLE[op].reference(*arrays, **attrs))


def make_tensor(value: Any, constants: dict[int, tuple[Known, Tensor]]) -> Any:
    """A value as an operand: single known numbers are literals, arrays become constants once."""
    if not isinstance(value, np.ndarray):
        return value
    if value.ndim == 0:
        number = value.item()
        dtype = dtype_of(value)
        return Literal(float(str(np.float32(number))) if dtype is float32 else number, dtype)
    if open_sizes(value):
        tracer = state.tracer
        sizes = [tracer.apply(TABLE["expand"], [Literal(d, int64)], {"shape": (1,)}) for d in value.flat]
        return apply("reshape", apply("cat", *sizes, axis=0), shape=value.shape)
    found = constants.get(id(value))
    if found is None:
        found = constants[id(value)] = value, wrap(value)
    return found[1]


def as_tensor(value: Any) -> Any:
    """A value as a tensor, also a single number."""
    if isinstance(value, np.ndarray):
        return make_tensor(value, {}) if open_sizes(value) and value.ndim else wrap(np.array(value))
    return value


def _has_symbols(value: Any) -> bool:
    return isinstance(value, SymbolicDim) or (isinstance(value, tuple) and any(map(_has_symbols, value)))


def apply_op(
    op: str, values: tuple[Any, ...], attrs: Mapping[str, Any], constants: dict[int, tuple[Known, Tensor]]
) -> Any:
    """An op on values; known ones are computed with at once."""
    symbolic = any(map(_has_symbols, attrs.values()))
    if not symbolic and all(isinstance(v, np.ndarray) for v in values):
        return _fold(op, values, attrs)
    operands = [make_tensor(v, constants) for v in values]
    if symbolic and state.tracer is not None and not any(isinstance(o, SymbolicTensor) for o in operands):
        return state.tracer.apply(TABLE[op], operands, dict(attrs))
    return apply(op, *operands, **attrs)
