"""Differentiation: a graph of the gradients, in the same IR.

A branch is differentiated as a branch on the same condition, each of whose blocks computes its forward again and then
its gradients. A loop keeps its states on stacks, one element for each trip; its gradient is a loop over them from the
last trip to the first, whose body computes one trip again, then that trip's gradients. What is captured from outside
and the parameters used in the body get a state of their own there, to which each trip adds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence, Set
from typing import Any, NamedTuple

from graphnet import _core
from graphnet.collector import collector_paused
from graphnet.dtypes import DType, bool_
from graphnet.errors import GradientError
from graphnet.ir import (
    BRANCH,
    COUNTED,
    Graph,
    Literal,
    Loop,
    Node,
    Operand,
    Shape,
    Symbol,
    SymbolicDim,
    TensorType,
    Unifier,
    Value,
)
from graphnet.ops import TABLE, Op, infer
from graphnet.ops.emit import Emitter
from graphnet.ops.gradient import contributions
from graphnet.ops.reach import Gradients, There, ToldGradients, as_operand, either
from graphnet.ops.table import Attrs

__all__ = ["differentiate"]

_THERE = ("grad.there", TensorType((), bool_))  # an input that says whether a gradient is there


class _Ref(NamedTuple):
    """A value of a recipe: an operand of the node, its result, what arrives, or a step; see `_core.replay`."""

    number: int
    type: TensorType


class _Recipe:
    """The operations that the gradient of a node consists of, for all nodes of its kind.

    It is the site that gradient rules see (`graphnet.ops.Site`). As rules know of a node's operands but their types,
    they are asked once for each kind of node, and what they answer is written for every node of it.
    """

    def __init__(self, node: Node, emitter: Emitter, wanted: Set[Hashable], g: Operand) -> None:
        self.op: Op = TABLE[node.op]
        self.node, self.sizes, self.attrs = node, emitter.sizes, node.attrs
        self.types = [emitter.type_of(o) for o in node.inputs]
        self.key: Hashable = Value(node)
        self.operand = 0
        self.shape, self.dtype = result = emitter.type_of(Value(node))
        self.shapes: tuple[Shape, ...] = tuple([t.shape for t in self.types])
        self.dtypes: tuple[DType, ...] = tuple([t.dtype for t in self.types])
        self._wanted = [i if o in wanted else None for i, o in enumerate(node.inputs)]
        self._result = _Ref(len(self.types), result)
        self._steps: list[tuple[str, tuple[Any, ...], Attrs, tuple[TensorType, ...]]] = []
        results: list[Any] = [None] * len(self.types)
        for index, value in contributions(self, _Ref(len(self.types) + 1, emitter.type_of(g))):
            assert isinstance(index, int)
            results[index] = value.number if isinstance(value, _Ref) else value
        self.steps, self.results = tuple(self._steps), tuple(results)

    def targets(self) -> list[int | None]:
        """Which operands want a gradient, by their numbers."""
        return self._wanted

    def shape_of(self, value: _Ref | Literal) -> Shape:
        """The shape of a value."""
        return value.type.shape if isinstance(value, _Ref) else ()

    def describe(self) -> str:
        """The node, for errors."""
        return self.node.describe()

    def x(self, index: int) -> _Ref:
        """An operand."""
        return _Ref(index, self.types[index])

    def y(self) -> _Ref:
        """The result."""
        return self._result

    def number(self, index: int) -> Any:
        """An operand that was written as a number."""
        operand = self.node.inputs[index]
        return operand.value if isinstance(operand, Literal) else None

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> _Ref:
        values = [Literal(i, self.dtype) if isinstance(i, (bool, int, float, SymbolicDim)) else i for i in inputs]
        types = [v.type if isinstance(v, _Ref) else TensorType((), v.dtype) for v in values]
        shape, dtype = infer(TABLE[op], self.sizes, types, attrs)
        type = TensorType(self.sizes.resolve_shape(shape), dtype)
        self._steps.append((op, tuple([v.number if isinstance(v, _Ref) else v for v in values]), attrs, (type,)))
        return _Ref(len(self.types) + 1 + len(self._steps), type)


@collector_paused()
def differentiate(graph: Graph, reached: dict[Operand, int | None] | None = None) -> Graph:
    """A graph whose outputs are the output and its gradients for each parameter, then for each floating-point input.

    The gradient starts from 1 for a single element; for other outputs it is one more input of the graph. It is zeros
    for those that none flows to.

    Args:
        graph: what is differentiated.
        reached: a dict into which go the parameters and inputs that a gradient flows to. Where only running tells
            whether one does, as for a weight in the body of a loop, one more output of the graph is that truth value,
            and its number is entered; else None.

    Raises:
        GradientError: there is not exactly one output, or a node on the way has no gradient.
    """
    if len(graph.outputs) != 1 or not isinstance(graph.outputs[0], Value):
        raise GradientError(f"{graph.name} has {len(graph.outputs)} outputs; gradients are taken of one")
    leaves: list[Operand] = list(graph.trained())
    leaves += [Value(n) for n in graph.inputs if graph.types[n][0].dtype.is_floating_point]
    wanted = _wanted(graph, set(leaves))
    result = _recording(graph, wanted, f"{graph.name}.gradient")
    emitter = Emitter(result, Unifier())
    output = result.outputs[0]
    assert isinstance(output, Value)
    if any(node.blocks for node in graph.nodes):  # loops keep their states now: they are other nodes
        wanted = _wanted(result, set(leaves))
    start = result.type_of(output)
    seed = emitter.input(f"grad.{output.node.name}", start) if start.shape else Literal(1.0, start.dtype)
    told = reached is not None and any(node.blocks for node in graph.nodes)
    gradients = ToldGradients(emitter) if told else Gradients()
    gradients[output] = seed
    _reverse(result.nodes[: len(graph.nodes)], emitter, wanted, gradients)
    result.outputs = [output]
    for leaf in leaves:
        type = emitter.type_of(leaf)
        result.outputs.append(gradients[leaf] if leaf in gradients else _zeros(emitter, type))
    for leaf in leaves if reached is not None else ():
        if (there := gradients.there(leaf)) is not False:
            reached[leaf] = None if there is True else len(result.outputs)  # type: ignore[index]
            result.outputs += [] if there is True else [there]
    return result


def _reverse(nodes: list[Node], emitter: Emitter, wanted: set[Hashable], gradients: Gradients) -> None:
    """Carry gradients from the results of nodes to what they were computed from."""
    recipes: dict[Any, tuple[Any, Any]] = {}
    types = emitter.graph.types
    end = len(nodes)
    while end > 0:
        if not gradients.told and (end := emitter.carry(nodes, end, wanted, gradients, recipes)) == 0:
            break
        end -= 1
        node = nodes[end]
        if node.blocks:
            back = _Back(node, emitter, wanted, gradients)
            if node.op == BRANCH:
                back.branch()
            else:
                back.loop()
            continue
        g = gradients.pop(Value(node)) if node.op != "input" else None
        if g is None:
            continue
        key = _core.gradient_key(node, types, wanted, g)
        recipe = recipes.get(key)
        if recipe is None:
            made = _Recipe(node, emitter, wanted, g)
            recipe = made.steps, made.results
            if key is not None and not emitter.sizes.values:  # types are as they are noted
                recipes[key] = recipe
        for operand, contribution in zip(node.inputs, emitter.replay(recipe[0], recipe[1], node, g)):
            if contribution is not None:
                before = gradients.get(operand)
                gradients[operand] = contribution if before is None else _added(emitter, node, before, contribution)


def _added(emitter: Emitter, node: Node, a: Operand, b: Operand) -> Operand:
    return emitter.emit(TABLE["add"], (a, b), {}, f"grad.{node.name}", node.scope, node.where)


def _zeros(emitter: Emitter, type: TensorType) -> Operand:
    zero = Literal(0.0, type.dtype)
    return emitter.emit(TABLE["expand"], [zero], {"shape": type.shape}, "grad.zero") if type.shape else zero


# -- which values a gradient flows to -----------------------------------------------------------------------


def _wanted(graph: Graph, leaves: set[Hashable]) -> set[Hashable]:
    """The values of a graph, not those within its blocks, that depend on leaves; and these."""
    wanted, at = set(leaves), 0
    while (at := _core.flows(graph.nodes, at, graph.types, wanted)) < len(graph.nodes):
        node, types = graph.nodes[at], graph.types[graph.nodes[at]]
        wanted.update(Value(node, slot) for slot in _wanted_slots(node, wanted) if _flows(types[slot]))
        at += 1
    return wanted


def _flows(type: TensorType) -> bool:
    return type.dtype.is_floating_point


def _wanted_slots(node: Node, wanted: set[Hashable]) -> set[int]:
    """The results of a node of control flow that depend on leaves."""
    constants = {o for o in wanted if not isinstance(o, Value)}
    if node.op == BRANCH:
        found: set[int] = set()
        for block in node.blocks:
            inner = _wanted(block, constants | _inputs_like(block, node.inputs[1:], wanted))
            found.update(slot for slot, output in enumerate(block.outputs) if output in inner)
        return found
    loop = Loop(node)
    n = len(loop.states)
    inner = _wanted_in_body(loop, wanted)
    slots = {slot for slot, state in enumerate(loop.states) if state in wanted}
    slots |= {slot for slot, output in enumerate(loop.body.outputs[:n]) if output in inner}
    return slots | {n + 1 + k for k, output in enumerate(loop.body.outputs[n:]) if output in inner}


def _wanted_in_body(loop: Loop, wanted: set[Hashable]) -> set[Hashable]:
    """The values of a loop's body that depend on leaves, in some trip."""
    constants = {o for o in wanted if not isinstance(o, Value)}
    states = {slot for slot, state in enumerate(loop.states) if state in wanted}
    given = [*loop.states, *loop.stacks, *loop.captured]
    while True:
        start = constants | _inputs_like(loop.body, given, wanted)
        start |= {Value(loop.body.inputs[slot]) for slot in states}
        start = {v for v in start if not isinstance(v, Value) or _flows(loop.body.type_of(v))}
        inner = _wanted(loop.body, start)
        more = states | {slot for slot, out in enumerate(loop.body.outputs[: len(loop.states)]) if out in inner}
        if more == states:
            return inner
        states = more


