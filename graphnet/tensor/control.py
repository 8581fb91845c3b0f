"""Loops and branches on tensors: run at once where there is data, nodes with blocks where a graph is traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet.errors import ArgumentError, ArgumentTypeError, TraceError, TripLimitError, kind_of
from graphnet.places import user_site
from graphnet.tensor.adaptation import adapted
from graphnet.tensor.core import Base, check_tensor
from graphnet.tensor.nesting import Nesting, flatten, rebuild
from graphnet.tensor.staging import NUMBER, Variables, record_branch, record_loop
from graphnet.tensor.state import state as thread
from graphnet.tensor.symbolic import SymbolicTensor

__all__ = ["check_limit", "cond", "run_loop", "truth", "while_loop"]


def while_loop(cond: Any, body: Any, state: Any, *, max_trips: int | None = None) -> Any:
    """Repeat `state = body(state)` as long as `cond(state)`; one node of the graph where one is traced.

    Args:
        cond: takes the state; gives one truth value: a tensor of one element, or a bool.
        body: takes the state; gives the next one, nested alike, with the same shapes and dtypes.
        state: a tensor, or a tuple, list or dict of tensors and numbers. Of a tuple or list, `cond` and `body` take
            the elements as their arguments, as torch's while_loop has it. Numbers become tensors of no axes where
            the loop is traced.
        max_trips: how often the body may run; None for any number.

    Returns:
        The last state, nested as it came.

    Raises:
        TraceError: the state's shapes, dtypes or nesting change on the way; names both.
        TripLimitError: the condition still holds after `max_trips`.

    Example:
        >>> import graphnet as gn
        >>> def halve(x):
        ...     return gn.while_loop(lambda x: x.abs().sum() > 1, lambda x: x / 2, x)
        >>> halve(gn.tensor([3.0, 5.0]))
        tensor([0.3750, 0.6250])
        >>> [node.op for node in gn.trace(halve, ("N",))]
        ['input', 'while']
    """
    _check_callable("while_loop", cond=cond, body=body)
    limit = check_limit("while_loop", max_trips)
    splat = type(state) in (tuple, list)
    values, nesting = flatten(state)
    values = [check_tensor("while_loop", v) if isinstance(v, np.ndarray) else v for v in values]
    for value in values:
        if not isinstance(value, (Base, *NUMBER)):
            raise ArgumentTypeError(f"while_loop: a state is tensors and numbers, got {kind_of(value)}")

    def call(function: Any, values: list[Any]) -> Any:
        nested = rebuild(nesting, values)
        return adapted(function)(*nested) if splat else adapted(function)(nested)

    def step(values: list[Any]) -> list[Any]:
        result = call(body, values)
        if splat and len(state) == 1 and isinstance(result, (Base, *NUMBER)):
            result = type(state)([result])
        found, new = flatten(result)
        if not _alike(new, nesting):
            raise TraceError(f"{_site()}while_loop: the body gives {new}, but the state is {nesting}")
        return found

    variables = Variables([f"state{path}" for path in nesting.paths()])
    return rebuild(nesting, run_loop(lambda v: call(cond, v), step, values, variables, limit))


def _alike(a: Nesting, b: Nesting) -> bool:
    """Whether values are nested alike; a tuple stands for a list."""
    if a.parts is None or b.parts is None:
        return a.parts is b.parts
    same = {a.kind, b.kind} <= {tuple, list} or a.kind is b.kind
    return same and a.keys == b.keys and all(map(_alike, a.parts, b.parts))


def cond(pred: Any, true_fn: Any, false_fn: Any, operands: Any = ()) -> Any:
    """`true_fn(*operands)` if `pred` else `false_fn(*operands)`; one node of the graph where `pred` is traced.

    Args:
        pred: one truth value: a tensor of one element, or a bool.
        true_fn, false_fn: take the operands; give tensors and numbers, nested alike, with the same shapes and dtypes.
        operands: a tuple or list of arguments; a tensor alone is one argument.

    Raises:
        TraceError: the branches give different shapes, dtypes or nesting; names both.

    Example:
        >>> import graphnet as gn
        >>> def flip(x):
        ...     return gn.cond(x.sum() < 0, lambda x: -x, lambda x: x * 2, (x,))
        >>> flip(gn.tensor([1.0, -3.0]))
        tensor([-1.,  3.])
        >>> [node.op for node in gn.trace(flip, ("N",))]
        ['input', 'sum', 'lt', 'if']
    """
    _check_callable("cond", true_fn=true_fn, false_fn=false_fn)
    given = tuple(operands) if isinstance(operands, (tuple, list)) else (operands,)
    if not isinstance(pred, SymbolicTensor):
        return adapted(true_fn if truth(pred) else false_fn)(*given)
    values, nesting = flatten(given)
    nestings: list[Nesting] = []

    def arm(function: Any) -> Callable[[list[Any]], list[Any]]:
        def run(values: list[Any]) -> list[Any]:
            found, new = flatten(adapted(function)(*rebuild(nesting, values)))
            nestings.append(new)
            if not _alike(new, nestings[0]):
                raise TraceError(f"{_site()}cond: true_fn gives {nestings[0]}, but false_fn gives {new}")
            names.names[:] = [f"result{path}" for path in new.paths()]
            return found

        return run

    names = Variables([], aligned=False)
    results = record_branch(pred, arm(true_fn), arm(false_fn), values, names)
    return rebuild(nestings[0], results)


def run_loop(
    test: Callable[[list[Any]], Any],
    step: Callable[[list[Any]], list[Any]],
    values: list[Any],
    variables: Variables,
    limit: int | None,
) -> list[Any]:
    """Run a loop: in Python as long as its condition is known, as a node of the graph from there on."""
    trips = 0
    while True:
        tracer = thread.tracer or next((v._tracer for v in values if isinstance(v, SymbolicTensor)), None)
        if tracer is None:
            going = test(values)
        else:
            with tracer.running().block("condition", throwaway=True):
                going = test(values)
        if isinstance(going, SymbolicTensor):
            left = None if limit is None else limit - trips
            return record_loop(going._tracer.running(), test, step, values, variables, left)
        if not truth(going):
            return values
        if trips == limit:
            raise TripLimitError(f"{_site()}a loop goes on after max_trips={limit} trips")
        values = step(values)
        trips += 1


def truth(value: Any) -> bool:
    """A truth value as Python has it; of a tensor only one element can have one."""
    return bool(check_tensor("condition", value)) if isinstance(value, (Base, np.ndarray)) else bool(value)


def check_limit(what: str, max_trips: Any) -> int | None:
    """A limit of trips.

    Raises:
        ArgumentTypeError, ArgumentError: not a whole number from 0 up, and not None.
    """
    if max_trips is None:
        return None
    if isinstance(max_trips, bool) or not isinstance(max_trips, (int, np.integer)):
        raise ArgumentTypeError(f"{what}: max_trips is a whole number or None, got {max_trips!r:.60}")
    if max_trips < 0:
        raise ArgumentError(f"{what}: max_trips is 0 or more, got {max_trips}")
    return int(max_trips)


def _check_callable(what: str, **functions: Any) -> None:
    for name, function in functions.items():
        if not callable(function):
            raise ArgumentTypeError(f"{what}: {name} is a function, got {kind_of(function)}")


def _site() -> str:
    site = user_site()
    return f"{site}: " if site is not None else ""
