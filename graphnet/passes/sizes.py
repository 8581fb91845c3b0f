"""Sizes: putting what was learnt into a graph, and fitting a graph to inputs of given types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphnet.collector import collector_paused
from graphnet.errors import DTypeError, GraphError, GraphnetError, ShapeError
from graphnet.ir import (
    Dim,
    Graph,
    Literal,
    Node,
    Operand,
    Symbol,
    SymbolicDim,
    TensorType,
    Unifier,
    Value,
    render_shape,
    substitute,
    symbols,
)
from graphnet.ir.control import check_blocks
from graphnet.ops import infer, row

__all__ = ["bind", "bound_attrs", "resolve", "verify_types"]


def _apply(value: Any, sizes: Mapping[Symbol, Dim]) -> Any:
    """A setting with its sizes replaced; the same object where there is nothing to replace."""
    if isinstance(value, SymbolicDim):
        return substitute(value, sizes)
    if type(value) is tuple:
        changed = tuple(_apply(v, sizes) for v in value)
        return value if all(a is b for a, b in zip(value, changed)) else changed
    return value


def bound_attrs(attrs: Mapping[str, Any], sizes: Mapping[Symbol, Dim]) -> Mapping[str, Any]:
    """A node's settings with its sizes replaced; the same object where there is nothing to replace."""
    changed = {name: _apply(value, sizes) for name, value in attrs.items()}
    return attrs if all(changed[name] is value for name, value in attrs.items()) else changed


@collector_paused()
def resolve(graph: Graph, sizes: Mapping[Symbol, Dim]) -> Graph:
    """The graph with every size replaced that is known now, in types, settings, literals and blocks."""
    result = Graph(graph.name)
    moved: dict[Node, Node] = {}

    def operand(old: Operand) -> Operand:
        if isinstance(old, Value):
            return Value(moved[old.node], old.slot) if moved[old.node] is not old.node else old
        if isinstance(old, Literal) and isinstance(old.value, SymbolicDim):
            return Literal(substitute(old.value, sizes), old.dtype)
        return old

    for node in graph.nodes:
        attrs = bound_attrs(node.attrs, sizes)
        inputs = tuple(map(operand, node.inputs))
        if attrs is node.attrs and not node.blocks and all(a is b for a, b in zip(inputs, node.inputs)):
            moved[node] = node
        else:
            blocks = tuple([resolve(block, sizes) for block in node.blocks])
            moved[node] = Node(node.op, inputs, attrs, node.name, node.scope, node.where, blocks)
        types = tuple(TensorType(tuple(substitute(d, sizes) for d in t.shape), t.dtype) for t in graph.types[node])
        result.add(moved[node], types)
    result.inputs = [moved[node] for node in graph.inputs]  # a block's order is not that of its nodes
    result.outputs = list(map(operand, graph.outputs))
    result.parameter_names = dict(graph.parameter_names)
    result.updates = {buffer: operand(new) for buffer, new in graph.updates.items()}
    result.buffer_names = dict(graph.buffer_names)
    return result


def bind(graph: Graph, types: Sequence[TensorType], unifier: Unifier) -> dict[Symbol, Dim]:
    """The sizes that make the graph's inputs have these types.

    `unifier` learns what the fit says about sizes outside the graph, where it is traced into; the graph's own
    symbols stay out of it, so that it can be traced into again with other sizes.

    Raises:
        GraphError: another number of inputs.
        ShapeError, DTypeError: an input that does not fit, named with what was expected.
    """
    if len(types) != len(graph.inputs):
        names = ", ".join(node.name for node in graph.inputs)
        raise GraphError(f"{graph.name} takes {len(graph.inputs)} inputs ({names}), got {len(types)}")
    fresh: dict[Symbol, Dim] = {}
    for node, got in zip(graph.inputs, types):
        (wanted,) = graph.types[node]
        for symbol in symbols(wanted.shape):
            fresh.setdefault(symbol, Symbol(symbol.name, placeholder=True))
        if got.dtype is not wanted.dtype:
            raise DTypeError(f"input {node.name} of {graph.name}: expects {wanted.dtype.name}, got {got.dtype.name}")
        known = unifier.resolve_shape(tuple(substitute(d, fresh) for d in wanted.shape))
        if len(known) != len(got.shape) or not all(map(unifier.unify, known, got.shape)):
            raise ShapeError(
                f"input {node.name} of {graph.name}: "
                f"expects shape {render_shape(known)}, got {render_shape(got.shape)}",
                expected=known,
                got=got.shape,
            )
    return {symbol: unifier.resolve(dim) for symbol, dim in fresh.items()}


def _type(graph: Graph, operand: Operand) -> TensorType:
    if isinstance(operand, Literal):
        return TensorType((), operand.dtype)
    return graph.type_of(operand) if isinstance(operand, Value) else operand._type()


def verify_types(graph: Graph) -> None:
    """Check every node against the table of ops: its op exists, its types are what the op gives.

    Raises:
        GraphError: naming the node and the cause.
    """
    for node in graph.nodes:
        if node.op == "input":
            continue
        if node.blocks:
            check_blocks(node, [_type(graph, operand) for operand in node.inputs], graph.types[node])
            for block in node.blocks:
                verify_types(block)
            continue
        op = row(node.op)
        if op is None:
            raise GraphError(f"{node.name}: there is no op {node.op!r} in the table")
        types = [_type(graph, operand) for operand in node.inputs]
        unifier = Unifier()
        try:
            found = infer(op, unifier, types, node.attrs)
        except GraphnetError as error:
            raise GraphError(f"{node.name}: {error}; infer shapes again after changing the graph") from None
        (noted,) = graph.types[node]
        same = len(found.shape) == len(noted.shape) and all(map(unifier.unify, found.shape, noted.shape))
        if not same or found.dtype is not noted.dtype:
            raise GraphError(f"{node.name}: its type is noted as {noted}, but {node.op} gives {found}")
    for buffer, new in graph.updates.items():
        have, got = buffer._type(), _type(graph, new)
        if (
            have.dtype is not got.dtype
            or len(have.shape) != len(got.shape)
            or not all(map(Unifier().unify, have.shape, got.shape))
        ):
            raise GraphError(f"the buffer {graph.operand_text(buffer)} is {have}, its new value {new!r} is {got}")
