"""Optimizers, in PyTorch's words."""

from graphnet.optim.adam import Adam
from graphnet.optim.optimizer import Optimizer
from graphnet.optim.sgd import SGD

__all__ = ["SGD", "Adam", "Optimizer"]
