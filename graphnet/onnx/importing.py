"""`from_onnx`: a model as a graph, or as a module where its sizes depend on values."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from graphnet.dtypes import DType
from graphnet.errors import ArgumentTypeError, GraphError, TraceError, kind_of, with_article
from graphnet.graph import Graph
from graphnet.ir import Parameter
from graphnet.nn import Module
from graphnet.onnx import values
from graphnet.onnx.package import load_onnx
from graphnet.onnx.reader import Runner
from graphnet.ops import TABLE
from graphnet.ops.onnx import ELEMENT_TYPES
from graphnet.tensor import SymbolicTensor, Tensor, check_tensor, state

__all__ = ["OnnxModule", "from_onnx"]


def from_onnx(model: Any) -> Any:
    """Read an ONNX model.

    Args:
        model: a path, or an `onnx.ModelProto`.

    Returns:
        A `graphnet.Graph`, which runs, trains, compiles and draws: called with arrays or tensors in the order of the
        model's inputs, it gives its output, or a tuple of several. Floating-point initializers are its parameters,
        under their names. Where sizes within the model depend on the *values* of inputs (a shape, or the number of
        repeats, as an input), no graph can be made before they are known; then it is an `OnnxModule`, called in the
        same way.

    Raises:
        MissingPackageError: the package onnx is not installed.
        GraphError: the file is no valid model, or nodes have no counterpart in graphnet; they are named.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(3, 4), gn.nn.ReLU())
        >>> graph = gn.from_onnx(gn.to_onnx(net, None, ("N", 3)))
        >>> graph(gn.ones(2, 3)).shape
        graphnet.Size([2, 4])
    """
    onnx = load_onnx()
    if isinstance(model, (str, os.PathLike)):
        path = os.fspath(model)
        try:
            model = onnx.load(path)
        except FileNotFoundError:
            raise
        except Exception as error:  # protobuf raises its own
            raise GraphError(f"from_onnx: {path} is not an ONNX model: {error}") from None
    elif not isinstance(model, onnx.ModelProto):
        raise ArgumentTypeError(f"from_onnx: expects a path or an onnx.ModelProto, got {kind_of(model)}")
    module = OnnxModule(Runner(model))
    try:  # operands of different types would be computed with somehow
        onnx.shape_inference.infer_shapes(model, check_type=True)
    except onnx.shape_inference.InferenceError as error:
        raise GraphError(f"from_onnx: not a valid ONNX model: {error}") from None
    except ValueError:
        pass  # larger than a protobuf file may be, which only large weights make it
    try:
        return module.to_graph()
    except TraceError:
        return module


class OnnxModule(Module):
    """An ONNX model whose sizes depend on the values of its inputs: it runs and trains, node by node.

    Attributes:
        reason: why it is not a graph.
    """

    def __init__(self, runner: Runner) -> None:
        super().__init__()
        self.__dict__["_runner"] = runner
        self._parameters.update(runner.parameters)
        self.reason = ""

    def _shown_as(self) -> str:
        return str(self._runner.model.graph.name or "onnx")

    def _take_arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arrays as tensors, floating-point ones in the dtype that the model asks for."""
        wanted = [ELEMENT_TYPES.get(i.type.tensor_type.elem_type) for i in self._runner.inputs]

        def take(value: Any, dtype: DType | None) -> Any:
            if not isinstance(value, np.ndarray):
                return value
            if value.dtype.kind == "f" and dtype is not None and dtype.is_floating_point:
                value = value.astype(dtype.dtype, copy=False)
            return check_tensor("input", value)

        return tuple(map(take, args, [*wanted, *[None] * len(args)])), kwargs

    def forward(self, *inputs: Any) -> Any:
        """The model's output, or a tuple of several."""
        results = [values.make_tensor(v, {}) if isinstance(v, np.ndarray) and v.ndim else _tensor(v)
                   for v in self._runner.run(inputs)]  # fmt: skip
        return results[0] if len(results) == 1 else tuple(results)

    def to_graph(self, *inputs: Any) -> Graph:
        """The model as a graph.

        Args:
            inputs: arrays or tensors; the values of whole numbers among them are taken as settings of the graph, which
                has the others as its inputs. Without them the graph is made from the model's own shapes.

        Raises:
            TraceError: it depends on values that are not known.
        """
        runner: Runner = self._runner
        graph = Graph(runner.model.graph.name or "onnx")
        for name, parameter in runner.parameters.items():
            graph._layers._parameters[name] = parameter
        try:
            with graph:
                taken: list[Any] = []
                for index, info in enumerate(runner.inputs):
                    given = inputs[index] if inputs else None
                    if given is not None and not check_tensor(info.name, given).is_floating_point():
                        taken.append(np.asarray(given))
                    else:
                        shape, dtype = _type(runner, info, given)
                        taken.append(graph.input(info.name, shape, dtype))
                results = [_output(graph, value) for value in runner.run(taken)]
                graph.output(*results)
        except TraceError as error:
            self.reason = str(error)
            raise
        return graph


def _tensor(value: Any) -> Tensor:
    return check_tensor("output", value)


def _type(runner: Runner, info: Any, given: Any) -> tuple[Any, DType]:
    """The shape and dtype of an input, as `Graph.input` takes them."""
    if not info.type.HasField("tensor_type"):
        kind = info.type.WhichOneof("value") or "no type"
        raise GraphError(
            f"from_onnx: the input {info.name} is {with_article(kind.removesuffix('_type'))}, not a tensor"
        )
    proto = info.type.tensor_type
    if proto.elem_type not in ELEMENT_TYPES:
        kind = runner.onnx.TensorProto.DataType.Name(proto.elem_type).lower()
        raise GraphError(f"from_onnx: the input {info.name} is of {kind}, which graphnet does not have")
    dtype = ELEMENT_TYPES[proto.elem_type]
    if given is not None:
        return tuple(np.shape(given)), dtype
    if not proto.HasField("shape"):
        raise TraceError(f"the model does not say the shape of its input {info.name}")
    dims = [d.dim_param or None if not d.HasField("dim_value") else d.dim_value for d in proto.shape.dim]
    return tuple(dims), dtype


def _output(graph: Graph, value: Any) -> Any:
    """A result as the graph's output: a computed one, or a copy of one that was known or is an input."""
    if isinstance(value, SymbolicTensor) and value._value.node.op != "input":
        return value
    if isinstance(value, Parameter):
        return value
    tensor = values.make_tensor(value, {})
    if isinstance(tensor, SymbolicTensor) and tensor._value.node.op != "input":
        return tensor
    return state.tracer.apply(TABLE["copy"], [tensor], {})
