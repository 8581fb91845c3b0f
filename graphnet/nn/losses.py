"""Losses as modules: each has the arguments of the function that it calls, input and target apart."""

from __future__ import annotations

from typing import Any

from graphnet.errors import ArgumentError
from graphnet.nn import functional
from graphnet.nn.functional.activations import number
from graphnet.nn.functional.losses import reduction_of
from graphnet.nn.module import Module
from graphnet.tensor.core import check_tensor

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CrossEntropyLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "MSELoss",
    "NLLLoss",
    "SmoothL1Loss",
]


class _Loss(Module):
    """A loss with a reduction; `size_average` and `reduce` are old names for it."""

    reduction: str

    def __init__(self, size_average: Any = None, reduce: Any = None, reduction: str = "mean") -> None:
        super().__init__()
        self.reduction = reduction_of(reduction, size_average, reduce)


class _WeightedLoss(_Loss):
    """A loss with weights, which are a buffer."""

    weight: Any

    def __init__(
        self, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", None if weight is None else check_tensor("weight", weight))


class MSELoss(_Loss):
    """The mean of (input - target)², as `graphnet.nn.functional.mse_loss`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.MSELoss()(gn.tensor([1.0, 2.0]), gn.tensor([1.0, 4.0]))
        tensor(2.)
    """

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """The mean of |input - target|, as `graphnet.nn.functional.l1_loss`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.L1Loss(reduction="sum")(gn.tensor([1.0, 2.0]), gn.tensor([1.0, 4.0]))
        tensor(2.)
    """

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """A square up to beta, and linear beyond, as `graphnet.nn.functional.smooth_l1_loss`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.SmoothL1Loss(reduction="none")(gn.tensor([0.5, 3.0]), gn.zeros(2))
        tensor([0.1250, 2.5000])
    """

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean", beta: float = 1.0
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if number("SmoothL1Loss: beta", beta) < 0:
            raise ArgumentError(f"SmoothL1Loss: beta is 0 or more, got {beta}")
        self.beta = beta

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Half a square up to delta, and linear beyond, as `graphnet.nn.functional.huber_loss`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.HuberLoss(reduction="none", delta=2.0)(gn.tensor([0.5, 3.0]), gn.zeros(2))
        tensor([0.1250, 4.0000])
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        if not number("HuberLoss: delta", delta) > 0:
            raise ArgumentError(f"HuberLoss: delta is positive, got {delta}")
        self.delta = delta

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.huber_loss(input, target, self.reduction, self.delta)


class CrossEntropyLoss(_WeightedLoss):
    """The cross entropy of softmax(input) and the target, as `graphnet.nn.functional.cross_entropy`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.CrossEntropyLoss()(gn.zeros(2, 4), gn.tensor([1, 3]))
        tensor(1.3863)
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if not 0 <= number("CrossEntropyLoss: label_smoothing", label_smoothing) <= 1:
            raise ArgumentError(f"label_smoothing is between 0 and 1, got {label_smoothing}")
        self.ignore_index, self.label_smoothing = ignore_index, label_smoothing

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.cross_entropy(
            input,
            target,
            self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """The negative logarithm of the target's probability, as `graphnet.nn.functional.nll_loss`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.NLLLoss()(gn.tensor([[-0.5, -1.0]]), gn.tensor([1]))
        tensor(1.)
    """

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.nll_loss(input, target, self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """The binary cross entropy of probabilities, as `graphnet.nn.functional.binary_cross_entropy`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.BCELoss()(gn.tensor([0.5, 0.5]), gn.tensor([0.0, 1.0]))
        tensor(0.6931)
    """

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.binary_cross_entropy(input, target, self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """The binary cross entropy of sigmoid(input), as `graphnet.nn.functional.binary_cross_entropy_with_logits`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.BCEWithLogitsLoss()(gn.zeros(2), gn.tensor([0.0, 1.0]))
        tensor(0.6931)
    """

    pos_weight: Any

    def __init__(
        self,
        weight: Any = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Any = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", None if pos_weight is None else check_tensor("pos_weight", pos_weight))

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.binary_cross_entropy_with_logits(
            input, target, self.weight, reduction=self.reduction, pos_weight=self.pos_weight
        )


class KLDivLoss(_Loss):
    """The divergence of a distribution from one given by logarithms, as `graphnet.nn.functional.kl_div`.

    Example:
        >>> import graphnet as gn
        >>> x, t = gn.log(gn.tensor([[0.5, 0.5]])), gn.tensor([[0.25, 0.75]])
        >>> gn.nn.KLDivLoss(reduction="batchmean")(x, t)
        tensor(0.1308)
    """

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean", log_target: bool = False
    ) -> None:
        Module.__init__(self)
        self.reduction = reduction_of(reduction, size_average, reduce, more=("batchmean",))
        self.log_target = log_target

    def forward(self, input: Any, target: Any) -> Any:
        """The loss."""
        return functional.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
