"""Embeddings."""

from __future__ import annotations

from typing import Any

from graphnet.device import check_device
from graphnet.errors import ArgumentError, IndexOutOfRangeError, ShapeError
from graphnet.ir import render_shape
from graphnet.nn import functional
from graphnet.nn.making import Normal, float_type, made
from graphnet.nn.module import Module
from graphnet.nn.parameter import Parameter
from graphnet.nn.registry import begin
from graphnet.tensor.axes import sizes_of
from graphnet.tensor.core import check_tensor
from graphnet.whole import whole

__all__ = ["Embedding"]


class Embedding(Module):
    """A table that is learnt, looked up at whole numbers, as torch.nn.Embedding.

    Shapes: whole numbers (*), table (num_embeddings, embedding_dim), result (*, embedding_dim).

    Args:
        num_embeddings: how many entries the table has.
        embedding_dim: the size of each.
        padding_idx: an entry that starts at 0 and gets no gradient; negative ones count from the end.
        max_norm: entries used that are longer are shortened to it first, in the table.
        norm_type: of which norm that is.
        scale_grad_by_freq: divide an entry's gradient by how often it comes in the input.
        sparse: taken for PyTorch's sake; gradients are dense here.
        device: "cpu" or None.
        dtype: float32 or float64.

    Raises:
        ArgumentError, ArgumentTypeError: a size that is negative, or not a whole number.
        IndexOutOfRangeError: padding_idx names no entry.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Embedding(10, 3)(gn.tensor([[1, 2], [4, 5]])).shape
        graphnet.Size([2, 2, 3])
    """

    weight: Parameter

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Any = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_device(device)
        sizes = sizes_of("Embedding(num_embeddings, embedding_dim)", ((num_embeddings, embedding_dim),))
        if padding_idx is not None:
            padding_idx = whole("Embedding: padding_idx", padding_idx)
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise IndexOutOfRangeError(
                    f"Embedding: padding_idx {padding_idx} is out of range for {num_embeddings} entries"
                )
            padding_idx %= num_embeddings
        settings: dict[str, Any] = {"num_embeddings": sizes[0], "embedding_dim": sizes[1], "padding_idx": padding_idx}
        settings.update(max_norm=max_norm, norm_type=norm_type, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)
        if _weight is not None:
            if tuple(_weight.shape) != sizes:
                raise ShapeError(
                    f"Embedding: expects a table of shape {render_shape(sizes)}, got {render_shape(_weight.shape)}"
                )
            begin(self, settings, {"weight": Parameter(_weight, requires_grad=not _freeze)})
            return
        begin(self, settings, {"weight": made(Parameter, sizes, float_type(dtype), Normal(), self)})
        self._clear_padding()
        if _freeze:
            self.weight.requires_grad_(False)

    def reset_parameters(self) -> None:
        """Draw the entries again."""
        self.weight.data.normal_()
        self._clear_padding()

    def _clear_padding(self) -> None:
        if self.padding_idx is not None:
            self.weight.data[self.padding_idx] = 0

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Any,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """An embedding over a given table, whose memory it shares; not trained unless freeze=False.

        Raises:
            ShapeError: not a matrix.

        Example:
            >>> import graphnet as gn
            >>> gn.nn.Embedding.from_pretrained(gn.tensor([[1.0, 2.0], [3.0, 4.0]]))(gn.tensor([1]))
            tensor([[3., 4.]])
        """
        table = check_tensor("from_pretrained", embeddings)
        if table.ndim != 2:
            raise ShapeError(f"from_pretrained: expects a matrix, got shape {render_shape(table.shape)}")
        if not table.dtype.is_floating_point:
            raise ArgumentError(f"from_pretrained: expects a floating-point table, got {table.dtype.name}")
        entries, size = table.shape
        settings = (padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
        return cls(entries, size, *settings, table, freeze)

    def forward(self, input: Any) -> Any:
        """The entries at these numbers."""
        settings = (self.padding_idx, self.max_norm, self.norm_type, self.scale_grad_by_freq, self.sparse)
        return functional.embedding(input, self.weight, *settings)

    def extra_repr(self) -> str:
        """The sizes, and the settings that are not the defaults."""
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        if self.max_norm is not None:
            parts.append(f"max_norm={self.max_norm}")
        if self.norm_type != 2:
            parts.append(f"norm_type={self.norm_type}")
        if self.scale_grad_by_freq:
            parts.append(f"scale_grad_by_freq={self.scale_grad_by_freq}")
        if self.sparse:
            parts.append("sparse=True")
        return ", ".join(parts)
