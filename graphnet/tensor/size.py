"""The type of `tensor.shape`."""

from __future__ import annotations

from typing import Any

from graphnet.ir import Dim, product

__all__ = ["Size"]


class Size(tuple[Any, ...]):
    """A shape: a tuple of sizes that prints as PyTorch's. Sizes not known yet are symbols.

    Example:
        >>> import graphnet as gn
        >>> gn.zeros(2, 3).shape
        graphnet.Size([2, 3])
        >>> gn.zeros(2, 3).shape.numel()
        6
    """

    __slots__ = ()

    def numel(self) -> Dim:
        """The number of elements."""
        return product(self)

    def __repr__(self) -> str:
        return f"graphnet.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index: Any) -> Any:
        found = super().__getitem__(index)
        return Size(found) if isinstance(index, slice) else found

    def __add__(self, other: Any) -> Any:
        return Size(super().__add__(tuple(other)))

    def __radd__(self, other: Any) -> Any:
        return Size((*other, *self))

    def __mul__(self, number: Any) -> Any:
        return Size(super().__mul__(number))

    __rmul__ = __mul__
