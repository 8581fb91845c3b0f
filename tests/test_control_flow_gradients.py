"""Gradients through loops whose number of trips only running tells: central differences, PyTorch, twice."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphnet as gn
from graphnet import nn


def shrink(x: Any) -> Any:
    return gn.while_loop(lambda x: x.abs().sum() > 1, lambda x: x * 0.5 + 0.1 * x.sin(), x).sum()


def counted(x: Any) -> Any:
    """So many trips as the largest element says."""
    n = x.detach().max() + 0.37

    def body(i: Any, y: Any) -> Any:
        return i + 1, y * 0.99 + (x + 0.01 * y).cos()

    return (gn.while_loop(lambda i, y: i < n, body, (0.0, x * x))[1] ** 2).sum()


def in_a_branch(x: Any) -> Any:
    """An `if` inside a `while`, whose branches capture different values."""
    y = x.tanh()

    def body(x: Any) -> Any:
        return gn.cond(x.sum() > 10, lambda: x * x / (40 + x * x) + y, lambda: x.sin() * 0.5 - y * y - 0.5)

    return gn.while_loop(lambda x: x.sum() > 1, body, x).sum()


def nested(x: Any) -> Any:
    def outer(x: Any) -> Any:
        inner = gn.while_loop(lambda y: y.sum() > 3, lambda y: y * y / (1.3 + y + 0.1 * x.sin()).abs(), x)
        return inner * 0.5 + 0.02 * x.tanh()

    return gn.while_loop(lambda x: x.max() > 0.6, outer, x).sum()


def branch_around_a_loop(x: Any) -> Any:
    return gn.cond(x.sum() > 3, lambda: shrink(x) * x.prod(), lambda: (x * x).sum())


FUNCTIONS = [shrink, counted, in_a_branch, nested, branch_around_a_loop]


def differences(function: Any, x: Any, eps: float = 1e-6) -> Any:
    result = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        high, low = x.copy(), x.copy()
        high[i] += eps
        low[i] -= eps
        result[i] = (function(high).item() - function(low).item()) / (2 * eps)
    return result


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_gradients_equal_central_differences_and_the_eager_ones(function: Any) -> None:
    gradient = gn.trace(function, ("N", 3), dtype=gn.float64).gradient()
    gradient.verify()
    compiled, forward = gn.compile(gradient), gn.compile(function)
    for scale in (0.03, 0.4, 2.1, 33.0):
        x = np.arange(1.0, 7.0).reshape(2, 3) * scale
        value, found = compiled(x)
        eager = gn.tensor(x, requires_grad=True)
        expected = function(eager)
        expected.backward()
        np.testing.assert_allclose(value.item(), expected.item(), rtol=1e-12)
        np.testing.assert_allclose(found.numpy(), eager.grad.numpy(), rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(found.numpy(), differences(forward, x), rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(gradient(x)[1].numpy(), found.numpy(), rtol=1e-12)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_gradients_of_gradients(function: Any) -> None:
    first = gn.trace(function, (2, 3), dtype=gn.float64).gradient()

    def squared(x: Any) -> Any:
        gradient = first(x)[1]
        return (gradient * gradient).sum()

    second = gn.trace(squared, (2, 3), dtype=gn.float64).gradient()
    second.verify()
    compiled, forward = gn.compile(second), gn.compile(squared)
    for scale in (0.05, 1.0, 4.1):
        x = np.arange(1.0, 7.0).reshape(2, 3) * scale
        np.testing.assert_allclose(compiled(x)[1].numpy(), differences(forward, x), rtol=1e-4, atol=1e-5)


def test_third_gradients_add_stacks_element_by_element() -> None:
    graph = gn.trace(shrink, (2,), dtype=gn.float64).gradient()
    for _ in range(2):
        before = graph
        graph = gn.trace(lambda x, g=before: (g(x)[1] ** 2).sum(), (2,), dtype=gn.float64).gradient()
        graph.verify()
    x = np.array([0.7, 1.1])
    squared = gn.compile(lambda x: (before(x)[1] ** 2).sum())
    np.testing.assert_allclose(gn.compile(graph)(x)[1].numpy(), differences(squared, x), rtol=1e-4, atol=1e-6)


class Recurrent(nn.Module):
    """Weights used before the loop, in its body and in one branch of it."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.other = nn.Linear(3, 3), nn.Linear(3, 3)

    def forward(self, x: Any, n: Any) -> Any:
        def body(i: Any, h: Any) -> Any:
            h = self.inner(h).tanh() + 0.9 * h
            return i + 1, gn.cond(h.sum() > 0, lambda: self.other(h), lambda: h * 0.5)

        return (gn.while_loop(lambda i, h: i < n, body, (0, self.inner(x)))[1] ** 2).mean()


