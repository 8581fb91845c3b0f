"""Python's operators on tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from graphnet.errors import ArgumentTypeError
from graphnet.ir import SymbolicDim
from graphnet.tensor.comparisons import bits
from graphnet.tensor.core import Base, apply, check_tensor
from graphnet.tensor.inplace import InPlace
from graphnet.tensor.size import Size

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Operators", "matmul"]

Operator: TypeAlias = "Callable[[Any, Any], Tensor]"

_BITS = (Base, int, np.integer, np.bool_, np.ndarray)
_TAKEN = (Base, int, float, np.ndarray, np.generic, SymbolicDim)


def _taken(name: str, other: Any) -> bool:
    """Whether an operator takes the other operand. Sequences are refused loudly: Python would join or compare them."""
    if isinstance(other, _TAKEN):
        return True
    if isinstance(other, (list, tuple)) and not isinstance(other, Size):
        check_tensor(name, other)
    return False


def _forward(name: str) -> Operator:
    def operator(self: Any, other: Any) -> Any:
        return apply(name, self, other) if _taken(name, other) else NotImplemented

    return operator


def _reflected(name: str) -> Operator:
    def operator(self: Any, other: Any) -> Any:
        return apply(name, other, self) if _taken(name, other) else NotImplemented

    return operator


def _in_place(name: str) -> Operator:
    def operator(self: Any, other: Any) -> Any:
        return self._overwrite(apply(name, self, other)) if _taken(name, other) else NotImplemented

    return operator


def matmul(a: Any, b: Any) -> Tensor:
    """The matrix product (see `graphnet.matmul`): vectors are rows or columns."""
    rank_a, rank_b = len(a._type().shape), len(b._type().shape)
    if rank_a == 1:
        a = apply("reshape", a, shape=(1, *a.shape))
    if rank_b == 1:
        b = apply("reshape", b, shape=(*b.shape, 1))
    result = apply("matmul", a, b)
    if rank_a == 1 or rank_b == 1:
        shape = tuple(result.shape)
        kept = shape[:-2] + (() if rank_a == 1 else shape[-2:-1]) + (() if rank_b == 1 else shape[-1:])
        result = apply("reshape", result, shape=kept)
    return result


class Operators(InPlace):
    """Arithmetic, comparison and in-place operators, with NumPy's broadcasting and PyTorch's dtype rules."""

    __slots__ = ()

    __add__, __radd__, __iadd__ = _forward("add"), _reflected("add"), _in_place("add")
    __sub__, __rsub__, __isub__ = _forward("sub"), _reflected("sub"), _in_place("sub")
    __mul__, __rmul__, __imul__ = _forward("mul"), _reflected("mul"), _in_place("mul")
    __truediv__, __rtruediv__, __itruediv__ = _forward("div"), _reflected("div"), _in_place("div")
    __pow__, __rpow__, __ipow__ = _forward("pow"), _reflected("pow"), _in_place("pow")
    __floordiv__, __rfloordiv__, __ifloordiv__ = (
        _forward("floor_div"),
        _reflected("floor_div"),
        _in_place("floor_div"),
    )
    __mod__, __rmod__, __imod__ = _forward("remainder"), _reflected("remainder"), _in_place("remainder")
    __eq__, __ne__ = _forward("eq"), _forward("ne")  # type: ignore[assignment]
    __lt__, __le__, __gt__, __ge__ = _forward("lt"), _forward("le"), _forward("gt"), _forward("ge")

    __hash__ = object.__hash__  # tensors are told apart by identity; == is element by element

    def __matmul__(self, other: Any) -> Tensor:
        return matmul(self, check_tensor("matmul", other)) if _taken("matmul", other) else NotImplemented

    def __rmatmul__(self, other: Any) -> Tensor:
        return matmul(check_tensor("matmul", other), self) if _taken("matmul", other) else NotImplemented

    def __imatmul__(self, other: Any) -> Tensor:
        return self._overwrite(matmul(self, check_tensor("matmul", other)))  # type: ignore[return-value]

    def __neg__(self) -> Tensor:
        return apply("neg", self)

    def __pos__(self) -> Tensor:
        return self  # type: ignore[return-value]

    def __abs__(self) -> Tensor:
        return apply("abs", self)

    def __invert__(self) -> Tensor:
        return apply("bitwise_not" if self._dtype.category == 1 else "logical_not", self)

    def __and__(self, other: Any) -> Tensor:
        return bits("bitwise_and", self, other) if isinstance(other, _BITS) else NotImplemented

    def __or__(self, other: Any) -> Tensor:
        return bits("bitwise_or", self, other) if isinstance(other, _BITS) else NotImplemented

    def __xor__(self, other: Any) -> Tensor:
        return bits("bitwise_xor", self, other) if isinstance(other, _BITS) else NotImplemented

    __rand__, __ror__, __rxor__ = __and__, __or__, __xor__
    __lshift__, __rlshift__, __ilshift__ = _forward("shift_left"), _reflected("shift_left"), _in_place("shift_left")
    __rshift__, __rrshift__, __irshift__ = _forward("shift_right"), _reflected("shift_right"), _in_place("shift_right")

    def __iand__(self, other: Any) -> Tensor:
        return self._overwrite(self & other)  # type: ignore[return-value]

    def __ior__(self, other: Any) -> Tensor:
        return self._overwrite(self | other)  # type: ignore[return-value]

    def __ixor__(self, other: Any) -> Tensor:
        return self._overwrite(self ^ other)  # type: ignore[return-value]

    def __reversed__(self) -> Any:
        raise ArgumentTypeError("reversed: a tensor is not turned round; index it, x[list(range(len(x) - 1, -1, -1))]")
