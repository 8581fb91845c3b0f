"""The `onnx` package, imported when it is wanted."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["load_onnx"]


def load_onnx() -> Any:
    """The package.

    Raises:
        ImportError: it is not installed.
    """
    try:
        for name in ("onnx.checker", "onnx.defs", "onnx.helper", "onnx.numpy_helper", "onnx.shape_inference"):
            importlib.import_module(name)
        return importlib.import_module("onnx")
    except ImportError as error:
        raise ImportError("ONNX files need the package onnx: pip install 'graphnet[onnx]'") from error
