"""Methods that work element by element: arithmetic and functions.

Where there are two operands they broadcast, and their dtypes are brought together by PyTorch's rules.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.dtypes import bool_, int64
from graphnet.errors import ArgumentError, DTypeError
from graphnet.tensor.core import Base, apply
from graphnet.tensor.inplace import InPlace

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Elementwise"]


class Elementwise(InPlace):
    """Functions of each element."""

    __slots__ = ()

    # -- arithmetic ---------------------------------------------------------------------------------------

    def add(self, other: Any, *, alpha: Any = 1) -> Tensor:
        """input + alpha * other.

        Example:
            >>> import graphnet as gn
            >>> gn.add(gn.tensor([1.0, 2.0]), 10, alpha=2)
            tensor([21., 22.])
        """
        return apply("add", self, _times(other, alpha))

    def sub(self, other: Any, *, alpha: Any = 1) -> Tensor:
        """input - alpha * other.

        Example:
            >>> import graphnet as gn
            >>> gn.sub(gn.tensor([1.0, 2.0]), 1)
            tensor([0., 1.])
        """
        return apply("sub", self, _times(other, alpha))

    def mul(self, other: Any) -> Tensor:
        """input * other.

        Example:
            >>> import graphnet as gn
            >>> gn.mul(gn.tensor([1.0, 2.0]), gn.tensor([[3.0], [4.0]]))
            tensor([[3., 6.],
                    [4., 8.]])
        """
        return apply("mul", self, other)

    def div(self, other: Any, *, rounding_mode: str | None = None) -> Tensor:
        """input / other; with `rounding_mode` "floor" or "trunc" rounded down or towards 0.

        Raises:
            ArgumentError: another rounding mode.

        Example:
            >>> import graphnet as gn
            >>> gn.div(gn.tensor([7, -7]), 2), gn.div(gn.tensor([7, -7]), 2, rounding_mode="trunc")
            (tensor([ 3.5000, -3.5000]), tensor([ 3, -3]))
        """
        if rounding_mode is None:
            return apply("div", self, other)
        if rounding_mode == "floor":
            return apply("floor_div", self, other)
        if rounding_mode != "trunc":
            raise ArgumentError(f"div: the rounding mode is None, 'floor' or 'trunc', got {rounding_mode!r}")
        floor = apply("floor_div", self, other)
        if floor._dtype.is_floating_point:
            quotient = apply("div", self, other)
            return apply("where", apply("lt", quotient, 0), apply("ceil", quotient), apply("floor", quotient))
        short = apply("lt", floor, 0) & apply("ne", apply("mul", floor, other), self)
        return apply("add", floor, apply("cast", short, dtype=floor._dtype))

    def floor_divide(self, other: Any) -> Tensor:
        """input / other, rounded down.

        Example:
            >>> import graphnet as gn
            >>> gn.floor_divide(gn.tensor([7, -7]), 2)
            tensor([ 3, -4])
        """
        return apply("floor_div", self, other)

    def remainder(self, other: Any) -> Tensor:
        """What `floor_divide` leaves, of the divisor's sign.

        Example:
            >>> import graphnet as gn
            >>> gn.remainder(gn.tensor([7, -7]), 3)
            tensor([1, 2])
        """
        return apply("remainder", self, other)

    def pow(self, exponent: Any) -> Tensor:
        """Each element to a power.

        Example:
            >>> import graphnet as gn
            >>> gn.pow(gn.tensor([1.0, 2.0, 3.0]), 2)
            tensor([1., 4., 9.])
        """
        return apply("pow", self, exponent)

    def square(self) -> Tensor:
        """The squares.

        Example:
            >>> import graphnet as gn
            >>> gn.square(gn.tensor([-2.0, 3.0]))
            tensor([4., 9.])
        """
        x = apply("cast", self, dtype=int64) if self._dtype is bool_ else self
        return apply("mul", x, x)

    def neg(self) -> Tensor:
        """The negated elements.

        Example:
            >>> import graphnet as gn
            >>> gn.neg(gn.tensor([1, -2]))
            tensor([-1,  2])
        """
        return apply("neg", self)

    def abs(self) -> Tensor:
        """The absolute values; the gradient at 0 is 0.

        Example:
            >>> import graphnet as gn
            >>> gn.abs(gn.tensor([-1, 2]))
            tensor([1, 2])
        """
        return apply("abs", self)

    def sign(self) -> Tensor:
        """-1, 0 or 1.

        Example:
            >>> import graphnet as gn
            >>> gn.sign(gn.tensor([-1.5, 0.0, 2.0]))
            tensor([-1.,  0.,  1.])
        """
        return apply("sign", self) if self._dtype is not bool_ else apply("copy", self)

    def reciprocal(self) -> Tensor:
        """1 / x.

        Example:
            >>> import graphnet as gn
            >>> gn.reciprocal(gn.tensor([2.0, 4.0]))
            tensor([0.5000, 0.2500])
        """
        return apply("div", 1.0, self)

    # -- functions ----------------------------------------------------------------------------------------

    def exp(self) -> Tensor:
        """e to the power of each element.

        Example:
            >>> import graphnet as gn
            >>> gn.exp(gn.tensor([0.0, 1.0]))
            tensor([1.0000, 2.7183])
        """
        return apply("exp", self)

    def expm1(self) -> Tensor:
        """exp(x) - 1, exact near 0.

        Example:
            >>> import graphnet as gn
            >>> gn.expm1(gn.tensor([0.0, 1.0]))
            tensor([0.0000, 1.7183])
        """
        return apply("expm1", self)

    def log(self) -> Tensor:
        """The natural logarithms: -inf of 0, NaN of what is negative.

        Example:
            >>> import graphnet as gn
            >>> gn.log(gn.tensor([1.0, 10.0]))
            tensor([0.0000, 2.3026])
        """
        return apply("log", self)

    def log1p(self) -> Tensor:
        """log(1 + x), exact near 0.

        Example:
            >>> import graphnet as gn
            >>> gn.log1p(gn.tensor([0.0, 1.0]))
            tensor([0.0000, 0.6931])
        """
        return apply("log1p", self)

    def sqrt(self) -> Tensor:
        """The square roots.

        Example:
            >>> import graphnet as gn
            >>> gn.sqrt(gn.tensor([4.0, 9.0]))
            tensor([2., 3.])
        """
        return apply("sqrt", self)

    def rsqrt(self) -> Tensor:
        """1 / sqrt(x).

        Example:
            >>> import graphnet as gn
            >>> gn.rsqrt(gn.tensor([4.0]))
            tensor([0.5000])
        """
        return apply("div", 1.0, apply("sqrt", self))

    def sin(self) -> Tensor:
        """The sines of angles in radians.

        Example:
            >>> import graphnet as gn
            >>> gn.sin(gn.tensor([0.0, 1.0]))
            tensor([0.0000, 0.8415])
        """
        return apply("sin", self)

    def cos(self) -> Tensor:
        """The cosines of angles in radians.

        Example:
            >>> import graphnet as gn
            >>> gn.cos(gn.tensor([0.0, 1.0]))
            tensor([1.0000, 0.5403])
        """
        return apply("cos", self)

    def tanh(self) -> Tensor:
        """The hyperbolic tangents.

        Example:
            >>> import graphnet as gn
            >>> gn.tanh(gn.tensor([0.0, 1.0]))
            tensor([0.0000, 0.7616])
        """
        return apply("tanh", self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x)).

        Example:
            >>> import graphnet as gn
            >>> gn.sigmoid(gn.tensor([0.0, 1.0]))
            tensor([0.5000, 0.7311])
        """
        return apply("sigmoid", self)

    def relu(self) -> Tensor:
        """max(x, 0); the gradient at 0 is 0.

        Example:
            >>> import graphnet as gn
            >>> gn.relu(gn.tensor([-1.0, 2.0]))
            tensor([0., 2.])
        """
        return apply("relu", self)

    def tan(self) -> Tensor:
        """The tangents of angles in radians.

        Example:
            >>> import graphnet as gn
            >>> gn.tan(gn.tensor([0.0, 1.0]))
            tensor([0.0000, 1.5574])
        """
        return apply("tan", self)

    def erf(self) -> Tensor:
        """The error function.

        Example:
            >>> import graphnet as gn
            >>> gn.erf(gn.tensor([0.0, 1.0]))
            tensor([0.0000, 0.8427])
        """
        return apply("erf", self)

    def floor(self) -> Tensor:
        """The largest whole numbers that are not above.

        Example:
            >>> import graphnet as gn
            >>> gn.floor(gn.tensor([1.5, -1.5]))
            tensor([ 1., -2.])
        """
        return _rounded("floor", self)

    def ceil(self) -> Tensor:
        """The smallest whole numbers that are not below.

        Example:
            >>> import graphnet as gn
            >>> gn.ceil(gn.tensor([1.5, -1.5]))
            tensor([ 2., -1.])
        """
        return _rounded("ceil", self)

    def round(self) -> Tensor:
        """The nearest whole numbers; halves become even ones.

        Example:
            >>> import graphnet as gn
            >>> gn.round(gn.tensor([0.5, 1.5, -1.2]))
            tensor([ 0.,  2., -1.])
        """
        return _rounded("round", self)


def _times(other: Any, alpha: Any) -> Any:
    """alpha * other, computed only where alpha is not 1."""
    if isinstance(alpha, (int, float)) and alpha == 1:
        return other
    return apply("mul", other, alpha) if isinstance(other, (Base, np.ndarray)) else other * alpha


def _rounded(name: str, x: Any) -> Tensor:
    if x._dtype is bool_:
        raise DTypeError(f"{name}: expects numbers, got truth values")
    return apply(name if x._dtype.is_floating_point else "copy", x)
