"""Sizes: putting what was learnt into a graph, and fitting a graph to inputs of given types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphnet import _core
from graphnet.collector import collector_paused
from graphnet.errors import DTypeError, GraphError, GraphnetError, ShapeError
from graphnet.ir import (
    ELEMENTWISE,
    Dim,
    Graph,
    Literal,
    Node,
    Operand,
    Rewriter,
    Symbol,
    SymbolicDim,
    TensorType,
    Unifier,
    render_shape,
    substitute,
    symbols,
)
from graphnet.ir.control import check_blocks
from graphnet.ops import FUSED, TABLE, infer, row

__all__ = ["bind", "bound_attrs", "resolve", "verify_types"]


def _apply(value: Any, sizes: Mapping[Symbol, Dim]) -> Any:
    """A setting with its sizes replaced; the same object where there is nothing to replace."""
    if isinstance(value, SymbolicDim):
        return substitute(value, sizes)
    if type(value) is tuple:
        for part in value:
            if type(part) is not int:
                break
        else:
            return value
        changed = tuple([_apply(v, sizes) for v in value])
        return value if all(a is b for a, b in zip(value, changed)) else changed
    return value


def bound_attrs(attrs: Mapping[str, Any], sizes: Mapping[Symbol, Dim]) -> Mapping[str, Any]:
    """A node's settings with its sizes replaced; the same object where there is nothing to replace."""
    if not attrs:
        return attrs
    changed = {name: _apply(value, sizes) for name, value in attrs.items()}
    return attrs if all(changed[name] is value for name, value in attrs.items()) else changed


@collector_paused()
def resolve(graph: Graph, sizes: Mapping[Symbol, Dim]) -> Graph:
    """The graph with every size replaced that is known now, in types, settings, literals and blocks."""

    def operand(old: Operand) -> Operand:
        if isinstance(old, Literal) and isinstance(old.value, SymbolicDim):
            return Literal(substitute(old.value, sizes), old.dtype)
        return old

    if not sizes:
        return Rewriter(graph).copy()
    types = {id(types): types for types in graph.types.values()}
    new = Rewriter(graph, {key: tuple([_sized(t, sizes) for t in row]) for key, row in types.items()})
    for node in new.walk(_core.sized(graph.nodes)):
        inputs = tuple([operand(new.now(o)) for o in node.inputs])
        blocks = tuple([resolve(block, sizes) for block in node.blocks])
        new.emit(node, node.op, inputs, bound_attrs(node.attrs, sizes), blocks)
    result = new.finish()
    result.outputs = list(map(operand, result.outputs))
    result.updates = {buffer: operand(o) for buffer, o in result.updates.items()}
    return result


def _sized(type: TensorType, sizes: Mapping[Symbol, Dim]) -> TensorType:
    return TensorType(tuple([substitute(d, sizes) for d in type.shape]), type.dtype)


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


def _verify_members(group: Node, types: Sequence[TensorType]) -> None:
    block = group.blocks[0]
    for node in block.nodes:
        op = row(node.op)
        if node.op == "input":
            continue
        if op is None or not op.is_pointwise(block.type_of(node.inputs[0]).dtype):
            raise GraphError(f"{group.name}: {node.name} ({node.op}) does not work on elements alone")
        if block.types[node][0].shape != types[0].shape:
            raise GraphError(f"{group.name}: {node.name} is {block.types[node][0]}, but the group is {types[0]}")


def verify_types(graph: Graph, known: Graph | None = None) -> None:
    """Check every node against the table of ops: its op exists, its types are what the op gives.

    Args:
        graph: the graph.
        known: one that was checked before; nodes of it with the types that they have there are not looked at again.

    Raises:
        GraphError: naming the node and the cause.
    """
    before = known.types if known is not None else {}
    changed = [node for node in graph.nodes if before.get(node) is not graph.types[node]]
    if not before.keys().isdisjoint(changed):  # what uses them has to be looked at too
        changed = graph.nodes
    unifier = Unifier()  # taught nothing: each node is checked by itself
    at = 0
    while (at := _core.typed(changed, at, graph.types, TABLE, FUSED, unifier.inferred)) < len(changed):
        _verify_type(graph, changed[at], unifier)
        if unifier.knowledge != (0, 0):
            inferred, unifier = unifier.inferred, Unifier()
            unifier.inferred = inferred
        at += 1
    for buffer, new in graph.updates.items():
        kept, got = buffer._type(), graph.type_of(new)
        if (
            kept.dtype is not got.dtype
            or len(kept.shape) != len(got.shape)
            or not all(map(Unifier().unify, kept.shape, got.shape))
        ):
            raise GraphError(f"the buffer {graph.operand_text(buffer)} is {kept}, its new value {new!r} is {got}")


def _verify_type(graph: Graph, node: Node, unifier: Unifier) -> None:
    noted = graph.types[node]
    types = [graph.type_of(operand) for operand in node.inputs]
    if node.blocks:
        check_blocks(node, types, noted)
        for block in node.blocks:
            verify_types(block)
        if node.op == ELEMENTWISE:
            _verify_members(node, noted)
        return
    op = row(node.op)
    if op is None:
        raise GraphError(f"{node.name}: there is no op {node.op!r} in the table")
    try:
        found = infer(op, unifier, types, node.attrs)
    except GraphnetError as error:
        raise GraphError(f"{node.name}: {error}; infer shapes again after changing the graph") from None
    (have,) = noted
    if found is not have and found != have:
        same = len(found.shape) == len(have.shape) and all(map(unifier.unify, found.shape, have.shape))
        if not same or found.dtype is not have.dtype:
            raise GraphError(f"{node.name}: its type is noted as {have}, but {node.op} gives {found}")
