"""ONNX: reading models as graphs, writing networks as models. The package `onnx` is imported when it is wanted."""

from graphnet.onnx.exporting import to_onnx
from graphnet.onnx.importing import OnnxModule, from_onnx

__all__ = ["OnnxModule", "from_onnx", "to_onnx"]
