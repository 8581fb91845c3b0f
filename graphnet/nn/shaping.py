"""Modules that give the elements another shape."""

from __future__ import annotations

from typing import Any

from graphnet.errors import ArgumentError, ShapeError
from graphnet.ir import render_shape
from graphnet.nn.module import Module
from graphnet.nn.registry import begin
from graphnet.tensor.axes import axis_of, sizes_of
from graphnet.tensor.core import check_tensor
from graphnet.whole import whole

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Several axes as one; by default all but the first.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Flatten()(gn.ones(5, 2, 3)).shape
        graphnet.Size([5, 6])
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        begin(self, {"start_dim": start_dim, "end_dim": end_dim})

    def forward(self, input: Any) -> Any:
        """The elements in fewer axes."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """One axis as several.

    Args:
        dim: the axis.
        unflattened_size: the sizes of the axes that it becomes; one of them may be -1.

    Raises:
        ShapeError: the sizes do not multiply to the axis' size.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Unflatten(1, (2, -1))(gn.ones(5, 6)).shape
        graphnet.Size([5, 2, 3])
    """

    def __init__(self, dim: int, unflattened_size: Any) -> None:
        super().__init__()
        self.dim = whole("Unflatten: dim", dim)
        self.unflattened_size = tuple(sizes_of("Unflatten: unflattened_size", (unflattened_size,), open_sizes=True))
        if not self.unflattened_size:
            raise ArgumentError("Unflatten: unflattened_size has at least one size")

    def forward(self, input: Any) -> Any:
        """The elements in more axes."""
        x = check_tensor("Unflatten", input)
        axis = axis_of("Unflatten", self.dim, x.ndim)
        sizes: Any = self.unflattened_size
        shape = tuple(x.shape)
        if all(isinstance(size, int) for size in shape) and not _fits(shape[axis], sizes):
            raise ShapeError(
                f"Unflatten: axis {axis} of {render_shape(shape)} has size {shape[axis]}, which is not {sizes}",
                expected=sizes,
                got=shape[axis],
                operand=0,
            )
        return x.reshape(*shape[:axis], *sizes, *shape[axis + 1 :])

    def extra_repr(self) -> str:
        """The axis and its sizes."""
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"


def _fits(size: int, sizes: tuple[int, ...]) -> bool:
    known = 1
    for part in sizes:
        known *= 1 if part == -1 else part
    return size % known == 0 if -1 in sizes and known else size == known
