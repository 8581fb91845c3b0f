"""Methods that give the same elements another shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphnet.errors import ArgumentError, ShapeError
from graphnet.ir import Dim, product
from graphnet.tensor.axes import axes_of, axis_of, sizes_of
from graphnet.tensor.core import Base, apply

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Shaping"]

_WHOLE = (None, None, None)  # the slice that takes a whole axis


class Shaping(Base):
    """Views and other shapes of a tensor."""

    __slots__ = ()

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory in row-major order without gaps."""
        return bool(self._values().flags.c_contiguous)

    @property
    def T(self) -> Tensor:  # noqa: N802 - PyTorch's name
        """The tensor with its axes in reverse order."""
        return self.permute(*range(self.ndim - 1, -1, -1))

    @property
    def mT(self) -> Tensor:  # noqa: N802 - PyTorch's name
        """The tensor with its last two axes exchanged."""
        return self.transpose(-2, -1)

    def reshape(self, *shape: Any) -> Tensor:
        """The elements in another shape; one size may be -1. A view where the memory is contiguous."""
        return apply("reshape", self, shape=sizes_of("reshape", shape, open_sizes=True))

    def view(self, *shape: Any) -> Tensor:
        """The memory in another shape.

        Raises:
            ArgumentError: the memory is not contiguous; use reshape.
        """
        if self._tracer is None and not self.is_contiguous():
            raise ArgumentError("view: the tensor's memory is not contiguous; use reshape(...)")
        return self.reshape(*shape)

    def flatten(self, start_dim: Any = 0, end_dim: Any = -1) -> Tensor:
        """Several axes as one."""
        first, last = (axis_of("flatten", d, self.ndim) for d in (start_dim, end_dim))
        if first > last:
            raise ArgumentError(f"flatten: axis {first} comes after axis {last}")
        shape = tuple(self.shape)
        merged: Dim = product(shape[first : last + 1])
        return apply("reshape", self, shape=(*shape[:first], merged, *shape[last + 1 :]))

    def permute(self, *dims: Any) -> Tensor:
        """The axes in another order."""
        given = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
        axes = tuple(axis_of("permute", d, self.ndim) for d in given)
        if sorted(axes) != list(range(self.ndim)):
            raise ArgumentError(f"permute: {tuple(given)} is not an order of {self.ndim} axes")
        return apply("permute", self, axes=axes)

    def transpose(self, dim0: Any, dim1: Any) -> Tensor:
        """Two axes exchanged."""
        a, b = (axis_of("transpose", d, self.ndim) for d in (dim0, dim1))
        axes = list(range(self.ndim))
        if axes:
            axes[a], axes[b] = axes[b], axes[a]
        return apply("permute", self, axes=tuple(axes))

    def t(self) -> Tensor:
        """A matrix transposed."""
        if self.ndim > 2:
            raise ShapeError(f"t: expects at most two axes, got shape {tuple(self.shape)}", got=tuple(self.shape))
        return self.T

    def unsqueeze(self, dim: Any) -> Tensor:
        """A new axis of size 1."""
        axis = axis_of("unsqueeze", dim, self.ndim + 1)
        return apply("slice", self, index=(*[_WHOLE] * axis, None, *[_WHOLE] * (self.ndim - axis)))

    def squeeze(self, dim: Any = None) -> Tensor:
        """Without axes of size 1: all of them, or those named."""
        axes = axes_of("squeeze", dim, self.ndim)
        index = tuple(0 if axis in axes and d == 1 else _WHOLE for axis, d in enumerate(self.shape))
        return apply("slice", self, index=index)

    def expand(self, *sizes: Any) -> Tensor:
        """Axes of size 1 repeated to a size, as a view; -1 keeps an axis."""
        target, have = list(sizes_of("expand", sizes, open_sizes=True)), tuple(self.shape)
        lead = len(target) - len(have)
        for axis, dim in enumerate(target):
            if isinstance(dim, int) and dim == -1:
                if axis < lead:
                    raise ArgumentError("expand: -1 keeps an axis, but there is none yet at this place")
                target[axis] = have[axis - lead]
        return apply("expand", self, shape=tuple(target))
