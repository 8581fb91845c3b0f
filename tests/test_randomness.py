"""Random numbers within graphs: new ones at every run, the same as eagerly for one seed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import functional as F  # noqa: N812


class Dropping(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(6, 32), nn.Linear(32, 2)

    def forward(self, x: Any) -> Any:
        h = F.dropout(self.hidden(x).relu(), 0.5, self.training)
        return self.out(F.dropout(h, 0.2, self.training))


X = np.random.default_rng(0).standard_normal((5, 6)).astype(np.float32)


def runs(f: Any, count: int = 3) -> Any:
    gn.manual_seed(7)
    return np.stack([f().detach().numpy() for _ in range(count)])


def test_compiled_and_traced_runs_draw_what_eager_calls_draw() -> None:
    net, x = Dropping(), gn.tensor(X)
    eager = runs(lambda: net(x))
    assert not np.array_equal(eager[0], eager[1]), "a new mask at every call"
    fast = gn.compile(net)
    fast(x)
    np.testing.assert_array_equal(runs(lambda: fast(x)), eager)
    graph = gn.trace(net, ("N", 6))
    np.testing.assert_array_equal(runs(lambda: graph(x)), eager)
    again = gn.compile(graph)
    again(x)
    np.testing.assert_array_equal(runs(lambda: again(x)), eager)


def test_a_compiled_step_draws_what_an_eager_one_draws_and_its_gradient_sees_the_same_mask() -> None:
    x, y = gn.tensor(X), gn.zeros(5, 2)
    eager, compiled = Dropping(), Dropping()
    compiled.load_state_dict(eager.state_dict())
    by_hand, by_step = (gn.optim.SGD(m.parameters(), lr=0.1) for m in (eager, compiled))
    step = gn.TrainStep(compiled, nn.MSELoss(), by_step)
    gn.manual_seed(3)
    compiled_losses = [step(x, y).item() for _ in range(3)]
    gn.manual_seed(3)
    losses = []
    for _ in range(3):
        by_hand.zero_grad()
        loss = F.mse_loss(eager(x), y)
        loss.backward()
        by_hand.step()
        losses.append(loss.item())
    np.testing.assert_allclose(compiled_losses, losses, rtol=1e-5)
    for a, b in zip(eager.parameters(), compiled.parameters()):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_a_key_is_drawn_whether_a_result_needs_it_or_not() -> None:
    def network(x: Any) -> Any:
        F.dropout(x)
        return F.dropout(x)

    x = gn.ones(64)
    eager = runs(lambda: network(x))
    fast = gn.compile(network)
    fast(x)
    np.testing.assert_array_equal(runs(lambda: fast(x)), eager)


def test_evaluation_drops_nothing_and_compiled_networks_notice_the_mode() -> None:
    net = Dropping()
    fast = gn.compile(net)
    fast(X)
    net.eval()
    np.testing.assert_array_equal(fast(X).numpy(), net(X).detach().numpy())
    assert all(node.op != "random_key" for node in gn.trace(net, ("N", 6)))
    assert "random_key" in str(gn.trace(net.train(), ("N", 6)))


def test_dropping_scales_what_is_kept() -> None:
    x = gn.ones(2000, requires_grad=True)
    y = F.dropout(x, 0.25)
    assert sorted(set(y.tolist())) == [0.0, pytest.approx(1 / 0.75)]
    assert 0.7 < (y != 0).float().mean().item() < 0.8
    y.sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())
    assert not F.dropout(x, 1.0).any()
    assert F.dropout(x, 0.0) is x and F.dropout(x, 0.5, training=False) is x


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan"), "0.5", True, None])
def test_a_probability_that_is_none_is_refused(p: Any) -> None:
    with pytest.raises(gn.errors.ArgumentError, match="probability p is from 0 to 1"):
        F.dropout(gn.ones(3), p)


def test_whole_numbers_are_not_dropped() -> None:
    with pytest.raises(gn.errors.DTypeError, match="floating-point"):
        F.dropout(gn.arange(3))


class Counting(nn.Module):
    """Writes its buffers in each way that PyTorch's users do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 3)
        self.register_buffer("mean", gn.zeros(3))
        self.register_buffer("assigned", gn.zeros(()))
        self.register_buffer("calls", gn.tensor(0))

    def forward(self, x: Any) -> Any:
        h = self.layer(x)
        self.mean.mul_(0.5).add_(h.mean(0).detach() * 0.5)
        self.calls += 1
        self.assigned = self.assigned * 0.5 + h.detach().sum()
        return h - self.mean


