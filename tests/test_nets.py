"""Whole networks against PyTorch with the same weights: the result and every gradient, run eagerly and as graphs.

Each network is written once, for either package.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn

torch = pytest.importorskip("torch")


def fixed_hidden_mlp(t: Any, width: int = 20) -> Any:
    class FixedHiddenMLP(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rand_weight = t.tensor(np.random.default_rng(8).random((width, width)))
            self.linear = t.nn.LazyLinear(width)
            self.trips = 0

        def forward(self, x: Any) -> Any:
            x = self.linear(x)
            x = t.nn.functional.relu(x @ self.rand_weight + 1)
            x = self.linear(x)
            while x.abs().sum() > 1:
                x /= 2
                self.trips += 1
            return x.sum()

    return FixedHiddenMLP()


def nest_mlp(t: Any) -> Any:
    class NestMlp(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = t.nn.Sequential(t.nn.LazyLinear(20), t.nn.ReLU(), t.nn.LazyLinear(50), t.nn.ReLU())
            self.linear = t.nn.LazyLinear(60)

        def forward(self, x: Any) -> Any:
            return self.linear(self.net(x))

    return NestMlp()


def chimera(t: Any) -> Any:
    return t.nn.Sequential(nest_mlp(t), t.nn.LazyLinear(20), fixed_hidden_mlp(t))


def tied(t: Any) -> Any:
    shared = t.nn.LazyLinear(8)
    return t.nn.Sequential(
        t.nn.LazyLinear(8), t.nn.ReLU(), shared, t.nn.ReLU(), shared, t.nn.ReLU(), t.nn.LazyLinear(1)
    )


def tied_weight(t: Any) -> Any:
    """An encoder and a decoder that share one matrix, transposed in one of them."""

    class Autoencoder(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = t.nn.Linear(20, 6)
            self.bias = t.nn.Parameter(t.zeros(20))

        def forward(self, x: Any) -> Any:
            return t.tanh(self.encoder(x)) @ self.encoder.weight + self.bias

    return Autoencoder()


def parallel(t: Any) -> Any:
    class Parallel(t.nn.Module):
        def __init__(self, net1: Any, net2: Any) -> None:
            super().__init__()
            self.net1, self.net2 = net1, net2

        def forward(self, x: Any) -> Any:
            return t.cat([self.net1(x), self.net2(x)], dim=1)

    return t.nn.Sequential(
        Parallel(t.nn.LazyLinear(3), t.nn.Sequential(t.nn.LazyLinear(4), t.nn.ReLU(), t.nn.LazyLinear(2))),
        t.nn.LazyLinear(2),
    )


def parallel_of_itself(t: Any) -> Any:
    net = t.nn.Sequential(t.nn.LazyLinear(4), t.nn.Tanh())

    class Twice(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = net, net

        def forward(self, x: Any) -> Any:
            return t.cat((self.a(x), self.b(x * 2)), 1)

    return Twice()


def factory(t: Any, blocks: int = 3) -> Any:
    def block() -> Any:
        return t.nn.Sequential(t.nn.LazyLinear(8), t.nn.ReLU(), t.nn.LazyLinear(4), t.nn.ReLU())

    net = t.nn.Sequential()
    for i in range(blocks):
        net.add_module(f"block{i}", block())
    net.add_module("out", t.nn.LazyLinear(2))
    return net


def residual(t: Any) -> Any:
    class Residual(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = t.nn.ModuleList([t.nn.Linear(20, 20) for _ in range(4)])
            self.scale = t.nn.Parameter(t.ones(20))

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = x + t.relu(layer(x)) * self.scale
            mean, spread = x.mean(1, keepdim=True), x.std(1, keepdim=True)
            return (x - mean) / (spread + 1e-3)

    return Residual()


def attention(t: Any) -> Any:
    class Attention(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k, self.v = (t.nn.Linear(5, 5, bias=False) for _ in range(3))

        def forward(self, x: Any) -> Any:
            x = x.reshape(-1, 4, 5)
            scores = self.q(x) @ self.k(x).transpose(1, 2) / 5**0.5
            return (scores.softmax(-1) @ self.v(x)).sum(1)

    return Attention()


def gated(t: Any) -> Any:
    """Data decides which way each call goes."""

    class Gated(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.up, self.down = t.nn.Linear(20, 3), t.nn.Linear(20, 3)

        def forward(self, x: Any) -> Any:
            return self.up(x) if x.mean() > 0 else self.down(x) * self.up(x)

    return Gated()


NETS: dict[str, Callable[[Any], Any]] = {
    "fixed hidden MLP": fixed_hidden_mlp,
    "nest MLP": nest_mlp,
    "chimera": chimera,
    "tied": tied,
    "tied weight": tied_weight,
    "parallel": parallel,
    "parallel of itself": parallel_of_itself,
    "factory": factory,
    "residual": residual,
    "attention": attention,
    "gated": gated,
}
TRACEABLE = [name for name in NETS if name not in ("fixed hidden MLP", "chimera", "gated")]
SIGNS = {"ordinary": 1.0, "large": 40.0, "negative": -1.0}


def twins(name: str) -> tuple[Any, Any]:
    """The network in both packages, in float64, with the weights of graphnet's."""
    ours, theirs = NETS[name](gn), NETS[name](torch)
    with torch.no_grad():
        theirs.double()(torch.ones(2, 20, dtype=torch.float64))
    ours.double()
    rng = np.random.default_rng(4)
    weights = {key: rng.normal(size=tuple(v.shape)) / 3 for key, v in theirs.state_dict().items()}
    for key, first in dict(theirs.named_parameters(remove_duplicate=False)).items():
        same = [k for k, v in theirs.named_parameters(remove_duplicate=False) if v is first]
        weights[key] = weights[same[0]]
    ours.load_state_dict(weights)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in weights.items()})
    return ours, theirs


