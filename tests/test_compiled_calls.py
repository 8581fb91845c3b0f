"""What compiled networks take and give: inputs by name, nested results, networks that do nothing, copies."""

from __future__ import annotations

import copy
import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn


class Pair(NamedTuple):
    first: Any
    second: Any


def test_inputs_are_named_as_in_forward() -> None:
    class Net(nn.Module):
        def forward(self, x: Any, scale: Any, offset: Any = None) -> Any:
            return x * scale if offset is None else x * scale + offset

    net, x, two = Net(), gn.ones(3), gn.full((3,), 2.0)
    fast = gn.compile(net)
    assert fast(scale=two, x=x).tolist() == fast(x, two).tolist() == [2.0] * 3
    assert fast(x, scale=two, offset=x).tolist() == [3.0] * 3
    graph = gn.compile(gn.trace(net, (3,), (3,)))
    assert graph(scale=two, x=x).tolist() == [2.0] * 3
    for named, text in (({"size": x}, "missing a required argument: 'x'"), ({"x": x, "offset": x}, "scale")):
        with pytest.raises(gn.ArgumentTypeError, match=text):
            fast(**named)


def test_results_are_nested_as_forward_nests_them() -> None:
    def nested(x: Any) -> Any:
        return {"pair": Pair(x + 1, [x * 2, None]), "largest": x.max(dim=0)}

    graph = gn.trace(nested, (3,))
    x = gn.arange(3.0)
    for run in (gn.compile(nested), graph, gn.compile(graph)):
        result = run(x)
        assert isinstance(result["pair"], Pair)
        assert result["pair"].second[1] is None
        assert result["largest"].indices.item() == 2
        assert result["pair"].second[0].tolist() == [0.0, 2.0, 4.0]


@pytest.mark.parametrize("net", [nn.Identity(), nn.Dropout().eval(), nn.Sequential(nn.Identity(), nn.Identity())])
def test_networks_that_hand_their_input_through_run_compiled(net: nn.Module) -> None:
    x = gn.ones(2)
    y = gn.compile(net)(x)
    y.fill_(3)
    assert x.tolist() == [1.0, 1.0]
    with pytest.raises(gn.GraphError, match="no operations"):
        gn.trace(net, (2,))


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda value: pickle.loads(pickle.dumps(value))}


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_module_may_hold_compiled_parts_and_be_copied(copied: Any) -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    net.fast = gn.compile(net[0])
    x = gn.ones(1, 2)
    before = net.fast(x)
    other = copied(net)
    other[0].weight.data.fill_(0.0)
    assert other.fast.network is other[0]
    assert other.fast(x).tolist() == other(x).tolist()
    assert net.fast(x).tolist() == before.tolist()


@pytest.mark.parametrize("copied", COPIES.values(), ids=COPIES)
def test_a_copied_step_goes_on_with_the_copied_optimizer(copied: Any) -> None:
    net = nn.Linear(2, 2)
    step = gn.TrainStep(net, nn.MSELoss(), gn.optim.Adam(net.parameters(), lr=0.1), max_grad_norm=1.0)
    x, y = gn.ones(3, 2), gn.zeros(3, 2)
    step(x, y)
    other = copied(step)
    assert other.max_grad_norm == 1.0
    assert other.optimizer.param_groups[0]["params"][0] is other.network.weight is not net.weight
    np.testing.assert_array_equal([step(x, y) for _ in range(3)], [other(x, y) for _ in range(3)])


def test_another_network_loss_or_optimizer_may_be_set() -> None:
    nets = [nn.Linear(2, 1), nn.Linear(2, 1)]
    x, y = gn.ones(3, 2), gn.zeros(3, 1)
    fast, step = gn.compile(nets[0]), gn.TrainStep(nets[0], nn.MSELoss(), gn.optim.SGD(nets[0].parameters(), lr=0.0))
    fast(x), step(x, y), step(x, y)
    fast.network = step.network = nets[1]
    assert fast(x).tolist() == nets[1](x).tolist()
    step.optimizer = gn.optim.SGD(nets[1].parameters(), lr=0.0)
    assert step(x, y).item() == pytest.approx(nn.MSELoss()(nets[1](x), y).item())
    step.loss = nn.L1Loss()
    assert step(x, y).item() == pytest.approx(nn.L1Loss()(nets[1](x), y).item())
    step.optimizer = gn.optim.SGD(nets[1].parameters(), lr=1.0)
    before = nets[1].bias.item()
    step(x, y)
    assert nets[1].bias.item() != before
