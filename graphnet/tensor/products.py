"""Methods that multiply matrices and vectors, and softmax."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, SupportsIndex

from graphnet.dtypes import as_dtype
from graphnet.errors import ShapeError
from graphnet.tensor.axes import axis_of
from graphnet.tensor.core import Base, apply, check_tensor
from graphnet.tensor.operators import matmul
from graphnet.tensor.reductions import numpy_names

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Products"]


class Products(Base):
    """Products of matrices and vectors; softmax along an axis."""

    __slots__ = ()

    def matmul(self, other: Any) -> Tensor:
        """The matrix product: vectors are rows or columns, leading axes are batched and broadcast.

        Args:
            other: (n,), (n, p) or (*, n, p); the tensor is (n,), (m, n) or (*, m, n).

        Raises:
            ShapeError: the inner sizes differ, or the leading axes do not broadcast.

        Example:
            >>> import graphnet as gn
            >>> gn.matmul(gn.ones(2, 3), gn.ones(3))
            tensor([3., 3.])
        """
        return matmul(self, check_tensor("matmul", other))

    def _product(self, what: str, other: Any, rank: int, other_rank: int) -> Tensor:
        """A product of tensors with so many axes."""
        right = check_tensor(what, other)
        for tensor, wanted, name in ((self, rank, "input"), (right, other_rank, "other")):
            if tensor.ndim != wanted:
                kind = {1: "a vector (n,)", 2: "a matrix (m, n)", 3: "a batch of matrices (b, m, n)"}[wanted]
                raise ShapeError(
                    f"{what}: expects {kind} as {name}, got shape {tuple(tensor.shape)}; matmul takes any",
                    expected=wanted,
                    got=tuple(tensor.shape),
                )
        if rank == 3 and self.shape[0] != right.shape[0]:
            raise ShapeError(
                f"{what}: batches of {self.shape[0]} and {right.shape[0]} matrices", expected=self.shape[0],
                got=right.shape[0],
            )  # fmt: skip
        return matmul(self, right)

    def mm(self, mat2: Any) -> Tensor:
        """The product of two matrices.

        Raises:
            ShapeError: not two matrices, or their inner sizes differ.

        Example:
            >>> import graphnet as gn
            >>> gn.mm(gn.ones(2, 3), gn.ones(3, 1))
            tensor([[3.],
                    [3.]])
        """
        return self._product("mm", mat2, 2, 2)

    def bmm(self, mat2: Any) -> Tensor:
        """The products of two batches of matrices, (b, m, n) and (b, n, p), one by one.

        Raises:
            ShapeError: not two batches of one length, or their inner sizes differ.

        Example:
            >>> import graphnet as gn
            >>> gn.bmm(gn.ones(4, 2, 3), gn.ones(4, 3, 5)).shape
            graphnet.Size([4, 2, 5])
        """
        return self._product("bmm", mat2, 3, 3)

    def mv(self, vec: Any) -> Tensor:
        """The product of a matrix and a vector.

        Example:
            >>> import graphnet as gn
            >>> gn.mv(gn.ones(2, 3), gn.ones(3))
            tensor([3., 3.])
        """
        return self._product("mv", vec, 2, 1)

    def dot(self, other: Any) -> Tensor:
        """The product of two vectors.

        Example:
            >>> import graphnet as gn
            >>> gn.dot(gn.tensor([1.0, 2.0]), gn.tensor([3.0, 4.0]))
            tensor(11.)
        """
        return self._product("dot", other, 1, 1)

    @numpy_names
    def softmax(self, dim: SupportsIndex, dtype: Any = None) -> Tensor:
        """exp(x) / sum(exp(x)) along an axis, computed in another dtype where one is given.

        Example:
            >>> import graphnet as gn
            >>> gn.softmax(gn.tensor([0.0, 0.0]), dim=0)
            tensor([0.5000, 0.5000])
        """
        return self._along("softmax", dim, dtype)

    @numpy_names
    def log_softmax(self, dim: SupportsIndex, dtype: Any = None) -> Tensor:
        """The logarithm of softmax, computed stably.

        Example:
            >>> import graphnet as gn
            >>> gn.log_softmax(gn.tensor([0.0, 0.0]), dim=0)
            tensor([-0.6931, -0.6931])
        """
        return self._along("log_softmax", dim, dtype)

    def _along(self, name: str, dim: SupportsIndex, dtype: Any) -> Tensor:
        x: Any = self if dtype is None else apply("cast", self, dtype=as_dtype(dtype))
        last, axis = self.ndim - 1, axis_of(name, dim, self.ndim)
        if not self.ndim:
            return apply(name, x.reshape(1)).reshape(())
        if axis == last:
            return apply(name, x)
        return apply(name, x.transpose(axis, last)).transpose(axis, last)
