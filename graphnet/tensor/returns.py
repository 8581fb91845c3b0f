"""What functions with two results give: named tuples that print as PyTorch's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["max", "min", "sort", "topk"]


def _shown(self: Any) -> str:
    values, indices = self
    return f"graphnet.return_types.{type(self).__name__}(\nvalues={values!r},\nindices={indices!r})"


class max(NamedTuple):  # noqa: N801 - PyTorch's name
    """The largest elements along an axis, and where they stand."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        return _shown(self)


class min(NamedTuple):  # noqa: N801 - PyTorch's name
    """The smallest elements along an axis, and where they stand."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        return _shown(self)


class sort(NamedTuple):  # noqa: N801 - PyTorch's name
    """The elements in order, and where they stood."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        return _shown(self)


class topk(NamedTuple):  # noqa: N801 - PyTorch's name
    """The first elements in order, and where they stood."""

    values: Tensor
    indices: Tensor

    def __repr__(self) -> str:
        return _shown(self)
