"""What Jupyter shows: pictures where they can be had, text else, and never an error."""

from __future__ import annotations

import copy
import pickle
import shutil
import subprocess
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(3)
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        print("called")
        return self.layer(x).relu()


def shown(thing: Any) -> dict[str, str]:
    forms: dict[str, str] = thing._repr_mimebundle_(include=None, exclude=None)
    assert forms["text/plain"] == repr(thing)
    return forms


@needs_dot
@pytest.mark.parametrize("given", [(2, 5), (5,)])
def test_a_module_is_a_picture_once_it_was_called(given: tuple[int, ...], capsys: pytest.CaptureFixture[str]) -> None:
    net = Own()
    assert list(shown(net)) == ["text/plain"]
    assert net.calls == 0
    net(gn.rand(*given))
    capsys.readouterr()
    picture = shown(net)["image/svg+xml"]
    assert ("Linear" in picture and "(N, 3)" in picture) or given == (5,)
    assert capsys.readouterr() == ("", "")


@needs_dot
def test_a_network_of_known_layers_is_a_picture_at_once() -> None:
    assert "(N, 20)" in shown(nn.Sequential(nn.Linear(20, 4), nn.ReLU()))["image/svg+xml"]
    assert "float64" in shown(nn.Linear(20, 4).double())["image/svg+xml"]
    traced = nn.Sequential(nn.LazyLinear(4), nn.ReLU())
    gn.trace(traced, ("B", 7))
    assert "(N, 7)" in shown(traced)["image/svg+xml"]


def test_lazy_modules_stay_lazy_and_show_their_text() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.LazyLinear(4))
    forms = shown(net)
    assert list(forms) == ["text/plain"]
    assert "LazyLinear" in forms["text/plain"]
    for other in (nn.Sequential(), nn.ReLU(), nn.Module()):
        assert list(shown(other)) == ["text/plain"]


def test_showing_changes_nothing() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    gn.manual_seed(1)
    expected = gn.rand(2)
    gn.manual_seed(1)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    shown(net)
    assert bool((gn.rand(2) == expected).all())
    assert all(bool((net.state_dict()[name] == value).all()) for name, value in before.items())
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyError(3), RecursionError(), AssertionError()])
def test_code_that_fails_shows_text(error: Exception) -> None:
    class Failing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)
            self.fails = False

        def forward(self, x: Any) -> Any:
            if self.fails:
                raise error
            return self.layer(x)

    net = Failing()
    net(gn.rand(1, 2))
    net.fails = True
    assert list(shown(net)) == ["text/plain"]


def test_a_repr_that_fails_shows_the_class() -> None:
    class Odd(nn.Module):
        def extra_repr(self) -> str:
            raise ValueError

    assert Odd()._repr_mimebundle_() == {"text/plain": "<Odd>"}


@needs_dot
def test_loops_and_writes_in_place_show() -> None:
    class Halving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 2)

        def forward(self, x: Any) -> Any:
            x = self.layer(x)
            while x.abs().sum() > 1:
                x /= 2
            return x

    net = Halving()
    net(gn.rand(2, 2))
    assert "next trip" in shown(net)["image/svg+xml"]


def test_code_with_loops_over_values_and_hooks() -> None:
    class Halving(nn.Module):
        def forward(self, x: Any) -> Any:
            while float(x.sum()) > 1:
                x = x / 2
            return x

    net = Halving()
    net(gn.rand(2, 2))
    assert list(shown(net)) == ["text/plain"]
    hooked = nn.Linear(2, 2)
    hooked.register_forward_hook(lambda *_: pytest.fail("called"))
    assert list(shown(hooked)) == ["text/plain"]


@needs_dot
def test_graphs_are_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = gn.trace(nn.Linear(2, 3), ("N", 2))
    assert "<svg" in shown(graph)["image/svg+xml"]

    def fails(*_: Any, **__: Any) -> Any:
        raise subprocess.TimeoutExpired("dot", 1)

    monkeypatch.setattr(subprocess, "run", fails)
    assert list(shown(graph)) == ["text/plain"]


def test_a_graph_that_is_being_built() -> None:
    with gn.Graph("open") as graph:
        x = graph.input("x", (2,))
        assert "text/plain" in graph._repr_mimebundle_()
        graph.output(graph.relu(x))


def test_large_networks_show_quickly() -> None:
    net = nn.Sequential(*[nn.Linear(2, 2) for _ in range(2500)])
    assert list(shown(net)) == ["text/plain"]


def test_modules_are_copied_and_pickled_as_before() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    net(gn.rand(3, 2))
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert np.array_equal(np.asarray(twin[0].weight.detach()), np.asarray(net[0].weight.detach()))
        shown(twin)


def test_tables_are_tables() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    assert "<table>" in gn.summary(net, ("N", 2))._repr_html_()
    assert "<table>" in gn.inspect(net, gn.rand(9, 2))._repr_html_()
    history = getattr(getattr(gn, "training", None), "History", None)
    if history is not None:
        assert "<table" in history([{"epoch": 1, "loss": 0.5}])._repr_html_()
