"""Optimizers and schedules of their learning rates, in PyTorch's words."""

from typing import TYPE_CHECKING

from graphnet.later import attach
from graphnet.optim.adagrad import Adagrad
from graphnet.optim.adam import Adam, AdamW
from graphnet.optim.optimizer import Optimizer
from graphnet.optim.rmsprop import RMSprop
from graphnet.optim.sgd import SGD

if TYPE_CHECKING:
    from graphnet.optim import lr_scheduler

__getattr__, __dir__ = attach("graphnet.optim", {"lr_scheduler": "graphnet.optim.lr_scheduler"})

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop", "lr_scheduler"]
