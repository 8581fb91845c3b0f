"""Python's own `while` and `if` on tensors, captured from user code as it stands."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import graphnet as gn

INPUTS = [np.arange(6.0).reshape(2, 3) * scale + shift for scale, shift in ((0.01, 0), (1, -1), (3, 0.5), (-2, 0))]


def breaking(x: Any) -> Any:
    n = 0
    while x.sum() < 100:
        x = x * x + 1
        n += 1
        if x.max() > 20:
            break
    return x * n


def continuing(x: Any) -> Any:
    total = x * 0
    i = 0
    while i < x.abs().sum():
        i += 1
        if i % 2 == 0:
            continue
        if x[0, 0] * i > 1:
            total = total - x
            continue
        total = total + x * i
    return total


def early(x: Any) -> Any:
    if x.sum() > 10:
        return x * 2
    y = x + 1
    if y.sum() < 0:
        return -y
    return y * y


def early_in_a_loop(x: Any) -> Any:
    for i in range(5):
        x = x * 2
        if x.abs().sum() > 40:
            return x + i
    return x - 1


def early_in_a_while(x: Any) -> Any:
    while x.abs().sum() > 1:
        x = x / 2
        if x.min() > 0.2:
            return x, x * 3
    return x, x * 5


def nested(x: Any) -> Any:
    while x.abs().max() > 1:
        y = x
        while y.abs().sum() > 4:
            y = y * 0.75
        x = y * 0.5
    return x


def elif_chain(x: Any) -> Any:
    if x.sum() > 20:
        y, z = x, 1.0
    elif x.sum() > 0:
        y, z = x * 2, 2.0
    else:
        y, z = -x, 3.0
    return y * z


def logical(x: Any) -> Any:
    if x.sum() > 3 and not x.max() > 10:
        x = x + 1
    if x.min() < 0 or (x.max() < 2 and True):
        x = x * 2
    return x if 0 < x.sum() < 100 else x - 7


def in_place(x: Any) -> Any:
    y = x * 1
    z = y
    while y.abs().sum() > 1:
        y /= 2
    if y.sum() > 0:
        y += 1
    return y + z


def unrolled(x: Any) -> Any:
    parts = []
    for i in range(3):
        if i != 1:
            parts.append(x * i)
        while parts[-1].sum() > 5:
            parts[-1] = parts[-1] / 2
    return sum(parts)


def python_conditions(x: Any, flag: bool = True, n: int = 3) -> Any:
    while n > 0:
        n -= 1
        x = x + 1 if flag else x
    if x.shape[0] == 2 and flag:
        x = x * 2
    return x if x.sum() > 3 else -x


def helper(x: Any, limit: float) -> Any:
    while x.abs().sum() > limit:
        x = x * 0.5
    return x


def helped(x: Any) -> Any:
    first = helper(x, 3.0)
    return first + helper(x=x * 2, limit=1.5)


def local_functions(x: Any) -> Any:
    scale = 0.5

    def shrink(y: Any) -> Any:
        if y.sum() > 3:
            return y * scale
        return y * 2

    return shrink(x) + (lambda v: v if v.sum() > 0 else -v)(x)


def swapped(x: Any) -> Any:
    a, b = x, x * 2 + 1
    i = 0
    while (a - b).abs().sum() > 0.5 and i < 20:
        a, b = b, (a + b) / 2
        i = i + 1
    return a * i + b


def number_kept_apart(x: Any) -> Any:
    """`old = i; i += 1` leaves old as it was: numbers are not overwritten."""
    i, total = 0, x * 0
    while total.sum() + i < 9:
        old = i
        i += 1
        total = total + old
    return total + i


def chosen_index(x: Any) -> Any:
    i = 0
    while i < 2 and x[i].sum() < 4:
        i = i + 1
        x = x + 1
    return x + i


def with_else(x: Any) -> Any:
    while x.abs().sum() > 2:
        x = x / 2
    else:
        x = x + 1
    return x


def with_no_grad(x: Any) -> Any:
    while x.abs().sum() > 2:
        with gn.no_grad():
            scale = x.abs().max() + 1.5
        x = x / scale
    return x


def items(x: Any) -> Any:
    state = {"h": x, "n": 0}
    while state["h"].abs().sum() > 1:
        state = {"h": state["h"] / 2, "n": state["n"] + 1}
    return state["h"] + state["n"]


def assigned_elements(x: Any) -> Any:
    y = x * 1
    while y.sum() > 1:
        y[0] = y[0] / 2
        y[1] = y[1] - 1
    return y


FUNCTIONS = [
    breaking, continuing, early, early_in_a_loop, early_in_a_while, nested, elif_chain, logical, in_place, unrolled,
    python_conditions, helped, local_functions, swapped, number_kept_apart, chosen_index, with_else, with_no_grad,
    items, assigned_elements,
]  # fmt: skip


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_captured_code_does_what_python_does(function: Any) -> None:
    graph = gn.trace(function, (2, 3), dtype=gn.float64)
    graph.verify()
    compiled = gn.compile(function)
    for x in INPUTS:
        expected = function(gn.tensor(x))
        for found in (graph(x), compiled(x)):
            for a, b in zip(*(v if isinstance(v, tuple) else (v,) for v in (found, expected))):
                np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_captured_code_has_the_gradients_of_what_ran(function: Any) -> None:
    def loss(x: Any) -> Any:
        result = function(x)
        return sum((part * part.cos()).sum() for part in (result if isinstance(result, tuple) else (result,)))

    gradient = gn.trace(loss, (2, 3), dtype=gn.float64).gradient()
    gradient.verify()
    compiled = gn.compile(gradient)
    for x in INPUTS:
        eager = gn.tensor(x, requires_grad=True)
        loss(eager).backward()
        np.testing.assert_allclose(compiled(x)[1].numpy(), eager.grad.numpy(), rtol=1e-9, atol=1e-12)
