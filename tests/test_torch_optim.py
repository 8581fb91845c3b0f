"""Optimizers and schedules do what PyTorch's do, step after step, eagerly and compiled."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from nearness import assert_near

import graphnet as gn
from graphnet import nn

torch = pytest.importorskip("torch")

STEPS = 6
# Each hyperparameter of each optimizer away from its default at least once.
TABLE: dict[str, dict[str, dict[str, Any]]] = {
    "SGD": {
        "default": {},
        "lr": {"lr": 0.1},
        "momentum": {"lr": 0.1, "momentum": 0.9},
        "nesterov": {"lr": 0.05, "momentum": 0.9, "nesterov": True},
        "weight decay": {"lr": 0.1, "weight_decay": 0.1},
        "dampening": {"lr": 0.1, "momentum": 0.9, "dampening": 0.5},
        "maximize": {"lr": 0.01, "maximize": True},
        "all": {"lr": 0.05, "momentum": 0.8, "dampening": 0.1, "weight_decay": 0.01, "maximize": True},
        "nothing": {"lr": 0.0},
        "switches": {"foreach": False, "differentiable": False, "fused": False},
    },
    "Adam": {
        "default": {},
        "lr": {"lr": 0.1},
        "betas": {"lr": 0.1, "betas": (0.5, 0.7)},
        "no means": {"lr": 0.1, "betas": (0.0, 0.0)},
        "eps": {"lr": 0.1, "eps": 1e-2},
        "weight decay": {"lr": 0.1, "weight_decay": 0.1},
        "amsgrad": {"lr": 0.1, "amsgrad": True, "betas": (0.3, 0.5)},
        "maximize": {"lr": 0.01, "maximize": True},
        "decoupled": {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True},
        "switches": {"foreach": False, "capturable": False, "differentiable": False, "fused": False},
    },
    "AdamW": {
        "default": {},
        "lr": {"lr": 0.1},
        "betas": {"lr": 0.1, "betas": (0.5, 0.7)},
        "eps": {"lr": 0.1, "eps": 1e-2},
        "weight decay": {"lr": 0.1, "weight_decay": 0.5},
        "amsgrad": {"lr": 0.1, "amsgrad": True, "betas": (0.3, 0.5), "weight_decay": 0.1},
        "maximize": {"lr": 0.01, "maximize": True},
        "switches": {"foreach": False, "capturable": False, "differentiable": False, "fused": False},
    },
    "RMSprop": {
        "default": {},
        "lr": {"lr": 0.1},
        "alpha": {"lr": 0.1, "alpha": 0.5},
        "eps": {"lr": 0.1, "eps": 1e-2},
        "weight decay": {"weight_decay": 0.1},
        "momentum": {"momentum": 0.9},
        "centered": {"centered": True, "eps": 1e-2},
        "centered momentum": {"centered": True, "momentum": 0.5, "weight_decay": 0.01, "eps": 1e-2},
        "maximize": {"maximize": True},
        "switches": {"foreach": False, "capturable": False, "differentiable": False},
    },
    "Adagrad": {
        "default": {},
        "lr": {"lr": 0.5},
        "lr decay": {"lr": 0.5, "lr_decay": 0.1},
        "eps": {"eps": 1e-2},
        "weight decay": {"lr": 0.1, "weight_decay": 0.1},
        "start": {"lr": 0.1, "initial_accumulator_value": 0.5},
        "maximize": {"maximize": True},
        "switches": {"foreach": False, "differentiable": False, "fused": False},
    },
}
ROWS = [(kind, name) for kind, rows in TABLE.items() for name in rows]

L = gn.optim.lr_scheduler
SCHEDULES: dict[str, Callable[[Any, Any], Any]] = {
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda epoch: 0.9**epoch),
    "LambdaLR list": lambda s, o: s.LambdaLR(o, [lambda epoch: 1 / (1 + epoch), lambda epoch: 2.0]),
    "StepLR": lambda s, o: s.StepLR(o, 3, gamma=0.5),
    "StepLR default": lambda s, o: s.StepLR(o, 2),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5, 5, 11], gamma=0.5),
    "MultiStepLR default": lambda s, o: s.MultiStepLR(o, [3]),
    "ConstantLR": lambda s, o: s.ConstantLR(o),
    "ConstantLR factor": lambda s, o: s.ConstantLR(o, factor=0.25, total_iters=3),
    "LinearLR": lambda s, o: s.LinearLR(o),
    "LinearLR down": lambda s, o: s.LinearLR(o, start_factor=1.0, end_factor=0.1, total_iters=7),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.8),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 4),
    "CosineAnnealingLR low": lambda s, o: s.CosineAnnealingLR(o, T_max=5, eta_min=0.001),
    "CosineAnnealingLR short": lambda s, o: s.CosineAnnealingLR(o, T_max=1),
    "SequentialLR": lambda s, o: s.SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=4), s.ExponentialLR(o, 0.9)], [4]),
    "SequentialLR three": lambda s, o: s.SequentialLR(
        o, [s.ConstantLR(o, 0.1, 2), s.CosineAnnealingLR(o, 4), s.StepLR(o, 2, 0.5)], milestones=[2, 6]
    ),
    "ReduceLROnPlateau": lambda s, o: s.ReduceLROnPlateau(o, patience=1),
    "ReduceLROnPlateau max": lambda s, o: s.ReduceLROnPlateau(o, "max", 0.5, 0, threshold=0.5, cooldown=1),
    "ReduceLROnPlateau abs": lambda s, o: s.ReduceLROnPlateau(
        o, factor=0.5, patience=0, threshold=0.1, threshold_mode="abs", min_lr=[0.02, 0.01], eps=0.001
    ),
}
NUMBERS = [1.0, 0.8, 0.9, 0.95, 0.79, 0.79, 0.9, 0.5, 0.5, 0.51, 0.52, 0.4, 0.4]
# What the optimizers and schedules of PyTorch are that graphnet has; whoever adds one adds a row.
OPTIMIZERS = ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"]
SCHEDULERS = [
    "LambdaLR", "StepLR", "MultiStepLR", "ConstantLR", "LinearLR", "ExponentialLR", "CosineAnnealingLR",
    "SequentialLR", "ReduceLROnPlateau",
]  # fmt: skip


def start(dtype: str) -> Any:
    return np.random.default_rng(1).normal(size=(3, 5)).astype(dtype)


def objective(w: Any, step: int) -> Any:
    return ((w - step) ** 2).sum() + (w * w * w).mean()


def test_everything_has_a_row() -> None:
    assert set(TABLE) == set(OPTIMIZERS) == set(gn.optim.__all__) - {"Optimizer", "lr_scheduler"}
    assert set(SCHEDULERS) == {name.split()[0] for name in SCHEDULES} == set(L.__all__) - {"LRScheduler"}
    for kind, rows in TABLE.items():
        tried = set().union(*rows.values())
        known = set(inspect.signature(getattr(gn.optim, kind)).parameters) - {"params"}
        assert tried == known, f"{kind}: no row tries {known - tried}"


def signature(cls: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.default, p.kind) for p in inspect.signature(cls).parameters.values()]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_signatures_of_optimizers_are_pytorchs(name: str) -> None:
    assert signature(getattr(gn.optim, name)) == signature(getattr(torch.optim, name))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_signatures_of_schedules_are_pytorchs(name: str) -> None:
    assert signature(getattr(L, name)) == signature(getattr(torch.optim.lr_scheduler, name))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "name"), ROWS, ids=" ".join)
def test_steps_of_an_optimizer(kind: str, name: str, dtype: str) -> None:
    options = TABLE[kind][name]
    ours, theirs = nn.Parameter(gn.tensor(start(dtype))), torch.nn.Parameter(torch.tensor(start(dtype)))
    mine, reference = getattr(gn.optim, kind)([ours], **options), getattr(torch.optim, kind)([theirs], **options)
    compiled = nn.Parameter(gn.tensor(start(dtype)))
    fast = getattr(gn.optim, kind)([compiled], **options)
    step_of = gn.TrainStep(lambda n: (compiled, n), lambda y, t: ((y[0] - y[1]) ** 2).sum() + (y[0] ** 3).mean(), fast)
    for step in range(STEPS):
        mine.zero_grad()
        reference.zero_grad()
        objective(ours, step).backward()
        objective(theirs, step).backward()
        mine.step()
        reference.step()
        step_of(gn.tensor(float(step), dtype=getattr(gn, dtype)), gn.tensor(0))
        assert_near(ours, theirs, step + 1)
        assert_near(compiled, ours, step + 1)
    mine_state, their_state = mine.state_dict(), reference.state_dict()
    assert_states_near(mine_state, their_state)
    assert_states_near(fast.state_dict(), their_state)
    assert repr(mine) == repr(reference)


def assert_states_near(ours: Any, theirs: Any) -> None:
    assert ours["param_groups"] == theirs["param_groups"]
    assert list(ours["param_groups"][0]) == list(theirs["param_groups"][0])
    assert set(ours["state"]) == set(theirs["state"])
    for number, entries in theirs["state"].items():
        assert set(ours["state"][number]) == set(entries)
        for key, value in entries.items():
            if key == "step":
                assert ours["state"][number][key] == value.item()
            else:
                assert_near(ours["state"][number][key], value)


def train(w: Any, optimizer: Any, steps: range) -> None:
    for step in steps:
        optimizer.zero_grad()
        objective(w, step).backward()
        optimizer.step()


@pytest.mark.parametrize(("kind", "name"), ROWS, ids=" ".join)
def test_an_optimizer_goes_on_from_its_state_dict_and_from_pytorchs(kind: str, name: str) -> None:
    options = TABLE[kind][name]
    for t in (gn, torch):
        first = t.nn.Parameter(t.tensor(start("float64")))
        before = getattr(t.optim, kind)([first], **options)
        train(first, before, range(3))
        saved = before.state_dict()
        if t is torch:
            for entries in saved["state"].values():
                entries.update({k: v.detach().clone().numpy() for k, v in entries.items() if v is not None})
        second = nn.Parameter(gn.tensor(first.detach().numpy()))
        after = getattr(gn.optim, kind)([second], lr=99)
        after.load_state_dict(saved)
        if t is torch:  # it shares its state with its state dict
            before = getattr(t.optim, kind)([first], **options)
            before.load_state_dict(
                {**saved, "state": {n: {k: t.tensor(v) for k, v in e.items()} for n, e in saved["state"].items()}}
            )
        train(first, before, range(3, 6))  # the one it was copied from goes its own way
        train(second, after, range(3, 6))
        assert_near(second, first)


def two_groups(t: Any) -> tuple[Any, Any]:
    a, b = (t.nn.Parameter(t.ones(2)) for _ in range(2))
    return t.optim.SGD([{"params": [a]}, {"params": [b], "lr": 0.02}], lr=0.1), (a, b)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule(name: str) -> None:
    seen = []
    for t in (gn, torch):
        optimizer, _ = two_groups(t)
        scheduler = SCHEDULES[name](t.optim.lr_scheduler, optimizer)
        rates = [[group["lr"] for group in optimizer.param_groups]]
        for number in NUMBERS:
            optimizer.step()
            scheduler.step(*((number,) if "Plateau" in name else ()))
            rates.append(scheduler.get_last_lr())
            assert rates[-1] == [group["lr"] for group in optimizer.param_groups]
        assert [group.get("initial_lr") for group in optimizer.param_groups] == [None if "Pl" in name else 0.1] * 1 + [
            None if "Pl" in name else 0.02
        ]
        seen.append(rates)
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_goes_on_from_its_state_dict_and_from_pytorchs(name: str) -> None:
    def steps(scheduler: Any, optimizer: Any, numbers: list[float]) -> list[Any]:
        result = []
        for number in numbers:
            optimizer.step()
            scheduler.step(*((number,) if "Plateau" in name else ()))
            result.append(scheduler.get_last_lr())
        return result

    optimizer, _ = two_groups(gn)
    whole = steps(SCHEDULES[name](L, optimizer), optimizer, NUMBERS)
    for t in (gn, torch):
        first, _ = two_groups(t)
        scheduler = SCHEDULES[name](t.optim.lr_scheduler, first)
        steps(scheduler, first, NUMBERS[:5])
        second, _ = two_groups(gn)
        after = SCHEDULES[name](L, second)
        after.load_state_dict(scheduler.state_dict())
        second.load_state_dict(first.state_dict())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert after.last_epoch == 5
            np.testing.assert_allclose(steps(after, second, NUMBERS[5:]), whole[5:], rtol=1e-13)


def test_sequences_may_be_nested() -> None:
    optimizer = gn.optim.SGD([nn.Parameter(gn.ones(1))], lr=1.0)
    inner = L.SequentialLR(optimizer, [L.ConstantLR(optimizer, 0.25, 9), L.StepLR(optimizer, 1, 0.5)], [2])
    outer = L.SequentialLR(optimizer, [inner, L.MultiStepLR(optimizer, [1, 2], 0.5)], [5])
    rates = outer.get_last_lr()
    for _ in range(7):
        optimizer.step()
        outer.step()
        rates = rates + outer.get_last_lr()
    assert rates == [0.25, 0.25, 1, 0.5, 0.25, 1, 0.5, 0.25]


def test_schedules_of_one_optimizer_may_be_chained_and_rates_changed_by_hand() -> None:
    seen = []
    for t in (gn, torch):
        optimizer, _ = two_groups(t)
        parts = [t.optim.lr_scheduler.ExponentialLR(optimizer, 0.9), t.optim.lr_scheduler.StepLR(optimizer, 2)]
        for epoch in range(6):
            optimizer.step()
            if epoch == 3:
                optimizer.param_groups[0]["lr"] = 7.0
            for part in parts:
                part.step()
        seen.append([group["lr"] for group in optimizer.param_groups])
    np.testing.assert_allclose(seen[0], seen[1], rtol=1e-14)


@pytest.mark.parametrize("kind", TABLE)
def test_parameter_groups_have_settings_of_their_own(kind: str) -> None:
    results = []
    for t in (gn, torch):
        a, b, c = (t.nn.Parameter(t.tensor(start("float64"))) for _ in range(3))
        optimizer = getattr(t.optim, kind)([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.01)
        optimizer.add_param_group({"params": [c], "lr": 0.25, "weight_decay": 0.5, "name": "third"})
        (a.sum() + (b * b).sum() + (c * c).sum()).backward()
        optimizer.step()
        optimizer.param_groups[0]["lr"] = 1.0
        optimizer.step()
        results.append((a, b, c))
    for ours, theirs in zip(*results):
        assert_near(ours, theirs)


def test_names_may_be_given() -> None:
    groups = []
    for t in (gn, torch):
        net = t.nn.Linear(2, 1)
        optimizer = t.optim.Adam(net.named_parameters())
        groups.append(optimizer.state_dict()["param_groups"])
    assert groups[0] == groups[1] and groups[0][0]["param_names"] == ["weight", "bias"]


def test_clipping() -> None:
    for norm_type in (2.0, 1.0, 3.5, float("inf"), 0.5):
        for max_norm in (0.1, 1e3, 0.0):
            results = []
            for t in (gn, torch):
                ps = [t.nn.Parameter(t.tensor(start("float64")[:n])) for n in (1, 3)] + [t.nn.Parameter(t.ones(2))]
                (ps[0] ** 2).sum().backward()
                (ps[1] ** 3).sum().backward()
                total = t.nn.utils.clip_grad_norm_(ps, max_norm, norm_type)
                assert ps[2].grad is None and not total.requires_grad
                results.append([total, ps[0].grad, ps[1].grad])
            for ours, theirs in zip(*results):
                assert_near(ours, theirs)
    results = []
    for t in (gn, torch):
        w = t.nn.Parameter(t.tensor(start("float32")))
        (w**3).sum().backward()
        t.nn.utils.clip_grad_value_(w, 0.5)
        results.append(w.grad)
    np.testing.assert_array_equal(results[0].numpy(), results[1].numpy())


def test_vectors_of_parameters() -> None:
    for t in (gn, torch):
        net = t.nn.Sequential(t.nn.Linear(3, 2), t.nn.Linear(2, 1))
        vector = t.nn.utils.parameters_to_vector(net.parameters())
        assert vector.shape == (11,) and vector.requires_grad
        t.nn.utils.vector_to_parameters(t.arange(11.0) * 2, net.parameters())
        assert net[0].weight.tolist() == [[0, 2, 4], [6, 8, 10]] and net[1].bias.tolist() == [20]
        t.nn.utils.vector_to_parameters(vector, net.parameters())
        assert t.equal(t.nn.utils.parameters_to_vector(net.parameters()), vector)
