"""New batch sizes: the same values as eager calls, without another trace where the graph is the same."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import changes
from graphnet.nn import functional as F  # noqa: N812

WEIGHT = np.random.default_rng(0).standard_normal((6, 6)).astype(np.float32)


def positional(x: Any) -> Any:
    return x + gn.from_numpy(WEIGHT[:4, :3])  # broadcasts with one row or four


SIZES = (5, 4, 1, 9, 0, 5)
# With each, whether its graph is the same for all sizes from 2 on.
NETWORKS: dict[str, tuple[Callable[[Any], Any], bool]] = {
    "plain": (lambda x: F.relu(x @ gn.from_numpy(WEIGHT[:3])).sum(1), True),
    "mean over the batch": (lambda x: x.mean(0) * x.sum(), True),
    "by its size": (lambda x: x.reshape(x.shape[0], 3, 1).expand(-1, -1, 2), True),
    "by an expression": (lambda x: x.reshape(-1).reshape(x.shape[0] * 3), True),
    "squeezed": (lambda x: x.squeeze(), True),
    "compared": (lambda x: x * 2 if x.shape[0] == 4 else x * 3, False),
    "compared in a tuple": (lambda x: x * 2 if x.shape == (4, 3) else x * 3, False),
    "in a set": (lambda x: x * 2 if x.shape[0] in {4, 9} else x * 3, False),
    "an expression compared": (lambda x: x * 2 if x.shape[0] * 3 == 12 else x * 3, False),
    "ordered": (lambda x: x * 2 if x.shape[0] > 4 else x * 3, False),
    "a number of it": (lambda x: x / float(x.shape[0] + 1), False),
    "a loop over it": (lambda x: sum((x[i] for i in range(x.shape[0])), start=x.sum(0)), False),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_batch_sizes(name: str) -> None:
    function, _ = NETWORKS[name]
    fast = gn.compile(function)
    for size in SIZES:
        x = np.random.default_rng(size).standard_normal((size, 3)).astype(np.float32)
        for _ in range(2):
            expected = function(gn.from_numpy(x))
            got = fast(x)
            assert got.shape == expected.shape
            np.testing.assert_allclose(got.numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, (_, same) in NETWORKS.items() if same])
def test_they_are_traced_once(name: str) -> None:
    fast = gn.compile(NETWORKS[name][0])
    for size in (5, 4, 9, 17, 5):
        fast(np.ones((size, 3), np.float32))
    assert fast._graphs.traces == 1
    if name != "plain":
        assert fast(np.ones((5, 3))).dtype is gn.float64  # another dtype is another graph
        assert fast._graphs.traces == 2


def test_sizes_that_fit_a_constant_only() -> None:
    fast = gn.compile(positional)
    for size in (4, 1, 4):
        x = np.ones((size, 3), np.float32)
        np.testing.assert_array_equal(fast(x).numpy(), positional(gn.from_numpy(x)).numpy())
    with pytest.raises(gn.ShapeError, match="5"):
        fast(np.ones((5, 3), np.float32))


def test_inputs_with_sizes_of_their_own() -> None:
    fast = gn.compile(lambda x, y: (x @ y.T).sum(1))
    for m, n in ((3, 4), (5, 2), (4, 4), (1, 3), (2, 2)):
        x, y = np.ones((m, 6), np.float32), np.ones((n, 6), np.float32)
        np.testing.assert_array_equal(fast(x, y).numpy(), np.full(m, 6 * n, np.float32))


def test_training_with_batches_of_any_size() -> None:
    gn.manual_seed(1)
    nets = [nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    optimizers = [gn.optim.Adam(net.parameters(), lr=0.01) for net in nets]
    step = gn.TrainStep(nets[1], nn.CrossEntropyLoss(), optimizers[1])
    random = np.random.default_rng(3)
    for size in (8, 8, 8, 5, 8, 1, 8, 5, 3, 8, 8):
        x, y = random.standard_normal((size, 4)).astype(np.float32), random.integers(0, 3, size)
        optimizers[0].zero_grad()
        loss = F.cross_entropy(nets[0](x), y)
        loss.backward()
        optimizers[0].step()
        np.testing.assert_allclose(step(x, y).item(), loss.item(), rtol=1e-5)
    assert step._graphs.traces == 2  # one for all sizes from 2 on
    for a, b in zip(nets[0].parameters(), nets[1].parameters()):
        np.testing.assert_allclose(b.numpy(force=True), a.numpy(force=True), rtol=1e-4, atol=1e-6)


def test_a_parameter_may_be_an_input_of_its_own_step() -> None:
    gn.manual_seed(5)
    nets = [nn.Linear(4, 4) for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    optimizers = [gn.optim.SGD(net.parameters(), lr=0.1, momentum=0.9) for net in nets]
    step, y = gn.TrainStep(nets[1], nn.MSELoss(), optimizers[1]), gn.ones(4, 4)
    for _ in range(4):
        optimizers[0].zero_grad()
        loss = F.mse_loss(nets[0](nets[0].weight.detach().clone()), y)
        loss.backward()
        optimizers[0].step()
        np.testing.assert_allclose(step(nets[1].weight.data, y).item(), loss.item(), rtol=1e-5)
    np.testing.assert_allclose(nets[1].weight.numpy(force=True), nets[0].weight.numpy(force=True), rtol=1e-5)


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "rows apart": lambda x: np.repeat(x, 2, 0)[::2],
    "column by column": np.asfortranarray,
    "off alignment": lambda x: np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape),
    "other byte order": lambda x: x.astype(">f4"),
    "read-only": lambda x: np.broadcast_to(x[:1], x.shape),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_inputs_in_any_layout(name: str) -> None:
    net = nn.Linear(4, 3)
    fast, x = gn.compile(net), np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    fast(x)
    given = LAYOUTS[name](x)
    np.testing.assert_allclose(fast(given).numpy(), net(np.array(given, np.float32)).numpy(force=True), rtol=1e-5)


def dropped() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 2))


def test_switches_put_back_need_no_trace() -> None:
    net, other = dropped(), dropped()
    fast, x = gn.compile(net), gn.ones(5, 3)
    for _ in range(4):
        net.train()
        fast(x)
        net.eval()
        assert gn.equal(fast(x), fast(x))
        assert gn.allclose(fast(x), net(x))
        other.eval()  # somebody else's
        assert gn.allclose(fast(x), net(x))
        other.train()
    assert fast._graphs.traces == 3  # in both modes, and with the other network in evaluation
    assert len(fast._caller.plans) == 3


def test_switches_and_steps() -> None:
    net, x, y = dropped(), gn.ones(5, 3), gn.zeros(5, 2)
    step = gn.TrainStep(net, nn.MSELoss(), gn.optim.SGD(net.parameters(), lr=0.1, momentum=0.5))
    for _ in range(4):
        net[0].requires_grad_(False)
        before = net[0].weight.detach().clone()
        step(x, y)
        step(x, y)
        assert gn.equal(net[0].weight.detach(), before)
        net[0].requires_grad_(True)
        step(x, y)
        step(x, y)
        assert not gn.equal(net[0].weight.detach(), before)
    assert step._graphs.traces == 2


def test_what_is_not_a_switch_put_back() -> None:
    net = dropped().eval()
    fast, x = gn.compile(net), gn.ones(5, 3)
    first = fast(x)
    layer, net[2] = net[2], nn.Linear(4, 2)
    assert gn.allclose(fast(x), net(x)) and not gn.allclose(fast(x), first)
    net[2] = layer
    assert gn.allclose(fast(x), first)
    net[1].p = 0.25
    net[1].p = 0.5
    assert gn.allclose(fast(x), first)


def test_many_changes_are_too_many_to_remember(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes._changes, "entries", type(changes._changes.entries)(maxlen=4))
    monkeypatch.setattr(changes._changes, "entered", 0)
    layer = nn.Dropout(0.5)
    watch = changes.Watch()
    for _ in range(2):
        layer.eval()
        layer.train()
    assert watch.holds()
    late = changes.Watch()
    for _ in range(3):
        layer.eval()
        layer.train()
    assert not late.holds() and not late.lives


def test_plans_of_one_type_are_few() -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.LeakyReLU(0.1))
    fast, x = gn.compile(net), gn.ones(5, 3)
    for number in range(10):
        net[1].negative_slope = number / 10
        assert gn.allclose(fast(x), net(x))
    assert len(fast._caller.plans) <= 4


def test_modules_that_are_made_later_lead_to_no_new_trace() -> None:
    net, x = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), gn.rand(2, 3)
    fast = gn.compile(net)
    step = gn.TrainStep(net, nn.MSELoss(), gn.optim.SGD(net.parameters(), lr=0.1))
    fast(x), step(x, x)
    other: Any = nn.Sequential(nn.LazyLinear(3))
    for change in (
        lambda: copy.deepcopy(net).eval(),
        lambda: pickle.loads(pickle.dumps(net)).double(),
        lambda: other(x),
        lambda: other.eval(),
        lambda: other.requires_grad_(False),
        lambda: other.register_forward_hook(lambda *_: None).remove(),
        lambda: setattr(other, "more", nn.Linear(3, 3)),
        lambda: delattr(other, "more"),
        lambda: nn.Parameter(x).requires_grad_(False),
        lambda: gn.compile(other)(x),
    ):
        change()
        fast(x), step(x, x)
    fast(x), step(x, x)
    assert fast._graphs.traces == step._graphs.traces == 1
    net.append(other)  # and is part of it from now on
    assert gn.allclose(fast(x), net(x))
    other[0].bias = None
    assert gn.allclose(fast(x), net(x))
    other[0].register_forward_hook(lambda module, arguments, output: output * 2)
    assert gn.allclose(fast(x), net(x))


def test_an_attribute_that_is_deleted_is_noticed() -> None:
    net, x = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), gn.rand(2, 3)
    fast = gn.compile(net)
    net[1].forward = lambda x: x.tanh()
    assert gn.allclose(fast(x), net(x))
    del net[1].forward
    assert gn.allclose(fast(x), net(x))