def _inputs_like(block: Graph, operands: Sequence[Operand], wanted: set[Hashable]) -> set[Hashable]:
    """The inputs of a block whose operands are wanted."""
    return {Value(node) for node, operand in zip(block.inputs, operands) if operand in wanted}


# -- what loops keep for it -----------------------------------------------------------------------------------


def _recording(graph: Graph, wanted: set[Hashable], name: str) -> Graph:
    """The graph with loops that keep their states, where a gradient flows through them."""
    result = Graph(name)
    moved: dict[Node, Node] = {}

    def operand(old: Operand) -> Operand:
        return Value(moved[old.node], old.slot) if isinstance(old, Value) and old.node in moved else old

    for node in graph.nodes:
        new, types = node, graph.types[node]
        if moved and any(isinstance(o, Value) and o.node in moved for o in node.inputs):
            inputs = tuple(map(operand, node.inputs))
            new = Node(node.op, inputs, node.attrs, node.name, node.scope, node.where, node.blocks)
        if node.blocks and node.op != BRANCH and any(Value(node, slot) in wanted for slot in range(len(types))):
            new, types = _keeping(new, types)
        if new is not node:
            moved[node] = new
        result.add(new, types)
    result.inputs = [moved.get(node, node) for node in graph.inputs]
    result.outputs = list(map(operand, graph.outputs))
    result.parameter_names = dict(graph.parameter_names)
    result.updates = {buffer: operand(new) for buffer, new in graph.updates.items()}
    result.buffer_names = dict(graph.buffer_names)
    return result


