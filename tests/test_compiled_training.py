"""Compiled steps of training beside eager ones: what gradients reach, and what changes between steps."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

LOSS = nn.CrossEntropyLoss()


def data() -> tuple[gn.Tensor, gn.Tensor]:
    random = np.random.default_rng(0)
    return gn.from_numpy(random.normal(size=(6, 4)).astype("f")), gn.arange(6) % 3


def compare(
    net: nn.Module,
    optimizer: Callable[[Any], gn.optim.Optimizer],
    change: Callable[[Any, Any], None] = lambda net, optimizer: None,
    clip: float | None = None,
) -> None:
    """Three steps before a change and three after it, compiled and eager, with a compiled forward pass after each."""
    pair = [net, copy.deepcopy(net)]
    x, y = data()
    ours, theirs = (optimizer(n.parameters()) for n in pair)
    step, fast = gn.TrainStep(pair[0], LOSS, ours, max_grad_norm=clip), gn.compile(pair[0])
    for number in range(6):
        if number == 3:
            change(pair[0], ours)
            change(pair[1], theirs)
        theirs.zero_grad()
        expected = LOSS(pair[1](x), y)
        expected.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(pair[1].parameters(), clip)
        theirs.step()
        assert step(x, y).item() == pytest.approx(expected.item(), rel=1e-5)
        np.testing.assert_allclose(fast(x), pair[1](x).detach(), rtol=1e-4, atol=1e-5)
        for a, b in zip(pair[0].parameters(), pair[1].parameters()):
            np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-4, atol=1e-5)
    assert ours.state_dict()["state"].keys() == theirs.state_dict()["state"].keys()


def momentum(parameters: Any) -> gn.optim.Optimizer:
    return gn.optim.SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.1)


class Part(nn.Module):
    """Two layers, of which a gradient reaches only the second."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.first, self.second = how, nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        h = self.first(x)
        if self.how == "detached":
            return self.second(h.detach())
        if self.how == "no_grad":
            with gn.no_grad():
                h = self.first(x)
            return self.second(h)
        if self.how == "compared":
            return self.second(x) * (h > 0).to(x.dtype).mean()
        return self.second(x)  # "unused"


@pytest.mark.parametrize("clip", [None, 0.05])
@pytest.mark.parametrize("optimizer", [momentum, gn.optim.AdamW], ids=["SGD", "AdamW"])
@pytest.mark.parametrize("how", ["detached", "no_grad", "compared", "unused"])
def test_what_no_gradient_reaches_is_left_alone(how: str, optimizer: Any, clip: float | None) -> None:
    compare(Part(how), optimizer, clip=clip)


def test_a_loss_that_no_gradient_leaves_is_refused() -> None:
    net = nn.Linear(4, 3)
    with pytest.raises(gn.GradientError, match="depends on none of the optimizer's parameters"):
        gn.TrainStep(net, lambda p, y: p.detach().sum(), momentum(net.parameters()))(*data())


def no_bias(net: Any, optimizer: Any) -> None:
    net[2].bias = None


def shared(net: Any, optimizer: Any) -> None:
    net[2].weight = net[0].weight


def halved(net: Any, optimizer: Any) -> None:
    net[0].weight.detach().numpy()[...] *= 0.5


def appended(net: Any, optimizer: Any) -> None:
    net.append(nn.Linear(3, 3))
    for number, parameter in enumerate(net[-1].parameters()):
        parameter.data.fill_(0.1 * number)
    optimizer.add_param_group({"params": list(net[-1].parameters()), "lr": 0.01})


def hooked(net: Any, optimizer: Any) -> None:
    net.register_forward_hook(lambda module, inputs, result: result * 2)


CHANGES = {
    "no bias": no_bias,
    "the bias out of the dict": lambda net, optimizer: net[2]._parameters.update(bias=None),
    "a child in the dict": lambda net, optimizer: net._modules.update({"1": ACTIVATION}),
    "a shared weight": shared,
    "memory": halved,
    "new memory": lambda net, optimizer: setattr(net[0].weight, "data", gn.full((4, 4), 0.1)),
    "a layer": appended,
    "no layer": lambda net, optimizer: net.__delitem__(1),
    "a hook": hooked,
    "frozen": lambda net, optimizer: net[0].requires_grad_(False),
    "evaluation": lambda net, optimizer: net.eval(),
    "no state": lambda net, optimizer: optimizer.state.clear(),
    "other settings": lambda net, optimizer: optimizer.param_groups[0].update(lr=0.01, momentum=0.5, nesterov=True),
}
ACTIVATION = nn.ReLU()


