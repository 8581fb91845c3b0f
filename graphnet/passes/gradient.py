"""Differentiation: a graph of the gradients, in the same IR."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from graphnet.dtypes import DType
from graphnet.errors import GradientError
from graphnet.ir import Graph, Literal, Node, Operand, Shape, SymbolicDim, Unifier, Value
from graphnet.ops import TABLE, Op
from graphnet.ops.emit import Emitter
from graphnet.ops.gradient import reverse

__all__ = ["differentiate"]


class _NodeSite:
    """A node as gradient rules see it: values are operands, and emitting adds nodes (`graphnet.ops.Site`)."""

    def __init__(self, node: Node, emitter: Emitter, wanted: set[Hashable]) -> None:
        types = [emitter.type_of(o) for o in node.inputs]
        result = emitter.type_of(Value(node))
        self.op: Op = TABLE[node.op]
        self.node, self.emitter, self.wanted = node, emitter, wanted
        self.key: Hashable = Value(node)
        self.attrs = node.attrs
        self.shapes: tuple[Shape, ...] = tuple(t.shape for t in types)
        self.dtypes: tuple[DType, ...] = tuple(t.dtype for t in types)
        self.shape, self.dtype = result.shape, result.dtype
        self.operand = 0

    def targets(self) -> list[Hashable | None]:
        """Where the gradients of the operands go."""
        return [o if o in self.wanted else None for o in self.node.inputs]

    def shape_of(self, value: Operand) -> Shape:
        """The shape of an emitted operand."""
        return self.emitter.type_of(value).shape

    def describe(self) -> str:
        """The node, for errors."""
        return self.node.describe()

    def x(self, index: int) -> Operand:
        """An operand."""
        return self.node.inputs[index]

    def y(self) -> Operand:
        """The result."""
        return Value(self.node)

    def number(self, index: int) -> Any:
        """An operand that was written as a number."""
        operand = self.node.inputs[index]
        return operand.value if isinstance(operand, Literal) else None

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> Operand:
        operands = [Literal(i, self.dtype) if isinstance(i, (bool, int, float, SymbolicDim)) else i for i in inputs]
        name = f"grad.{self.node.name}"
        return self.emitter.emit(TABLE[op], operands, attrs, name, self.node.scope, self.node.where)


def differentiate(graph: Graph) -> Graph:
    """A graph whose outputs are the output and its gradients for each parameter, then for each floating-point input.

    The gradient starts from 1 for a single element; for other outputs it is one more input of the graph.

    Raises:
        GradientError: there is not exactly one output, or a node on the way has no gradient.
    """
    if len(graph.outputs) != 1 or not isinstance(graph.outputs[0], Value):
        raise GradientError(f"{graph.name} has {len(graph.outputs)} outputs; gradients are taken of one")
    result = Graph(f"{graph.name}.gradient")
    for node in graph.nodes:
        result.add(node, graph.types[node])
    result.parameter_names = dict(graph.parameter_names)
    result.updates, result.buffer_names = dict(graph.updates), dict(graph.buffer_names)
    emitter = Emitter(result, Unifier())
    output = graph.outputs[0]
    leaves: list[Operand] = list(graph.trained())
    leaves += [Value(n) for n in graph.inputs if graph.types[n][0].dtype.is_floating_point]
    wanted: set[Hashable] = set(leaves)
    for node in graph.nodes:
        if any(o in wanted for o in node.inputs):
            wanted.add(Value(node))
    start = graph.type_of(output)
    seed = emitter.input(f"grad.{output.node.name}", start) if start.shape else Literal(1.0, start.dtype)
    gradients: dict[Hashable, Any] = {output: seed}
    sites = (_NodeSite(node, emitter, wanted) for node in reversed(graph.nodes) if node.op != "input")
    reverse(sites, gradients)
    result.outputs = [output]
    for leaf in leaves:
        shape, dtype = emitter.type_of(leaf)
        if leaf not in gradients:
            zeros = emitter.emit(TABLE["expand"], [Literal(0.0, dtype)], {"shape": shape}, "grad.zero")
            gradients[leaf] = zeros
        result.outputs.append(gradients[leaf])
    return result
