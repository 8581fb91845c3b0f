"""Methods that compare elements, and choose by comparing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.dtypes import bool_
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, kind_of
from graphnet.tensor.core import Base, apply, check_tensor

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Comparisons", "bits"]


class Comparisons(Base):
    """Comparisons, truth values, and the choice of two elements."""

    __slots__ = ()

    # -- comparisons and truth values ---------------------------------------------------------------------

    def eq(self, other: Any) -> Tensor:
        """Where elements are equal.

        Example:
            >>> import graphnet as gn
            >>> gn.eq(gn.tensor([1, 2]), 2)
            tensor([False,  True])
        """
        return apply("eq", self, other)

    def ne(self, other: Any) -> Tensor:
        """Where elements differ.

        Example:
            >>> import graphnet as gn
            >>> gn.ne(gn.tensor([1, 2]), 2)
            tensor([ True, False])
        """
        return apply("ne", self, other)

    def lt(self, other: Any) -> Tensor:
        """Where elements are less.

        Example:
            >>> import graphnet as gn
            >>> gn.lt(gn.tensor([1, 2]), 2)
            tensor([ True, False])
        """
        return apply("lt", self, other)

    def le(self, other: Any) -> Tensor:
        """Where elements are less or equal.

        Example:
            >>> import graphnet as gn
            >>> gn.le(gn.tensor([1, 2]), 1)
            tensor([ True, False])
        """
        return apply("le", self, other)

    def gt(self, other: Any) -> Tensor:
        """Where elements are greater.

        Example:
            >>> import graphnet as gn
            >>> gn.gt(gn.tensor([1, 2]), 1)
            tensor([False,  True])
        """
        return apply("gt", self, other)

    def ge(self, other: Any) -> Tensor:
        """Where elements are greater or equal.

        Example:
            >>> import graphnet as gn
            >>> gn.ge(gn.tensor([1, 2]), 2)
            tensor([False,  True])
        """
        return apply("ge", self, other)

    def logical_not(self) -> Tensor:
        """Where elements are zero or False.

        Example:
            >>> import graphnet as gn
            >>> gn.logical_not(gn.tensor([0.0, 2.0]))
            tensor([ True, False])
        """
        return apply("logical_not", _truth("logical_not", self))

    def logical_and(self, other: Any) -> Tensor:
        """Where both are true; what is not zero is.

        Example:
            >>> import graphnet as gn
            >>> gn.logical_and(gn.tensor([0, 1]), gn.tensor([1, 1]))
            tensor([False,  True])
        """
        return apply("minimum", _truth("logical_and", self), _truth("logical_and", other))

    def logical_or(self, other: Any) -> Tensor:
        """Where one of both is true, or both are.

        Example:
            >>> import graphnet as gn
            >>> gn.logical_or(gn.tensor([0, 1]), gn.tensor([0, 0]))
            tensor([False,  True])
        """
        return apply("maximum", _truth("logical_or", self), _truth("logical_or", other))

    def logical_xor(self, other: Any) -> Tensor:
        """Where one of both is true, not both.

        Example:
            >>> import graphnet as gn
            >>> gn.logical_xor(gn.tensor([0, 1]), gn.tensor([1, 1]))
            tensor([ True, False])
        """
        return apply("ne", _truth("logical_xor", self), _truth("logical_xor", other))

    def bitwise_and(self, other: Any) -> Tensor:
        """The bits that both have, of integers; of truth values whether both hold.

        Raises:
            DTypeError: floating-point tensors.

        Example:
            >>> import graphnet as gn
            >>> gn.bitwise_and(gn.tensor([5, 6]), 3)
            tensor([1, 2])
        """
        return bits("bitwise_and", self, other)

    def bitwise_or(self, other: Any) -> Tensor:
        """The bits that one has, of integers; of truth values whether one holds.

        Example:
            >>> import graphnet as gn
            >>> gn.bitwise_or(gn.tensor([5, 6]), 3)
            tensor([7, 7])
        """
        return bits("bitwise_or", self, other)

    def bitwise_xor(self, other: Any) -> Tensor:
        """The bits that one alone has, of integers; of truth values whether one alone holds.

        Example:
            >>> import graphnet as gn
            >>> gn.bitwise_xor(gn.tensor([5, 6]), 3)
            tensor([6, 5])
        """
        return bits("bitwise_xor", self, other)

    def bitwise_not(self) -> Tensor:
        """The other bits, of integers; of truth values the opposite.

        Example:
            >>> import graphnet as gn
            >>> gn.bitwise_not(gn.tensor([5, -1]))
            tensor([-6,  0])
        """
        return apply("logical_not" if self._dtype is bool_ else "bitwise_not", self)

    def isnan(self) -> Tensor:
        """Where elements are not a number.

        Example:
            >>> import graphnet as gn
            >>> gn.isnan(gn.tensor([1.0, float("nan")]))
            tensor([False,  True])
        """
        return apply("isnan", self)

    def isinf(self) -> Tensor:
        """Where elements are infinite.

        Example:
            >>> import graphnet as gn
            >>> gn.isinf(gn.tensor([1.0, float("-inf")]))
            tensor([False,  True])
        """
        if not self._dtype.is_floating_point:
            return apply("ne", self, self)
        return apply("eq", apply("abs", self), float("inf"))

    def isfinite(self) -> Tensor:
        """Where elements are neither infinite nor not a number.

        Example:
            >>> import graphnet as gn
            >>> gn.isfinite(gn.tensor([1.0, float("inf")]))
            tensor([ True, False])
        """
        return apply("isfinite", self)

    def isclose(self, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Tensor:
        """Where |input - other| <= atol + rtol * |other|.

        Raises:
            DTypeError: two tensors of different dtypes.
            ArgumentError: a tolerance below 0.

        Example:
            >>> import graphnet as gn
            >>> gn.isclose(gn.tensor([1.0, 2.0]), gn.tensor([1.0, 2.1]))
            tensor([ True, False])
        """
        a, b = check_tensor("isclose", self.detach()), check_tensor("isclose", other).detach()  # type: ignore[attr-defined]
        if isinstance(other, Base) and a._dtype is not b._dtype:
            raise DTypeError(f"isclose: expects tensors of one dtype, got {a._dtype.name} and {b._dtype.name}")
        for name, tolerance in (("rtol", rtol), ("atol", atol)):
            if not tolerance >= 0:
                raise ArgumentError(f"isclose: {name} is not negative, got {tolerance}")
        close = apply("eq", a, b)
        if equal_nan and a._dtype.is_floating_point:
            close = close | (a.isnan() & b.isnan())
        if a._dtype is bool_:
            return close
        off = apply("abs", apply("sub", a, b))
        allowed = apply("add", apply("mul", apply("abs", b), float(rtol)), float(atol))
        return close | (apply("isfinite", off) & apply("le", off, allowed))

    def allclose(self, other: Any, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> Any:
        """Whether |input - other| <= atol + rtol * |other| everywhere.

        Raises:
            DTypeError: two tensors of different dtypes.
            ArgumentError: a tolerance below 0.

        Example:
            >>> import graphnet as gn
            >>> gn.allclose(gn.tensor([1.0]), gn.tensor([1.0 + 1e-7]))
            True
        """
        return bool(self.isclose(other, rtol, atol, equal_nan).all())

    def equal(self, other: Any) -> Any:
        """Whether two tensors have the same shape and elements.

        Raises:
            ArgumentTypeError: not a tensor or array.

        Example:
            >>> import graphnet as gn
            >>> gn.equal(gn.tensor([1, 2]), gn.tensor([1, 2])), gn.equal(gn.ones(2), gn.ones(1))
            (True, False)
        """
        if not isinstance(other, (Base, np.ndarray)):
            raise ArgumentTypeError(f"equal: expects a tensor, got {kind_of(other)}")
        b = check_tensor("equal", other)
        return bool(self.shape == b.shape and apply("eq", self, b).all())

    # -- the choice of two --------------------------------------------------------------------------------

    def maximum(self, other: Any) -> Tensor:
        """The larger of two elements; NaN where one is. Where both are equal, each takes half of the gradient.

        Example:
            >>> import graphnet as gn
            >>> gn.maximum(gn.tensor([1, 5]), gn.tensor([3, 2]))
            tensor([3, 5])
        """
        return apply("maximum", self, other)

    def minimum(self, other: Any) -> Tensor:
        """The smaller of two elements; NaN where one is. Where both are equal, each takes half of the gradient.

        Example:
            >>> import graphnet as gn
            >>> gn.minimum(gn.tensor([1, 5]), gn.tensor([3, 2]))
            tensor([1, 2])
        """
        return apply("minimum", self, other)

    def where(self, condition: Any, other: Any) -> Tensor:
        """The tensor's elements where the condition holds, `other` elsewhere.

        Example:
            >>> import graphnet as gn
            >>> x = gn.tensor([-1.0, 2.0])
            >>> x.where(x > 0, 0)
            tensor([0., 2.])
        """
        return apply("where", check_tensor("where", condition), self, other)

    def masked_fill(self, mask: Any, value: Any) -> Tensor:
        """The tensor with a number where the mask holds.

        Example:
            >>> import graphnet as gn
            >>> gn.ones(2).masked_fill(gn.tensor([True, False]), 9.0)
            tensor([9., 1.])
        """
        filled = apply("where", check_tensor("masked_fill", mask), value, self)
        return filled if filled._dtype is self._dtype else apply("cast", filled, dtype=self._dtype)


def _truth(what: str, value: Any) -> Tensor:
    tensor = check_tensor(what, value)
    return tensor if tensor._dtype is bool_ else apply("cast", tensor, dtype=bool_)


_OF_TRUTH = {"bitwise_and": "minimum", "bitwise_or": "maximum", "bitwise_xor": "ne"}


def bits(name: str, a: Any, b: Any) -> Tensor:
    """An operation on bits. Truth values are 0 and 1: `and` is the smaller, `or` the larger, `xor` is unequal."""
    second = check_tensor(name, b)
    for operand in (a, second):
        if operand._dtype.is_floating_point:
            raise DTypeError(
                f"{name}: expects integers or truth values, got {operand._dtype.name}; compare first: x > 0"
            )
    if a._dtype is bool_ and second._dtype is bool_:
        return apply(_OF_TRUTH[name], a, second)
    return apply(name, a, b)