def test_graphs_write_buffers_as_eager_calls_do() -> None:
    eager = Counting()
    for way in ("compile", "trace", "module", "step"):
        net, expected = copy.deepcopy(eager), copy.deepcopy(eager)
        if way == "step":
            optimizers = [gn.optim.SGD(m.parameters(), lr=0.0) for m in (net, expected)]
            step = gn.TrainStep(net, nn.MSELoss(), optimizers[0])
            run: Any = lambda x: step(x, gn.zeros(5, 3))  # noqa: E731, B023
            want: Any = lambda x: F.mse_loss(expected(x), gn.zeros(5, 3))  # noqa: E731, B023
        else:
            graph = gn.trace(net, ("N", 6))
            run = {"compile": gn.compile(net), "trace": graph, "module": gn.compile(graph.to_module())}[way]
            want = expected
        assert net.calls.item() == 0, "tracing alone runs nothing"
        for k in range(3):
            x = gn.tensor(X * (k + 1))
            np.testing.assert_allclose(run(x).detach().numpy(), want(x).detach().numpy(), rtol=1e-6, atol=1e-7)
        for name, buffer in expected.named_buffers():
            np.testing.assert_allclose(net.get_buffer(name).numpy(), buffer.detach().numpy(), rtol=1e-5, err_msg=way)
        assert net.calls.item() == 3


def test_updates_are_part_of_the_graph() -> None:
    net = Counting()
    graph = gn.trace(net, ("N", 6))
    text = str(graph)
    assert "update mean = " in text and "update calls = " in text and "update assigned = " in text
    graph.verify()
    assert {name for name, _ in graph.named_buffers()} == {"mean", "assigned", "calls"}
    assert set(graph.state_dict()) == set(net.state_dict())
    assert graph.updates.keys() == gn.trace(net, (4, 6)).updates.keys()
    scalar = gn.trace(lambda x: net(x).sum(), ("N", 6))
    assert scalar.gradient().updates == scalar.updates


def test_a_run_that_fails_leaves_buffers_as_they_were() -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("total", gn.zeros(()))

        def forward(self, x: Any, index: Any) -> Any:
            self.total += x.sum()
            return x[index]

    net = Failing()
    fast = gn.compile(net)
    fast(gn.ones(3), gn.tensor([0]))
    with pytest.raises(IndexError):
        fast(gn.ones(3), gn.tensor([5]))
    assert net.total.item() == 3


def test_writing_into_a_tensor_that_is_no_buffer_cannot_be_traced() -> None:
    total = gn.zeros(())

    def network(x: Any) -> Any:
        total.add_(x.sum())
        return x * 2

    with pytest.raises(gn.errors.TraceError, match="register_buffer"):
        gn.trace(network, (3,))


def test_pictures_show_what_a_run_draws_and_leaves() -> None:
    net = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    text = gn.trace(net, ("N", 4)).to_dot()
    for shown in ("random key of each run", "dropout mask", r"update\n1.running_mean", r"buffer\n1.running_var\n(3,)"):
        assert shown in text
    assert "update" not in gn.trace(net.eval(), ("N", 4)).to_dot()


