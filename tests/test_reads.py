"""What compiled networks read besides attributes of modules is looked at before every run."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import functools
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
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
    with pytest.raises(TypeError, match="expected a dict, a class, a cell, a container, a tensor or an array"):
        Guards([(1, None, 2)])


@dataclasses.dataclass
class Slotted:
    __slots__ = ("gain",)

    gain: float


class Values(nn.Module):
    """Holds what may change without an assignment to an attribute of the module."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function
        self.array, self.matrix = np.ones(3, "f4"), np.arange(9.0).reshape(3, 3)
        self.large = np.ones((200, 200))
        self.tensor, self.layer = gn.ones(3), nn.Linear(3, 3)
        self.space, self.slots, self.options = SimpleNamespace(gain=1.0), Slotted(1.0), argparse.Namespace(gain=1.0)
        self.queue, self.names, self.numbers = deque([1.0]), {"a"}, [1.0] * 1000

    def forward(self, x: Any) -> Any:
        return self.function(self, x)


def partly_written(tensor: Any) -> Any:
    result = gn.zeros(3)
    result[1:] = tensor[:2]
    return result


VALUES: dict[str, tuple[Callable[[Any, Any], Any], Callable[[Any], Any]]] = {
    "an array that is copied": (lambda m, x: x * gn.tensor(m.array), lambda m: m.array.fill(3)),
    "a view of an array": (lambda m, x: x * gn.tensor(m.matrix[1]).float(), lambda m: m.matrix.fill(3)),
    "a view in no order": (lambda m, x: x * gn.tensor(m.matrix.T[::2]).sum().item(), lambda m: m.matrix.fill(3)),
    "an array that is converted": (lambda m, x: x + m.layer(m.matrix)[:2], lambda m: m.matrix.fill(3)),
    "an array in a list": (lambda m, x: x * gn.tensor([m.array, m.array])[0], lambda m: m.array.fill(3)),
    "an array's element": (lambda m, x: x * float(m.array[0]), lambda m: m.array.fill(3)),
    "a large array's sum": (lambda m, x: x * m.large.sum(), lambda m: m.large.fill(3)),
    "a large array that is shared": (lambda m, x: x * gn.from_numpy(m.large)[0, :3], lambda m: m.large.fill(3)),
    "a number": (lambda m, x: x * m.tensor[0].item(), lambda m: m.tensor.fill_(3)),
    "a condition": (lambda m, x: x * 2 if m.tensor.sum() > 4 else x, lambda m: m.tensor.fill_(3)),
    "a size": (lambda m, x: sum(x for _ in range(int(m.tensor.sum()))), lambda m: m.tensor.fill_(3)),
    "text": (lambda m, x: x * float(f"{m.tensor.sum():.1f}"), lambda m: m.tensor.fill_(3)),
    "a tensor in a list": (lambda m, x: x * gn.tensor([m.tensor[0], 1, 2]), lambda m: m.tensor.fill_(3)),
    "an index": (lambda m, x: x[:, m.tensor.long()[0]], lambda m: m.tensor.fill_(2)),
    "what is computed from a tensor": (lambda m, x: x * (m.tensor * 2), lambda m: m.tensor.fill_(3)),
    "what is written elsewhere": (lambda m, x: x * partly_written(m.tensor), lambda m: m.tensor.fill_(3)),
    "a copy": (lambda m, x: x * m.tensor.clone(), lambda m: m.tensor.numpy().fill(3)),
    "other memory": (lambda m, x: x * gn.tensor(m.tensor), lambda m: setattr(m.tensor, "data", gn.zeros(3))),
    "a weight": (lambda m, x: x * gn.tensor(m.layer.weight.tolist())[0], lambda m: m.layer.weight.data.fill_(3)),
    "a namespace": (lambda m, x: x * m.space.gain, lambda m: setattr(m.space, "gain", 3.0)),
    "arguments": (lambda m, x: x * m.options.gain, lambda m: setattr(m.options, "gain", 3.0)),
    "a slot": (lambda m, x: x * m.slots.gain, lambda m: setattr(m.slots, "gain", 3.0)),
    "a queue": (lambda m, x: x * m.queue[0], lambda m: m.queue.appendleft(3.0)),
    "a set": (lambda m, x: x * len(m.names), lambda m: m.names.add("b")),
    "a long list": (lambda m, x: x * sum(m.numbers), lambda m: m.numbers.append(1.0)),
    "a forward of its own": (lambda m, x: x, lambda m: setattr(m, "forward", lambda x: x * 3)),
}


