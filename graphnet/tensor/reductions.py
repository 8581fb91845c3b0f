"""Methods that reduce over axes. `dim` is one axis, several, or None for all; `keepdim` leaves them with size 1.

NumPy's names, `axis` and `keepdims`, are taken too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from graphnet.dtypes import as_dtype, bool_, float32
from graphnet.errors import ArgumentTypeError
from graphnet.ir import product
from graphnet.ops.table import index_dtype
from graphnet.tensor.axes import axes_of, axis_of
from graphnet.tensor.core import Base, apply

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Reductions", "numpy_names"]


class Extremum(NamedTuple):
    """What max and min along an axis give."""

    values: Tensor
    indices: Tensor


F = TypeVar("F", bound=Callable[..., Any])


def numpy_names(method: F) -> F:
    """Let a method take NumPy's `axis` and `keepdims` for `dim` and `keepdim`, as PyTorch's do."""

    @functools.wraps(method)
    def renamed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
                if theirs in kwargs:
                    if ours in kwargs:
                        raise ArgumentTypeError(f"{method.__name__}: {ours} and {theirs} are the same; give one")
                    kwargs[ours] = kwargs.pop(theirs)
        return method(self, *args, **kwargs)

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
        """The sum over one axis, several, or all; of integers and truth values as int64."""
        wanted = as_dtype(dtype) if dtype is not None else index_dtype(self._dtype)
        return self._reduce("sum", dim, keepdim, wanted)

    @numpy_names
    def mean(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """The mean over one axis, several, or all, of a floating-point tensor."""
        return self._reduce("mean", dim, keepdim)

    @numpy_names
    def prod(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """The product over one axis, several, or all."""
        return self._reduce("prod", dim, keepdim, index_dtype(self._dtype))

    @numpy_names
    def max(self, dim: Any = None, keepdim: Any = False) -> Any:
        """The largest element; or the largest along an axis, as (values, indices).

        Gradients of the former are shared evenly by all that are largest, those of the latter flow to the first.
        """
        return self._extremum("max", dim, keepdim)

    @numpy_names
    def min(self, dim: Any = None, keepdim: Any = False) -> Any:
        """The smallest element; or the smallest along an axis, as (values, indices)."""
        return self._extremum("min", dim, keepdim)

    def _extremum(self, name: str, dim: Any, keepdim: Any) -> Any:
        if dim is None:
            return self._reduce(name, None, False)
        axes = (axis_of(name, dim, self.ndim),) if self.ndim else ()
        values = apply(name, self, axes=axes, keepdims=bool(keepdim), first=True)
        return Extremum(values, self._arg(f"arg{name}", dim, keepdim))

    @numpy_names
    def amax(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """The largest elements along axes."""
        return self._reduce("max", dim, keepdim)

    @numpy_names
    def amin(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """The smallest elements along axes."""
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
        """Whether any element is true."""
        return self._reduce("any", dim, keepdim, bool_)

    @numpy_names
    def all(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """Whether all elements are true."""
        return self._reduce("all", dim, keepdim, bool_)

    @numpy_names
    def argmax(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """The position of the first largest element along an axis, or in the flattened tensor."""
        return self._arg("argmax", dim, keepdim)

    @numpy_names
    def argmin(self, dim: Any = None, keepdim: Any = False) -> Tensor:
        """The position of the first smallest element along an axis, or in the flattened tensor."""
        return self._arg("argmin", dim, keepdim)

    def _arg(self, name: str, dim: Any, keepdim: Any) -> Tensor:
        if dim is None or not self.ndim:
            flat = apply("reshape", self, shape=(-1,))
            return flat._reduce(name, 0, False)
        return self._reduce(name, axis_of(name, dim, self.ndim), keepdim)

    @numpy_names
    def var(self, dim: Any = None, *, correction: Any = 1, keepdim: Any = False) -> Tensor:
        """The variance over axes, with `correction` taken off the count (1: unbiased)."""
        axes = axes_of("var", dim, self.ndim)
        off = apply("sub", self, self._reduce("mean", axes, True))
        count = product(self.shape[axis] for axis in axes)
        return apply("div", apply("mul", off, off)._reduce("sum", axes, keepdim), count - correction)

    @numpy_names
    def std(self, dim: Any = None, *, correction: Any = 1, keepdim: Any = False) -> Tensor:
        """The standard deviation over axes, with `correction` taken off the count (1: unbiased)."""
        return apply("sqrt", self.var(dim, correction=correction, keepdim=keepdim))
