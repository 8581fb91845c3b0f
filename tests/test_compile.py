"""Compiled forward passes and training steps: the same values as eager calls, never a stale answer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphnet as gn
from graphnet import nn
from graphnet.ir import Value
from graphnet.nn import functional as F  # noqa: N812
from graphnet.passes.memory import Buffer, plan
from graphnet.program import Program


class Own(nn.Module):
    """A forward of its own with constants, views, broadcasting and a layer used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("constant", gn.rand(6, 6))
        self.linear = nn.LazyLinear(6)
        self.factor = 2.0

    def forward(self, x: Any) -> Any:
        x = F.relu(self.linear(x) @ self.constant + 1)
        y = self.linear(x.T.reshape(-1, 6)) * self.factor
        return gn.cat([x, y - y.mean(1, keepdim=True)], dim=1)[:, 1:].softmax(-1)


def tied() -> Any:
    shared = nn.LazyLinear(6)
    return nn.Sequential(nn.LazyLinear(6), nn.Tanh(), shared, nn.ReLU(), shared, nn.Sigmoid(), nn.LazyLinear(3))


NETS: dict[str, Callable[[], Any]] = {
    "mlp": lambda: nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3)),
    "tied": tied,
    "own forward": Own,
    "nested": lambda: nn.Sequential(nn.Sequential(Own(), nn.LazyLinear(4)), nn.ReLU()),
}


def near(got: Any, expected: Any) -> None:
    eps = 50 * np.finfo(expected.numpy(force=True).dtype).eps
    np.testing.assert_allclose(got.numpy(force=True), expected.numpy(force=True), rtol=eps, atol=eps)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", NETS)
def test_a_compiled_network_has_the_values_of_the_network(name: str, dtype: str) -> None:
    net = NETS[name]()
    if dtype == "float64":
        net.double()
    fast = gn.compile(net)
    for rows in (6, 12, 6):
        x = np.random.default_rng(rows).standard_normal((rows, 6)).astype(dtype)
        near(fast(x), net(x))
        near(fast(gn.from_numpy(x.T.copy()).T), net(x))


def test_outputs_keep_their_nesting() -> None:
    fast = gn.compile(lambda x: {"a": x + 1, "b": (x * 2, [x])})
    x = gn.ones(2)
    result = fast(x)
    assert result["a"].tolist() == [2, 2] and result["b"][0].tolist() == [2, 2] and result["b"][1][0].tolist() == [1, 1]


def test_results_are_not_overwritten_by_the_next_call() -> None:
    fast = gn.compile(lambda x: x * 2)
    first = fast(gn.ones(3))
    fast(gn.zeros(3))
    assert first.tolist() == [2, 2, 2]


def change_by_step(net: Any) -> None:
    optimizer = gn.optim.SGD(net.parameters(), lr=0.5)
    net(gn.ones(4, 6)).sum().backward()
    optimizer.step()


