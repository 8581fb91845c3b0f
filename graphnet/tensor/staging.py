"""Recording a loop or branch as a node of a graph: its blocks, what they take from outside, what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from graphnet.dtypes import DType, bool_, float32, float64
from graphnet.errors import TraceError, with_article
from graphnet.ir import BRANCH, LOOP, Literal, Node, Operand, Origin, Symbol, SymbolicDim, TensorType, Value, Where
from graphnet.ops import TABLE
from graphnet.tensor.core import Base, apply, natural_dtype, place
from graphnet.tensor.symbolic import SymbolicTensor, Tracer

__all__ = ["NUMBER", "Missing", "Variables", "decision", "record_branch", "record_loop"]

NUMBER = (bool, int, float, np.generic)
Step: TypeAlias = "Callable[[list[Any]], list[Any]]"


class Missing:
    """The value of a variable that was not assigned yet. Of a `filler` nobody asks before it is."""

    def __init__(self, name: str, filler: bool = False) -> None:
        self.name, self.filler = name, filler

    def __repr__(self) -> str:
        return "nothing"


class Variables:
    """What the values are called that go into and come out of a loop or branch.

    Where they are `aligned`, the n-th that comes out is the next value of the n-th that goes in.
    """

    def __init__(self, names: list[str], aligned: bool = True) -> None:
        self.names, self.aligned = names, aligned
        self.align: Callable[[list[Any], list[Any]], tuple[list[Any], list[Any]]] | None = None
        self.kept: Callable[[], int] | None = None  # how many of a branch's values are used after it


class _Lifted(NamedTuple):
    """A value as the input of a block: the tensor that stands for it there, and what that was at first."""

    tensor: SymbolicTensor
    start: Value

    def changed(self) -> bool:
        """Whether it was overwritten in place."""
        return self.tensor._value != self.start


class _Block(NamedTuple):
    """A recorded block: what it was given and what it gave."""

    tracer: Tracer
    lifted: list[_Lifted | None]
    found: list[Any]


# -- loops ------------------------------------------------------------------------------------------------


def record_loop(
    tracer: Tracer,
    test: Callable[[list[Any]], Any],
    step: Step,
    values: list[Any],
    variables: Variables,
    limit: int | None,
) -> list[Any]:
    """Add a `while` node; gives the values after it.

    Raises:
        TraceError: a value changes its shape, dtype or nature between trips.
    """
    scope, where = place()
    name = tracer.name(LOOP, scope)
    wide = any(isinstance(v, Base) and v._dtype is float64 for v in values)
    types: list[TensorType | None] = [_type(tracer, value, float64 if wide else float32) for value in values]
    for _ in range(len(values) + 2):  # a number takes the dtype of what the body makes of it
        body = _trip(tracer, f"{name}.body", step, values, types, variables)
        next_types = [
            _next_type(tracer, variables.names[i], values[i], types[i], found, where)
            for i, found in enumerate(body.found)
        ]
        if next_types == types:
            break
        types = next_types
    check = _trip(tracer, f"{name}.condition", lambda v: [decision(test(v), where)], values, types, variables)
    chosen = [(i, type) for i, type in enumerate(types) if type is not None]
    for i, _ in chosen:
        _check_aliases(i, values, [check, body], variables.names[i], where)
    check.tracer.emitter.graph.outputs = [_output(check.tracer, check.found[0], TensorType((), bool_))]
    body.tracer.emitter.graph.outputs = [_output(body.tracer, body.found[i], type) for i, type in chosen]
    operands: list[Operand] = [_output(tracer, values[i], type) for i, type in chosen]
    captured = _close([check.tracer, body.tracer], [_inputs(check), _inputs(body)])
    attrs: dict[str, Any] = {"states": len(chosen), "stacks": 0}
    if limit is not None:
        attrs["max_trips"] = limit
    blocks = (check.tracer.emitter.graph, body.tracer.emitter.graph)
    node = tracer.emitter.control(LOOP, [*operands, *captured], attrs, blocks, name, scope, where)
    results = list(values)
    for slot, (i, type) in enumerate(chosen):
        result = tracer.result(node, slot, type.dtype.is_floating_point)
        lifted = body.lifted[i]
        assert lifted is not None
        result._number = lifted.tensor._number and getattr(body.found[i], "_number", True)
        results[i] = _hand_over(values[i], result, [lifted], [body.found[i]], variables.names[i], where)
    return results


def _trip(
    tracer: Tracer,
    label: str,
    function: Step,
    values: Sequence[Any],
    types: Sequence[TensorType | None],
    variables: Variables,
) -> _Block:
    """Record a block of a loop."""
    with tracer.block(label, looping=True) as inner:
        lifted: list[_Lifted | None] = []
        for value, type, name in zip(values, types, variables.names):
            if type is None:
                lifted.append(None)
                continue
            origin = value._origin if isinstance(value, Base) else None
            tensor = inner.lift(name, type, origin or Origin("input", None, None, name))
            tensor._number = isinstance(value, NUMBER) or bool(getattr(value, "_number", False))
            lifted.append(_Lifted(tensor, tensor._value))
        found = function([value if new is None else new.tensor for value, new in zip(values, lifted)])
    return _Block(inner, lifted, found)


def _inputs(block: _Block) -> list[Value]:
    return [lifted.start for lifted in block.lifted if lifted is not None]


def _type(tracer: Tracer, value: Any, wide: DType) -> TensorType | None:
    """The type that a value has as a state; None for what is none."""
    if isinstance(value, SymbolicTensor):
        return tracer.emitter.type_of(tracer.operand(value))
    if isinstance(value, Base):
        return tracer.emitter.type_of(value)
    if not isinstance(value, NUMBER):
        return None
    dtype = natural_dtype(value)
    return TensorType((), wide if dtype.is_floating_point and isinstance(value, float) else dtype)


def _next_type(
    tracer: Tracer, name: str, value: Any, have: TensorType | None, found: Any, where: Where | None
) -> TensorType | None:
    """The type with which a variable goes into the next trip."""
    place = f"{where}: " if where is not None else ""
    if have is None:
        if found is value or (isinstance(value, Missing) and isinstance(found, Missing)):
            return None
        if isinstance(value, Missing) and isinstance(found, (Base, *NUMBER)):
            if value.filler:
                return _found_type(found)
            raise TraceError(
                f"{place}{name} is first assigned inside a `while` whose number of trips only running tells, so after "
                f"none it has no value; give it {_wanted(tracer, found)} before the loop"
            )
        if not isinstance(found, (Base, *NUMBER)) and _equal(value, found):
            return None
    if have is None or not isinstance(found, (Base, *NUMBER)):
        raise TraceError(
            f"{place}{name} changes from {_told(tracer, value)} to {_told(tracer, found)} in a `while` whose number "
            "of trips only running tells; a graph carries tensors and numbers from trip to trip, nothing else"
        )
    if not isinstance(found, Base):
        if natural_dtype(found).category <= have.dtype.category and not have.shape:
            return have
        got = TensorType((), natural_dtype(found))
    else:
        got = found._type() if not isinstance(found, SymbolicTensor) else found._tracer.emitter.type_of(found._value)
    if got == have:
        return have
    widened = got.dtype is not have.dtype and got.dtype.category >= have.dtype.category
    if widened and not got.shape and not have.shape and _weak(value):
        return got
    if got.dtype is have.dtype and _same_shape(tracer, have, got):
        return have
    raise TraceError(
        f"{place}{name} is {_told(tracer, value)} before a trip of the `while` and {got} after it; a graph's state "
        f"keeps its shape and dtype{_remedy(have, got)}"
    )


def _weak(value: Any) -> bool:
    return not isinstance(value, Base) or bool(getattr(value, "_number", False))


def _remedy(have: TensorType, got: TensorType) -> str:
    if got.dtype is not have.dtype:
        return f": start with {with_article(got.dtype.name)} one, or convert it back with .to({have.dtype.name})"
    return ""


def _same_shape(tracer: Tracer, have: TensorType, got: TensorType) -> bool:
    """Whether shapes are equal, learning sizes that were unknown; a size is never learnt from its own multiple."""
    unifier = tracer.emitter.sizes
    if len(have.shape) != len(got.shape):
        return False
    for a, b in zip(unifier.resolve_shape(have.shape), unifier.resolve_shape(got.shape)):
        plain = isinstance(a, (int, Symbol)) and isinstance(b, (int, Symbol))
        if a != b and not (plain and unifier.unify(a, b)):
            return False
    return True


# -- branches ---------------------------------------------------------------------------------------------


def record_branch(pred: SymbolicTensor, then: Step, orelse: Step, values: list[Any], variables: Variables) -> list[Any]:
    """Add an `if` node; gives the values after it.

    Args:
        pred: its condition.
        then, orelse: the branches, run with the values.
        values: what the branches start from.
        variables: their names.

    Raises:
        TraceError: the branches give values of different shapes, dtypes or natures.
    """
    tracer = pred._tracer.running()
    scope, where = place()
    name = tracer.name(BRANCH, scope)
    condition = _output(tracer, decision(pred, where), TensorType((), bool_))
    arms: list[_Block] = []
    for label, function in (("then", then), ("else", orelse)):
        with tracer.block(f"{name}.{label}") as inner:
            lifted: list[_Lifted | None] = []
            for value in values:
                tensor = inner.hold(value) if isinstance(value, Base) else None
                lifted.append(None if tensor is None else _Lifted(tensor, tensor._value))
            found = function([value if new is None else new.tensor for value, new in zip(values, lifted)])
        arms.append(_Block(inner, lifted, found))
    if variables.align is not None:
        arms = [a._replace(found=f) for a, f in zip(arms, variables.align(arms[0].found, arms[1].found))]
    outputs = variables.kept() if variables.kept is not None else None
    if len(arms[0].found) != len(arms[1].found):
        raise TraceError(f"{where}: the branches of an `if` give {len(arms[0].found)} and {len(arms[1].found)} values")
    results, slots = _merge(tracer, arms, values, variables, outputs, where)
    captured = _close([arm.tracer for arm in arms], [[], []])
    blocks = (arms[0].tracer.emitter.graph, arms[1].tracer.emitter.graph)
    if slots:
        node = tracer.emitter.control(BRANCH, [condition, *captured], {}, blocks, name, scope, where)
        for slot, i in enumerate(slots):
            pair = [arm.found[i] for arm in arms]
            result = tracer.result(node, slot, node_type(tracer, node, slot).dtype.is_floating_point)
            result._number = all(_weak(part) for part in pair)
            results[i] = result
    for i, value in enumerate(values):
        lifts = [arm.lifted[i] for arm in arms]
        if not isinstance(value, Base):
            continue
        both = [lift for lift in lifts if lift is not None]
        if any(lift.changed() for lift in both):
            _check_aliases(i, values, arms, _name(variables, i), where, captures=1)
            aligned = variables.aligned
            pair = [arm.found[i] for arm in arms] if aligned else [None, None]
            new = results[i] if aligned else None
            handed = _hand_over(value, new, both, pair, _name(variables, i), where)
            if aligned:
                results[i] = handed
    return results


def _name(variables: Variables, i: int) -> str:
    return variables.names[i] if variables.aligned else f"operand {i}"


def _merge(
    tracer: Tracer,
    arms: list[_Block],
    values: list[Any],
    variables: Variables,
    outputs: int | None,
    where: Where | None,
) -> tuple[list[Any], list[int]]:
    """The results that are the same in both arms, and the numbers of those that the node must choose."""
    results: list[Any] = []
    slots: list[int] = []
    first, second = arms
    for i, (a, b) in enumerate(zip(first.found, second.found)):
        unchanged = _untouched(first, values, a) if isinstance(a, SymbolicTensor) else None
        other = _untouched(second, values, b) if isinstance(b, SymbolicTensor) else None
        if unchanged is not None and unchanged is other:
            results.append(unchanged)
            continue
        if not isinstance(a, SymbolicTensor) and not isinstance(b, SymbolicTensor) and (a is b or _equal(a, b)):
            results.append(a)
            continue
        if outputs is not None and i >= outputs:
            results.append(Missing(variables.names[i]))
            continue
        type = _common_type(tracer, variables.names[i], a, b, where)
        for arm, part in zip(arms, (a, b)):
            arm.tracer.emitter.graph.outputs.append(_output(arm.tracer, part, type))
        results.append(None)
        slots.append(i)
    return results, slots


def _untouched(arm: _Block, values: list[Any], found: SymbolicTensor) -> Any:
    """The value from outside that an arm hands through as it is."""
    for value, lifted in zip(values, arm.lifted):
        if lifted is not None and lifted.tensor is found and not lifted.changed():
            return value
    return None


def _common_type(tracer: Tracer, name: str, a: Any, b: Any, where: Where | None) -> TensorType:
    """The type of a variable after a branch."""
    place = f"{where}: " if where is not None else ""
    for one, two, label in ((a, b, "else"), (b, a, "then")):
        if isinstance(two, Missing) and isinstance(one, (Base, *NUMBER)):
            if two.filler:
                return _found_type(one)
            raise TraceError(
                f"{place}{name} is {_told(tracer, one)} after one branch of an `if` on a tensor and has no value after "
                f"the `{label}` branch; assign it in both, or before the `if`"
            )
    if not all(isinstance(v, (Base, *NUMBER)) for v in (a, b)):
        raise TraceError(
            f"{place}{name} is {_told(tracer, a)} after the `then` branch of an `if` on a tensor and "
            f"{_told(tracer, b)} after the `else` branch; a graph chooses between tensors and numbers, nothing else"
        )
    first, second = _found_type(a), _found_type(b)
    weak = _weak(a), _weak(b)
    if weak[0] != weak[1] and not first.shape and not second.shape:
        strong, number = (second, first) if weak[0] else (first, second)
        if number.dtype.category <= strong.dtype.category and not isinstance(a if weak[0] else b, Base):
            return strong
    if all(weak) and not (isinstance(a, Base) or isinstance(b, Base)):
        return first if first.dtype.category >= second.dtype.category else second
    if first.dtype is second.dtype and _same_shape(tracer, first, second):
        return first
    raise TraceError(
        f"{place}{name} is {_told(tracer, a)} after the `then` branch of an `if` on a tensor and {_told(tracer, b)} "
        "after the `else` branch; both must have one shape and dtype"
    )


def _found_type(value: Any) -> TensorType:
    if isinstance(value, SymbolicTensor):
        return value._tracer.emitter.type_of(value._value)
    return value._type() if isinstance(value, Base) else TensorType((), natural_dtype(value))


# -- both -------------------------------------------------------------------------------------------------


def decision(value: Any, where: Where | None) -> Any:
    """A condition as one truth value."""
    if not isinstance(value, Base):
        return bool(value)
    shape = value._type().shape
    if any(d != 1 for d in shape):
        place = f"{where}: " if where is not None else ""
        raise TraceError(
            f"{place}the condition has shape {tuple(shape)}; the truth of more than one element is ambiguous: "
            "use .any() or .all()"
        )
    if value._dtype is not bool_:
        value = apply("ne", value, 0)
    return apply("reshape", value, shape=()) if shape else value


def _output(tracer: Tracer, value: Any, type: TensorType) -> Operand:
    """How a graph refers to a value that has, or is given, a type."""
    if isinstance(value, Base):
        return tracer.operand(value)
    if not isinstance(value, Missing):
        return Literal(value.item() if isinstance(value, np.generic) else value, type.dtype)
    zero = Literal(False if type.dtype is bool_ else 0, type.dtype)
    if not type.shape:
        return zero
    return tracer.emitter.emit(TABLE["expand"], [zero], {"shape": type.shape}, f"{value.name}.nothing")


def node_type(tracer: Tracer, node: Node, slot: int) -> TensorType:
    """The type of a node's result."""
    return tracer.emitter.type_of(Value(node, slot))


