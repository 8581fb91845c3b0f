"""Layers, losses and training do what PyTorch's do, step after step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nearness import assert_near

import graphnet as gn

torch = pytest.importorskip("torch")

STEPS = 6
OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD momentum": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "Adam lr": ("Adam", {"lr": 0.1}),
}


X = np.random.default_rng(2).normal(size=(6, 5))
LAYERS: dict[str, Callable[[Any], Any]] = {
    "Linear": lambda t: t.nn.Linear(5, 3),
    "Linear without bias": lambda t: t.nn.Linear(5, 3, bias=False),
    "ReLU": lambda t: t.nn.ReLU(),
    "Sigmoid": lambda t: t.nn.Sigmoid(),
    "Tanh": lambda t: t.nn.Tanh(),
    "Softmax": lambda t: t.nn.Softmax(dim=0),
    "LogSoftmax": lambda t: t.nn.LogSoftmax(dim=1),
    "Flatten": lambda t: t.nn.Flatten(0),
    "Identity": lambda t: t.nn.Identity(),
    "Sequential": lambda t: t.nn.Sequential(t.nn.Linear(5, 4), t.nn.ReLU(), t.nn.Linear(4, 2)),
    "LazyLinear": lambda t: t.nn.Sequential(t.nn.LazyLinear(4), t.nn.Tanh(), t.nn.LazyLinear(2)),
}


def copy_weights(ours: Any, theirs: Any) -> None:
    ours.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LAYERS)
def test_a_layer(name: str, dtype: str) -> None:
    ours, theirs = LAYERS[name](gn), LAYERS[name](torch)
    if dtype == "float64":
        ours, theirs = ours.double(), theirs.double()
    x, tx = gn.tensor(X.astype(dtype), requires_grad=True), torch.tensor(X.astype(dtype), requires_grad=True)
    theirs(tx)  # so that lazy ones are known
    copy_weights(ours, theirs)
    y, ty = ours(x), theirs(tx)
    assert_near(y, ty)
    (y * y).sum().backward()
    (ty * ty).sum().backward()
    assert_near(x.grad, tx.grad)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    for p, tp in zip(ours.parameters(), theirs.parameters()):
        assert_near(p.grad, tp.grad)


@pytest.mark.parametrize("loss", ["MSELoss", "CrossEntropyLoss"])
@pytest.mark.parametrize("kind", ["SGD momentum", "Adam lr"])
def test_training_a_network(loss: str, kind: str) -> None:
    optimizer_name, options = OPTIMIZERS[kind]
    ours, theirs = LAYERS["Sequential"](gn).double(), LAYERS["Sequential"](torch).double()
    copy_weights(ours, theirs)
    target = np.array([0, 1, 1, 0, 1, 0]) if loss == "CrossEntropyLoss" else X[:, :2]
    losses = []
    for t, net in ((gn, ours), (torch, theirs)):
        optimizer = getattr(t.optim, optimizer_name)(net.parameters(), **options)
        criterion = getattr(t.nn, loss)()
        seen = []
        for _ in range(STEPS):
            optimizer.zero_grad()
            value = criterion(net(t.tensor(X)), t.tensor(target))
            value.backward()
            optimizer.step()
            seen.append(value.item())
        losses.append(seen)
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[0], losses[1], rtol=256 * STEPS * np.finfo(float).eps)
    for p, tp in zip(ours.parameters(), theirs.parameters()):
        assert_near(p, tp, 100 * STEPS)


def test_linear_starts_from_the_same_distribution_as_torchs() -> None:
    bound = 1 / np.sqrt(400)
    ours = gn.nn.Linear(400, 300)
    for values in (ours.weight.detach().numpy(), ours.bias.detach().numpy()):
        assert np.abs(values).max() <= bound
        # a uniform distribution on ±b has variance b²/3; its estimate from n samples is off by about b²/sqrt(11 n)
        assert abs(values.var() - bound**2 / 3) < 5 * bound**2 / np.sqrt(11 * values.size)
