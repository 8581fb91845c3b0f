"""Methods that give the same elements another shape."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from graphnet.errors import ArgumentError, IndexOutOfRangeError, ShapeError, TraceError
from graphnet.ir import Dim, product
from graphnet.tensor.axes import axes_of, axis_of, sizes_of
from graphnet.tensor.core import Base, apply
from graphnet.tensor.reductions import numpy_names
from graphnet.whole import whole

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Shaping"]

_WHOLE = (None, None, None)  # the slice that takes a whole axis


class Shaping(Base):
    """Views and other shapes of a tensor."""

    __slots__ = ()

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory in row-major order without gaps.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 3).is_contiguous(), gn.zeros(2, 3).T.is_contiguous()
            (True, False)
        """
        return bool(self._values().flags.c_contiguous)

    @property
    def T(self) -> Tensor:  # noqa: N802 - PyTorch's name
        """The tensor with its axes in reverse order.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([[1, 2], [3, 4]]).T
            tensor([[1, 3],
                    [2, 4]])
        """
        return self.permute(*range(self.ndim - 1, -1, -1))

    @property
    def mT(self) -> Tensor:  # noqa: N802 - PyTorch's name
        """The tensor with its last two axes exchanged.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(5, 2, 3).mT.shape
            graphnet.Size([5, 3, 2])
        """
        return self.transpose(-2, -1)

    def reshape(self, *shape: Any) -> Tensor:
        """The elements in another shape; one size may be -1. A view where the memory is contiguous.

        Example:
            >>> import graphnet as gn
            >>> gn.reshape(gn.arange(6), (2, -1))
            tensor([[0, 1, 2],
                    [3, 4, 5]])
        """
        return apply("reshape", self, shape=sizes_of("reshape", shape, open_sizes=True))

    def view(self, *shape: Any) -> Tensor:
        """The memory in another shape.

        Raises:
            ArgumentError: the memory is not contiguous; use reshape.

        Example:
            >>> import graphnet as gn
            >>> gn.arange(4).view(2, 2)
            tensor([[0, 1],
                    [2, 3]])
        """
        if self._tracer is None and not self.is_contiguous():
            raise ArgumentError("view: the tensor's memory is not contiguous; use reshape(...)")
        return self.reshape(*shape)

    def flatten(self, start_dim: Any = 0, end_dim: Any = -1) -> Tensor:
        """Several axes as one.

        Example:
            >>> import graphnet as gn
            >>> gn.flatten(gn.zeros(2, 3, 4), start_dim=1).shape
            graphnet.Size([2, 12])
        """
        first, last = (axis_of("flatten", d, self.ndim) for d in (start_dim, end_dim))
        if first > last:
            raise ArgumentError(f"flatten: axis {first} comes after axis {last}")
        shape = tuple(self.shape)
        merged: Dim = product(shape[first : last + 1])
        return apply("reshape", self, shape=(*shape[:first], merged, *shape[last + 1 :]))

    def permute(self, *dims: Any) -> Tensor:
        """The axes in another order.

        Example:
            >>> import graphnet as gn
            >>> gn.permute(gn.zeros(2, 3, 4), (2, 0, 1)).shape
            graphnet.Size([4, 2, 3])
        """
        given = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
        axes = tuple(axis_of("permute", d, self.ndim) for d in given)
        if sorted(axes) != list(range(self.ndim)):
            raise ArgumentError(f"permute: {tuple(given)} is not an order of {self.ndim} axes")
        return apply("permute", self, axes=axes)

    def transpose(self, dim0: Any, dim1: Any) -> Tensor:
        """Two axes exchanged.

        Example:
            >>> import graphnet as gn
            >>> gn.transpose(gn.tensor([[1, 2], [3, 4]]), 0, 1)
            tensor([[1, 3],
                    [2, 4]])
        """
        a, b = (axis_of("transpose", d, self.ndim) for d in (dim0, dim1))
        axes = list(range(self.ndim))
        if axes:
            axes[a], axes[b] = axes[b], axes[a]
        return apply("permute", self, axes=tuple(axes))

    swapaxes = swapdims = transpose

    def t(self) -> Tensor:
        """A matrix transposed.

        Example:
            >>> import graphnet as gn
            >>> gn.t(gn.zeros(2, 3)).shape
            graphnet.Size([3, 2])
        """
        if self.ndim > 2:
            raise ShapeError(f"t: expects at most two axes, got shape {tuple(self.shape)}", got=tuple(self.shape))
        return self.T

    @numpy_names
    def unsqueeze(self, dim: Any) -> Tensor:
        """A new axis of size 1.

        Example:
            >>> import graphnet as gn
            >>> gn.unsqueeze(gn.zeros(3), 0).shape
            graphnet.Size([1, 3])
        """
        axis = axis_of("unsqueeze", dim, self.ndim + 1)
        return apply("slice", self, index=(*[_WHOLE] * axis, None, *[_WHOLE] * (self.ndim - axis)))

    @numpy_names
    def squeeze(self, dim: Any = None) -> Tensor:
        """Without axes of size 1: all of them, or those named.

        Example:
            >>> import graphnet as gn
            >>> gn.squeeze(gn.zeros(1, 3, 1)).shape
            graphnet.Size([3])
        """
        axes = axes_of("squeeze", dim, self.ndim)
        index = tuple(0 if axis in axes and d == 1 else _WHOLE for axis, d in enumerate(self.shape))
        return apply("slice", self, index=index)

    def expand(self, *sizes: Any) -> Tensor:
        """Axes of size 1 repeated to a size, as a view; -1 keeps an axis.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([[1], [2]]).expand(-1, 3)
            tensor([[1, 1, 1],
                    [2, 2, 2]])
        """
        target, have = list(sizes_of("expand", sizes, open_sizes=True)), tuple(self.shape)
        lead = len(target) - len(have)
        for axis, dim in enumerate(target):
            if isinstance(dim, int) and dim == -1:
                if axis < lead:
                    raise ArgumentError("expand: -1 keeps an axis, but there is none yet at this place")
                target[axis] = have[axis - lead]
        return apply("expand", self, shape=tuple(target))

    def expand_as(self, other: Any) -> Tensor:
        """Expanded to another tensor's shape.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([1, 2]).expand_as(gn.zeros(2, 2))
            tensor([[1, 2],
                    [1, 2]])
        """
        return self.expand(*other.shape)

    def view_as(self, other: Any) -> Tensor:
        """Viewed in another tensor's shape.

        Example:
            >>> import graphnet as gn
            >>> gn.arange(4).view_as(gn.zeros(2, 2)).shape
            graphnet.Size([2, 2])
        """
        return self.view(*other.shape)

    def reshape_as(self, other: Any) -> Tensor:
        """In another tensor's shape.

        Example:
            >>> import graphnet as gn
            >>> gn.arange(4).reshape_as(gn.zeros(2, 2)).shape
            graphnet.Size([2, 2])
        """
        return self.reshape(*other.shape)

    def ravel(self) -> Tensor:
        """All axes as one; a view where the memory is contiguous.

        Example:
            >>> import graphnet as gn
            >>> gn.ravel(gn.tensor([[1, 2], [3, 4]]))
            tensor([1, 2, 3, 4])
        """
        return self.reshape(self.shape.numel())

    def repeat(self, *repeats: Any) -> Tensor:
        """The tensor several times along each axis, copied; more numbers than axes make new axes in front.

        Raises:
            ArgumentError: fewer numbers than axes, or one below 0.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([1, 2]).repeat(2, 2)
            tensor([[1, 2, 1, 2],
                    [1, 2, 1, 2]])
        """
        counts = sizes_of("repeat", repeats)
        lead = len(counts) - self.ndim
        if lead < 0:
            raise ArgumentError(f"repeat: {len(counts)} numbers for a tensor with {self.ndim} axes")
        sizes = (*[1] * lead, *self.shape)
        single = tuple(size for pair in zip([1] * len(sizes), sizes) for size in pair)
        spread = tuple(size for pair in zip(counts, sizes) for size in pair)
        result = apply("expand", apply("reshape", self, shape=single), shape=spread)
        return apply("reshape", apply("copy", result), shape=tuple(n * d for n, d in zip(counts, sizes)))

    @numpy_names
    def split(self, split_size: Any, dim: Any = 0) -> tuple[Tensor, ...]:
        """Parts of an axis, as views: each of a size, the last of what is left; or of the sizes in a list.

        Raises:
            ArgumentError: sizes that do not add up to the axis.

        Example:
            >>> import graphnet as gn
            >>> gn.split(gn.arange(5), 2)
            (tensor([0, 1]), tensor([2, 3]), tensor([4]))
        """
        axis = self._split_axis("split", dim)
        size = self.shape[axis]
        if isinstance(split_size, (tuple, list)):
            sizes = sizes_of("split", (split_size,))
            known = isinstance(size, int) and all(isinstance(n, int) for n in sizes)
            if known and sum(sizes) != size:
                raise ArgumentError(f"split: the sizes {tuple(sizes)} do not add up to {size}, the size of axis {axis}")
            return self._parts(axis, sizes)
        step = whole("split: a size", split_size)
        total = self._known_size("split", axis)
        if step < 0 or (step == 0 and total):
            raise ArgumentError(f"split: parts of {step} elements do not make up {total}")
        count = -(-total // step) if total else 1
        return self._parts(axis, [min(step, total - i * step) for i in range(count)] if total else [0])

    @numpy_names
    def chunk(self, chunks: Any, dim: Any = 0) -> tuple[Tensor, ...]:
        """At most so many parts of an axis, as views, of one size but for the last.

        Raises:
            ArgumentError: fewer than one part.

        Example:
            >>> import graphnet as gn
            >>> gn.chunk(gn.arange(5), 3)
            (tensor([0, 1]), tensor([2, 3]), tensor([4]))
        """
        axis, number = self._split_axis("chunk", dim), whole("chunk: a number of parts", chunks)
        if number < 1:
            raise ArgumentError(f"chunk: expects at least one part, got {number}")
        total = self._known_size("chunk", axis)
        if not total:
            return self._parts(axis, [0] * number)
        return self.split(-(-total // number), axis)

    @numpy_names
    def unbind(self, dim: Any = 0) -> tuple[Tensor, ...]:
        """The parts of an axis one by one, without it.

        Example:
            >>> import graphnet as gn
            >>> gn.unbind(gn.tensor([[1, 2], [3, 4]]))
            (tensor([1, 2]), tensor([3, 4]))
        """
        axis = self._split_axis("unbind", dim)
        return tuple(self.select(axis, i) for i in range(self._known_size("unbind", axis)))

    @numpy_names
    def select(self, dim: Any, index: Any) -> Tensor:
        """One place of an axis, without it.

        Example:
            >>> import graphnet as gn
            >>> gn.select(gn.tensor([[1, 2], [3, 4]]), 1, 0)
            tensor([1, 3])
        """
        axis = self._split_axis("select", dim)
        entries: list[Any] = [slice(None)] * axis
        at = (*entries, index)
        return self[at]  # type: ignore[index,no-any-return]

    @numpy_names
    def narrow(self, dim: Any, start: Any, length: Any) -> Tensor:
        """`length` places of an axis from `start` on, as a view.

        Raises:
            IndexOutOfRangeError: the axis does not have them.

        Example:
            >>> import graphnet as gn
            >>> gn.narrow(gn.arange(5), 0, 1, 3)
            tensor([1, 2, 3])
        """
        axis, first, count = self._split_axis("narrow", dim), whole("narrow: start", start), whole("narrow", length)
        size = self.shape[axis]
        if first < 0 and isinstance(size, int):
            first += size
        if first < 0 or count < 0 or (isinstance(size, int) and first + count > size):
            raise IndexOutOfRangeError(f"narrow: {count} places from {start} on of an axis of size {size}")
        index = ((first, first + count, None) if a == axis else _WHOLE for a in range(self.ndim))
        return apply("slice", self, index=tuple(index))

    def _split_axis(self, what: str, dim: Any) -> int:
        if not self.ndim:
            raise ArgumentError(f"{what}: expects at least one axis, got a 0-d tensor")
        return axis_of(what, dim, self.ndim)

    def _known_size(self, what: str, axis: int) -> int:
        size = self.shape[axis]
        if not isinstance(size, int):
            raise TraceError(
                f"{what}: how many parts there are depends on the size {size} of axis {axis}, which is open; give "
                "sizes for the parts, or trace with a number"
            )
        return size

    def _parts(self, axis: int, sizes: Sequence[Any]) -> tuple[Tensor, ...]:
        parts, start = [], cast("Dim", 0)
        for size in sizes:
            index = ((start, start + size, None) if a == axis else _WHOLE for a in range(self.ndim))
            parts.append(apply("slice", self, index=tuple(index)))
            start = start + size
        return tuple(parts)