def _close(tracers: Sequence[Tracer], heads: Sequence[list[Value]]) -> list[Any]:
    """Give the blocks the same inputs behind their own first ones; what they take from outside, in that order."""
    taken: dict[Any, None] = {}
    for tracer in tracers:
        graph = tracer.emitter.graph
        used = {o for node in graph.nodes for o in node.inputs if isinstance(o, Value)}
        used.update(o for o in graph.outputs if isinstance(o, Value))
        for source, start in tracer.captured.items():
            if start in used:
                taken[source] = None
            else:
                graph.nodes.remove(start.node)
                del graph.types[start.node]
    for tracer, head in zip(tracers, heads):
        graph = tracer.emitter.graph
        inputs = [value.node for value in head]
        for source in taken:
            if source in tracer.captured and tracer.captured[source].node not in graph.types:
                del tracer.captured[source]
            inputs.append(tracer.input_for(source).node)
        graph.inputs = inputs
    return list(taken)


def _check_aliases(
    index: int, values: list[Any], blocks: list[_Block], name: str, where: Where | None, captures: int = 0
) -> None:
    """Refuse to overwrite in place what is seen under another name: a graph's values share no memory."""
    value = values[index]
    if not isinstance(value, Base) or not any(b.lifted[index] and b.lifted[index].changed() for b in blocks):  # type: ignore[union-attr]
        return
    others = [v for k, v in enumerate(values) if k != index and isinstance(v, Base) and v._memory is value._memory]
    seen = any(sum(m is value._memory for m in block.tracer.memories.values()) > captures for block in blocks)
    if seen or others:
        place = f"{where}: " if where is not None else ""
        raise TraceError(
            f"{place}{name} is overwritten in place in a loop or branch, and its memory is seen under another name; a "
            "traced graph has no shared memory: write y = y * 2 for y *= 2"
        )


