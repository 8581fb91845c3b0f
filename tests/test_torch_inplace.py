"""Writes through views, by assignment and by in-place forms, and their gradients: as PyTorch's, also traced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphnet as gn

torch = pytest.importorskip("torch")

X = np.arange(12.0).reshape(3, 4) / 7 - 0.8


def scaled_row(t: Any, x: Any) -> Any:
    y = x * 1
    y[0] *= 2
    return y


def view_then_base(t: Any, x: Any) -> Any:
    y = x * 1
    row = y[1]
    y *= 3
    return row * y


def base_then_view(t: Any, x: Any) -> Any:
    y = x * 1
    row = y[1]
    row *= 3
    return y * row


def siblings(t: Any, x: Any) -> Any:
    y = x * 1
    a, b = y[0], y.T[0]
    a += b[2] * 1
    b *= 2
    return a.sum() * b + y.sum(1)


def through_reshape(t: Any, x: Any) -> Any:
    y = x * 1
    y.view(12)[5:9] = x[0] * 3
    return y


def through_transpose(t: Any, x: Any) -> Any:
    y = x * 1
    y.T[1] = x[:, 2] ** 2
    return y


def through_permute_and_unsqueeze(t: Any, x: Any) -> Any:
    y = (x * 1).reshape(3, 2, 2)
    y.permute(2, 0, 1).unsqueeze(1)[1, 0, 2] = 0.5
    return y


def filled(t: Any, x: Any) -> Any:
    y = x * 1
    y[1:].fill_(2.0)
    y[0].zero_()
    return y + x


def into_a_constant(t: Any, x: Any) -> Any:
    y = x.detach() * 0
    for i in range(3):
        y[i] = x[i] * i
    return y


def into_a_view_of_a_constant(t: Any, x: Any) -> Any:
    y = x.detach() * 0
    row = y[1]
    row += x[0]
    return y * row


def by_mask(t: Any, x: Any) -> Any:
    y = x * 1
    y[y > 0.1] = 0.0
    return y * y


def by_rows(t: Any, x: Any) -> Any:
    y = x * 1
    y[[2, 0]] = x[:2] * 2
    return y * y


def by_two_lists(t: Any, x: Any) -> Any:
    y = x * 1
    y[[0, 2], [1, 3]] += x[1, :2]
    return y * y


def by_two_tensors_apart(t: Any, x: Any) -> Any:
    y = (x * 1).reshape(3, 2, 2)
    y[t.tensor([0, 2]), :, t.tensor([1, 0])] = x[:2, :2]
    return y * y


def an_expanded_value(t: Any, x: Any) -> Any:
    y = x * 1
    y[:, 1:] = x[:, :1]
    y[...] += x[0]
    return y


def copied(t: Any, x: Any) -> Any:
    y = x * 1
    y.copy_(x.exp())
    y[0].copy_(x[1])
    return y


PROGRAMS: list[Callable[[Any, Any], Any]] = [
    scaled_row, view_then_base, base_then_view, siblings, through_reshape, through_transpose,
    through_permute_and_unsqueeze, filled, into_a_constant, into_a_view_of_a_constant, by_mask, by_rows, by_two_lists,
    by_two_tensors_apart, an_expanded_value, copied,
]  # fmt: skip


def run(t: Any, program: Callable[[Any, Any], Any]) -> tuple[Any, Any]:
    x = t.tensor(X, requires_grad=True)
    result = program(t, x)
    (result * t.tensor(np.linspace(1, 2, result.numel()).reshape(result.shape))).sum().backward()
    return result.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.__name__)
def test_writes_and_their_gradients(program: Any) -> None:
    for ours, theirs in zip(run(gn, program), run(torch, program)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "program", [p for p in PROGRAMS if p not in (by_mask, into_a_constant)], ids=lambda p: p.__name__
)
def test_a_traced_graph_does_the_same(program: Any) -> None:
    if program is into_a_view_of_a_constant:
        pytest.skip("x.detach() is of the graph: a write to it is not traced")
    graph = gn.trace(lambda x: program(gn, x), gn.Spec((3, 4), gn.float64))
    expected, gradient = run(torch, program)
    np.testing.assert_allclose(graph(X).numpy(), expected, rtol=1e-13, atol=1e-13)
    upstream = np.linspace(1, 2, expected.size).reshape(expected.shape)
    np.testing.assert_allclose(graph.gradient()(X, upstream)[1].numpy(), gradient, rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(gn.compile(lambda x: program(gn, x))(gn.tensor(X)).numpy(), expected, rtol=1e-13)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "first": lambda a: a[0], "part": lambda a: a[1:], "every second": lambda a: a[..., ::2],
    "last": lambda a: a[..., -1:],
    "new axis": lambda a: a.unsqueeze(0), "turned": lambda a: a.transpose(0, -1), "flat": lambda a: a.reshape(-1),
}  # fmt: skip
WRITES: dict[str, Callable[[Any, Any], Any]] = {
    "add a number": lambda a, b: a.add_(0.5),
    "scale": lambda a, b: a.mul_(-1.5),
    "zero": lambda a, b: a.zero_(),
    "sum of another": lambda a, b: a.add_(b.sum()),
    "times another's mean": lambda a, b: a.mul_(b.mean()),
    "assign a number": lambda a, b: a.__setitem__(0, 0.25),
    "assign another's sum": lambda a, b: a.__setitem__((Ellipsis, -1), b.sum()),
    "assign at places": lambda a, b: a.__setitem__([0], b.max()),
    "squares": lambda a, b: a.__imul__(a),
}
Step = tuple[str, int, int]


def follow(t: Any, steps: list[Step], constant: bool) -> tuple[list[Any], Any]:
    """Run a program of views and writes over a growing list of tensors."""
    x = t.tensor(X, requires_grad=True)
    pool = [x * 2, x.detach() * 1 if constant else x.exp()]
    for name, i, j in steps:
        a, b = pool[i % len(pool)], pool[j % len(pool)]
        if name in VIEWS:
            if a.ndim and a.numel() and (name != "first" or a.shape[0]):
                pool.append(VIEWS[name](a))
        elif name in WRITES:
            if a.ndim and a.numel() and b.numel():
                WRITES[name](a, b)
        else:
            pool.append(a * b.sum())
    total = sum((p * p).sum() for p in pool)
    total.backward()
    return [p.detach().numpy() for p in pool], x.grad.numpy()


steps = st.lists(
    st.tuples(st.sampled_from([*VIEWS, *WRITES, "product"]), st.integers(0, 7), st.integers(0, 7)), max_size=8
)


@given(steps, st.booleans())
def test_any_order_of_views_and_writes(program: list[Step], constant: bool) -> None:
    try:
        expected, gradient = follow(torch, program, constant)
    except (RuntimeError, IndexError, ValueError):
        return  # refused by PyTorch: what a gradient needs was overwritten, a copy where we have a view, ...
    ours, our_gradient = follow(gn, program, constant)
    for a, b in zip(ours, expected):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(b).max(initial=1))
    np.testing.assert_allclose(our_gradient, gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max(initial=1))


def test_a_leaf_may_not_be_written_through_a_view() -> None:
    x = gn.ones(2, 3, requires_grad=True)
    for write in (lambda: x[0].zero_(), lambda: x.T.__iadd__(1), lambda: x.view(6).__setitem__(0, 1.0)):
        with pytest.raises(gn.GradientError, match="leaf"):
            write()
    with gn.no_grad():
        x[0].zero_()
    assert x.tolist() == [[0.0] * 3, [1.0] * 3] and x.is_leaf


def test_a_constant_keeps_its_place_in_older_results() -> None:
    """What was computed from a tensor before it got a history has no part in that history."""
    w, y = gn.ones(3, requires_grad=True), gn.ones(3)
    before = w * y.sum()
    y *= w
    before.sum().backward()
    assert y.grad is None and w.grad.tolist() == [3.0] * 3


def test_a_stale_value_is_refused() -> None:
    x = gn.ones(3, requires_grad=True)
    y = x * 2
    product = y * y
    y[0] = 5.0
    with pytest.raises(gn.GradientError, match="overwritten in place"):
        product.sum().backward()


def test_an_operation_may_read_what_it_overwrites() -> None:
    """PyTorch refuses this one."""
    x = gn.tensor([1.0, 2.0], requires_grad=True)
    y = x * 1
    y *= y
    y[0] *= y[0]
    y.sum().backward()
    assert x.grad.tolist() == [4.0, 4.0]