@pytest.mark.parametrize("name", CHANGES)
def test_changes_between_steps_are_seen(name: str) -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3))
    compare(net, momentum, CHANGES[name])


class Branching(nn.Module):
    """A layer for each of two branches, one before them that only one uses, one for the rest of a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.first, self.second, self.repeated = (nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: Any) -> Any:
        y = self.first(self.before(x)) if x[0, 0] > 0 else self.second(x)
        n = x[0, 1] * 1
        while n > 0:
            y = self.repeated(y).tanh() if n < 3 else y + self.second.weight.sum() * 0.1
            n = n - 1
        return y


class Overwritten(nn.Module):
    """What a loop starts from is not reached where it makes a trip; what it swaps is, in turns."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.third = (nn.Linear(4, 4) for _ in range(3))

    def forward(self, x: Any) -> Any:
        y, a, b = self.first(x), self.second(x), self.third(x)
        n = x[0, 1] * 1
        while n > 0:
            y, a, b = x * 2, b, a
            n = n - 1
        return y + a


class Product(nn.Module):
    """A product of weights that only one branch uses: its gradients are products outside the branch."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = (nn.Parameter(gn.rand(4, 4)) for _ in range(2))
        self.other = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        both = self.left @ self.right
        return x @ both if x[0, 0] > 0 else self.other(x)


OPTIMIZERS: dict[str, Callable[[Any], gn.optim.Optimizer]] = {
    "momentum": momentum,
    "dampening": lambda p: gn.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.1),
    "Adam": lambda p: gn.optim.Adam(p, lr=0.01, weight_decay=0.1),
    "AdamW": lambda p: gn.optim.AdamW(p, lr=0.01, amsgrad=True),
    "RMSprop": lambda p: gn.optim.RMSprop(p, lr=0.01, momentum=0.9, weight_decay=0.1),
    "Adagrad": lambda p: gn.optim.Adagrad(p, lr=0.01, lr_decay=0.1, weight_decay=0.1),
}


@pytest.mark.parametrize("network", [Branching, Overwritten, Product])
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("clip", [None, 0.5])
def test_what_a_run_does_not_reach_is_left_alone(network: type[nn.Module], name: str, clip: float | None) -> None:
    gn.manual_seed(0)
    random = np.random.default_rng(1)
    pair = [(net := network().double()), copy.deepcopy(net)]
    ours, theirs = (OPTIMIZERS[name](n.parameters()) for n in pair)
    step = gn.TrainStep(pair[0], nn.MSELoss(), ours, max_grad_norm=clip)
    for first, second in ((-1, -1), (-1, -1), (1, -1), (1, 0.5), (-1, 4), (1, 1.5), (-1, -1), (1, 4), (-1, 2)):
        x, y = gn.tensor(random.normal(size=(3, 4))), gn.tensor(random.normal(size=(3, 4)))
        x[0, 0], x[0, 1] = first, second
        theirs.zero_grad()
        expected = nn.functional.mse_loss(pair[1](x), y)
        expected.backward()
        if clip is not None:
            nn.utils.clip_grad_norm_(pair[1].parameters(), clip)
        theirs.step()
        assert step(x, y).item() == pytest.approx(expected.item(), rel=1e-9)
        for a, b in zip(pair[0].parameters(), pair[1].parameters()):
            np.testing.assert_allclose(a.detach(), b.detach(), rtol=1e-9, atol=1e-9)
        states = [optimizer.state_dict()["state"] for optimizer in (ours, theirs)]
        assert states[0].keys() == states[1].keys()
        assert all(states[0][k].get("step") == states[1][k].get("step") for k in states[0])


def test_a_gradient_graph_tells_what_was_reached_where_it_is_asked() -> None:
    net = Overwritten()
    traced = gn.trace(lambda x: net(x).sum(), (3, 4))
    assert len(traced.gradient().outputs) == 1 + 6 + 1
    reached: dict[Any, int | None] = {}
    graph = traced.gradient(reached)
    assert len(graph.outputs) == 1 + 6 + 1 + 6 + 1  # x is only reached where a loop makes a trip
    x = gn.ones(3, 4)
    for trips in (0.0, 1.0, 2.0):
        x[0, 1] = trips
        told = graph(x)
        at = [reached[layer.weight] for layer in (net.first, net.second, net.third)]
        assert [bool(told[i]) for i in at] == [trips == 0, trips != 1, trips == 1]  # type: ignore[index]
    plain: dict[Any, int | None] = {}
    gn.trace(lambda x: net.first(x).sum(), (3, 4)).gradient(plain)
    assert plain[net.first.weight] is None and net.second.weight not in plain
