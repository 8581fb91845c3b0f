"""ONNX's If, Loop and Scan: followed where their course is known, else nodes of the graph."""

from __future__ import annotations

import operator as python
from typing import Any

from graphnet.errors import TraceError
from graphnet.onnx.registry import operator
from graphnet.ops.onnx import Reader
from graphnet.tensor import SymbolicTensor
from graphnet.tensor.control import cond, while_loop

__all__: list[str] = []


@operator("If")
def _if(n: Reader) -> Any:
    pred = n.x(0)
    n.attr("then_branch")
    n.attr("else_branch")
    if isinstance(pred, SymbolicTensor):
        arms = [lambda name=name: tuple(map(n.tensor, n.body(name))) for name in ("then_branch", "else_branch")]
        return tuple(cond(pred, *arms))
    taken = bool(n.known(0).reshape(()))
    return tuple(n.body("then_branch" if taken else "else_branch"))


def _stacked(n: Reader, parts: list[Any], axis: int = 0) -> Any:
    if not parts:
        raise n.fail("a loop without a trip collects values, whose shape is then not known")
    rows = []
    for part in parts:
        shape = list(n.shape(part))
        shape.insert(axis, 1)
        rows.append(n("reshape", part, shape=tuple(shape)))
    return n("cat", *rows, axis=axis)


@operator("Loop")
def _loop(n: Reader) -> Any:
    """Trip by trip while its condition is known; a loop of the graph where only data tells."""
    n.attr("body")
    going = n.x(1) if n.has(1) else n.const(True)
    limit = n.x(0) if n.has(0) else None
    carried = [n.x(i) for i in range(2, n.count)]
    if isinstance(going, SymbolicTensor) or isinstance(limit, SymbolicTensor):
        return _while(n, limit, going, carried)
    trips = None if limit is None else int(n.known(0).reshape(()))
    count = len(carried)
    collected: list[list[Any]] = [[] for _ in range(n.results - count)]
    trip = 0
    while n.truth(going) and (trips is None or trip < trips):
        condition, *results = n.body("body", n.const(trip), n.const(True), *carried)
        carried = results[:count]
        for parts, value in zip(collected, results[count:]):
            parts.append(value)
        trip += 1
        if n.has(1) or trips is None:
            going = condition
            if isinstance(going, SymbolicTensor) and not collected:
                left = None if trips is None else n.const(trips - trip)
                return _while(n, left, going, carried, trip)
    return (*carried, *(_stacked(n, parts) for parts in collected))


def _while(n: Reader, limit: Any, going: Any, carried: list[Any], start: int = 0) -> Any:
    """A loop whose state is its trips, where it has a limit or looks at them, its condition and what it carries."""
    if n.results > len(carried):
        raise TraceError("a loop whose length only data tells collects values")
    counts = limit is not None or n.uses("body", 0)
    state = [n.tensor(going), *map(n.tensor, carried)]
    state = [n.tensor(n.const(start)), *state] if counts else state

    def test(*state: Any) -> Any:
        if limit is None:
            return state[1 if counts else 0]
        return n("mul", n("lt", state[0], n("add", limit, n.const(start)) if start else limit), state[1])

    def body(*state: Any) -> Any:
        trip, *rest = state if counts else (None, *state)
        results = list(map(n.tensor, n.body("body", trip, rest[0], *rest[1:])))
        return (n("add", trip, n.const(1)), *results) if counts else tuple(results)

    return tuple(while_loop(test, body, tuple(state)))[2 if counts else 1 :]


@operator("Scan")
def _scan(n: Reader) -> Any:
    """Trip by trip: the number of trips is a size."""
    if n.version < 9:
        raise n.fail("Scan of version 8 is not read")
    scanned = n.attr("num_scan_inputs")
    count = n.count - scanned
    carried, inputs = [n.x(i) for i in range(count)], [n.x(i) for i in range(count, n.count)]
    axes = n.attr("scan_input_axes", [0] * scanned)
    back = n.attr("scan_input_directions", [0] * scanned)
    axes = [a % len(n.shape(x)) for a, x in zip(axes, inputs)]
    trips = python.index(n.shape(inputs[0])[axes[0]])
    outputs = n.results - count
    collected: list[list[Any]] = [[] for _ in range(outputs)]
    for trip in range(trips):
        row = []
        for x, axis, reverse in zip(inputs, axes, back):
            at = trips - 1 - trip if reverse else trip
            row.append(
                n("slice", x, index=tuple(at if a == axis else (None, None, None) for a in range(len(n.shape(x)))))
            )
        results = n.body("body", *carried, *row)
        carried = results[:count]
        for parts, value in zip(collected, results[count:]):
            parts.append(value)
    out_axes = n.attr("scan_output_axes", [0] * outputs)
    out_back = n.attr("scan_output_directions", [0] * outputs)
    n.attr("body")
    stacks = []
    for parts, axis, reverse in zip(collected, out_axes, out_back):
        rank = len(n.shape(parts[0])) + 1
        stacks.append(_stacked(n, parts[::-1] if reverse else parts, axis % rank))
    return (*carried, *stacks)
