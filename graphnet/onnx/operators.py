"""All compositions; importing this fills the registry."""

from graphnet.onnx import control, elementwise, norms, shaping
from graphnet.onnx.registry import OPERATORS

__all__ = ["OPERATORS", "control", "elementwise", "norms", "shaping"]