CHANGES: dict[str, Callable[[Any], Any]] = {
    "load_state_dict": lambda net: net.load_state_dict({k: v * 2 for k, v in net.state_dict().items()}),
    "a write to data": lambda net: net[0].weight.data.fill_(0.5),
    "other data": lambda net: setattr(net[0].weight, "data", gn.ones(8, 6)),
    "another parameter": lambda net: setattr(net[2], "bias", nn.Parameter(gn.ones(3))),
    "another layer": lambda net: net.__setitem__(1, nn.Tanh()),
    "one more layer": lambda net: net.append(nn.Sigmoid()),
    "one layer less": lambda net: net.__delitem__(2),
    "double": lambda net: net.double(),
    "a training step": change_by_step,
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_noticed(name: str) -> None:
    net = NETS["mlp"]()
    fast, x = gn.compile(net), np.ones((4, 6), np.float32)
    fast(x)
    CHANGES[name](net)
    near(fast(x), net(x))


def test_a_changed_attribute_or_mode_is_noticed() -> None:
    net = Own()
    fast, x = gn.compile(net), gn.rand(6, 6)
    fast(x)
    net.factor = -3.0
    near(fast(x), net(x))

    class ByMode(nn.Module):
        def forward(self, x: Any) -> Any:
            return x * 2 if self.training else x * 1

    mode = ByMode()
    fast = gn.compile(mode)
    assert fast(gn.ones(1)).item() == 2
    mode.eval()
    assert fast(gn.ones(1)).item() == 1


OPTIMIZERS: dict[str, Callable[[Any], Any]] = {
    "sgd": lambda ps: gn.optim.SGD(ps, lr=0.1),
    "momentum": lambda ps: gn.optim.SGD(ps, lr=0.1, momentum=0.9, dampening=0.2, weight_decay=0.01),
    "nesterov": lambda ps: gn.optim.SGD(ps, lr=0.1, momentum=0.9, nesterov=True),
    "adam": lambda ps: gn.optim.Adam(ps, lr=0.01, weight_decay=0.01),
    "amsgrad": lambda ps: gn.optim.Adam(ps, lr=0.01, amsgrad=True),
    "adamw": lambda ps: gn.optim.AdamW(ps, lr=0.01),
    "rmsprop": lambda ps: gn.optim.RMSprop(ps, lr=0.01, centered=True, momentum=0.5, eps=1e-3),
    "adagrad": lambda ps: gn.optim.Adagrad(ps, lr=0.01, lr_decay=0.1),
}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", NETS)
def test_a_compiled_step_trains_as_eager_steps_do(name: str, optimizer: str) -> None:
    gn.manual_seed(7)
    eager = NETS[name]().double()
    gn.manual_seed(7)
    compiled = NETS[name]().double()
    loss = nn.MSELoss()
    ours, theirs = (OPTIMIZERS[optimizer](net.parameters()) for net in (eager, compiled))
    step = gn.TrainStep(compiled, loss, theirs)
    rng = np.random.default_rng(1)
    for number in range(5):
        x = rng.standard_normal((6 if number % 2 else 12, 6))
        y = rng.standard_normal(tuple(eager(x).shape))
        ours.zero_grad()
        expected = loss(eager(x), y)
        expected.backward()
        ours.step()
        near(step(x, y), expected)
        for optimizer_ in (ours, theirs):
            optimizer_.param_groups[0]["lr"] *= 0.9
    for a, b in zip(eager.parameters(), compiled.parameters()):
        near(b, a)
        assert b.grad is None


def test_steps_and_eager_steps_may_take_turns() -> None:
    net = NETS["mlp"]()
    optimizer = gn.optim.Adam(net.parameters(), lr=0.01)
    loss, x, y = nn.CrossEntropyLoss(), gn.rand(8, 6), gn.arange(8) % 3
    step = gn.TrainStep(net, loss, optimizer)
    losses = []
    for _ in range(20):
        losses.append(step(x, y).item())
        optimizer.zero_grad()
        loss(net(x), y).backward()
        optimizer.step()
    assert losses[-1] < losses[0] and {s["step"] for s in optimizer.state.values()} == {40}


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_changes_of_the_optimizer_are_noticed(kind: str) -> None:
    gn.manual_seed(3)
    nets = [nn.Linear(3, 2), nn.Linear(3, 2)]
    nets[1].load_state_dict(nets[0].state_dict())
    optimizers = [getattr(gn.optim, kind)(net.parameters(), lr=0.1) for net in nets]
    step = gn.TrainStep(nets[1], nn.MSELoss(), optimizers[1])
    x, y = gn.rand(4, 3), gn.rand(4, 2)
    saved: list[Any] = [None, None]
    for number in range(20):
        for which, (net, optimizer) in enumerate(zip(nets, optimizers)):
            if number == 3:
                optimizer.param_groups[0].update({"momentum": 0.9} if kind == "SGD" else {"lr": 0.2})
            if number == 5:
                saved[which] = optimizer.state_dict()
            if number == 8:
                optimizer.load_state_dict(saved[which])
            if number == 11:
                kept = optimizer.state[net.weight]
                kept[next(name for name in kept if name != "step")] = gn.ones(2, 3)
            if number == 14:
                optimizer.state[net.bias] = dict(optimizer.state[net.bias])
                optimizer.state[net.weight].update({"step": 3} if kind == "Adam" else {})
            if number == 17:
                optimizer.param_groups[0]["params"].pop()  # the bias
            if which:
                step(x, y)
            else:
                optimizer.zero_grad()
                nn.functional.mse_loss(net(x), y).backward()
                optimizer.step()
        near(nets[1].weight, nets[0].weight)
        near(nets[1].bias, nets[0].bias)


def test_calls_are_those_that_the_class_says() -> None:
    class Loud(gn.TrainStep):
        def __call__(self, *inputs: Any) -> gn.Tensor:
            heard.append(len(inputs))
            return super().__call__(*inputs)

    heard: list[int] = []
    net, x, y = nn.Linear(2, 1), gn.ones(3, 2), gn.ones(3, 1)
    loud = Loud(net, nn.MSELoss(), gn.optim.SGD(net.parameters(), lr=0.1))
    assert loud(x, y).item() > loud(x, y).item() and heard == [2, 2]
    fast = gn.compile(net)
    for _ in range(2):
        near(fast(x), net(x))
        near(fast.__call__(x), net(x))
        with pytest.raises(TypeError, match="missing a required argument: 'input'"):
            fast(x=x)


def test_a_wrong_label_is_named_and_nothing_is_updated() -> None:
    net = NETS["mlp"]()
    step = gn.TrainStep(net, nn.CrossEntropyLoss(), gn.optim.SGD(net.parameters(), lr=1.0, momentum=0.9))
    x = gn.ones(2, 6)
    step(x, gn.tensor([0, 1]))
    before = {k: v.tolist() for k, v in net.state_dict().items()}
    with pytest.raises(gn.IndexOutOfRangeError, match=r"CrossEntropyLoss.*row 1 has target 9"):
        step(x, gn.tensor([0, 9]))
    assert {k: v.tolist() for k, v in net.state_dict().items()} == before


@pytest.mark.parametrize("bound", [0.05, 0.5, 1e3])
@pytest.mark.parametrize("name", NETS)
def test_a_compiled_step_clips_gradients_as_eager_steps_do(name: str, bound: float) -> None:
    gn.manual_seed(7)
    eager = NETS[name]().double()
    gn.manual_seed(7)
    compiled = NETS[name]().double()
    loss = nn.MSELoss()
    ours, theirs = (gn.optim.SGD(net.parameters(), lr=0.5, momentum=0.5) for net in (eager, compiled))
    step = gn.TrainStep(compiled, loss, theirs, max_grad_norm=bound)
    x = np.random.default_rng(1).standard_normal((6, 6))
    y = np.random.default_rng(2).standard_normal(tuple(eager(x).shape))
    for number in range(4):
        ours.zero_grad()
        loss(eager(x), y).backward()
        if number < 3:
            nn.utils.clip_grad_norm_(eager.parameters(), bound)
        else:
            step.max_grad_norm = None
        ours.step()
        step(x, y)
    for a, b in zip(eager.parameters(), compiled.parameters()):
        near(b, a)


def test_clipping_takes_parameters_of_both_widths_together() -> None:
    a, b = nn.Parameter(gn.ones(3)), nn.Parameter(gn.ones(2).double())
    step = gn.TrainStep(
        lambda x: (a * x).sum().double() + (b * 4).sum(), lambda y, t: y, gn.optim.SGD([a, b], lr=1), max_grad_norm=1
    )
    step(gn.full((3,), 2.0), gn.tensor(0))
    norm = (3 * 2**2 + 2 * 4**2) ** 0.5
    assert a.tolist() == pytest.approx([1 - 2 / norm] * 3, rel=1e-6)
    assert b.tolist() == pytest.approx([1 - 4 / norm] * 2, rel=1e-6)


def test_frozen_parameters_stay() -> None:
    net = NETS["mlp"]()
    net(gn.ones(1, 6))
    step = gn.TrainStep(net, nn.MSELoss(), gn.optim.SGD(net.parameters(), lr=0.1))
    x, y = gn.rand(4, 6), gn.rand(4, 3)
    step(x, y)
    net[0].requires_grad_(False)
    first, last = net[0].weight.tolist(), net[2].weight.tolist()
    step(x, y)
    assert net[0].weight.tolist() == first and net[2].weight.tolist() != last


WRONG: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "a class": (lambda: gn.compile(nn.Linear), TypeError, "compile"),
    "a number": (lambda: gn.compile(3), TypeError, "compile"),
    "no optimizer": (lambda: gn.TrainStep(nn.Linear(1, 1), nn.MSELoss(), 3), TypeError, "optimizer"),
    "shapes": (lambda: gn.compile(nn.Linear(3, 1))(gn.ones(2, 4)), ValueError, "expects 3 input features, got 4"),
    "a list": (lambda: gn.compile(nn.Linear(3, 1))([1.0]), TypeError, "list"),
    "a value": (lambda: gn.compile(lambda x: x * float(x.sum()))(gn.ones(1)), RuntimeError, "not known"),
    "a loss per row": (
        lambda: gn.TrainStep(net := nn.Linear(2, 1), nn.MSELoss(reduction="none"), gn.optim.SGD(net.parameters()))(
            gn.ones(3, 2), gn.ones(3, 1)
        ),
        RuntimeError,
        r"a loss is one number, got one of shape \(3, 1\); reduce it",
    ),
    "two losses": (
        lambda: gn.TrainStep(net := nn.Linear(2, 1), lambda a, b: (a, b), gn.optim.SGD(net.parameters()))(
            gn.ones(3, 2), gn.ones(3, 1)
        ),
        RuntimeError,
        "a loss is one number, got 2 results",
    ),
    "a negative norm": (
        lambda: gn.TrainStep(
            nn.Linear(1, 1), nn.MSELoss(), gn.optim.SGD([nn.Parameter(gn.ones(1))]), max_grad_norm=-1.0
        ),
        ValueError,
        "max_grad_norm is a number from 0 up, got -1.0",
    ),
    "no norm": (
        lambda: gn.TrainStep(
            nn.Linear(1, 1),
            nn.MSELoss(),
            gn.optim.SGD([nn.Parameter(gn.ones(1))]),
            max_grad_norm="1",  # type: ignore[arg-type]
        ),
        TypeError,
        "max_grad_norm is a number or None, got '1'",
    ),
    "no target": (
        lambda: gn.TrainStep(nn.Linear(1, 1), nn.MSELoss(), gn.optim.SGD([nn.Parameter(gn.ones(1))]))(gn.ones(1)),
        TypeError,
        "target",
    ),
    "other parameters": (
        lambda: gn.TrainStep(nn.Linear(1, 1), nn.MSELoss(), gn.optim.SGD([nn.Parameter(gn.ones(1))]))(
            gn.ones(1, 1), gn.ones(1, 1)
        ),
        RuntimeError,
        "none of the optimizer's parameters",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused(name: str) -> None:
    function, error, text = WRONG[name]
    with pytest.raises(error, match=text) as caught:
        function()
    assert isinstance(caught.value, gn.GraphnetError)


def test_threads_may_share_a_compiled_network() -> None:
    net = NETS["mlp"]()
    fast = gn.compile(net)
    inputs = [np.full((5, 6), i, np.float32) for i in range(8)]
    expected = [net(x).tolist() for x in inputs]
    wrong: list[int] = []

    def work(index: int) -> None:
        results = [fast(inputs[index]).tolist() for _ in range(50)]
        wrong.extend(index for result in results if not np.allclose(result, expected[index], atol=1e-5))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 20), st.integers(0, 6)), max_size=30))
