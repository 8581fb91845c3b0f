"""The `onnx` package, imported when it is wanted."""

from __future__ import annotations

import importlib
from typing import Any

from graphnet.errors import MissingPackageError

__all__ = ["load_onnx"]


def load_onnx() -> Any:
    """The package.

    Raises:
        MissingPackageError: it is not installed.
    """
    try:
        for name in ("onnx.checker", "onnx.defs", "onnx.helper", "onnx.numpy_helper", "onnx.shape_inference"):
            importlib.import_module(name)
        return importlib.import_module("onnx")
    except ImportError as error:
        raise MissingPackageError("ONNX files need the package onnx: pip install 'graphnet[onnx]'") from error
