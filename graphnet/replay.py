"""Running a graph node by node: on tensors with data, or into the graph of symbolic ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from graphnet import ir
from graphnet.errors import GraphError, TripLimitError
from graphnet.ir import BRANCH, ELEMENTWISE, Literal, Loop, Node, Scope, Symbol, SymbolicDim, Value
from graphnet.passes import resolve
from graphnet.passes.sizes import bound_attrs
from graphnet.tensor import SymbolicTensor, apply, check_tensor, no_grad, state
from graphnet.tensor.control import run_loop, truth
from graphnet.tensor.staging import Variables, record_branch

__all__ = ["Replay"]


class Replay:
    """One run of a graph.

    Args:
        bound: the sizes that its inputs have this time.
        scopes: what stands for its scopes in the graph that it is traced into; filled on the way.
    """

    def __init__(self, bound: Mapping[Symbol, Any], scopes: dict[Scope | None, Scope | None]) -> None:
        self.bound, self.scopes = bound, scopes
        self.watch: Callable[[Node, Any], None] | None = None  # is told of each node's result

    def run(self, graph: ir.Graph, inputs: Sequence[Any]) -> list[Any]:
        """The graph's outputs for these inputs."""
        values: dict[Any, Any] = {Value(node): value for node, value in zip(graph.inputs, inputs)}
        before = state.replayed
        try:
            for node in graph.nodes:
                if node.op == "input":
                    continue
                state.replayed = (self._moved(node.scope), node.where)
                operands = [self._operand(o, values) for o in node.inputs]
                if node.blocks:
                    for slot, result in enumerate(self._control(node, operands)):
                        values[Value(node, slot)] = result
                else:
                    values[Value(node)] = apply(node.op, *operands, **bound_attrs(node.attrs, self.bound))
                if self.watch is not None:
                    self.watch(node, values[Value(node)])
            for buffer, new in graph.updates.items():
                state.replayed = (None, None)
                _write(buffer, self._operand(new, values))
        finally:
            state.replayed = before
        results = [self._operand(o, values) for o in graph.outputs]
        return [apply("copy", r) if isinstance(r, Literal) else r for r in results]

    def _operand(self, operand: Any, values: Mapping[Any, Any]) -> Any:
        if isinstance(operand, Value):
            return values[operand]
        if not isinstance(operand, Literal):
            return operand
        number = operand.value
        return Literal(ir.substitute(number, self.bound), operand.dtype) if isinstance(number, SymbolicDim) else operand

    def _moved(self, scope: Scope | None) -> Scope | None:
        """A scope of the graph as one below the scope into which the graph is traced."""
        if not self.scopes:
            return scope
        missing: list[Scope] = []
        while scope not in self.scopes:
            assert scope is not None
            missing.append(scope)
            scope = scope.parent
        found = self.scopes[scope]
        for old in reversed(missing):
            found = self.scopes[old] = Scope(found, old.name, old.cls, old.where, old.library)
        return found

    def _control(self, node: Node, operands: list[Any]) -> Sequence[Any]:
        symbolic = next((o for o in operands if isinstance(o, SymbolicTensor)), None)
        if symbolic is not None:
            return self._copy(node, operands, symbolic)
        values = [apply("copy", o) if isinstance(o, Literal) else o for o in operands]
        if node.op == ELEMENTWISE:
            return self.run(node.blocks[0], values)
        if node.op == BRANCH:
            then, orelse = (partial(self.run, block) for block in node.blocks)
            if isinstance(values[0], SymbolicTensor):
                return record_branch(
                    values[0],
                    then,
                    orelse,
                    values[1:],
                    Variables([f"result {i}" for i, _ in enumerate(node.blocks[0].outputs)], aligned=False),
                )
            return (then if truth(values[0]) else orelse)(values[1:])
        return self._loop(Loop(node), values)

    def _copy(self, node: Node, operands: list[Any], symbolic: SymbolicTensor) -> list[Any]:
        """The node again in the graph that is traced."""
        tracer = symbolic._tracer.running()
        blocks = tuple([resolve(block, self.bound) for block in node.blocks])
        again = Node(node.op, (), bound_attrs(node.attrs, self.bound), node.name, node.scope, node.where, blocks)
        made = tracer.emitter.copy(again, [tracer.operand(o) for o in operands], "", self._moved)
        types = tracer.emitter.graph.types[made]
        return [tracer.result(made, slot, type.dtype.is_floating_point) for slot, type in enumerate(types)]

    def _loop(self, loop: Loop, values: list[Any]) -> list[Any]:
        """The results of a loop, with lists of tensors for stacks."""
        counted = loop.trips is not None
        total = int(values[0]) if counted else None
        given = values[1:] if counted else values
        n, k = len(loop.states), len(loop.stacks)
        states, stacks, captured = given[:n], given[n : n + k], given[n + k :]
        limit: Any = loop.node.attrs.get("max_trips")
        if total is None and not stacks and not loop.written and state.tracer is not None:
            test, step = (partial(self.run, block) for block in loop.node.blocks)
            names = Variables([node.name for node in loop.body.inputs[:n]])
            return run_loop(lambda v: test([*v, *captured])[0], lambda v: step([*v, *captured]), states, names, limit)
        trips = 0
        kept: list[list[Any]] = [[] for _ in range(loop.written)]
        while total is None or trips < total:
            if total is None:
                assert loop.condition is not None
                if not truth(self.run(loop.condition, [*states, *captured])[0]):
                    break
                if trips == limit:
                    raise TripLimitError(f"{loop.node.describe()}: a loop goes on after max_trips={limit} trips")
            at = total - 1 - trips if total is not None and loop.backward else trips
            elements = [_element(stack, at) for stack in stacks]
            found = self.run(loop.body, [*states, *elements, *captured])
            states = found[:n]
            for stack, element in zip(kept, found[n:]):
                stack.append(element)
            trips += 1
        if loop.backward:
            for stack in kept:
                stack.reverse()
        return [*states, check_tensor("trips", trips), *kept]


def _write(buffer: Any, value: Any) -> None:
    """Leave a new value in a buffer, or note it where a graph is traced."""
    with no_grad():
        buffer._overwrite(value if isinstance(value, SymbolicTensor) else value.detach())


def _element(stack: Any, index: int) -> Any:
    if not isinstance(stack, list):
        raise GraphError("a loop over a stack runs on data, or is traced with all of its graph")
    return stack[index]
