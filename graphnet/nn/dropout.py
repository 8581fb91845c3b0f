"""Dropout."""

from __future__ import annotations

from typing import Any

from graphnet.nn import functional
from graphnet.nn.functional.layers import probability
from graphnet.nn.module import Module
from graphnet.nn.registry import begin

__all__ = ["Dropout"]


class Dropout(Module):
    """In training, elements are set to 0 with probability p and the others multiplied by 1 / (1 - p).

    A new mask is drawn at every call, in a traced or compiled network at every run. In evaluation mode the input is
    passed on.

    Args:
        p: the probability, from 0 to 1.
        inplace: whether it is written over the input.

    Raises:
        ArgumentError: p is not from 0 to 1.

    Example:
        >>> import graphnet as gn
        >>> layer = gn.nn.Dropout(0.5)
        >>> set(layer(gn.ones(100)).tolist()) == {0.0, 2.0}, layer.eval()(gn.ones(2))
        (True, tensor([1., 1.]))
    """

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        probability("Dropout", p)
        begin(self, {"p": p, "inplace": inplace})

    def forward(self, input: Any) -> Any:
        """What is kept, scaled."""
        return functional.dropout(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """The settings."""
        return f"p={self.p}, inplace={self.inplace}"
