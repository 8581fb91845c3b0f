"""Nodes with graphs inside them, control flow above all, and how their operands and results are laid out.

There are three ops of control flow, and one that says what runs as one loop.
Their blocks are closed graphs: an input for every operand, in order, and no other value from
outside; parameters and constants, which are identities, are used within blocks as anywhere else.

`if`
    operands: the condition, captured values; blocks: (then, else), which take the captured values;
    results: those of the block that was taken.
`while`
    operands: states, stacks, captured values; blocks: (condition, body).
    The condition takes states and captured values and gives one truth value. The body takes states, one element of
    each stack and captured values; it gives the next states, then one element for each stack that is written.
    results: the last states, the number of trips, the stacks that were written.
`repeat`
    a loop whose number of trips is its first operand; else as `while`, without a condition. It may run `backward`:
    from the last element of its stacks to the first.

`elementwise`
    written by passes: operations on elements, all of the shape of the results, which run as one loop.
    operands: whatever broadcasts to that shape; block: (body); results: those of the body that others look at.

A stack is a result with one more axis than its elements, in front: the number of trips, which only running tells.
Nothing but loops takes one. The gradient of a `while` is a `repeat` that goes backward over the states which the
`while` kept; the gradient of that is a `repeat` again.
"""

from __future__ import annotations

from graphnet.dtypes import bool_, int64
from graphnet.errors import GraphError
from graphnet.ir.dims import Symbol
from graphnet.ir.graph import Graph
from graphnet.ir.nodes import Node, Operand, TensorType, Value

__all__ = ["BRANCH", "COUNTED", "ELEMENTWISE", "LOOP", "Loop", "block_types", "check_blocks", "result_types"]

BRANCH, LOOP, COUNTED, ELEMENTWISE = "if", "while", "repeat", "elementwise"


class Loop:
    """The parts of a `while` or `repeat` node.

    Attributes:
        states, stacks, captured: its operands.
        trips: how often it runs, of a `repeat`; else None.
        body, condition: its blocks; no condition for a `repeat`.
        written: how many stacks it writes.
        backward: whether stacks are gone through from the end.
    """

    __slots__ = ("backward", "body", "captured", "condition", "node", "stacks", "states", "trips", "written")

    def __init__(self, node: Node) -> None:
        counted = node.op == COUNTED
        operands = node.inputs[1:] if counted else node.inputs
        states, stacks = int(node.attrs["states"]), int(node.attrs["stacks"])  # type: ignore[call-overload]
        self.node = node
        self.trips: Operand | None = node.inputs[0] if counted else None
        self.states, self.stacks = operands[:states], operands[states : states + stacks]
        self.captured = operands[states + stacks :]
        self.condition: Graph | None = None if counted else node.blocks[0]
        self.body: Graph = node.blocks[-1]
        self.written = len(self.body.outputs) - states
        self.backward = bool(node.attrs.get("backward", False))

    @property
    def count(self) -> Value:
        """The number of trips that it made."""
        return Value(self.node, len(self.states))

    def stack(self, index: int) -> Value:
        """A stack that it writes."""
        return Value(self.node, len(self.states) + 1 + index)

    def stack_slots(self) -> range:
        """The slots of the stacks that it writes."""
        return range(len(self.states) + 1, len(self.states) + 1 + self.written)


def block_types(node: Node, types: list[TensorType]) -> list[list[TensorType]]:
    """For each block of a node with operands of these types, the types of the block's inputs."""
    if node.op == ELEMENTWISE:
        return [types]
    if node.op == BRANCH:
        return [types[1:], types[1:]]
    given = types[1:] if node.op == COUNTED else types
    loop = Loop(node)
    n, k = len(loop.states), len(loop.stacks)
    elements = [TensorType(t.shape[1:], t.dtype) for t in given[n : n + k]]
    body = [*given[:n], *elements, *given[n + k :]]
    return [body] if node.op == COUNTED else [[*given[:n], *given[n + k :]], body]


def result_types(node: Node, types: list[TensorType], trips: Symbol) -> tuple[TensorType, ...]:
    """The types of a node's results; `trips` is the size of the stacks that it writes."""
    body = node.blocks[-1]
    found = [body.type_of(o) for o in body.outputs]
    if node.op == BRANCH:
        return tuple(found)
    n = len(Loop(node).states)
    states = types[1 : n + 1] if node.op == COUNTED else types[:n]
    stacks = [TensorType((trips, *t.shape), t.dtype) for t in found[n:]]
    return (*states, TensorType((), int64), *stacks)


def check_blocks(node: Node, types: list[TensorType], results: tuple[TensorType, ...]) -> None:
    """Check that blocks take what the node gives them, and give what the node says.

    Raises:
        GraphError: naming the node, the block, what was expected and what is there.
    """
    names = ("then", "else") if node.op == BRANCH else ("condition", "body")[-len(node.blocks) :]
    for name, block, wanted in zip(names, node.blocks, block_types(node, types)):
        where = f"{node.name}: its {name}"
        if len(block.inputs) != len(wanted):
            raise GraphError(f"{where} has {len(block.inputs)} inputs for {len(wanted)} operands")
        for inner, want in zip(block.inputs, wanted):
            if block.types[inner][0] != want:
                raise GraphError(f"{where} takes {inner.name} as {block.types[inner][0]}, but its operand is {want}")
        given = [block.type_of(o) for o in block.outputs]
        if name == "condition":
            if len(given) != 1 or given[0].dtype is not bool_ or any(d != 1 for d in given[0].shape):
                raise GraphError(f"{where} gives {', '.join(map(str, given))}, not one truth value")
            continue
        expected = list(results)
        if node.op in (LOOP, COUNTED):
            n = len(Loop(node).states)
            expected = [*results[:n], *(TensorType(t.shape[1:], t.dtype) for t in results[n + 1 :])]
        if given != expected:
            texts = [", ".join(map(str, side)) for side in (given, expected)]
            raise GraphError(f"{where} gives ({texts[0]}), but the node's results are ({texts[1]})")
    if node.op == COUNTED and types[0] != TensorType((), int64):
        raise GraphError(f"{node.name}: the number of trips is an int64, not {types[0]}")
    if node.op == BRANCH and (types[0].dtype is not bool_ or any(d != 1 for d in types[0].shape)):
        raise GraphError(f"{node.name}: its condition is {types[0]}, not one truth value")
