"""Activations as modules."""

from __future__ import annotations

from typing import Any

from graphnet.nn import functional
from graphnet.nn.module import Module

__all__ = ["Flatten", "LogSoftmax", "ReLU", "Sigmoid", "Softmax", "Tanh"]


class ReLU(Module):
    """max(x, 0), element by element."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def forward(self, input: Any) -> Any:
        """max(x, 0); with `inplace`, written over the input as the in-place operators do."""
        result = functional.relu(input)
        return input._overwrite(result) if self.inplace else result

    def extra_repr(self) -> str:
        """The setting that is not the default."""
        return "inplace=True" if self.inplace else ""


class Sigmoid(Module):
    """1 / (1 + exp(-x)), element by element."""

    def forward(self, input: Any) -> Any:
        """1 / (1 + exp(-x))."""
        return functional.sigmoid(input)


class Tanh(Module):
    """tanh(x), element by element."""

    def forward(self, input: Any) -> Any:
        """tanh(x)."""
        return functional.tanh(input)


class _AlongAxis(Module):
    def __init__(self, dim: int = -1) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along an axis."""

    def forward(self, input: Any) -> Any:
        """exp(x) / sum(exp(x))."""
        return functional.softmax(input, self.dim)


class LogSoftmax(_AlongAxis):
    """The logarithm of softmax along an axis."""

    def forward(self, input: Any) -> Any:
        """log(softmax(x))."""
        return functional.log_softmax(input, self.dim)


class Flatten(Module):
    """Several axes as one; by default all but the first."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, input: Any) -> Any:
        """The elements in fewer axes."""
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        """The axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"
