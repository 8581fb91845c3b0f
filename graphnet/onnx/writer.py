"""Graphs as ONNX models: every node by the `onnx` column of its row."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from graphnet.dtypes import DType, int64
from graphnet.errors import GraphError
from graphnet.ir import Constant, Dim, Graph, Literal, Node, Operand, Parameter, Shape, Symbol, TensorType, Value
from graphnet.ir.dims import Expr, symbols
from graphnet.onnx.blocks import write_control
from graphnet.onnx.package import load_onnx
from graphnet.ops import TABLE
from graphnet.ops.onnx import ELEMENT_TYPES, Onnx

__all__ = ["NUMBERS", "GraphWriter"]

NUMBERS = {dtype: number for number, dtype in ELEMENT_TYPES.items()}


class _Site:
    """A node as writing rules see it (`graphnet.ops.onnx.Writer`)."""

    def __init__(self, writer: GraphWriter, graph: Graph, node: Node, values: Mapping[Operand, str]) -> None:
        self.writer, self.node, self._values = writer, node, values
        self.version = writer.opset
        self.count = len(node.inputs)
        self.attrs = node.attrs
        found = [graph.type_of(o) for o in node.inputs]
        self.shapes: tuple[Shape, ...] = tuple(t.shape for t in found)
        self.dtypes: tuple[DType, ...] = tuple(t.dtype for t in found)
        self.shape, self.dtype = graph.type_of(Value(node))
        self.made: list[Any] = []

    def x(self, index: int) -> str:
        return self.writer.operand(self.node.inputs[index], self._values)

    def constant(self, value: Any, dtype: DType | None = None) -> str:
        return self.writer.constant(np.asarray(value, (dtype or self.dtype).dtype))

    def sizes(self, dims: Sequence[Dim]) -> str:
        try:
            return self.writer.sizes(dims)
        except KeyError as error:
            raise self.fail(f"the size {error.args[0]} is known only when it has run") from None

    def fail(self, why: str) -> GraphError:
        return GraphError(f"to_onnx: {self.node.describe()}: {why}")

    def nth(self, index: int, operator: str, *inputs: str, outputs: int, **attrs: Any) -> str:
        names = [self.writer.fresh(f"{self.node.name}/{operator}") for _ in range(outputs)]
        made = self.writer.onnx.helper.make_node(operator, inputs, names, **attrs)
        made.name = names[0]
        made.doc_string = self.node.describe()
        self.made.append(made)
        return names[index]

    def __call__(self, operator: str, *inputs: str, **attrs: Any) -> str:
        return self.nth(0, operator, *inputs, outputs=1, **attrs)


def _uses(graph: Graph, value: Value) -> bool:
    operands = itertools.chain(graph.outputs, *(node.inputs for node in graph.nodes))
    if any(isinstance(o, Value) and o == value for o in operands):
        return True
    return any(_uses(block, value) for node in graph.nodes for block in node.blocks)


class GraphWriter:
    """Writes one graph as a model.

    Constants and what is computed from the inputs' sizes come first, so that subgraphs see them.
    """

    def __init__(self, graph: Graph, opset: int) -> None:
        self.onnx = load_onnx()
        self.graph, self.opset = graph, opset
        self._taken: set[str] = set()
        self._first: list[Any] = []
        self._constants: dict[Any, str] = {}
        self._vectors: dict[Any, str] = {}
        self._initial: dict[Constant, str] = {}
        self._initializers: list[Any] = []
        self.not_trained: list[str] = []
        self._symbols: dict[Symbol, tuple[str, int]] = {}
        self._dims: dict[Symbol, str] = {}
        names = [n.name for n in graph.inputs]
        for node, name in zip(graph.inputs, names):
            self._taken.add(name)
            for axis, dim in enumerate(graph.types[node][0].shape):
                if isinstance(dim, Symbol):
                    self._symbols.setdefault(dim, (name, axis))

    # -- names, constants, sizes --------------------------------------------------------------------------

    def fresh(self, name: str) -> str:
        """A value's name that is not taken."""
        wanted, number = name, 2
        while wanted in self._taken:
            wanted, number = f"{name}#{number}", number + 1
        self._taken.add(wanted)
        return wanted

    def number(self, value: Any, dtype: DType) -> str:
        """The name of a single number."""
        return self.constant(np.asarray(value, dtype.dtype))

    def constant(self, array: Any) -> str:
        """The name of a constant; equal small ones are one."""
        array = np.asarray(array)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            tensor = self.onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape))
            self._constants[key] = self._before("Constant", value=tensor)
        return self._constants[key]

    def _before(self, operator: str, *inputs: str, **attrs: Any) -> str:
        name = self.fresh(operator.lower())
        self._first.append(self.onnx.helper.make_node(operator, inputs, [name], name=name, **attrs))
        return name

    def sizes(self, dims: Sequence[Dim]) -> str:
        """Sizes as a vector of int64.

        Raises:
            KeyError: a symbol that is no size of an input.
        """
        key = tuple(dims)
        if all(isinstance(d, int) for d in key):
            return self.constant(np.array(key, np.int64))
        if key not in self._vectors:
            parts = [self._size(d) for d in key]
            self._vectors[key] = parts[0] if len(parts) == 1 else self._before("Concat", *parts, axis=0)
        return self._vectors[key]

    def _size(self, dim: Dim) -> str:
        """One size, as a vector of one element."""
        if isinstance(dim, int):
            return self.constant(np.array([dim], np.int64))
        if (dim,) in self._vectors:
            return self._vectors[dim,]
        if isinstance(dim, Symbol):
            name, axis = self._symbols[dim]
            result = self._before("Shape", name, start=axis, end=axis + 1)
        else:
            assert isinstance(dim, Expr)
            terms = []
            for factors, number in dim.terms.items():
                term = self.constant(np.array([number], np.int64))
                for symbol in factors:
                    term = self._before("Mul", term, self._size(symbol))
                terms.append(term)
            result = terms[0]
            for term in terms[1:]:
                result = self._before("Add", result, term)
        self._vectors[dim,] = result
        return result

    def operand(self, operand: Operand, values: Mapping[Operand, str]) -> str:
        """The name of an operand."""
        if isinstance(operand, Value):
            return values[operand]
        if isinstance(operand, Literal):
            if isinstance(operand.value, (bool, int, float)):
                return self.constant(np.asarray(operand.value, operand.dtype.dtype))
            scalar = self._before("Squeeze", self.sizes([operand.value]), self.constant(np.array([0], np.int64)))
            return scalar if operand.dtype is int64 else self._before("Cast", scalar, to=NUMBERS[operand.dtype])
        known = self._initial.get(operand)
        if known is None:
            known = self._initial[operand] = self._weight(operand)
        return known

    def _weight(self, operand: Constant) -> str:
        """A parameter or buffer as an initializer, anything else as a constant."""
        name = self.graph.parameter_names.get(operand) if isinstance(operand, Parameter) else None
        name = name or self.graph.buffer_names.get(operand)
        if name is None:
            return self.constant(operand._values())
        name = self.fresh(name)
        if not isinstance(operand, Parameter) or not operand.requires_grad:
            self.not_trained.append(name)
        array = operand._values()
        self._initializers.append(
            self.onnx.numpy_helper.from_array(np.ascontiguousarray(array).reshape(array.shape), name)
        )
        return name

    # -- nodes --------------------------------------------------------------------------------------------

    def _write(self, graph: Graph, node: Node, values: dict[Operand, str]) -> list[Any]:
        """The ONNX nodes of a node; its result's name is entered in `values`."""
        column = TABLE[node.op].onnx
        site = _Site(self, graph, node, values)
        if column is None:
            random = " (of dropout in training?)" if "random" in node.op or "dropout" in node.op else ""
            raise site.fail(f"{node.op} has no counterpart in ONNX{random}")
        if isinstance(column, str):
            column = Onnx(column)
        if column.write is not None:
            result = column.write(site)
        else:
            result = site(column.name, *(site.x(i) for i in range(site.count)))
        for made in site.made:
            outputs = list(made.output)
            if result in outputs:
                own = self.fresh(node.name)
                made.output[outputs.index(result)] = made.name = own
                result = own
        values[Value(node)] = result
        return site.made

    def nodes(self, graph: Graph, values: dict[Operand, str]) -> list[Any]:
        """The ONNX nodes of a graph's or block's nodes."""
        result = []
        for node in graph.nodes:
            if node.blocks:
                result += write_control(self, graph, node, values)
            elif node.op != "input":
                result += self._write(graph, node, values)
        return result

    # -- the model ----------------------------------------------------------------------------------------

    def info(self, name: str, type: TensorType) -> Any:
        """A value's name and type."""
        dims = [d if isinstance(d, int) else self._dim_name(d) for d in type.shape]
        return self.onnx.helper.make_tensor_value_info(name, NUMBERS[type.dtype], dims)

    def _dim_name(self, dim: Any) -> str:
        """A size's name; two sizes of one name are told apart."""
        for symbol in symbols((dim,)):
            if symbol not in self._dims:
                name, number = symbol.name, 2
                while name in self._dims.values():
                    name, number = f"{symbol.name}#{number}", number + 1
                self._dims[symbol] = name
        return self._dims.get(dim) or str(dim)

    def uses(self, value: Value) -> bool:
        """Whether anything takes a value."""
        return _uses(self.graph, value)

    def write(self) -> Any:
        """The model."""
        graph, helper = self.graph, self.onnx.helper
        if graph.updates:
            names = ", ".join(graph.operand_text(b) for b in graph.updates)
            raise GraphError(f"to_onnx: the network updates {names} as it runs, as in training; call .eval() first")
        values: dict[Operand, str] = {Value(n): n.name for n in graph.inputs}
        inputs = [self.info(n.name, graph.types[n][0]) for n in graph.inputs]
        nodes = self.nodes(graph, values)
        outputs, given = [], {i.name for i in inputs} | {i.name for i in self._initializers}
        for operand in graph.outputs:
            name = self.operand(operand, values)
            type = graph.type_of(operand)
            if name in given or not isinstance(operand, Value):
                own = self.fresh("output")
                nodes.append(helper.make_node("Identity", [name], [own], name=own))
                name = own
            given.add(name)
            outputs.append(self.info(name, type))
        made = helper.make_graph([*self._first, *nodes], graph.name, inputs, outputs, self._initializers)
        opsets = [helper.make_opsetid("", self.opset)]
        version = helper.find_min_ir_version_for(opsets)
        return helper.make_model(made, opset_imports=opsets, producer_name="graphnet", ir_version=max(version, 8))
