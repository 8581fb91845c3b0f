"""Loops and branches as nodes of a graph: while_loop and cond, eager, traced, compiled."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn


def halve(x: Any) -> Any:
    return gn.while_loop(lambda x: x.abs().sum() > 1, lambda x: x / 2, x)


def flip(x: Any) -> Any:
    return gn.cond(x.sum() > 0, lambda x: x.relu(), lambda x: -x * 2, (x,))


def swap(x: Any) -> Any:
    """States that change places: what the next trip reads is not overwritten too early."""
    return gn.while_loop(lambda i, a, b: i < 5, lambda i, a, b: (i + 1, b, a + b.T.T), (x.sum() * 0, x, x * 3))


def nested(x: Any) -> Any:
    def outer(x: Any) -> Any:
        return gn.while_loop(lambda y: y.sum() > 3, lambda y: y / 2, x) + 0.25

    return gn.while_loop(lambda x: x.max() > 0.6, outer, x)


def branching(x: Any) -> Any:
    def body(x: Any) -> Any:
        return gn.cond(x.sum() > 10, lambda: x / 4, lambda: x - 0.5)

    return gn.while_loop(lambda x: x.sum() > 1, body, x)


@pytest.mark.parametrize("function", [halve, flip, swap, nested, branching], ids=lambda f: f.__name__)
@pytest.mark.parametrize("scale", [1e-3, 0.3, 1.0, 40.0])
@pytest.mark.parametrize("dtype", [gn.float32, gn.float64], ids=str)
def test_eager_traced_and_compiled_agree(function: Any, scale: float, dtype: Any) -> None:
    x = gn.tensor(np.arange(6.0).reshape(2, 3) * scale, dtype=dtype)
    graph = gn.trace(function, ("N", 3), dtype=dtype)
    graph.verify()
    expected = function(x)
    for found in (graph(x), gn.compile(function)(x), gn.compile(graph)(x)):
        for a, b in zip(*(v if isinstance(v, tuple) else (v,) for v in (found, expected))):
            np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-6)


def test_a_graph_with_a_loop_can_be_traced_into_another_twice() -> None:
    inner = gn.trace(nested, ("N", 3))
    graph = gn.trace(lambda x: inner(x) + inner(x * 2), (4, 3))
    x = gn.ones(4, 3) * 5
    np.testing.assert_allclose(gn.compile(graph)(x).numpy(), (nested(x) + nested(x * 2)).numpy())


class Repeated(nn.Module):
    """A lazy layer used before and inside a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.LazyLinear(4)

    def forward(self, x: Any) -> Any:
        x = self.linear(x)
        return gn.while_loop(lambda x: (x * x).sum() < 100, lambda x: self.linear(x) + 2 * x, x)


def test_sizes_and_shared_weights_reach_into_blocks() -> None:
    net = Repeated()
    graph = gn.trace(net, ("N", 4))
    assert net.linear.weight.shape == (4, 4)
    assert [node.name for node in graph.shared["linear.weight"]] == ["linear", "linear#2"]
    assert ("linear", "linear#2") in [(e.source.name, e.target.name) for e in graph.edges if e.kind == "shared"]
    assert list(graph.parameter_names.values()) == ["linear.weight", "linear.bias"]
    x = gn.rand(3, 4)
    np.testing.assert_allclose(gn.compile(net)(x).numpy(), net(x).detach().numpy(), rtol=1e-5)


def test_the_text_of_a_graph_shows_the_blocks() -> None:
    text = str(gn.trace(halve, ("N",)))
    assert "while = while(x)" in text
    assert "    while.body(state: float32(N,)):" in text
    assert "      div = div(state, 2)" in text


def test_numbers_become_tensors_and_python_conditions_run_in_python() -> None:
    def power(x: Any) -> Any:
        return gn.while_loop(lambda i, p: p.sum() < 50, lambda i, p: (i + 1, p * x), (0, x))

    count, value = gn.compile(power)(gn.tensor([3.0]))
    assert (count.dtype, count.item(), value.item()) == (gn.int64, 3, 81.0)
    graph = gn.trace(lambda x: gn.while_loop(lambda i, x: i < 3, lambda i, x: (i + 1, x * 2), (0, x))[1], (2,))
    assert [node.op for node in graph] == ["input", "mul", "mul", "mul"]


@pytest.mark.parametrize("run", [lambda f: f, gn.compile], ids=["eager", "compiled"])
def test_max_trips(run: Any) -> None:
    def endless(x: Any) -> Any:
        return gn.while_loop(lambda x: (x == x).all(), lambda x: x + 1, x, max_trips=7)

    with pytest.raises(gn.TripLimitError, match=r"test_control_flow.py:\d+.*after max_trips=7 trips"):
        run(endless)(gn.zeros(2))
    limited = run(lambda x: gn.while_loop(lambda x: x < 7, lambda x: x + 1, x, max_trips=7))
    assert limited(gn.zeros(())).item() == 7


