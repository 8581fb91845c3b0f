"""Small networks of the library's layers are called through a program without gradients: only speed may tell."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import graphnet as gn
from graphnet import nn
from graphnet.shortcut import PATIENCE, PROGRAMS


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))


def warmed(net: nn.Module, x: gn.Tensor) -> nn.Module:
    with gn.no_grad():
        for _ in range(PATIENCE + 1):
            net(x)
    return net


def shortened(net: nn.Module) -> bool:
    fast = net.__dict__.get("_fast")
    return fast is not None and fast._compiled is not None


class Own(nn.Linear):
    def forward(self, x: Any) -> Any:
        return super().forward(x) * 2


SHORT: dict[str, Callable[[], nn.Module]] = {
    "layers": mlp,
    "a layer": lambda: nn.Linear(3, 2),
    "evaluation": lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(0.5)).eval(),
    "nested": lambda: nn.Sequential(mlp(), nn.Sequential(nn.Tanh(), nn.Softmax(-1))),
    "tied": lambda: nn.Sequential(*[nn.Linear(3, 3)] * 3),
    "lazy": lambda: nn.Sequential(nn.LazyLinear(4), nn.GELU(), nn.LazyLinear(2)),
}
LONG: dict[str, Callable[[], nn.Module]] = {
    "user's forward": lambda: nn.Sequential(Own(3, 2)),
    "random": lambda: nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5)),
    "writes buffers": lambda: nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)),
    "its input": lambda: nn.Sequential(nn.Identity()),
    "a view of its input": lambda: nn.Sequential(nn.Flatten(0)),
    "heavy": lambda: nn.Sequential(nn.Linear(3, 100_000), nn.Tanh()),
}


@pytest.mark.parametrize("name", SHORT)
def test_the_same_bits(name: str) -> None:
    net, x = SHORT[name](), gn.randn(5, 3)
    with gn.no_grad():
        expected = net(x)
        for _ in range(2 * PATIENCE):
            got = net(x)
            assert gn.equal(got, expected) and str(got._origin) == str(expected._origin) and not got.requires_grad
    assert shortened(net)
    assert net(x).requires_grad and gn.equal(net(x), expected)  # recorded: as ever


@pytest.mark.parametrize("name", LONG)
def test_not_where_it_could_be_told(name: str) -> None:
    net, x = LONG[name](), gn.randn(5, 3)
    assert not shortened(warmed(net, x))


def test_random_numbers_are_drawn_as_ever() -> None:
    net, x = LONG["random"](), gn.ones(5, 3)
    results = []
    for warm in (False, True):
        if warm:
            warmed(net, x)
        gn.manual_seed(0)
        with gn.no_grad():
            results.append(gn.stack([net(x) for _ in range(3)]))
    assert gn.equal(*results)


def test_changes_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = mlp(), gn.randn(5, 3)
    warmed(net, x)
    with gn.no_grad():
        before = net(x)
        net[0].weight.data.mul_(2)
        assert not gn.equal(net(x), before)
        net[0].weight.detach().numpy()[:] = 0
        assert gn.equal(net(x)[0], net(x)[1])
        net.append(nn.Tanh())
        assert gn.equal(net(x), net[2](nn.functional.relu(net[0](x))).tanh())
    warmed(net, x)
    seen: list[Any] = []
    net[0].register_forward_hook(lambda module, args, output: seen.append(output))
    warmed(net, x)
    assert len(seen) == PATIENCE + 1
    other = warmed(mlp(), x)
    monkeypatch.setattr(nn.ReLU, "forward", lambda self, x: x * 0)
    with gn.no_grad():
        assert gn.equal(other(x)[0], other(x)[1])


def test_errors_are_those_of_eager_calls() -> None:
    net, x = nn.Sequential(nn.Embedding(4, 3)), gn.tensor([0, 3])
    with gn.no_grad(), pytest.raises(gn.errors.IndexOutOfRangeError) as eager:
        net(gn.tensor([0, 4]))
    warmed(net, x)
    assert shortened(net)
    with gn.no_grad(), pytest.raises(gn.errors.IndexOutOfRangeError) as short:
        net(gn.tensor([0, 4]))
    assert str(short.value) == str(eager.value)
    with gn.no_grad(), pytest.raises(gn.errors.DTypeError):
        net(gn.tensor([0.0, 4.0]))


def test_many_types_of_inputs() -> None:
    net = mlp()
    with gn.no_grad():
        for size in range(PROGRAMS + 4):
            for _ in range(PATIENCE):
                assert net(gn.ones(size, 3)).shape == (size, 2)
    assert net.__dict__["_fast"]._made <= PROGRAMS


def test_copies_and_pickles_have_none() -> None:
    net, x = mlp(), gn.randn(5, 3)
    warmed(net, x)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert "_fast" not in other.__dict__
        with gn.no_grad():
            other[0].weight.data.zero_()
            assert not gn.equal(other(x), net(x))


def test_results_are_the_callers_own() -> None:
    net, x = warmed(mlp(), gn.ones(5, 3)), gn.ones(5, 3)
    with gn.no_grad():
        first = net(x)
        kept = first.clone()
        net(gn.zeros(5, 3))
        first.add_(1)
        assert gn.equal(first, kept + 1) and gn.equal(net(x), kept)
    del net
    gc.collect()


def test_what_looks_at_calls_and_warnings_sees_them_all() -> None:
    x, seen = gn.randn(5, 3), list[str]()
    net = warmed(mlp(), x)
    assert shortened(net)

    def profile(frame: Any, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_name == "forward":
            seen.append(frame.f_code.co_name)

    with gn.no_grad():
        sys.setprofile(profile)
        try:
            net(x)
        finally:
            sys.setprofile(None)
    assert len(seen) == 4
    implicit = nn.Sequential(nn.Linear(3, 2), nn.Softmax())
    with warnings.catch_warnings(record=True) as given, gn.no_grad():
        warnings.simplefilter("always")
        for _ in range(2 * PATIENCE):
            implicit(x)
    assert len(given) == 2 * PATIENCE


def test_modules_that_are_made_later_leave_the_program() -> None:
    x = gn.randn(5, 3)
    net = warmed(mlp(), x)
    program = net.__dict__["_fast"]._compiled
    nn.Sequential(nn.Linear(3, 4), nn.Tanh()).eval()
    with gn.no_grad():
        net(x)
    assert net.__dict__["_fast"]._compiled is program and program._graphs.traces == 1
    net[1].register_forward_hook(lambda module, arguments, output: output + 1)
    with gn.no_grad():
        assert gn.allclose(net(x), net[2](net[0](x).relu() + 1))
