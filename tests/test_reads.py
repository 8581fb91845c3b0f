"""What compiled networks read besides attributes of modules is looked at before every run."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import pytest

import graphnet as gn
from graphnet import nn
from graphnet.program import Guards
from graphnet.reads import reads

SCALE = 2.0
SETTINGS = {"power": 1.0, "steps": [1.0, 2.0]}


def activation(x: Any) -> Any:
    return x.relu()


def helper(x: Any) -> Any:
    return activation(x) * SCALE


class Config:
    gain = 1.0

    def __init__(self) -> None:
        self.offset = 0.5


CONFIG = Config()


class Net(nn.Module):
    slope = 1.0

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 3)
        self.factors = [1.0, 2.0]
        self.unread = [1.0]

    def scaled(self, x: Any) -> Any:
        return x * self.slope * sum(self.factors)

    def forward(self, x: Any) -> Any:
        y = self.scaled(helper(self.layer(x)))
        return y * SETTINGS["power"] * sum(SETTINGS["steps"]) * CONFIG.gain + CONFIG.offset  # type: ignore[arg-type, operator]


def patched(monkeypatch: Any, net: Any) -> None:
    forward = Net.forward
    monkeypatch.setattr(Net, "forward", lambda self, x: forward(self, x) + 1)


CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "a global": lambda m, net: m.setitem(globals(), "SCALE", 5.0),
    "a global function": lambda m, net: m.setitem(globals(), "activation", lambda x: x.abs() + 1),
    "a dict's value": lambda m, net: m.setitem(SETTINGS, "power", 3.0),
    "a list in a dict": lambda m, net: SETTINGS["steps"].append(4.0),  # type: ignore[attr-defined]
    "an object's attribute": lambda m, net: m.setattr(CONFIG, "offset", 9.0),
    "an object's class": lambda m, net: m.setattr(Config, "gain", 9.0),
    "a module's class": lambda m, net: m.setattr(Net, "slope", 9.0),
    "a module's list": lambda m, net: net.factors.append(3.0),
    "forward": patched,
}


@pytest.mark.parametrize("name", CHANGES)
def test_changes_are_seen_by_forward_passes_and_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x, y = Net(), gn.ones(2, 3), gn.zeros(2, 3)
    fast, loss = gn.compile(net), nn.MSELoss()
    step = gn.TrainStep(net, loss, gn.optim.SGD(net.parameters(), lr=0.0))
    for change in (lambda *_: None, CHANGES[name]):
        change(monkeypatch, net)
        for _ in range(3):
            assert gn.allclose(fast(x), net(x))
            assert step(x, y).item() == pytest.approx(loss(net(x), y).item(), rel=1e-5)


def test_what_is_not_read_leads_to_no_new_trace() -> None:
    net, x = Net(), gn.ones(2, 3)
    fast = gn.compile(net)
    for _ in range(3):
        fast(x)
        net.unread.append(1.0)
    assert fast._graphs.traces == 1


def test_closures_defaults_and_partials_are_looked_at() -> None:
    factor, table = 2.0, {"a": 1.0}

    def network(x: Any, more: Any = table) -> Any:
        return x * factor * more["a"]

    fast, half, x = gn.compile(network), gn.compile(functools.partial(network, more=table)), gn.ones(2)
    for value in (1.0, 3.0):
        factor, table["a"] = value, value + 1
        assert fast(x).tolist() == half(x).tolist() == [value * (value + 1)] * 2


def test_a_loss_is_looked_at() -> None:
    weight = 1.0

    def loss(prediction: Any, target: Any) -> Any:
        return ((prediction - target) ** 2).mean() * weight

    net, x, y = nn.Linear(2, 1), gn.ones(3, 2), gn.zeros(3, 1)
    step = gn.TrainStep(net, loss, gn.optim.SGD(net.parameters(), lr=0.0))
    first = step(x, y).item()
    weight = 3.0
    assert step(x, y).item() == pytest.approx(3 * first)


def test_networks_of_the_librarys_layers_read_nothing() -> None:
    assert reads(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.BatchNorm1d(2)), nn.CrossEntropyLoss()) == []


def test_guards_hold_as_long_as_everything_is_the_same_object() -> None:
    one, two = object(), object()
    entry, items, table, cell = {"a": one}, [one], {"a": one}, (lambda: one).__closure__[0]  # type: ignore[index]
    guards = Guards([(entry, "a", one), (items, None, (one,)), (table, None, ("a", one)), (cell, None, one)])
    assert guards.hold()
    for change, back in (
        (lambda: entry.update(a=two), lambda: entry.update(a=one)),
        (lambda: items.append(one), items.pop),
        (lambda: table.update(b=one), lambda: table.pop("b")),
        (table.clear, lambda: table.update(a=one)),
    ):
        change()
        assert not guards.hold()
        back()  # type: ignore[operator]
        assert guards.hold()
    with pytest.raises(TypeError, match="expected a dict, a class, a cell or a list"):
        Guards([(1, None, 2)])