def batch(kind: str) -> Any:
    return (np.random.default_rng(6).normal(size=(2, 20)) + 0.3) * SIGNS[kind]


def assert_near(ours: Any, theirs: Any) -> None:
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    assert a.shape == b.shape and a.dtype == b.dtype
    eps = float(np.finfo(np.float64).eps)
    # some hundred roundings along the network, each relative to the largest value
    np.testing.assert_allclose(a, b, rtol=0, atol=1000 * eps * max(1.0, float(np.abs(b).max(initial=0))))


def assert_same_gradients(ours: Any, theirs: Any) -> None:
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    for (name, p), q in zip(ours.named_parameters(), theirs.parameters()):
        assert (p.grad is None) == (q.grad is None), name
        if p.grad is not None:
            assert_near(p.grad, q.grad)


@pytest.mark.parametrize("kind", SIGNS)
@pytest.mark.parametrize("name", NETS)
def test_result_and_gradients(name: str, kind: str) -> None:
    ours, theirs = twins(name)
    x, tx = gn.tensor(batch(kind), requires_grad=True), torch.tensor(batch(kind), requires_grad=True)
    y, ty = ours(x), theirs(tx)
    assert_near(y, ty)
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    assert_near(x.grad, tx.grad)
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize(("factor", "trips"), [(1e-4, 0), (1.0, 1), (1e6, 15)])
def test_a_while_on_values_runs_no_one_and_many_trips(factor: float, trips: int) -> None:
    """The weights are scaled so that the loop is left at once, after a trip, or after many."""
    ours, theirs = twins("fixed hidden MLP")
    x = batch("ordinary")
    with torch.no_grad():
        for scale in np.geomspace(1e-3, 1e6, 400):
            weight, bias = theirs.linear.weight * scale, theirs.linear.bias * scale
            hidden = torch.relu((torch.tensor(x) @ weight.T + bias) @ theirs.rand_weight + 1) @ weight.T + bias
            if hidden.abs().sum() > 0.7 * 2**trips * (trips > 0) + 1e-3:
                break
        theirs.linear.weight.mul_(scale)
        theirs.linear.bias.mul_(scale)
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    theirs.trips = ours.trips = 0
    y, ty = ours(gn.tensor(x)), theirs(torch.tensor(x))
    assert ours.trips == theirs.trips
    assert (ours.trips == 0) if trips == 0 else (ours.trips >= 1) and (ours.trips == 1) == (trips == 1)
    assert_near(y, ty)
    y.backward()
    ty.backward()
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("name", TRACEABLE)
def test_the_graph_computes_what_the_network_does(name: str) -> None:
    ours, theirs = twins(name)
    graph = gn.trace(ours, ("N", 20))
    graph.verify()
    for rows in (2, 1, 5):
        x = np.random.default_rng(rows).normal(size=(rows, 20))
        np.testing.assert_array_equal(graph(x).detach().numpy(), ours(x).detach().numpy())
    graph(batch("ordinary")).sum().backward()
    theirs(torch.tensor(batch("ordinary"))).sum().backward()
    assert_same_gradients(ours, theirs)


@pytest.mark.parametrize("name", TRACEABLE)
def test_the_graph_of_gradients_gives_what_torch_gives(name: str) -> None:
    ours, theirs = twins(name)
    gradient = gn.trace(lambda x: ours(x).sum(), ("N", 20), dtype=gn.float64).gradient()
    outputs = gradient(batch("ordinary"))
    tx = torch.tensor(batch("ordinary"), requires_grad=True)
    theirs(tx).sum().backward()
    names = list(dict.fromkeys(gradient.parameter_names.values()))
    assert len(outputs) == 1 + len(list(ours.parameters())) + 1
    wanted = dict(zip((p for p in ours.parameters()), theirs.parameters()))
    for parameter, got in zip(gradient.parameters, outputs[1:-1]):
        assert_near(got, wanted[parameter].grad)
    assert_near(outputs[-1], tx.grad)
    assert len(names) == len(wanted)


@pytest.mark.parametrize("name", ["tied", "nest MLP", "parallel", "factory"])
def test_a_lazy_network_registers_as_torchs_does(name: str) -> None:
    ours, theirs = NETS[name](gn), NETS[name](torch)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert repr(ours) == repr(theirs)
    ours(gn.ones(2, 20))
    theirs(torch.ones(2, 20))
    assert repr(ours) == repr(theirs)
    assert [(n, tuple(p.shape)) for n, p in ours.named_parameters()] == [
        (n, tuple(p.shape)) for n, p in theirs.named_parameters()
    ]


def test_training_a_tied_network_keeps_it_tied() -> None:
    ours, theirs = twins("tied")
    for t, net in ((gn, ours), (torch, theirs)):
        optimizer = t.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        for _ in range(5):
            optimizer.zero_grad()
            t.nn.functional.mse_loss(net(t.tensor(batch("ordinary"))), t.ones(2, 1, dtype=t.float64)).backward()
            optimizer.step()
    assert ours[2].weight is ours[4].weight
    for p, q in zip(ours.parameters(), theirs.parameters()):
        assert_near(p, q)
    ours[2].weight.data[0, 0] = 100
    assert ours[4].weight[0, 0].item() == 100