def test_planned_buffers_that_live_together_do_not_overlap(shapes: list[tuple[int, int, int]]) -> None:
    buffers = [Buffer(size, first, first + span) for size, first, span in shapes]
    planned = plan(buffers)
    assert planned.size <= planned.unplanned
    for i, a in enumerate(buffers):
        assert planned.offsets[i] % 64 == 0
        assert planned.offsets[i] + a.size <= planned.size
        for j in range(i):
            b = buffers[j]
            together = not (a.last < b.first or b.last < a.first)
            apart = (
                planned.offsets[i] + a.size <= planned.offsets[j] or planned.offsets[j] + b.size <= planned.offsets[i]
            )
            assert apart or not together or not a.size or not b.size


def test_memory_of_a_deep_network_is_reused() -> None:
    graph = gn.trace(nn.Sequential(*(m for _ in range(50) for m in (nn.Linear(64, 64), nn.ReLU()))), (32, 64))
    program = Program(graph, graph.outputs)
    assert program.plan.size <= 4 * 32 * 64 * 4 < program.plan.unplanned
    assert isinstance(graph.outputs[0], Value) and len(program) == 100


def test_nodes_that_are_alike_have_memory_of_their_own() -> None:
    """What was prepared for one node serves those like it: whether operands share memory is part of being alike."""

    class Alike(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = (nn.Parameter(gn.rand(4, 4)) for _ in range(2))

        def forward(self, x: Any, y: Any) -> Any:
            found = []
            for p, q in ((x, y), (x, x), (y, x), (self.a, x), (x, self.a), (self.a, self.b), (self.b, self.b)):
                found += [p @ q.T, p @ p.T, gn.cat([p, q, p]), gn.cat([p[:2], q[1:3]]), p[1:, :2] + q[:3, 2:]]
                found += [p.T.reshape(16) * q.reshape(16), gn.stack([p.sum(0), q.T.sum(0)]), p[order] + q]
            return sum(f.sum() * (1 + i) for i, f in enumerate(found)), found

    net, order = Alike(), gn.tensor([2, 0, 1, 3])
    x, y = gn.rand(4, 4), gn.rand(4, 4)
    compiled = gn.compile(net)
    for _ in range(2):
        for got, expected in zip(compiled(x, y)[1], net(x, y)[1]):
            np.testing.assert_allclose(got.numpy(), expected.detach().numpy(), rtol=1e-6)
        with gn.no_grad():
            net.a.mul_(2)
        x, y = y, x + 1


def test_a_packed_view_of_a_parameter_follows_its_values() -> None:
    class Packed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(gn.rand(2, 3))

        def forward(self, x: Any) -> Any:
            return x + self.weight.T.reshape(6)

    net, x = Packed(), gn.zeros(6)
    compiled = gn.compile(net)
    for _ in range(2):
        assert compiled(x).tolist() == net(x).tolist()
        with gn.no_grad():
            net.weight.mul_(-3)


def test_a_gradient_that_is_constant() -> None:
    gradient = gn.trace(lambda x: x.sum(), ("N",)).gradient()
    compiled = gn.compile(gradient)
    for size in (3, 4):
        total, by_x = compiled(gn.arange(size, dtype=gn.float32))
        assert total.item() == size * (size - 1) / 2
        assert by_x.tolist() == [1.0] * size
