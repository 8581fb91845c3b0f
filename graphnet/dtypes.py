"""Data types, their NumPy counterparts and PyTorch's promotion rules."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np

from graphnet.errors import DTypeError

__all__ = ["DType", "as_dtype", "bool_", "dtype_of", "float32", "float64", "int32", "int64", "promote"]


class DType:
    """A tensor's element type, such as `graphnet.float32`. One instance per type: compare with `is` or `==`.

    Example:
        >>> import graphnet as gn
        >>> gn.float64, gn.float64.is_floating_point, gn.float64.itemsize
        (graphnet.float64, True, 8)
    """

    __slots__ = ("category", "dtype", "is_floating_point", "itemsize", "name")

    def __init__(self, name: str, category: int) -> None:
        self.name: Final = name
        self.category: Final = category  # 0 bool, 1 integer, 2 floating point
        self.dtype: Final[np.dtype[np.generic]] = np.dtype(name)  # lets NumPy take a DType as a dtype
        self.itemsize: Final = self.dtype.itemsize
        self.is_floating_point: Final = category == 2

    def __repr__(self) -> str:
        return f"graphnet.{self.name}"

    def __reduce__(self) -> str:
        return "bool_" if self.name == "bool" else self.name  # one of the instances below

    def __copy__(self) -> DType:
        return self

    def __deepcopy__(self, memo: object) -> DType:
        return self


bool_ = DType("bool", 0)
int32 = DType("int32", 1)
int64 = DType("int64", 1)
float32 = DType("float32", 2)
float64 = DType("float64", 2)

_BY_NUMPY: Final[dict[object, DType]] = {d.dtype: d for d in (bool_, int32, int64, float32, float64)}
_WIDTH: Final = {bool_: 0, int32: 1, int64: 2, float32: 3, float64: 4}
_BUILTIN: Final[dict[object, DType]] = {bool: bool_, int: int64, float: float32}


def as_dtype(value: object) -> DType:
    """The DType meant by a DType, NumPy dtype or its name, or Python's `float` (float32), `int`, `bool`.

    Raises:
        DTypeError: for a type that graphnet does not have.
    """
    if isinstance(value, DType):
        return value
    if isinstance(value, type) and value in _BUILTIN:
        return _BUILTIN[value]
    found = _BY_NUMPY.get(value) if isinstance(value, (np.dtype, type)) else None
    if found is None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = _BY_NUMPY.get(np.dtype(value).newbyteorder("="))  # type: ignore[call-overload]
        except (TypeError, ValueError, Warning):
            found = None
    if found is None:
        known = ", ".join(d.name for d in _WIDTH)
        raise DTypeError(f"no data type {value!r}: graphnet has {known}; convert first, e.g. with .astype('float32')")
    return found


def dtype_of(array: np.ndarray[Any, np.dtype[Any]]) -> DType:
    """The DType of an array that has one of ours, in native byte order."""
    return _BY_NUMPY[array.dtype]


def promote(tensors: list[tuple[DType, int]], scalars: list[DType], default: DType = float32) -> DType:
    """PyTorch's result type of operands given as (dtype, rank) and of Python scalars.

    Tensors with a rank count first, then 0-d tensors, then Python numbers; a lower kind takes part only
    where its category (bool < integer < floating point) is higher. See "Type promotion" in PyTorch's
    documentation of tensor attributes.
    """
    result: DType | None = None
    zero_d = [d for d, rank in tensors if rank == 0]
    for group in ([d for d, rank in tensors if rank], zero_d):
        if not group:
            continue
        widest = max(group, key=_WIDTH.__getitem__)
        if result is None or widest.category > result.category:
            result = widest
    for scalar in scalars:
        if result is None or scalar.category > result.category:
            result = default if scalar.is_floating_point else scalar
    assert result is not None
    return result
