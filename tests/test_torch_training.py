"""Layers, losses and optimizers do what PyTorch's do, step after step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn

torch = pytest.importorskip("torch")

STEPS = 6
SGD: dict[str, dict[str, Any]] = {
    "plain": {"lr": 0.1},
    "default": {},
    "momentum": {"lr": 0.1, "momentum": 0.9},
    "nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
    "weight decay": {"lr": 0.1, "weight_decay": 0.1},
    "dampening": {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
    "maximize": {"lr": 0.01, "maximize": True},
    "all": {"lr": 0.05, "momentum": 0.8, "dampening": 0.1, "weight_decay": 0.01},
    "nothing": {"lr": 0.0},
}
ADAM: dict[str, dict[str, Any]] = {
    "default": {},
    "lr": {"lr": 0.1},
    "betas": {"lr": 0.1, "betas": (0.5, 0.7)},
    "eps": {"lr": 0.1, "eps": 1e-2},
    "weight decay": {"lr": 0.1, "weight_decay": 0.1},
    "amsgrad": {"lr": 0.1, "amsgrad": True, "betas": (0.3, 0.5)},
    "maximize": {"lr": 0.01, "maximize": True},
}
OPTIMIZERS = {f"{kind} {name}": (kind, o) for kind, all_ in (("SGD", SGD), ("Adam", ADAM)) for name, o in all_.items()}


def start(dtype: str) -> Any:
    return np.random.default_rng(1).normal(size=(3, 5)).astype(dtype)


def objective(w: Any, step: int) -> Any:
    return ((w - step) ** 2).sum() + (w * w * w).mean()


def assert_near(ours: Any, theirs: Any, steps: int = STEPS) -> None:
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    assert a.dtype == b.dtype and a.shape == b.shape
    eps = float(np.finfo(a.dtype).eps)
    scale = max(1.0, float(np.abs(b).max(initial=0)))
    np.testing.assert_allclose(a, b, rtol=0, atol=64 * steps * eps * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_of_an_optimizer(name: str, dtype: str) -> None:
    kind, options = OPTIMIZERS[name]
    ours, theirs = gn.nn.Parameter(gn.tensor(start(dtype))), torch.nn.Parameter(torch.tensor(start(dtype)))
    mine, reference = getattr(gn.optim, kind)([ours], **options), getattr(torch.optim, kind)([theirs], **options)
    for step in range(STEPS):
        mine.zero_grad()
        reference.zero_grad()
        objective(ours, step).backward()
        objective(theirs, step).backward()
        mine.step()
        reference.step()
        assert_near(ours, theirs, step + 1)


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_parameter_groups_have_settings_of_their_own(kind: str) -> None:
    results = []
    for t in (gn, torch):
        a, b = (t.nn.Parameter(t.tensor(start("float64"))) for _ in range(2))
        optimizer = getattr(t.optim, kind)([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.01)
        (a.sum() + (b * b).sum()).backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 1.0
        optimizer.step()
        results.append((a, b))
    for ours, theirs in zip(*results):
        assert_near(ours, theirs)


def test_a_parameter_without_gradient_is_left_alone() -> None:
    used, unused = gn.nn.Parameter(gn.ones(2)), gn.nn.Parameter(gn.ones(2))
    for kind in (gn.optim.SGD, gn.optim.Adam):
        optimizer = kind([used, unused], lr=0.1, weight_decay=0.1)
        used.sum().backward()
        optimizer.step()
        assert unused.tolist() == [1.0, 1.0] and used.tolist() != [1.0, 1.0]


@pytest.mark.parametrize("name", ["SGD all", "Adam amsgrad"])
def test_an_optimizer_goes_on_from_its_state_dict(name: str) -> None:
    kind, options = OPTIMIZERS[name]

    def run(steps: range, w: Any, optimizer: Any) -> None:
        for step in steps:
            optimizer.zero_grad()
            objective(w, step).backward()
            optimizer.step()

    whole = gn.nn.Parameter(gn.tensor(start("float32")))
    run(range(4), whole, getattr(gn.optim, kind)([whole], **options))
    first = gn.nn.Parameter(gn.tensor(start("float32")))
    before = getattr(gn.optim, kind)([first], **options)
    run(range(2), first, before)
    second = gn.nn.Parameter(first.detach().clone())
    after = getattr(gn.optim, kind)([second], lr=99)
    after.load_state_dict(before.state_dict())
    run(range(2, 4), first, before)  # the one it was copied from goes its own way
    run(range(2, 4), second, after)
    np.testing.assert_array_equal(second.detach().numpy(), whole.detach().numpy())


def test_zero_grad_forgets_or_zeroes() -> None:
    for t in (gn, torch):
        w = t.nn.Parameter(t.ones(2))
        optimizer = t.optim.SGD([w], lr=1)
        w.sum().backward()
        optimizer.zero_grad(set_to_none=False)
        assert w.grad.tolist() == [0.0, 0.0]
        optimizer.zero_grad()
        assert w.grad is None


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
