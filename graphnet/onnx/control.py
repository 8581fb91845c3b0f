"""ONNX's If, Loop and Scan: followed where their course is known, else nodes of the graph."""

from __future__ import annotations

import operator as python
from typing import Any

from graphnet.onnx.registry import operator
from graphnet.ops.onnx import Reader

__all__: list[str] = []


@operator("If")
def _if(n: Reader) -> Any:
    taken = bool(n.known(0).reshape(()))
    n.attr("then_branch")
    n.attr("else_branch")
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
    """Trip by trip, while its condition is known."""
    trips = int(n.known(0).reshape(())) if n.has(0) else None
    goes_on = bool(n.known(1).reshape(())) if n.has(1) else True
    carried = [n.x(i) for i in range(2, n.count)]
    count = len(carried)
    collected: list[list[Any]] = [[] for _ in range(n.results - count)]
    trip = 0
    while goes_on and (trips is None or trip < trips):
        condition, *results = n.body("body", n.const(trip), n.const(True), *carried)
        carried = results[:count]
        for parts, value in zip(collected, results[count:]):
            parts.append(value)
        trip += 1
        if n.has(1) or trips is None:
            goes_on = bool(n.truth(condition))
    n.attr("body")
    return (*carried, *(_stacked(n, parts) for parts in collected))


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
