"""`to_onnx`: a network as an ONNX model."""

from __future__ import annotations

import importlib
import json
import os
import tempfile
from typing import Any

from graphnet.errors import ArgumentError, ArgumentTypeError, GraphError
from graphnet.graph import Graph
from graphnet.nn import Module
from graphnet.onnx.package import load_onnx
from graphnet.onnx.reader import NOT_TRAINED
from graphnet.onnx.writer import GraphWriter
from graphnet.trace import trace

__all__ = ["to_onnx"]

OLDEST, DEFAULT = 17, 20
LARGEST = 2**31 - 2**20  # bytes of one protobuf file


def to_onnx(network: Any, path: Any = None, *inputs: Any, opset: int = DEFAULT, **settings: Any) -> Any:
    """Write a network as an ONNX model, checked by `onnx.checker`.

    A parameter is one initializer however often it is used, under its name in the network; named sizes such as "N"
    are named dimensions; a `while` is one `Loop` and an `if` one `If`. A module is written as it is in `eval()` mode.

    Args:
        network: a module, a graph or a function on tensors.
        path: where the model is written; None to get it only.
        *inputs: for each input its shape, as for `graphnet.trace`; none for a graph.
        opset: version of ONNX's operator set, 17 or later.
        **settings: passed on to the network.

    Returns:
        The `onnx.ModelProto`.

    Raises:
        MissingPackageError: the package onnx is not installed.
        GraphError: a node has no counterpart in ONNX; it is named with its path and place in the source.
        ShapeError, TraceError, ...: as `graphnet.trace`.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.LazyLinear(4), gn.nn.ReLU())
        >>> model = gn.to_onnx(net, None, ("N", 20))
        >>> [node.op_type for node in model.graph.node], [i.name for i in model.graph.initializer]
        (['Gemm', 'Relu'], ['0.weight', '0.bias'])
    """
    onnx = load_onnx()
    newest = onnx.defs.onnx_opset_version()
    if isinstance(opset, bool) or not isinstance(opset, int):
        raise ArgumentTypeError(f"to_onnx: opset is a whole number, got {opset!r}")
    if not OLDEST <= opset <= newest:
        raise ArgumentError(f"to_onnx: opset is from {OLDEST} to {newest}, which this onnx package has, got {opset}")
    if path is not None and not isinstance(path, (str, os.PathLike)):
        raise ArgumentTypeError(
            f"to_onnx: expects a path as second argument, or None, got {path!r:.60}; shapes come after it"
        )
    writer = GraphWriter(_graph(network, inputs, settings), opset)
    unreadable: Any = importlib.import_module("google.protobuf.message").DecodeError
    try:
        model = writer.write()
        if writer.not_trained:
            model.metadata_props.add(key=NOT_TRAINED, value=json.dumps(writer.not_trained))
        size = sum(len(t.raw_data) for t in model.graph.initializer)
        if size < LARGEST:
            onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise GraphError(f"to_onnx: onnx.checker does not take the model: {error}") from None
    except unreadable:
        raise GraphError("to_onnx: loops and branches lie in one another deeper than an ONNX file can hold") from None
    if path is not None:
        _save(onnx, model, os.fspath(path), size >= LARGEST)
    return model


def _graph(network: Any, inputs: tuple[Any, ...], settings: dict[str, Any]) -> Graph:
    if isinstance(network, Graph) and not inputs:
        return network
    if not inputs:
        raise ArgumentError('to_onnx: give the shape of each input, such as gn.to_onnx(net, "net.onnx", ("N", 20))')
    modes = [(m, m.training) for m in network.modules()] if isinstance(network, Module) else []
    if any(training for _, training in modes):
        network.eval()
    try:
        return trace(network, *inputs, **settings)
    finally:
        for module, training in modes:
            if training:
                module.training = training


def _save(onnx: Any, model: Any, path: str, large: bool) -> None:
    """Write a file that replaces an old one at once; large weights go to a file beside it."""
    if large:
        onnx.save(model, path, save_as_external_data=True, location=f"{os.path.basename(path)}.data")
        return
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".onnx-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(model.SerializeToString())
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(temporary, 0o666 & ~umask)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
