"""Tensors: operators over the table of ops, computed at once or recorded into a graph."""

from graphnet.tensor.capture import rewritten
from graphnet.tensor.core import apply, check_tensor
from graphnet.tensor.size import Size
from graphnet.tensor.state import enable_grad, is_grad_enabled, no_grad, set_grad_enabled, state
from graphnet.tensor.symbolic import SymbolicTensor, Tracer
from graphnet.tensor.tensor import Tensor

__all__ = [
    "Size",
    "SymbolicTensor",
    "Tensor",
    "Tracer",
    "apply",
    "check_tensor",
    "enable_grad",
    "is_grad_enabled",
    "no_grad",
    "rewritten",
    "set_grad_enabled",
    "state",
]
