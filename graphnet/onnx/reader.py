"""ONNX models as functions on tensors: run on data they compute, run on traced tensors they become a graph."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphnet.dtypes import DType
from graphnet.errors import GraphError, GraphnetError, TraceError
from graphnet.ir import Scope, Shape
from graphnet.nn import Parameter
from graphnet.onnx import values
from graphnet.onnx.operators import OPERATORS
from graphnet.onnx.package import load_onnx
from graphnet.ops import TABLE
from graphnet.ops.onnx import ELEMENT_TYPES, Onnx
from graphnet.tensor import Tensor, state
from graphnet.tensor.core import wrap

__all__ = ["NOT_TRAINED", "Runner", "row_readers"]

NOT_TRAINED = "graphnet.not_trained"  # metadata: names of initializers that gradients do not change
RUNNING_STATISTICS = {"BatchNormalization": (3, 4)}  # inputs that are learnt, but not by gradients


def row_readers() -> dict[str, tuple[str, Onnx]]:
    """The rows by the ONNX operator that they are read from."""
    found: dict[str, tuple[str, Onnx]] = {}
    for name, op in TABLE.items():
        column = Onnx(op.onnx) if isinstance(op.onnx, str) else op.onnx
        if column is not None and column.name and column.reads:
            assert column.name not in found, f"{column.name} is read as {found[column.name][0]} and as {name}"
            found[column.name] = name, column
    return found


def _mentions(graph: Any, name: str) -> bool:
    """Whether a node of a graph, or of one inside it, takes a value."""
    for node in graph.node:
        if name in node.input or any(_mentions(a.g, name) for a in node.attribute if a.HasField("g")):
            return True
    return False


class _Frame:
    """The values by name within a graph or function; a subgraph sees those around it."""

    def __init__(self, outer: _Frame | None, attributes: Mapping[str, Any] | None, versions: Mapping[str, int]) -> None:
        self.outer = outer
        self.attributes = attributes  # of a function's call, which its nodes refer to
        self.versions = versions
        self.values: dict[str, Any] = {}

    def find(self, name: str) -> Any:
        frame: _Frame | None = self
        while frame is not None:
            if name in frame.values:
                return frame.values[name]
            frame = frame.outer
        raise GraphError(f"there is no value {name!r}: the model's nodes are out of order, or it is broken")


class _Site:
    """A node as reading rules see it (`graphnet.ops.onnx.Reader`)."""

    def __init__(self, runner: Runner, node: Any, frame: _Frame) -> None:
        self.runner, self.node, self.frame = runner, node, frame
        self.kind = node.op_type
        self.version = frame.versions.get(node.domain, 1)
        names = list(node.input)
        while names and not names[-1]:
            names.pop()
        self.count = len(names)
        self.results = max((i + 1 for i, name in enumerate(node.output) if name), default=0)
        self._names = names
        self._attributes: dict[str, Any] = {}
        for attribute in node.attribute:
            if attribute.ref_attr_name:
                value = (frame.attributes or {}).get(attribute.ref_attr_name)
            else:
                value = runner.attribute(attribute)
            if value is not None:
                self._attributes[attribute.name] = value
        self._asked: set[str] = set()

    def has(self, index: int) -> bool:
        if index >= self.count or not self._names[index]:
            return False
        return self.frame.find(self._names[index]) is not None

    def x(self, index: int) -> Any:
        if not self.has(index):
            raise self.fail(f"input {index} is missing")
        return self.frame.find(self._names[index])

    def known(self, index: int) -> Any:
        try:
            return values.known(self.x(index))
        except TraceError as error:
            raise TraceError(f"{self.describe()}: input {index} ({self._names[index]}): {error}") from None

    def ints(self, index: int) -> list[Any]:
        return [v if not isinstance(v, (int, np.integer)) else int(v) for v in self.known(index).reshape(-1).tolist()]

    def attr(self, name: str, default: Any = None) -> Any:
        self._asked.add(name)
        return self._attributes.get(name, default)

    def is_known(self, value: Any) -> bool:
        return isinstance(value, np.ndarray)

    def is_open(self, value: Any) -> bool:
        return values.open_sizes(value)

    def shape(self, value: Any) -> Shape:
        return values.shape_of(value)

    def dtype(self, value: Any) -> DType:
        return values.dtype_of(value)

    def number(self, value: Any, like: Any) -> Any:
        return np.asarray(value, self.dtype(like).dtype) if isinstance(value, (int, float)) else np.asarray(value)

    def const(self, array: Any) -> Any:
        return np.asarray(array)

    def truth(self, value: Any) -> bool:
        return bool(values.known(value).reshape(()))

    def tensor(self, value: Any) -> Any:
        return values.as_tensor(value)

    def uses(self, name: str, index: int) -> bool:
        graph = self.attr(name)
        wanted = graph.input[index].name
        return any(o.name == wanted for o in graph.output) or _mentions(graph, wanted)

    def body(self, name: str, *inputs: Any) -> list[Any]:
        graph = self.attr(name)
        frame = _Frame(self.frame, self.frame.attributes, self.frame.versions)
        frame.values.update(zip((i.name for i in graph.input), inputs))
        return self.runner.graph(graph, frame)

    def fail(self, why: str) -> GraphError:
        return GraphError(f"{self.describe()}: {why}")

    def describe(self) -> str:
        name = self.node.name or next(iter(self.node.output), "")
        return f"{self.node.op_type} {name!r}" if name else str(self.node.op_type)

    def broadcast_as_before(self) -> None:
        """Before version 7, the second operand was laid along axes from `axis` on, where asked for."""
        if self.version >= 7 or not self._attributes.pop("broadcast", 0):
            return
        left, right = self.shape(self.x(0)), self.x(1)
        axis = self._attributes.pop("axis", len(left) - len(self.shape(right)))
        shape = (*self.shape(right), *[1] * (len(left) - axis - len(self.shape(right))))
        self.frame = _Frame(self.frame, self.frame.attributes, self.frame.versions)
        self.frame.values[self._names[1]] = self("reshape", right, shape=shape)

    def check_attributes(self) -> None:
        """Raise for an attribute that no rule has looked at: it would have meant something."""
        unread = [name for name in self._attributes if name not in self._asked]
        if unread:
            raise self.fail(f"the attribute {unread[0]} is not one that graphnet knows")

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> Any:
        return values.apply_op(op, inputs, attrs, self.runner.constants)


class Runner:
    """Runs an ONNX model's nodes one after the other, each by its rule.

    A node is read as a row of the table, else by a rule of `graphnet.onnx.operators`, else as the function that the
    model or the ONNX standard defines its operator by.
    """

    def __init__(self, model: Any) -> None:
        self.onnx = load_onnx()
        self.model = model
        self.readers = row_readers()
        self.versions = {o.domain if o.domain != "ai.onnx" else "": o.version for o in model.opset_import}
        self.functions = {(f.domain, f.name): f for f in model.functions}
        self.constants: dict[int, tuple[Any, Tensor]] = {}
        self.parameters: dict[str, Parameter] = {}
        self.initial: dict[str, Any] = {}
        statistics = {
            node.input[index]
            for node in model.graph.node
            for index in RUNNING_STATISTICS.get(node.op_type, ())
            if index < len(node.input)
        }
        for entry in model.metadata_props:
            if entry.key == NOT_TRAINED:
                statistics.update(json.loads(entry.value))
        for tensor in model.graph.initializer:
            array = self.array(tensor, f"the initializer {tensor.name}")
            if array.dtype.kind == "f":
                parameter = Parameter(wrap(np.array(array)), requires_grad=tensor.name not in statistics)
                self.parameters[tensor.name] = self.initial[tensor.name] = parameter
            else:
                self.initial[tensor.name] = array
        if model.graph.sparse_initializer:
            raise GraphError("from_onnx: sparse initializers are not read")
        self.inputs = [i for i in model.graph.input if i.name not in self.initial]
        self._check_operators(model.graph)

    def array(self, tensor: Any, what: str) -> Any:
        """A TensorProto as an array."""
        if tensor.data_type not in ELEMENT_TYPES:
            kind = self.onnx.TensorProto.DataType.Name(tensor.data_type).lower()
            raise GraphError(f"from_onnx: {what} is of {kind}, which graphnet does not have")
        return self.onnx.numpy_helper.to_array(tensor)

    def attribute(self, attribute: Any) -> Any:
        """An attribute as Python has it: text decoded, tensors as arrays."""
        value = self.onnx.helper.get_attribute_value(attribute)
        if attribute.type == attribute.TENSOR:
            return self.array(value, f"the attribute {attribute.name}")
        if isinstance(value, bytes):
            return value.decode()
        return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else value

    def _check_operators(self, graph: Any) -> None:
        """Raise with all nodes at once that cannot be read."""
        missing: dict[str, str] = {}

        def visit(nodes: Any) -> None:
            for node in nodes:
                key = node.domain, node.op_type
                known = node.domain in ("", "ai.onnx") and self._known(node.op_type)
                if not known and key not in self.functions and not self._schema_function(node, None):
                    missing.setdefault(node.op_type, node.name or next(iter(node.output), ""))
                for attribute in node.attribute:
                    for inner in (attribute.g, *attribute.graphs):
                        visit(inner.node)

        visit(graph.node)
        if missing:
            shown = ", ".join(f"{op} (node {name!r})" if name else op for op, name in missing.items())
            raise GraphError(f"from_onnx: graphnet has no counterpart for {shown}")

    def _known(self, operator: str) -> bool:
        return operator in self.readers or operator in OPERATORS

    def _schema_function(self, node: Any, types: list[bytes] | None) -> Any:
        """The function that the standard defines an operator by; without types, whether there is one."""
        version = self.versions.get(node.domain, 1)
        try:
            schema = self.onnx.defs.get_schema(node.op_type, version, node.domain)
        except self.onnx.defs.SchemaError:
            return None
        usable = [v for v in schema.function_opset_versions if v <= version]
        if usable:
            return schema if types is None else self._function(schema.get_function_with_opset_version(max(usable)))
        usable = [v for v in schema.context_dependent_function_opset_versions if v <= version]
        if not usable:
            return None
        if types is None:
            return schema
        text = schema.get_context_dependent_function_with_opset_version(max(usable), node.SerializeToString(), types)
        return self._function(text)

    def _function(self, text: bytes) -> Any:
        function = self.onnx.FunctionProto()
        function.ParseFromString(text)
        return function

    def run(self, inputs: Sequence[Any]) -> list[Any]:
        """The model's outputs for tensors as its inputs."""
        if len(inputs) != len(self.inputs):
            names = ", ".join(i.name for i in self.inputs)
            raise GraphError(f"{self.model.graph.name} takes {len(self.inputs)} inputs ({names}), got {len(inputs)}")
        frame = _Frame(None, None, self.versions)
        frame.values.update(self.initial)
        frame.values.update(zip((i.name for i in self.inputs), inputs))
        return self.graph(self.model.graph, frame)

    def graph(self, graph: Any, frame: _Frame) -> list[Any]:
        """Run a graph's or subgraph's nodes in a frame."""
        if frame.outer is not None:
            for tensor in graph.initializer:
                frame.values[tensor.name] = self.array(tensor, f"the initializer {tensor.name}")
        self._nodes(graph.node, frame)
        return [frame.find(output.name) for output in graph.output]

    def _nodes(self, nodes: Any, frame: _Frame) -> None:
        before = state.replayed
        for node in nodes:
            site = _Site(self, node, frame)
            if before is None:
                name = node.name or next(iter(node.output), node.op_type)
                state.replayed = Scope(state.scope, name, node.op_type, None, library=True), None
            try:
                result = self._node(site)
            except GraphnetError as error:
                if site.describe() not in str(error) and before is None:
                    error.args = (f"{site.describe()}: {error}", *error.args[1:])
                raise
            finally:
                state.replayed = before
            results = result if isinstance(result, (tuple, list)) else (result,)
            frame.values.update((name, value) for name, value in zip(node.output, results) if name)

    def _node(self, site: _Site) -> Any:
        node = site.node
        site.broadcast_as_before()
        if node.domain in ("", "ai.onnx"):
            row = self.readers.get(node.op_type)
            if row is not None:
                name, column = row
                if column.read is not None:
                    result = column.read(site)
                else:
                    result = site(name, *(site.x(i) for i in range(site.count)))
                site.check_attributes()
                return result
            rule = OPERATORS.get(node.op_type)
            if rule is not None:
                result = rule(site)
                site.check_attributes()
                return result
        function = self.functions.get((node.domain, node.op_type)) or self._schema_function(node, self._types(site))
        if function is None:
            raise site.fail("graphnet has no counterpart for it")
        return self._call(function, site)

    def _types(self, site: _Site) -> list[bytes]:
        """The types of a node's inputs, which functions of the standard may depend on."""
        helper, result = self.onnx.helper, []
        numbers = {dtype: number for number, dtype in ELEMENT_TYPES.items()}
        for index in range(site.count):
            proto = self.onnx.TypeProto()
            if site.has(index):
                value = site.x(index)
                shape = [d if isinstance(d, int) else None for d in site.shape(value)]
                proto = helper.make_tensor_type_proto(numbers[site.dtype(value)], shape)
            result.append(proto.SerializeToString())
        return result

    def _call(self, function: Any, site: _Site) -> list[Any]:
        """Run a function's body."""
        attributes = {a.name: self.attribute(a) for a in function.attribute_proto}
        schema = None
        if site.node.domain in ("", "ai.onnx"):
            schema = self.onnx.defs.get_schema(site.node.op_type, site.version, site.node.domain)
            for name, attribute in schema.attributes.items():
                if attribute.default_value.name:
                    attributes.setdefault(name, self.attribute(attribute.default_value))
        attributes.update(site._attributes)
        versions = {o.domain if o.domain != "ai.onnx" else "": o.version for o in function.opset_import}
        frame = _Frame(None, attributes, versions or site.frame.versions)
        for index, name in enumerate(function.input):
            if site.has(index):
                frame.values[name] = site.x(index)
            else:
                frame.values[name] = None
        self._nodes(function.node, frame)
        return [frame.values.get(name) for name in function.output]
