"""Initialisation: PyTorch's signatures and distributions, on known and on unknown sizes."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

NAMES = """uniform_ normal_ constant_ zeros_ ones_ eye_ xavier_uniform_ xavier_normal_ kaiming_uniform_ kaiming_normal_
    orthogonal_ trunc_normal_"""
CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("uniform_", (-2.0, 3.0), {}),
    ("normal_", (1.0, 0.5), {}),
    ("constant_", (0.3,), {}),
    ("zeros_", (), {}),
    ("ones_", (), {}),
    ("eye_", (), {}),
    ("xavier_uniform_", (), {"gain": 1.7}),
    ("xavier_normal_", (), {}),
    ("kaiming_uniform_", (), {"a": 0.2, "mode": "fan_out"}),
    ("kaiming_uniform_", (), {"nonlinearity": "relu"}),
    ("kaiming_normal_", (), {"nonlinearity": "tanh"}),
    ("kaiming_normal_", (0.1,), {}),
    ("orthogonal_", (2.0,), {}),
    ("trunc_normal_", (0.5, 1.0, -1.0, 1.0), {}),
]
calls = pytest.mark.parametrize("call", CALLS, ids=lambda c: f"{c[0]}{c[1] or ''}{list(c[2])}")


def test_every_function_is_called() -> None:
    assert {name for name, _, _ in CALLS} == set(NAMES.split()) == {n for n in nn.init.__all__ if n.endswith("_")}


@calls
def test_unknown_sizes_get_the_values_of_known_ones(call: Any) -> None:
    name, args, settings = call
    lazy, known = nn.LazyLinear(6), nn.Linear(5, 6)
    for layer in (lazy, known):
        gn.manual_seed(4)
        assert getattr(nn.init, name)(layer.weight, *args, **settings) is layer.weight
    assert lazy.weight.is_lazy
    lazy(gn.ones(2, 5))
    np.testing.assert_array_equal(lazy.weight.detach().numpy(), known.weight.detach().numpy())
    assert known.weight.requires_grad and known.weight.is_leaf


@calls
def test_distributions_are_pytorchs(call: Any) -> None:
    torch = pytest.importorskip("torch")
    name, args, settings = call
    torch.manual_seed(0)
    gn.manual_seed(0)
    theirs = getattr(torch.nn.init, name)(torch.empty(120, 90), *args, **settings).numpy()
    ours = getattr(nn.init, name)(gn.empty(120, 90), *args, **settings).numpy()
    error = 6 * (theirs.std() + 1e-9) / np.sqrt(theirs.size)
    assert abs(ours.mean() - theirs.mean()) <= error
    assert abs(ours.std() - theirs.std()) <= error
    assert abs(np.abs(ours).max() - np.abs(theirs).max()) <= 0.4 * np.abs(theirs).max() + 1e-9
    if name == "orthogonal_":
        np.testing.assert_allclose(ours.T @ ours, 4 * np.eye(90), atol=1e-4)
    if name == "eye_":
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", [*NAMES.split(), "calculate_gain"])
def test_signatures_are_pytorchs(name: str) -> None:
    torch = pytest.importorskip("torch")

    def told(function: Any) -> Any:
        return [(p.name, p.default) for p in inspect.signature(function).parameters.values()]

    assert told(getattr(nn.init, name)) == told(getattr(torch.nn.init, name))


def test_gains() -> None:
    torch = pytest.importorskip("torch")
    for name in ("linear", "conv1d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu"):
        assert nn.init.calculate_gain(name) == pytest.approx(torch.nn.init.calculate_gain(name))
    assert nn.init.calculate_gain("leaky_relu", 0.3) == pytest.approx(torch.nn.init.calculate_gain("leaky_relu", 0.3))
    with pytest.raises(ValueError, match="no gain is known for 'swish'"):
        nn.init.calculate_gain("swish")


def test_a_generator_of_its_own_leaves_the_global_one_alone() -> None:
    gn.manual_seed(1)
    a = gn.rand(3)
    gn.manual_seed(1)
    generator = gn.Generator().manual_seed(5)
    first = nn.init.normal_(gn.empty(4), generator=generator)
    lazy = nn.init.xavier_uniform_(nn.Parameter(gn.empty(2, 3)), generator=generator)
    np.testing.assert_array_equal(gn.rand(3).numpy(), a.numpy())
    again = gn.Generator().manual_seed(5)
    np.testing.assert_array_equal(nn.init.normal_(gn.empty(4), generator=again).numpy(), first.numpy())
    wanted = nn.init.xavier_uniform_(nn.Parameter(gn.empty(2, 3)), generator=again).detach().numpy()
    np.testing.assert_array_equal(lazy.detach().numpy(), wanted)


@pytest.mark.parametrize(
    ("use", "text"),
    [
        (lambda: nn.init.xavier_normal_(gn.empty(3)), "two axes"),
        (lambda: nn.init.kaiming_uniform_(gn.empty(3, 3), mode="fan"), "'fan_in' or 'fan_out'"),
        (lambda: nn.init.eye_(gn.empty(3)), "a matrix"),
        (lambda: nn.init.orthogonal_(gn.empty(3)), "two axes"),
        (lambda: nn.init.trunc_normal_(gn.empty(3), a=1.0, b=1.0), "a < b"),
        (lambda: nn.init.normal_(gn.empty(3), std=-1.0), "not negative"),
    ],
)
def test_wrong_use(use: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        use()