@given(trips=st.lists(st.sampled_from([0, 1, 2, 3, 17, 100]), min_size=1, max_size=3), seed=st.integers(0, 99))
@settings(max_examples=8, deadline=None)
def test_weights_in_the_body_for_any_number_of_trips(trips: list[int], seed: int) -> None:
    gn.manual_seed(seed)
    net = Recurrent().double()
    graph = gn.trace(net, gn.Spec(("N", 3), gn.float64), gn.Spec((), gn.int64))
    gradient = gn.compile(graph.gradient())
    assert {n.name for n in graph.shared["inner.weight"]} == {"inner", "inner#2"}
    for n in trips:
        x = gn.rand(2, 3).double()
        loss, *found = gradient(x, gn.tensor(n))
        net.zero_grad()
        expected = net(x, n)
        expected.backward()
        np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-10)
        for parameter, value in zip(graph.parameters, found):
            eager = np.zeros(parameter.shape) if parameter.grad is None else parameter.grad.numpy()
            np.testing.assert_allclose(value.numpy(), eager, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("trips", [0, 1, 2, 100])
def test_parity_with_pytorch(trips: int) -> None:
    torch = pytest.importorskip("torch")
    net = Recurrent().double()
    gradient = gn.compile(gn.trace(net, gn.Spec((2, 3), gn.float64), gn.Spec((), gn.int64)).gradient())
    x = np.linspace(-1, 1, 6).reshape(2, 3)
    theirs = {k: torch.tensor(v.numpy(), requires_grad=True) for k, v in net.state_dict().items()}

    def linear(name: str, h: Any) -> Any:
        return h @ theirs[f"{name}.weight"].T + theirs[f"{name}.bias"]

    h = linear("inner", torch.tensor(x))
    for _ in range(trips):
        h = linear("inner", h).tanh() + 0.9 * h
        h = linear("other", h) if h.sum() > 0 else h * 0.5
    loss = (h**2).mean()
    loss.backward()
    found = gradient(gn.tensor(x), gn.tensor(trips))
    np.testing.assert_allclose(found[0].item(), loss.item(), rtol=1e-10)
    for (name, _), value in zip(net.named_parameters(), found[1:]):
        expected = theirs[name].grad
        np.testing.assert_allclose(value.numpy(), 0.0 if expected is None else expected.numpy(), rtol=1e-8, atol=1e-14)


def test_memory_grows_with_trips_by_the_saved_state_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    programs: list[Any] = []

    class Program(gn.program.Program):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            programs.append(self)

    monkeypatch.setattr(sys.modules["graphnet.compile"], "Program", Program)

    def network(x: Any, n: Any) -> Any:
        def body(i: Any, y: Any, z: Any) -> Any:
            return i + 1, (y.sin() + y.cos() * y).tanh(), z * 2 - 1

        return gn.while_loop(lambda i, y, z: i < n, body, (0, x, x))[1].sum()

    graph = gn.trace(network, (1024,), gn.Spec((), gn.int64)).gradient()
    fast, x, taken = gn.compile(graph), gn.ones(1024), []
    for n in (0, 64, 640):
        fast(x, gn.tensor(n))
        taken.append(programs[0].stacked)
    assert taken == [0, 64 * 4096, 640 * 4096]
    fast(x, gn.tensor(64))
    assert programs[0].stacked == 64 * 4096  # what a longer run took is given back
    scaled = gn.trace(lambda x: gn.while_loop(lambda x: x.sum() > 1, lambda x: x / 2, x).sum(), (9,)).gradient()
    assert len(scaled.node("while").blocks[1].outputs) == 1  # its gradient needs no state at all


def test_dead_code_is_left_out_of_a_copy() -> None:
    """The graph that is pruned keeps its blocks: states that nothing reads go from the new one alone."""

    def body(a: Any, b: Any, c: Any) -> Any:
        inner = gn.while_loop(lambda v, w: v.sum() > 1, lambda v, w: (v / 2, w + v), (a, b))
        return a / 2, inner[0], c * 2

    graph = gn.trace(lambda x: gn.while_loop(lambda a, b, c: a.sum() > 1, body, (x, x, x))[0].sum(), (3,))
    before = str(graph)
    smaller = gn.passes.remove_dead(graph)
    smaller.verify()
    (loop,) = [node for node in smaller if node.blocks]
    assert str(graph) == before and len(loop.blocks[1].outputs) == 1
    graph.verify()


def test_training_with_a_loop_is_one_call_and_agrees_with_eager() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            x = self.linear(x)
            return gn.while_loop(lambda x: x.abs().sum() > 1, lambda x: self.linear(x).tanh() * x * 0.5, x)

    gn.manual_seed(0)
    nets = [Net(), Net()]
    nets[1].load_state_dict(nets[0].state_dict())
    optimizers = [gn.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in nets]
    step = gn.TrainStep(nets[0], nn.MSELoss(), optimizers[0])
    for i in range(5):
        x, y = gn.rand(3 + i, 4) * 3**i, gn.rand(3 + i, 4)
        loss = nn.MSELoss()(nets[1](x), y)
        optimizers[1].zero_grad()
        loss.backward()
        optimizers[1].step()
        np.testing.assert_allclose(step(x, y).item(), loss.item(), rtol=1e-5)
    np.testing.assert_allclose(
        nets[0].linear.weight.detach().numpy(), nets[1].linear.weight.detach().numpy(), rtol=1e-4
    )
