"""Losses as modules."""

from __future__ import annotations

from typing import Any

from graphnet.nn import functional
from graphnet.nn.module import Module
from graphnet.tensor.core import check_tensor

__all__ = ["CrossEntropyLoss", "MSELoss"]


class MSELoss(Module):
    """The mean of (input - target)², as `graphnet.nn.functional.mse_loss`."""

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__()
        functional.check_reduction(reduction)
        self.reduction = reduction

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.mse_loss(input, target, self.reduction)


class CrossEntropyLoss(Module):
    """The cross entropy of softmax(input) and the target, as `graphnet.nn.functional.cross_entropy`."""

    def __init__(
        self,
        weight: Any = None,
        ignore_index: int = -100,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        functional.check_reduction(reduction)
        self.register_buffer("weight", None if weight is None else check_tensor("weight", weight))
        self.ignore_index, self.reduction, self.label_smoothing = ignore_index, reduction, label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.cross_entropy(
            input, target, self.weight, self.ignore_index, self.reduction, self.label_smoothing
        )