def _hand_over(value: Any, result: Any, lifted: list[_Lifted], found: list[Any], name: str, where: Where | None) -> Any:
    """The result in the place of the value, which was overwritten in place itself where the blocks did that."""
    if not isinstance(value, Base) or _weak(value) or not any(lift.changed() for lift in lifted):
        return result
    if not isinstance(value, SymbolicTensor):
        place = f"{where}: " if where is not None else ""
        raise TraceError(
            f"{place}{name}, a tensor from outside the graph, is overwritten in place in a loop or branch; "
            "write y = y * 2 for y *= 2"
        )
    value._memory.version += 1  # whoever still has it as it was is told so
    if not all(new is lift.tensor for new, lift in zip(found, lifted)):
        return result
    value._value, value._seen, value._origin = result._value, value._memory.version, result._origin
    return value


def _equal(a: Any, b: Any) -> bool:
    """Whether two things that are no tensors are the same to Python."""
    if isinstance(a, Missing) or isinstance(b, Missing):
        return isinstance(a, Missing) and isinstance(b, Missing)
    if type(a) is not type(b) or isinstance(a, Base):
        return False
    try:
        return bool(a == b)
    except Exception:  # whatever a foreign class's comparison raises
        return False


def _told(tracer: Tracer, value: Any) -> str:
    """A value as errors show it."""
    if isinstance(value, Base):
        return str(_found_type(value))
    if isinstance(value, NUMBER):
        return f"the number {value!r}"
    if isinstance(value, (Missing, SymbolicDim)):
        return repr(value)
    return f"{value!r:.40} ({type(value).__name__})" if value is not None else "None"


def _wanted(tracer: Tracer, value: Any) -> str:
    """A value as errors ask for one like it."""
    return with_article(_told(tracer, value)) if isinstance(value, Base) else _told(tracer, value)