def _keeping(node: Node, types: tuple[TensorType, ...]) -> tuple[Node, tuple[TensorType, ...]]:
    """A loop that also writes the states from which each trip starts on stacks."""
    loop = Loop(node)
    n = len(loop.states)
    body = _again(loop.body)
    missing = [Value(inner) for inner in body.inputs[:n] if Value(inner) not in body.outputs[n:]]
    body.outputs += missing
    trips = types[n + 1].shape[0] if len(types) > n + 1 else Symbol(f"{node.name}.trips")
    stacks = tuple(TensorType((trips, *t.shape), t.dtype) for t in map(body.type_of, missing))
    blocks = (*node.blocks[:-1], body)
    return Node(node.op, node.inputs, node.attrs, node.name, node.scope, node.where, blocks), (*types, *stacks)


def _again(block: Graph) -> Graph:
    """The same nodes in a graph whose outputs can be changed."""
    result = Graph(block.name)
    result.nodes, result.inputs, result.outputs = block.nodes, block.inputs, list(block.outputs)
    result.types = block.types
    return result


# -- through a node of control flow ---------------------------------------------------------------------------


class _Back:
    """The gradient of a node of control flow, as one more such node."""

    def __init__(self, node: Node, emitter: Emitter, wanted: set[Hashable], gradients: Gradients) -> None:
        self.node, self.emitter, self.wanted, self.gradients = node, emitter, wanted, gradients
        self.name = f"grad.{node.name}"
        self.arrived: dict[int, Any] = {}  # gradients by slot
        self.there: dict[int, There] = {}  # whether they are
        for slot in range(len(emitter.graph.types[node])):
            if Value(node, slot) in gradients:
                self.arrived[slot] = gradients.pop(Value(node, slot))
                self.there[slot] = gradients.taken
        self.constants = {o for o in wanted if not isinstance(o, Value)}
        self.weights = [o for block in node.blocks for o in block.used_parameters() if o in wanted]
        self.weights = list(dict.fromkeys(self.weights))

    def branch(self) -> None:
        """Carry gradients through an `if`."""
        condition, *captured = self.node.inputs
        targets = self._chosen(captured)
        if not self.arrived or not (targets or self.weights):
            return
        blocks: list[Graph] = []
        open_there = [there for there in self.there.values() if there is not True]
        arms: list[list[There]] = []  # in each, whether there is a gradient of each target
        for label, block in zip(("then", "else"), self.node.blocks):
            inner = self.emitter.inner(f"{self.name}.{label}")
            given = self._inputs(inner, [(n.name, block.types[n][0]) for n in block.inputs])
            arrived = self._inputs(inner, [("grad", self.emitter.type_of(g)) for g in self.arrived.values()])
            there = iter(self._inputs(inner, [_THERE] * len(open_there)))
            leaves = self.constants | {Value(block.inputs[k]) for k in targets}
            coming = [(slot, g, self.there[slot] is True or next(there)) for slot, g in zip(self.arrived, arrived)]
            found = self._block(inner, block, given, leaves, coming)
            inner.graph.outputs = [self._fit(inner, found.get(given[k]), captured[k]) for k in targets]
            inner.graph.outputs += [self._fit(inner, found.get(w), w) for w in self.weights]
            arms.append([found.there(key) for key in [*(given[k] for k in targets), *self.weights]])
            blocks.append(inner.graph)
        flags: list[int] = []  # which results tell it; True and False where it is certain
        for pair in zip(*arms):
            if not self.gradients.told or (isinstance(pair[0], bool) and pair[0] is pair[1]):
                flags.append(True in pair)
                continue
            flags.append(len(blocks[0].outputs))
            for block, there in zip(blocks, pair):
                block.outputs.append(as_operand(there))
        operands = [condition, *captured, *self.arrived.values(), *open_there]
        made = self._control(BRANCH, operands, {}, tuple(blocks))
        for slot, target in enumerate([*(captured[k] for k in targets), *self.weights]):
            flag = flags[slot]
            self._give(target, Value(made, slot), flag if isinstance(flag, bool) else Value(made, flag))

    def loop(self) -> None:
        """Carry gradients through a `while` or `repeat`."""
        if not self.arrived:
            return
        loop = Loop(self.node)
        body, n, k = loop.body, len(loop.states), len(loop.stacks)
        inside = _wanted_in_body(loop, self.wanted)
        states = [j for j, node in enumerate(body.inputs[:n]) if Value(node) in inside]
        captured, stacks = self._chosen(loop.captured), self._chosen(loop.stacks)
        saved = [loop.stack(body.outputs[n:].index(Value(node))) for node in body.inputs[:n]]
        arrived = {slot: g for slot, g in self.arrived.items() if slot > n}  # of stacks
        summed: list[Operand] = [*(loop.captured[i] for i in captured), *self.weights]
        told = self.gradients.told
        open_there = [there for slot in arrived if (there := self.there[slot]) is not True]

        inner = self.emitter.inner(f"{self.name}.body")
        types = [body.types[node][0] for node in body.inputs]
        names = [node.name for node in body.inputs]
        adjoint = self._inputs(inner, [(f"grad.{names[j]}", types[j]) for j in states])
        sums = self._inputs(inner, [("grad.sum", self.emitter.type_of(o)) for o in summed])
        states_there = self._inputs(inner, [_THERE] * (len(states) * told))
        sums_there = self._inputs(inner, [_THERE] * ((len(summed) + len(stacks)) * told))
        elements = self._inputs(inner, list(zip(names, types))[: n + k])
        pushed = self._inputs(inner, [("grad", body.type_of(body.outputs[m - 1])) for m in arrived])
        given = elements + self._inputs(inner, list(zip(names, types))[n + k :])
        others = iter(self._inputs(inner, [_THERE] * len(open_there)))
        heads = [*states, *(n + i for i in stacks), *(n + k + i for i in captured)]
        leaves = self.constants | {Value(body.inputs[i]) for i in heads}
        certain: Sequence[There] = states_there if told else [True] * len(states)
        coming: list[tuple[int, Any, There]] = list(zip(states, adjoint, certain))
        coming += [(slot - 1, g, self.there[slot] is True or next(others)) for slot, g in zip(arrived, pushed)]
        found = self._block(inner, body, given, leaves, coming)
        outputs = [self._fit(inner, found.get(given[j]), Value(body.inputs[j]), body) for j in states]
        keys: list[Hashable] = [*(given[n + k + i] for i in captured), *self.weights]
        outputs += [self._sum(inner, before, found.get(key)) for before, key in zip(sums, keys)]
        keys += [given[n + i] for i in stacks]
        outputs += [as_operand(found.there(given[j])) for j in states] * told
        outputs += [as_operand(either(inner, a, found.there(key))) for a, key in zip(sums_there, keys)]
        outputs += [self._fit(inner, found.get(given[n + i]), Value(body.inputs[n + i]), body) for i in stacks]
        inner.graph.outputs = outputs

        start: list[Operand] = [self._start(j) for j in states]
        start += [_zeros(self.emitter, self.emitter.type_of(o)) for o in summed]
        flag = len(start)  # the slot of the first truth value
        start += [as_operand(self.there.get(j, False)) for j in states] * told
        start += [Literal(False, bool_)] * len(sums_there)
        read = [*saved, *loop.stacks, *arrived.values()]
        attrs = {"states": len(start), "stacks": len(read), "backward": not loop.backward}
        operands = [loop.count, *start, *read, *loop.captured, *open_there]
        made = self._control(COUNTED, operands, attrs, (inner.graph,))
        targets = [*(loop.states[j] for j in states), *summed, *(loop.stacks[i] for i in stacks)]
        results = [Value(made, slot) for slot in range(flag)] + [Loop(made).stack(i) for i in range(len(stacks))]
        for i, (target, result) in enumerate(zip(targets, results)):
            if target in self.wanted:
                self._give(target, result, Value(made, flag + i) if told else True)

    def _chosen(self, operands: Sequence[Operand]) -> list[int]:
        """Which operands a gradient flows to."""
        return [i for i, o in enumerate(operands) if o in self.wanted and _flows(self.emitter.type_of(o))]

    def _inputs(self, inner: Emitter, wanted: Sequence[tuple[str, TensorType]]) -> list[Value]:
        return [inner.input(name, type) for name, type in wanted]

    def _start(self, slot: int) -> Operand:
        """The gradient of a state after the last trip."""
        found = self.arrived.get(slot)
        return _zeros(self.emitter, self.emitter.graph.types[self.node][slot]) if found is None else found

    def _block(
        self,
        inner: Emitter,
        block: Graph,
        given: Sequence[Value],
        leaves: set[Hashable],
        arrived: Sequence[tuple[int, Any, There]],
    ) -> Gradients:
        """Write a block's forward and then its gradients; gives those of its inputs and parameters."""
        again = _recording(block, _wanted(block, leaves), block.name)
        values = {node: value.node for node, value in zip(again.inputs, given)}
        first = len(inner.graph.nodes)
        inner.copy_nodes(again, values, "again.")
        nodes = inner.graph.nodes[first:]
        heads = dict(zip(map(Value, block.inputs), given))
        wanted = _wanted(inner.graph, {heads[o] if isinstance(o, Value) else o for o in leaves})
        gradients = ToldGradients(inner) if self.gradients.told else Gradients()
        for slot, gradient, there in arrived:
            output = again.outputs[slot]
            if isinstance(output, Value):
                output = Value(values[output.node], output.slot)
            if output in wanted:
                gradients.enter(output, self._sum(inner, gradients.get(output), gradient), there)
        _reverse(nodes, inner, wanted, gradients)
        return gradients

    def _fit(self, inner: Emitter, found: Any, like: Operand, home: Graph | None = None) -> Operand:
        """A gradient in the shape of what it is the gradient of; zeros where there is none."""
        type = self.emitter.type_of(like) if home is None else home.type_of(like)
        if found is None:
            return _zeros(inner, type)
        if inner.type_of(found).shape == type.shape:
            return found  # type: ignore[no-any-return]
        return inner.emit(TABLE["expand"], [found], {"shape": type.shape}, f"{self.name}.expand")

    def _control(self, op: str, operands: list[Operand], attrs: dict[str, Any], blocks: tuple[Graph, ...]) -> Node:
        return self.emitter.control(op, operands, attrs, blocks, self.name, self.node.scope, self.node.where)

    def _give(self, target: Operand, contribution: Operand, there: There) -> None:
        """Add to a value's gradient what may be there."""
        if there is not False:
            total = self._sum(self.emitter, self.gradients.get(target), contribution)
            self.gradients.enter(target, total, there)

    def _sum(self, emitter: Emitter, a: Any, b: Any) -> Any:
        if a is None or b is None:
            return b if a is None else a
        if isinstance(a, Value) and a.node.blocks and a.node.op != BRANCH and a.slot in Loop(a.node).stack_slots():
            return self._sum_stacks(a, b)
        return emitter.emit(TABLE["add"], [a, b], {}, self.name, self.node.scope, self.node.where)

    def _sum_stacks(self, a: Value, b: Operand) -> Value:
        """Two stacks added element by element, which a loop over both does."""
        inner = self.emitter.inner(f"{self.name}.body")
        shape, dtype = self.emitter.type_of(a)
        pair = self._inputs(inner, [("element", TensorType(shape[1:], dtype))] * 2)
        inner.graph.outputs = [inner.emit(TABLE["add"], pair, {}, self.name)]
        attrs = {"states": 0, "stacks": 2}
        node = self._control(COUNTED, [Loop(a.node).count, a, b], attrs, (inner.graph,))
        return Loop(node).stack(0)
