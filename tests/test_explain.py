"""What compiling made of a graph, told in numbers that can be checked by hand."""

from __future__ import annotations

import pytest

import graphnet as gn
from graphnet import nn


def test_a_training_step() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    step = gn.TrainStep(net, nn.CrossEntropyLoss(), gn.optim.SGD(net.parameters(), lr=0.1, momentum=0.9))
    with pytest.raises(gn.UninitializedError, match="before the first call"):
        step.explain()
    step(gn.ones(5, 4), gn.arange(5) % 3)
    found = step.explain()
    ops = [s.op for s in found.steps]
    assert ops[:2] == ["linear_relu", "linear"]
    assert ops.count("update.matmul_sgd") == 2 and ops.count("update.sum_sgd") == 2 and "matmul" not in ops
    assert found.fused["1"] == ("0 (linear)",)
    assert found.steps[0].flops == 2 * 5 * 4 * 8 + 5 * 8
    assert found.planned is not None and found.unplanned is not None and 0 < found.planned <= found.unplanned
    assert "takes in" in str(found) and "without reuse" in str(found)


def test_open_sizes() -> None:
    graph = gn.trace(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3)), ("N", 4))
    found = graph.explain()
    assert str(found.flops) == "120*N" and found.planned is None
    known = graph.explain(N=10)
    assert known.flops == 1200 and known.planned is not None
    with pytest.raises(gn.ArgumentError, match="no size 'M'; it has N"):
        graph.explain(M=3)


def test_a_compiled_network() -> None:
    fast = gn.compile(lambda x: (x.exp() + x.exp(), x.sin())[0].reshape(6).detach())
    fast(gn.ones(2, 3))
    found = fast.explain()
    assert [s.op for s in found.steps] == ["elementwise"]
    assert found.fused == {"add": ("exp (exp)", "add (add)")}
    assert {name: (a, b) for name, a, b in found.passes}["merge_common"] == (5, 4)