def test_ctrl_c_stops_a_running_loop_and_the_program_goes_on() -> None:
    forever = gn.compile(lambda x: gn.while_loop(lambda x: (x > 0).all(), lambda x: x * 1, x))
    assert forever(gn.zeros(3)).sum().item() == 0
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.1, interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        forever(gn.ones(3))
    assert time.perf_counter() - sent[0] < 2  # it takes some 20 ms; a loaded machine may take longer
    assert forever(-gn.ones(3)).sum().item() == -3


WRONG = [
    (lambda x: gn.while_loop(lambda x: x.sum() > 1, lambda x: gn.cat([x, x]), x), r"state is float32\(N,\) .*2\*N"),
    (lambda x: gn.while_loop(lambda x: x.sum() > 1, lambda x: (x > 0), x), r"float32\(N,\).*bool\(N,\)"),
    (lambda x: gn.while_loop(lambda x: x.sum() > 1, lambda x: (x, x), x), "the body gives tuple"),
    (lambda x: gn.while_loop(lambda x: x > 1, lambda x: x / 2, x), r"condition has shape \(N,\).*\.any\(\)"),
    (lambda x: gn.cond(x.sum() > 1, lambda: x, lambda: x.sum()), r"result is float32\(N,\) after .*float32\(\)"),
    (lambda x: gn.cond(x.sum() > 1, lambda: (x, x), lambda: x), "true_fn gives tuple"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "text"), WRONG)
def test_states_and_branches_keep_their_types(function: Any, text: str) -> None:
    with pytest.raises(gn.TraceError, match=text) as caught:
        gn.trace(function, ("N",))
    assert "test_control_flow.py:" in str(caught.value)


def test_wrong_arguments() -> None:
    with pytest.raises(gn.ArgumentTypeError, match="cond is a function, got an int"):
        gn.while_loop(1, lambda x: x, gn.ones(1))
    with pytest.raises(gn.ArgumentTypeError, match="tensors and numbers, got a str"):
        gn.while_loop(lambda x: True, lambda x: x, "x")
    with pytest.raises(gn.ArgumentError, match="max_trips is 0 or more, got -1"):
        gn.while_loop(lambda x: True, lambda x: x, gn.ones(1), max_trips=-1)
    with pytest.raises(gn.ArgumentTypeError, match="true_fn is a function"):
        gn.cond(True, 1, lambda: 2)


def test_verify_looks_into_blocks() -> None:
    graph = gn.trace(halve, ("N",))
    check, body = graph.node("while").blocks
    right, wrong = check.outputs[0], gn.ir.Value(check.inputs[0])
    check.outputs[0] = wrong
    with pytest.raises(gn.GraphError, match="while: its condition gives float32"):
        graph.verify()
    check.outputs[0] = right
    body.outputs[0] = gn.ir.Value(graph.inputs[0])
    with pytest.raises(gn.GraphError, match=r"the output x is not in the block while\.body"):
        graph.verify()


def test_arrays_are_taken_as_a_state() -> None:
    assert halve(np.ones(4)).tolist() == [0.25] * 4


def test_values_of_a_body_cannot_leave_it() -> None:
    leaked: list[Any] = []

    def body(x: Any) -> Any:
        leaked.append(x * 2)
        return x / 2

    def network(x: Any) -> Any:
        return gn.while_loop(lambda x: x.sum() > 1, body, x) + leaked[0]

    with pytest.raises(gn.GraphError, match=r"computed inside the while.body of a loop or branch"):
        gn.trace(network, (3,))


def test_in_place_changes_stay_within_a_block() -> None:
    """A state that the body overwrites is overwritten for everyone who sees it; other tensors are refused."""

    def halved(x: Any) -> Any:
        def body(y: Any) -> Any:
            y /= 2
            return y

        y = x * 1
        gn.while_loop(lambda y: y.sum() > 1, body, y)
        return y

    x = gn.ones(5)
    assert halved(x * 1).tolist() == gn.compile(halved)(x).tolist() == [0.125] * 5

    def outside(x: Any) -> Any:
        y = x * 1

        def body(x: Any) -> Any:
            nonlocal y
            y += x
            return x / 2

        return gn.while_loop(lambda x: x.sum() > 1, body, x) + y

    with pytest.raises(gn.TraceError, match="comes from outside"):
        gn.trace(outside, (3,))
