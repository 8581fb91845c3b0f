"""Schedules of the learning rate, as torch.optim.lr_scheduler.

A scheduler's `step()` is called after the optimizer's, mostly once per epoch, and sets `lr` of every parameter group.
The rates are computed from those before, so schedulers of one optimizer may be chained.
"""

from graphnet.optim.lr_scheduler.factors import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    StepLR,
)
from graphnet.optim.lr_scheduler.plateau import ReduceLROnPlateau
from graphnet.optim.lr_scheduler.scheduler import LRScheduler
from graphnet.optim.lr_scheduler.sequential import SequentialLR

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
