"""Methods that reduce over axes. `dim` is one axis, several, or None for all; `keepdim` leaves them with size 1.

NumPy's names, `axis` and `keepdims`, are taken too.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from graphnet.dtypes import as_dtype, bool_, float32
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, GraphnetWarning, TraceError
from graphnet.ir import product
from graphnet.ops.table import index_dtype
from graphnet.tensor import returns
from graphnet.tensor.axes import axes_of, axis_of
from graphnet.tensor.core import Base, apply, check_tensor

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Reductions", "numpy_names"]


F = TypeVar("F", bound=Callable[..., Any])


def numpy_names(method: F) -> F:
    """Let a method take NumPy's `axis` and `keepdims` for `dim` and `keepdim`, as PyTorch's do."""

    @functools.wraps(method)
    def renamed(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
                if theirs in kwargs:
                    if ours in kwargs:
                        raise ArgumentTypeError(f"{method.__name__}: {ours} and {theirs} are the same; give one")
                    kwargs[ours] = kwargs.pop(theirs)
        return method(*args, **kwargs)

    return renamed  # type: ignore[return-value]


def any_zero(sizes: Iterable[Any]) -> bool:
    """Whether one of the sizes is known to be 0."""
    return 0 in [size for size in sizes if isinstance(size, int)]


class Reductions(Base):
    """Sums, extremes and what is built from them."""

    __slots__ = ()

    def _reduce(self, name: str, dim: Any, keepdim: Any, dtype: Any = None) -> Tensor:
        tensor = self if dtype is None or dtype is self._dtype else apply("cast", self, dtype=dtype)
        return apply(name, tensor, axes=axes_of(name, dim, self.ndim), keepdims=bool(keepdim))

    @numpy_names
    def sum(self, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Tensor:
        """The sum over one axis, several, or all; of integers and truth values as int64.

        Example:
            >>> import graphnet as gn
            >>> gn.sum(gn.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=0)
            tensor([4., 6.])
        """
        wanted = as_dtype(dtype) if dtype is not None else index_dtype(self._dtype)
        return self._reduce("sum", dim, keepdim, wanted)

    @numpy_names
    def mean(self, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Tensor:
        """The mean over one axis, several, or all, of a floating-point tensor; NaN of no elements.

        Raises:
            DTypeError: not floating-point, and no dtype to convert to is given.

        Example:
            >>> import graphnet as gn
            >>> gn.mean(gn.tensor([[1.0, 2.0], [3.0, 4.0]]), dim=1, keepdim=True)
            tensor([[1.5000],
                    [3.5000]])
        """
        return self._reduce("mean", dim, keepdim, None if dtype is None else as_dtype(dtype))

    @numpy_names
    def prod(self, dim: Any = None, keepdim: Any = False, *, dtype: Any = None) -> Tensor:
        """The product over an axis, or of all elements; of integers and truth values as int64.

        Example:
            >>> import graphnet as gn
            >>> gn.prod(gn.tensor([2, 3, 4]))
            tensor(24)
        """
        wanted = as_dtype(dtype) if dtype is not None else index_dtype(self._dtype)
        return self._reduce("prod", dim, keepdim, wanted)

    @numpy_names
    def max(self, dim: Any = None, keepdim: Any = False) -> Any:
        """The largest element; the largest along an axis, as (values, indices); or the larger of two tensors.

        The gradient of the first is shared evenly by all that are largest, that of the second flows to the one named.

        Raises:
            ShapeError: there are no elements to choose from.

        Example:
            >>> import graphnet as gn
            >>> x = gn.tensor([[1.0, 5.0], [7.0, 3.0]])
            >>> gn.max(x), gn.max(x, dim=1).indices
            (tensor(7.), tensor([1, 0]))
        """
        return self._extremum("max", dim, keepdim)

    @numpy_names
    def min(self, dim: Any = None, keepdim: Any = False) -> Any:
        """The smallest element; the smallest along an axis, as (values, indices); or the smaller of two tensors.

        The gradient of the first is shared evenly by all that are smallest, that of the second flows to the one named.

        Raises:
            ShapeError: there are no elements to choose from.

        Example:
            >>> import graphnet as gn
            >>> x = gn.tensor([[1.0, 5.0], [7.0, 3.0]])
            >>> gn.min(x), gn.min(x, dim=1).values
            (tensor(1.), tensor([1., 3.]))
        """
        return self._extremum("min", dim, keepdim)

    def _extremum(self, name: str, dim: Any, keepdim: Any) -> Any:
        if isinstance(dim, (Base, np.ndarray)):
            return apply(f"{name}imum", self, check_tensor(name, dim))
        if dim is None:
            return self._reduce(name, None, False)
        axes = (axis_of(name, dim, self.ndim),) if self.ndim else ()
        values = apply(name, self, axes=axes, keepdims=bool(keepdim), first=True)
        return getattr(returns, name)(values, self._arg(f"arg{name}", dim, keepdim))

    @numpy_names
    def amax(self, dim: Any = (), keepdim: Any = False) -> Tensor:
        """The largest elements along axes; the gradient is shared evenly by all that are largest.

        Example:
            >>> import graphnet as gn
            >>> gn.amax(gn.tensor([[1.0, 5.0], [7.0, 3.0]]), dim=1)
            tensor([5., 7.])
        """
        return self._reduce("max", dim, keepdim)

    @numpy_names
    def amin(self, dim: Any = (), keepdim: Any = False) -> Tensor:
        """The smallest elements along axes; the gradient is shared evenly by all that are smallest.

        Example:
            >>> import graphnet as gn
            >>> gn.amin(gn.tensor([[1.0, 5.0], [7.0, 3.0]]), dim=1)
            tensor([1., 3.])
        """
        return self._reduce("min", dim, keepdim)

    @numpy_names
    def logsumexp(self, dim: Any, keepdim: Any = False) -> Tensor:
        """log(sum(exp(x))) over axes, without overflow.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([100.0, 100.0]).logsumexp(0)
            tensor(100.6931)
        """
        axes = axes_of("logsumexp", dim, self.ndim)
        x = self if self._dtype.is_floating_point else apply("cast", self, dtype=float32)
        if any_zero(x._type().shape[a] for a in axes):
            return apply("log", apply("exp", x)._reduce("sum", axes, keepdim))
        largest = apply("detach", apply("max", x, axes=axes, keepdims=True))
        largest = apply("where", apply("isfinite", largest), largest, 0.0)  # inf - inf would be NaN
        total = apply("exp", apply("sub", x, largest))._reduce("sum", axes, keepdim)
        if not keepdim:
            largest = apply("reshape", largest, shape=tuple(total._type().shape))
        return apply("add", apply("log", total), largest)

    @numpy_names
    def any(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """Whether any element is true: not zero.

        Example:
            >>> import graphnet as gn
            >>> gn.any(gn.tensor([[0, 1], [0, 0]]), dim=1)
            tensor([ True, False])
        """
        return self._reduce("any", dim, keepdim, bool_)

    @numpy_names
    def all(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """Whether all elements are true: not zero.

        Example:
            >>> import graphnet as gn
            >>> gn.all(gn.tensor([[1, 1], [0, 1]]), dim=1)
            tensor([ True, False])
        """
        return self._reduce("all", dim, keepdim, bool_)

    @numpy_names
    def argmax(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """The position of the first largest element along an axis, or in the flattened tensor; NaN is largest.

        Example:
            >>> import graphnet as gn
            >>> gn.argmax(gn.tensor([[1.0, 5.0], [7.0, 3.0]]), dim=1)
            tensor([1, 0])
        """
        return self._arg("argmax", dim, keepdim)

    @numpy_names
    def argmin(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """The position of the first smallest element along an axis, or in the flattened tensor; NaN is smallest.

        Example:
            >>> import graphnet as gn
            >>> gn.argmin(gn.tensor([[1.0, 5.0], [7.0, 3.0]]), dim=1)
            tensor([0, 1])
        """
        return self._arg("argmin", dim, keepdim)

    def _arg(self, name: str, dim: Any, keepdim: Any) -> Tensor:
        if dim is None or not self.ndim:
            if dim is not None:
                axis_of(name, dim, self.ndim)
            found = apply("reshape", self, shape=(self.shape.numel(),))._reduce(name, 0, False)
            return apply("reshape", found, shape=(1,) * self.ndim) if keepdim and self.ndim else found
        return self._reduce(name, axis_of(name, dim, self.ndim), keepdim)

    @numpy_names
    def var(self, dim: Any = None, unbiased: Any = True, keepdim: Any = False, *, correction: Any = None) -> Tensor:
        """The variance over axes of a floating-point tensor.

        Args:
            dim: one axis, several, or None for all.
            unbiased: whether 1 is taken off the count by which is divided.
            correction: what is taken off instead.

        Raises:
            DTypeError: not floating-point.

        Example:
            >>> import graphnet as gn
            >>> gn.var(gn.tensor([1.0, 2.0, 3.0])), gn.var(gn.tensor([1.0, 3.0]), correction=0)
            (tensor(1.), tensor(1.))
        """
        return self._variance("var", dim, unbiased, keepdim, correction)

    @numpy_names
    def std(self, dim: Any = None, unbiased: Any = True, keepdim: Any = False, *, correction: Any = None) -> Tensor:
        """The standard deviation over axes of a floating-point tensor; arguments as for `var`.

        Example:
            >>> import graphnet as gn
            >>> gn.std(gn.tensor([[1.0, 2.0, 3.0], [0.0, 4.0, 8.0]]), dim=1)
            tensor([1., 4.])
        """
        variance = self._variance("std", dim, unbiased, keepdim, correction)
        none = apply("eq", variance, 0)  # the gradient is 0 there, as in PyTorch
        return apply("where", none, 0, apply("sqrt", apply("where", none, 1, variance)))

    def _variance(self, name: str, dim: Any, unbiased: Any, keepdim: Any, correction: Any) -> Tensor:
        if isinstance(dim, bool):  # x.var(False)
            dim, unbiased = None, dim
        if not self._dtype.is_floating_point:
            raise DTypeError(f"{name}: expects a floating-point tensor, got {self._dtype.name}; convert with .float()")
        axes = axes_of(name, dim, self.ndim)
        off = apply("sub", self, self._reduce("mean", axes, True))
        count: Any = product(self.shape[axis] for axis in axes)
        off_count = int(bool(unbiased)) if correction is None else correction
        if not isinstance(count, int) and off_count != int(off_count):
            raise TraceError(f"{name}: the open size {count} less {off_count} is no size; trace with a number")
        left = count - (off_count if isinstance(count, int) else int(off_count))
        if isinstance(left, (int, float)) and left <= 0:
            warnings.warn(
                f"{name}: {count} elements less a correction leave {left} to divide by", GraphnetWarning, stacklevel=4
            )
            left = 0
        return apply("div", apply("mul", off, off)._reduce("sum", axes, keepdim), left)

    @numpy_names
    def norm(self, p: Any = 2, dim: Any = None, keepdim: Any = False, dtype: Any = None) -> Tensor:
        """The length of vectors: the root of the sum of squares for p = 2 ("fro"), or for p = 1 and infinity.

        The gradient at 0 is 0.

        Raises:
            ArgumentError: another p.

        Example:
            >>> import graphnet as gn
            >>> gn.norm(gn.tensor([3.0, -4.0])), gn.norm(gn.tensor([3.0, -4.0]), p=1)
            (tensor(5.), tensor(7.))
        """
        x: Any = self if dtype is None else apply("cast", self, dtype=as_dtype(dtype))
        if not x._dtype.is_floating_point:
            raise DTypeError(f"norm: expects a floating-point tensor, got {x._dtype.name}; convert with .float()")
        if p == 1:
            return apply("abs", x).sum(dim, keepdim)
        if p == float("inf"):
            return apply("abs", x).amax(() if dim is None else dim, keepdim)
        if p not in (2, "fro"):
            raise ArgumentError(f"norm: p is 1, 2, 'fro' or infinity, got {p!r}")
        squares = apply("mul", x, x).sum(dim, keepdim)
        none = apply("eq", squares, 0)
        return apply("where", none, 0, apply("sqrt", apply("where", none, 1, squares)))

    @numpy_names
    def cumsum(self, dim: Any, *, dtype: Any = None) -> Tensor:
        """The sums of the elements up to each one along an axis; of integers and truth values as int64.

        Example:
            >>> import graphnet as gn
            >>> gn.cumsum(gn.tensor([1, 2, 3]), dim=0)
            tensor([1, 3, 6])
        """
        wanted = as_dtype(dtype) if dtype is not None else index_dtype(self._dtype)
        x: Any = self if wanted is self._dtype else apply("cast", self, dtype=wanted)
        axis = axis_of("cumsum", dim, self.ndim)
        return apply("cumsum", x, axis=axis, exclusive=False, reverse=False) if self.ndim else apply("copy", x)