class Sampling(nn.Module):
    """Samples as variational autoencoders do, in the shape of what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(6, 4), nn.Linear(2, 6)

    def forward(self, x: Any) -> Any:
        mean, spread = self.encode(x).chunk(2, dim=1)
        return self.decode(mean + gn.randn_like(mean) * (0.5 * spread).exp())


SAMPLED: dict[str, Callable[[Any], Any]] = {
    "reparameterized": Sampling(),
    "rand": lambda x: x + gn.rand(x.shape[0], 1),
    "one for all": lambda x: x * gn.randn(6),
    "normal": lambda x: x + gn.normal(1.5, 0.1, (6,)),
    "normal with tensors": lambda x: gn.normal(x, x.abs()),
    "integers": lambda x: x * gn.randint(3, 9, (6,)),
    "permutation": lambda x: x[:, gn.randperm(6)],
    "in place": lambda x: x + gn.zeros_like(x).normal_(2.0, 0.1) + gn.empty(x.shape[0], 6).uniform_(1, 2),
    "beside dropout": lambda x: F.dropout(x + gn.rand_like(x)) + gn.randn(6),
    "a branch": lambda x: x * 2 if gn.rand(()) < 0.5 else x * 3,
    "in a branch": lambda x: x * gn.rand(()) if x.sum() > 0 else x * 3,
}


@pytest.mark.parametrize("name", SAMPLED)
def test_samples_are_drawn_at_every_run_as_eager_calls_draw_them(name: str) -> None:
    network = SAMPLED[name]
    x = gn.tensor(X).abs()
    eager = runs(lambda: network(x), 8)
    assert len({result.tobytes() for result in eager}) > 1
    fast = gn.compile(network)
    fast(x)
    np.testing.assert_allclose(runs(lambda: fast(x), 8), eager, rtol=1e-6, atol=1e-6)
    assert fast(x[:3]).shape == (3, 6) and fast._graphs.traces == 1
    graph = gn.trace(network, ("N", 6))
    np.testing.assert_allclose(runs(lambda: graph(x), 8), eager, rtol=1e-6, atol=1e-6)
    again = gn.from_json(graph.to_json())
    np.testing.assert_allclose(runs(lambda: again(x), 8), eager, rtol=1e-6, atol=1e-6)


def test_a_step_samples_anew_and_its_gradient_sees_the_same_samples() -> None:
    x, eager = gn.tensor(X), Sampling()
    compiled = copy.deepcopy(eager)
    by_hand, by_step = (gn.optim.SGD(m.parameters(), lr=0.1) for m in (eager, compiled))
    step = gn.TrainStep(compiled, nn.MSELoss(), by_step)
    gn.manual_seed(3)
    compiled_losses = [step(x, x).item() for _ in range(3)]
    gn.manual_seed(3)
    for expected in compiled_losses:
        by_hand.zero_grad()
        loss = F.mse_loss(eager(x), x)
        loss.backward()
        by_hand.step()
        assert loss.item() == pytest.approx(expected, rel=1e-5)
    for a, b in zip(eager.parameters(), compiled.parameters()):
        np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-4, atol=1e-6)


def test_what_a_graph_cannot_sample() -> None:
    own = gn.Generator().manual_seed(1)
    with pytest.raises(gn.errors.TraceError, match=r"test_randomness.py:\d+: generator: a graph cannot draw from"):
        gn.trace(lambda x: x + gn.randn(3, generator=own), (2, 3))
    with pytest.raises(gn.errors.GradientError, match="traced tensor"):
        gn.trace(lambda x: x + gn.randn(3, requires_grad=True), (2, 3))
    with pytest.raises(gn.errors.TraceError, match="item"):
        gn.trace(lambda x: x * gn.rand(()).item(), (2, 3))
    with pytest.raises(gn.errors.ArgumentTypeError, match="floating-point, not int64"):
        gn.trace(lambda x: x * gn.rand(3, dtype=gn.int64), (2, 3))