@pytest.mark.parametrize("name", VALUES)
def test_values_that_code_looks_at_are_compared(name: str) -> None:
    function, change = VALUES[name]
    net, x, y = Values(function), gn.rand(2, 3), gn.zeros(2, 3)
    fast, other = gn.compile(net), nn.Linear(3, 3)

    def product(x: Any) -> Any:
        return net(x).sum() * other(x)

    step = gn.TrainStep(product, nn.MSELoss(), gn.optim.SGD(other.parameters(), lr=0.0))
    for action in (lambda net: None, change):
        action(net)
        for _ in range(2):
            assert gn.allclose(fast(x), net(x))
            assert step(x, y).item() == pytest.approx((product(x) ** 2).mean().item(), rel=1e-4)


def test_what_stays_the_same_is_traced_once() -> None:
    net = Values(lambda m, x: x * gn.tensor(m.array) * m.tensor.sum().item() * m.space.gain * m.large.sum())
    fast, x = gn.compile(net), gn.rand(2, 3)
    for _ in range(3):
        fast(x)
    assert fast._graphs.traces == 1


class Stateful(nn.Module):
    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls, self.history, self.layer = how, 0, list[int](), nn.LazyLinear(3)
        self.total: Any = gn.zeros(3)

    def forward(self, x: Any) -> Any:
        y = self.layer(x)
        if self.how == "number":
            self.calls += 1
            return y * self.calls
        if self.how == "list":
            self.history.append(1)
            return y * len(self.history)
        if self.how == "in place":
            self.total += 1
            return y * self.total.sum()
        if self.how == "kept":
            self.seen = y
            return self.seen * 2
        self.total = self.total + y.mean(0)
        return y + self.total


@pytest.mark.parametrize("how", ["number", "list", "in place", "kept"])
def test_what_forward_changes_itself_changes_at_every_call(how: str) -> None:
    gn.manual_seed(0)
    net = Stateful(how)
    other, x = copy.deepcopy(net), gn.rand(2, 3)
    expected = [other(x) for _ in range(4)]
    fast = gn.compile(net)
    found = [fast(x) for _ in range(4)]
    assert all(map(gn.allclose, found, expected))
    assert (fast._graphs.traces == 1) == (how == "kept")  # it is set before it is read, so that a graph may do it


def test_a_tensor_that_an_attribute_carries_from_call_to_call_is_refused() -> None:
    net = Stateful("carried")
    with pytest.raises(gn.TraceError, match=r"total of Stateful: an attribute keeps .*register_buffer.*test_reads\.py"):
        gn.compile(net)(gn.rand(2, 3))


def test_attributes_are_found_by_getattr_and_by_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    class Named(nn.Module):
        slope = 1.0

        def forward(self, x: Any) -> Any:
            return x * slope_of(self) + getattr(CONFIG, "offset")  # noqa: B009

    def slope_of(module: Any) -> Any:
        return type(module).slope

    net, x = Named(), gn.ones(2)
    fast = gn.compile(net)
    for change in (
        lambda: None,
        lambda: setattr(Named, "slope", 3.0),
        lambda: monkeypatch.setattr(CONFIG, "offset", 7.0),
    ):
        change()
        assert fast(x).tolist() == net(x).tolist()
