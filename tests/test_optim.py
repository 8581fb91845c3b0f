"""What optimizers, schedules and clipping say to wrong use, and what they do that PyTorch does not."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

import graphnet as gn
from graphnet import nn

L = gn.optim.lr_scheduler


def parameter() -> nn.Parameter:
    return nn.Parameter(gn.ones(2))


def sgd(**settings: Any) -> gn.optim.SGD:
    return gn.optim.SGD([parameter()], **settings)


def stepped(kind: Any, count: int = 1) -> Any:
    parameters = [parameter() for _ in range(count)]
    optimizer = kind(parameters, lr=0.1)
    gn.cat(parameters).sum().backward()
    optimizer.step()
    return optimizer


WRONG: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "a negative rate": (lambda: sgd(lr=-0.1), ValueError, "SGD: lr is a finite number from 0 up, got -0.1"),
    "a rate that is none": (lambda: sgd(lr=float("nan")), ValueError, "lr is a finite number from 0 up, got nan"),
    "a word": (lambda: sgd(momentum="much"), ValueError, "momentum is a finite number"),
    "nesterov alone": (lambda: sgd(nesterov=True), ValueError, "nesterov needs a momentum above 0"),
    "a flag": (lambda: sgd(maximize=1), TypeError, "SGD: maximize is True or False, got 1"),
    "differentiable": (lambda: sgd(differentiable=True), ValueError, "differentiable=True is not supported"),
    "capturable": (lambda: gn.optim.Adam([parameter()], capturable=True), ValueError, "capturable=True"),
    "beta": (lambda: gn.optim.Adam([parameter()], betas=(0.9, 1.0)), ValueError, r"betas\[1\] is a number from 0 to"),
    "one beta": (lambda: gn.optim.AdamW([parameter()], betas=0.9), ValueError, "AdamW: betas are two numbers"),  # type: ignore[arg-type]
    "alpha": (lambda: gn.optim.RMSprop([parameter()], alpha=1.5), ValueError, "alpha is a number from 0 to 1"),
    "start": (
        lambda: gn.optim.Adagrad([parameter()], initial_accumulator_value=-1),
        ValueError,
        "initial_accumulator_value is a finite number from 0 up, got -1",
    ),
    "a set": (lambda: gn.optim.SGD({parameter()}), TypeError, "parameters have an order.*got a set"),
    "a set in a group": (lambda: gn.optim.SGD([{"params": {parameter()}}]), TypeError, "parameters have an order"),
    "nothing": (lambda: gn.optim.SGD([]), ValueError, "got no parameters"),
    "a module": (lambda: gn.optim.SGD(nn.Linear(1, 1)), TypeError, r"pass its .parameters\(\)"),
    "a tensor": (lambda: gn.optim.SGD(parameter()), TypeError, "iterable of parameters, got one tensor"),
    "a number": (lambda: gn.optim.SGD([1.0]), TypeError, "expects parameters, got a float"),
    "a group of a number": (lambda: gn.optim.SGD([{"params": 3}]), TypeError, '"params" are parameters, got an int'),
    "a computed one": (lambda: gn.optim.SGD([parameter() * 2]), ValueError, "only leaf tensors"),
    "twice": (lambda: gn.optim.SGD([p := parameter(), p]), ValueError, "more than one place"),
    "in two groups": (
        lambda: (p := parameter(), gn.optim.SGD([{"params": [p]}, {"params": p}])),
        ValueError,
        "more than one place",
    ),
    "a misspelt setting": (
        lambda: sgd().add_param_group({"params": [parameter()], "momentun": 0.9}),
        ValueError,
        "there is no setting 'momentun'; it has .*'momentum'",
    ),
    "no params": (lambda: sgd().add_param_group({"lr": 0.1}), TypeError, '"params"'),
    "some names": (
        lambda: gn.optim.SGD([("a", parameter()), parameter()]),
        ValueError,
        "either all parameters have names or none",
    ),
    "a state dict of another size": (
        lambda: sgd().load_state_dict(stepped(gn.optim.SGD, 2).state_dict()),
        gn.StateDictError,
        r"groups of sizes \[1\], got \[2\]",
    ),
    "another optimizer's": (
        lambda: sgd().load_state_dict(stepped(gn.optim.Adam).state_dict()),
        gn.StateDictError,
        r"lacks \['dampening', 'momentum', 'nesterov'\]; is it another optimizer's",
    ),
    "no state dict": (lambda: sgd().load_state_dict({"lr": 3}), gn.StateDictError, '"state" and "param_groups"'),
    "a misshapen state": (
        lambda: gn.optim.Adam([nn.Parameter(gn.ones(3))]).load_state_dict(stepped(gn.optim.Adam).state_dict()),
        gn.StateDictError,
        r"exp_avg of parameter 0: expects shape \(3,\), got \(2,\)\n.*exp_avg_sq of parameter 0",
    ),
    "no optimizer": (lambda: L.StepLR(3, 1), TypeError, "StepLR: expects an optimizer, got an int"),  # type: ignore[arg-type]
    "no size": (lambda: L.StepLR(sgd(), 0), ValueError, "step_size is a whole number from 1 up, got 0"),
    "half a size": (lambda: L.StepLR(sgd(), 2.5), TypeError, "step_size is a whole number, got 2.5"),  # type: ignore[arg-type]
    "gamma": (lambda: L.ExponentialLR(sgd(), "0.9"), TypeError, "gamma is a number, got '0.9'"),  # type: ignore[arg-type]
    "milestones": (lambda: L.MultiStepLR(sgd(), 3), TypeError, "milestones are whole numbers, got 3"),  # type: ignore[arg-type]
    "factor": (lambda: L.ConstantLR(sgd(), 1.5), ValueError, "factor is a number from 0 to 1, got 1.5"),
    "start factor": (lambda: L.LinearLR(sgd(), 0.0), ValueError, "start_factor is above 0"),
    "T_max": (lambda: L.CosineAnnealingLR(sgd(), 0), ValueError, "T_max is a whole number from 1 up"),
    "functions": (lambda: L.LambdaLR(sgd(), [abs, abs]), ValueError, "2 functions for 1 parameter groups"),
    "no function": (lambda: L.LambdaLR(sgd(), 0.1), TypeError, "expects a function of the epoch, got 0.1"),
    "mode": (lambda: L.ReduceLROnPlateau(sgd(), "low"), ValueError, "mode is 'min' or 'max', got 'low'"),
    "threshold mode": (
        lambda: L.ReduceLROnPlateau(sgd(), threshold_mode="x"),
        ValueError,
        "threshold_mode is 'rel' or 'abs'",
    ),
    "plateau factor": (lambda: L.ReduceLROnPlateau(sgd(), factor=1.0), ValueError, "factor is below 1"),
    "plateau rates": (lambda: L.ReduceLROnPlateau(sgd(), min_lr=[0, 0]), ValueError, "2 lowest rates for 1"),
    "no schedulers": (lambda: L.SequentialLR(sgd(), [], []), ValueError, "one milestone fewer"),
    "milestones that fall": (
        lambda: (o := sgd(), L.SequentialLR(o, [L.StepLR(o, 1) for _ in range(3)], [5, 2])),
        ValueError,
        r"milestones rise, got \[5, 2\]",
    ),
    "another's": (lambda: L.SequentialLR(sgd(), [L.StepLR(sgd(), 1)], []), ValueError, "another optimizer's"),
    "a plateau in a sequence": (
        lambda: (o := sgd(), L.SequentialLR(o, [L.ReduceLROnPlateau(o)], [])),
        ValueError,
        "takes no argument, got a ReduceLROnPlateau",
    ),
    "the middle": (lambda: L.StepLR(sgd(), 1, last_epoch=3), ValueError, "initial_lr"),
    "another scheduler's": (
        lambda: L.StepLR(sgd(), 1).load_state_dict(L.ExponentialLR(sgd(), 0.5).state_dict()),
        gn.StateDictError,
        "missing keys: 'step_size'",
    ),
    "a negative norm": (lambda: nn.utils.clip_grad_norm_([], -1), ValueError, "max_norm is a number from 0 up"),
    "no norm": (lambda: nn.utils.clip_grad_norm_([], None), TypeError, "max_norm is a number, got None"),  # type: ignore[arg-type]
    "no order": (lambda: nn.utils.clip_grad_norm_([], 1, "two"), TypeError, "norm_type is a number, got 'two'"),  # type: ignore[arg-type]
    "unknown sizes": (
        lambda: nn.utils.vector_to_parameters(gn.ones(3), nn.LazyLinear(1).parameters()),
        RuntimeError,
        "has no values before its sizes are known",
    ),
    "a negative value": (lambda: nn.utils.clip_grad_value_([], -1), ValueError, "clip_value is a number from 0 up"),
    "clip a module": (lambda: nn.utils.clip_grad_norm_(nn.Linear(1, 1), 1), TypeError, r"pass its .parameters\(\)"),
    "clip numbers": (lambda: nn.utils.clip_grad_norm_([1.0], 1), TypeError, "expects parameters, got a float"),
    "too short": (
        lambda: nn.utils.vector_to_parameters(gn.ones(1), [parameter()]),
        gn.ShapeError,
        r"a vector of 2 elements, got shape \(1,\)",
    ),
    "too long": (lambda: nn.utils.vector_to_parameters(gn.ones(3), [parameter()]), gn.ShapeError, "2 elements"),
    "a vector of a tensor": (lambda: nn.utils.parameters_to_vector(parameter()), TypeError, "an iterable"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused(name: str) -> None:
    function, error, text = WRONG[name]
    with pytest.raises(error, match=f"(?s){text}") as caught:
        function()
    assert isinstance(caught.value, gn.GraphnetError)


def test_a_norm_that_is_not_finite_is_refused_where_that_is_asked_for() -> None:
    w = parameter()
    (w * float("inf")).sum().backward()
    with pytest.raises(RuntimeError, match="the norm of the gradients is inf"):
        nn.utils.clip_grad_norm_(w, 1.0, error_if_nonfinite=True)
    assert w.grad.tolist() == [float("inf")] * 2


def test_an_iterator_that_was_used_up_is_told() -> None:
    parameters = nn.Linear(1, 1).parameters()
    list(parameters)
    with pytest.warns(gn.GraphnetWarning, match="used up"):
        assert nn.utils.clip_grad_norm_(parameters, 1.0).item() == 0


def test_a_schedule_that_steps_first_is_told() -> None:
    optimizer = sgd()
    scheduler = L.ExponentialLR(optimizer, 0.5)
    with pytest.warns(gn.GraphnetWarning, match="before optimizer.step"):
        scheduler.step()


def test_a_compiled_step_counts_as_a_step() -> None:
    net = nn.Linear(2, 1)
    optimizer = gn.optim.SGD(net.parameters(), lr=1.0)
    scheduler = L.ExponentialLR(optimizer, 0.5)
    gn.TrainStep(net, nn.MSELoss(), optimizer)(gn.ones(1, 2), gn.ones(1, 1))
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] == 0.5


@pytest.mark.parametrize("kind", ["SGD", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_lazy_parameters_may_come_first(kind: str) -> None:
    nets = []
    for lazy in (True, False):
        gn.manual_seed(1)
        net = nn.Sequential(nn.LazyLinear(4), nn.Tanh(), nn.LazyLinear(1)).double()
        if not lazy:
            net(gn.ones(1, 3).double())
        optimizer = getattr(gn.optim, kind)(net.parameters(), lr=0.1)
        step = gn.TrainStep(net, nn.MSELoss(), optimizer)
        for _ in range(3):
            step(gn.ones(4, 3).double(), gn.zeros(4, 1).double())
        nets.append(net)
    for a, b in zip(*(net.parameters() for net in nets)):
        assert a.tolist() == b.tolist()


def test_a_rate_may_be_a_tensor() -> None:
    optimizer = sgd(lr=gn.tensor(0.5))
    scheduler = L.ExponentialLR(optimizer, 0.5)
    (w,) = optimizer.param_groups[0]["params"]
    w.sum().backward()
    optimizer.step()
    scheduler.step()
    optimizer.step()
    assert w.tolist() == [0.25, 0.25] and optimizer.param_groups[0]["lr"].item() == 0.25


def test_a_closure_computes_the_loss() -> None:
    optimizer = sgd(lr=0.5)
    (w,) = optimizer.param_groups[0]["params"]

    def closure() -> Any:
        optimizer.zero_grad()
        loss = w.sum()
        loss.backward()
        return loss

    with gn.no_grad():
        assert optimizer.step(closure).item() == 2
    assert w.tolist() == [0.5, 0.5] and optimizer.step() is None


def test_momentum_that_comes_later_starts_like_any_other() -> None:
    """Also where dampening would make less of a first step from zeros."""
    optimizer = sgd(lr=1.0)
    (w,) = optimizer.param_groups[0]["params"]
    w.sum().backward()
    optimizer.step()
    assert optimizer.state_dict()["state"] == {}
    optimizer.param_groups[0].update(momentum=0.9, dampening=0.5)
    optimizer.step()
    assert w.tolist() == [-1, -1] and optimizer.state[w]["momentum_buffer"].tolist() == [1, 1]


def test_state_follows_a_conversion() -> None:
    net = nn.Linear(2, 1)
    optimizer = gn.optim.Adam(net.parameters())
    step = gn.TrainStep(net, nn.MSELoss(), optimizer)
    step(gn.ones(1, 2), gn.ones(1, 1))
    net.double()
    step(gn.ones(1, 2).double(), gn.ones(1, 1).double())
    assert {s["exp_avg"].dtype for s in optimizer.state.values()} == {gn.float64}


def test_an_optimizer_can_be_copied_and_pickled_with_its_network() -> None:
    net = nn.Linear(2, 1)
    optimizer = gn.optim.Adam(net.parameters(), lr=0.1)
    pairs = []
    for again in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        net(gn.ones(1, 2)).sum().backward()
        optimizer.step()
        pairs.append(again((net, optimizer)))
    for other_net, other in pairs:
        other_net(gn.ones(1, 2)).sum().backward()
        other.step()
        assert other.param_groups[0]["params"][0] is other_net.weight


def test_loading_a_state_dict_that_does_not_fit_changes_nothing() -> None:
    optimizer = stepped(gn.optim.Adam)
    before = optimizer.state_dict()
    wrong = copy.deepcopy(before)
    wrong["param_groups"][0]["lr"] = 5.0
    wrong["state"][0]["exp_avg"] = gn.ones(7)
    with pytest.raises(gn.StateDictError, match=r"expects shape \(2,\), got \(7,\)"):
        optimizer.load_state_dict(wrong)
    assert optimizer.state_dict()["param_groups"] == before["param_groups"]


def test_an_adamw_stays_one_after_loading_an_adam() -> None:
    optimizer = gn.optim.AdamW([parameter()])
    optimizer.load_state_dict(stepped(gn.optim.Adam).state_dict())
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is True
