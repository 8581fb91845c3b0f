"""Methods that pick, order and limit elements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphnet.dtypes import bool_, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError
from graphnet.tensor.axes import axis_of
from graphnet.tensor.core import Base, apply, check_tensor
from graphnet.tensor.reductions import numpy_names
from graphnet.tensor.returns import sort as Sorted  # noqa: N812
from graphnet.tensor.returns import topk as TopK  # noqa: N812
from graphnet.whole import whole

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Selection"]


class Selection(Base):
    """Elements by their places, by their order, within limits."""

    __slots__ = ()

    @numpy_names
    def gather(self, dim: Any, index: Any) -> Tensor:
        """The elements whose place along an axis an index tells: out[i][j] = x[index[i][j]][j] for axis 0.

        Args:
            dim: the axis.
            index: int64 or int32, with as many axes as the tensor, along the others no larger than it. The result has
                its shape. Negative positions count from the end.

        Raises:
            DTypeError: an index that is not of integers.
            ShapeError: an index whose shape does not fit.
            IndexOutOfRangeError: a position that the axis does not have.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([[1, 2], [3, 4]]).gather(1, gn.tensor([[0], [1]]))
            tensor([[1],
                    [4]])
        """
        places = check_tensor("gather", index)
        if places._dtype.category != 1:
            raise DTypeError(f"gather: expects an index of integers, got {places._dtype.name}")
        axis = axis_of("gather", dim, self.ndim)
        if (self.ndim, places.ndim) == (0, 1):
            return apply("gather", apply("reshape", self, shape=(1,)), places.to(int64), axis=axis)
        if (self.ndim, places.ndim) == (1, 0):
            return apply("reshape", self.gather(axis, places.reshape(1)), shape=())
        return apply("gather", self, places.to(int64), axis=axis)

    def _ordered(self, what: str, dim: Any, descending: Any, count: Any = None) -> tuple[Any, Tensor]:
        axis = axis_of(what, dim, self.ndim)
        order = apply("argsort", self, axis=axis, descending=bool(descending), count=count)
        return apply("gather", self, order, axis=axis), order

    @numpy_names
    def sort(self, dim: Any = -1, descending: bool = False, *, stable: bool = False) -> Sorted:
        """The elements in order along an axis, and where they stood, as (values, indices).

        NaN counts as the largest. Equal elements always keep their order, with `stable` or without.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([3.0, 1.0, 2.0]).sort(descending=True)
            graphnet.return_types.sort(
            values=tensor([3., 2., 1.]),
            indices=tensor([0, 2, 1]))
        """
        return Sorted(*self._ordered("sort", dim, descending))

    @numpy_names
    def argsort(self, dim: Any = -1, descending: bool = False, *, stable: bool = False) -> Tensor:
        """Where the elements stand that are next in order along an axis.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([3.0, 1.0, 2.0]).argsort()
            tensor([1, 2, 0])
        """
        axis = axis_of("argsort", dim, self.ndim)
        return apply("argsort", self, axis=axis, descending=bool(descending), count=None)

    @numpy_names
    def topk(self, k: int, dim: Any = -1, largest: bool = True, sorted: bool = True) -> TopK:
        """The k largest (or smallest) elements along an axis and where they stand, as (values, indices), in order.

        Raises:
            ArgumentError: there are fewer than k elements.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([3.0, 1.0, 2.0]).topk(2).indices
            tensor([0, 2])
        """
        count, axis = whole("topk: k", k), axis_of("topk", dim, self.ndim)
        size = self.shape[axis] if self.ndim else 1
        if count < 0 or (isinstance(size, int) and count > size):
            raise ArgumentError(f"topk: {count} elements of axis {axis} with size {size}")
        if not self.ndim and not count:
            raise ArgumentError("topk: a 0-d tensor has one element")
        return TopK(*self._ordered("topk", axis, largest, count))

    def clamp(self, min: Any = None, max: Any = None) -> Tensor:
        """The elements, but none below `min` nor above `max`: numbers or tensors, which broadcast.

        The gradient is passed where min <= x <= max.

        Raises:
            ArgumentTypeError: neither limit is given.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([-1.0, 0.5, 2.0]).clamp(0, 1)
            tensor([0.0000, 0.5000, 1.0000])
        """
        if min is None and max is None:
            raise ArgumentTypeError("clamp: at least one of min and max is wanted")
        for limit in (self, min, max):
            if isinstance(limit, bool) or (isinstance(limit, Base) and limit._dtype is bool_):
                raise DTypeError("clamp: expects numbers, got truth values")
        result: Any = self
        if min is not None:
            result = apply("clamp_min", result, min)
        return result if max is None else apply("clamp_max", result, max)

    clip = clamp

    def clamp_min(self, min: Any) -> Tensor:
        """The elements, but none below `min`; see `clamp`.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([-1.0, 2.0]).clamp_min(0)
            tensor([0., 2.])
        """
        return self.clamp(min)

    def clamp_max(self, max: Any) -> Tensor:
        """The elements, but none above `max`; see `clamp`.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([-1.0, 2.0]).clamp_max(0)
            tensor([-1.,  0.])
        """
        return self.clamp(None, max)
