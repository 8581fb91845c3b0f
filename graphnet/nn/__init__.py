"""Layers, containers and losses, in PyTorch's words."""

from graphnet.nn import functional, init, utils
from graphnet.nn.activations import Flatten, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from graphnet.nn.containers import ModuleDict, ModuleList, Sequential
from graphnet.nn.linear import Identity, LazyLinear, Linear
from graphnet.nn.losses import CrossEntropyLoss, MSELoss
from graphnet.nn.module import Module
from graphnet.nn.parameter import Parameter

__all__ = [
    "CrossEntropyLoss",
    "Flatten",
    "Identity",
    "LazyLinear",
    "Linear",
    "LogSoftmax",
    "MSELoss",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "functional",
    "init",
    "utils",
]
