"""`graphnet.inspect`: statistics of what flows, and what is wrong with it."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn


def mlp(depth: int = 3, act: Any = nn.ReLU, scale: float = 1.0) -> nn.Sequential:
    net = nn.Sequential(*[layer for _ in range(depth) for layer in (nn.Linear(16, 16), act())], nn.Linear(16, 4))
    with gn.no_grad():
        for parameter in net.parameters():
            parameter.mul_(scale)
    return net


def kinds(inspection: Any) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for finding in inspection.findings:
        found.setdefault(finding.kind, set()).add(finding.name)
    return found


def test_statistics_are_those_of_results_and_gradients() -> None:
    net, x = mlp(), gn.randn(32, 16)
    found = gn.inspect(net, x, loss=lambda y: (y * y).mean())
    hidden = net[0](x)
    hidden.retain_grad()
    after = net[1](hidden)
    after.retain_grad()
    y = net[2:](after)
    (y * y).mean().backward()
    nodes = {record.name: record for record in found.nodes}
    assert list(nodes) == ["input", "0", "1", "2", "3", "4", "5", "6"]
    for name, tensor in (("0", hidden), ("1", after)):
        values, record = np.asarray(tensor.detach()), nodes[name]
        assert record.mean == pytest.approx(values.mean(), abs=1e-6)
        assert record.std == pytest.approx(values.std(), rel=1e-5)
        assert (record.smallest, record.largest) == (values.min(), values.max())
        assert record.zeros == (values == 0).mean()
        assert record.gradient == pytest.approx(np.sqrt(np.mean(np.asarray(tensor.grad) ** 2)), rel=1e-4)
    weights = {record.name: record for record in found.weights}
    gradient = np.asarray(net[0].weight.grad)
    assert weights["0.weight"].gradient == pytest.approx(np.sqrt(np.mean(gradient**2)), rel=1e-4)
    assert weights["0.weight"].shape == "(16, 16)"
    assert nodes["0"].cls == "Linear" and "test_inspect.py" in nodes["0"].where


def test_a_healthy_network_has_no_findings() -> None:
    net = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
    found = gn.inspect(net, gn.randn(256, 16))
    assert found.findings == ()
    assert "nothing found that hinders training" in str(found)


def test_dead_units_are_named() -> None:
    net = mlp()
    with gn.no_grad():
        net[2].bias.fill_(10)
        net[2].bias[:5] = -100.0
    found = gn.inspect(net, gn.randn(64, 16))
    (finding,) = [f for f in found.findings if f.name == "3"]
    assert finding.kind == "dead"
    assert finding.text.startswith("3 (ReLU, ") and finding.text.endswith("5 of 16 units are 0 for all 64 rows (dead)")
    with gn.no_grad():
        net[2].bias.fill_(-100)
    assert "all 16 units" in gn.inspect(net, gn.randn(3, 16)).findings[0].text
    assert kinds(gn.inspect(net, gn.randn(64, 16)))["no gradient"] == {"0", "2"}


def test_dead_units_of_own_code() -> None:
    def function(x: Any) -> Any:
        return gn.relu(x - 100).sum(dim=1) + gn.clamp(x - 100, min=0).sum(dim=1)

    found = gn.inspect(function, gn.rand(16, 4))
    assert len(kinds(found)["dead"]) == 2


def test_few_rows_are_not_taken_for_death() -> None:
    assert "dead" not in kinds(gn.inspect(mlp(), gn.rand(2, 16)))


def test_vanishing_gradients_are_named() -> None:
    found = gn.inspect(mlp(8, nn.Sigmoid), gn.randn(32, 16))
    names = kinds(found)["vanishing gradient"]
    assert "0" in names and "14" not in names and "16" not in names
    text = next(f.text for f in found.findings if f.name == "0")
    assert text.endswith("it vanishes") and "that of 16" in text
    assert kinds(gn.inspect(mlp(8, nn.Sigmoid), gn.randn(32, 16), limit=1e30)) == {}


def test_exploding_gradients_and_activations_are_named() -> None:
    found = kinds(gn.inspect(mlp(6, nn.Identity, scale=20), gn.randn(32, 16)))
    assert "0" in found["exploding gradient"]
    assert "12" in found["exploding activation"]
    small = kinds(gn.inspect(mlp(6, nn.Identity, scale=1e-4), gn.randn(32, 16)))
    assert "12" in small["vanishing activation"]


def test_the_first_that_is_not_finite_is_named() -> None:
    net = mlp()
    with gn.no_grad():
        net[2].weight[0, 0] = float("nan")
    found = gn.inspect(net, gn.randn(32, 16))
    assert [f.name for f in found.findings if f.kind == "not finite"] == ["2"]
    assert "32 elements are NaN or infinite" in found.findings[0].text
    json.dumps(found.records())


def test_nothing_is_changed() -> None:
    class Dropping(nn.Module):
        def forward(self, x: Any) -> Any:
            return nn.functional.dropout(x, 0.5)

    net = nn.Sequential(nn.Linear(4, 8), Dropping(), nn.ReLU(), nn.Linear(8, 2))
    x = gn.randn(16, 4)
    net(x).sum().backward()
    gradients = [np.asarray(p.grad).copy() for p in net.parameters()]
    gn.manual_seed(3)
    expected = gn.rand(3)
    gn.manual_seed(3)
    with gn.no_grad():
        gn.inspect(net, x)
        assert not gn.is_grad_enabled()
    assert bool((gn.rand(3) == expected).all())
    for parameter, before in zip(net.parameters(), gradients):
        np.testing.assert_array_equal(np.asarray(parameter.grad), before)
    assert x.grad is None and not x.requires_grad
    fresh = nn.Linear(4, 2)
    gn.inspect(fresh, x)
    assert fresh.weight.grad is None


def test_parameters_of_functions_are_not_touched_either() -> None:
    net = mlp()
    found = gn.inspect(lambda x: net(x) * 2, gn.randn(16, 16))
    assert found.weights
    assert all(p.grad is None for p in net.parameters())
    assert gn.inspect(gn.compile(net), gn.randn(16, 16)).nodes
    assert all(p.grad is None for p in net.parameters())

    def halved(x: Any) -> Any:
        x = net(x)
        while x.abs().sum() > 1:
            x = x / 2
        return x

    assert gn.inspect(halved, gn.randn(16, 16)).nodes
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.skipif(not hasattr(nn, "BatchNorm1d"), reason="there is no BatchNorm1d")
def test_buffers_are_put_back() -> None:
    net = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    gn.inspect(net, gn.randn(16, 4) + 5)
    assert float(net[1].running_mean.abs().sum()) == 0
    assert int(net[1].num_batches_tracked) == 0
    assert gn.inspect(nn.Sequential(nn.LazyLinear(4), nn.LazyBatchNorm1d()), gn.randn(16, 4)).nodes


def test_what_networks_may_be() -> None:
    x = np.random.default_rng(0).standard_normal((16, 16))
    net = mlp()
    lazy = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    for network in (net, lazy, gn.trace(net, ("N", 16)), lambda x: x.softmax(-1), mlp().double()):
        assert gn.inspect(network, x).nodes
    with gn.no_grad():
        integers = gn.inspect(lambda x: x + 1, gn.tensor([1, 2]))
    assert integers.nodes[1].gradient is None
    assert gn.inspect(nn.ReLU(), gn.zeros(0, 3)).nodes == ()
    frozen = mlp()
    for parameter in frozen.parameters():
        parameter.requires_grad_(False)
    assert gn.inspect(frozen, x).nodes[1].gradient


def test_code_that_asks_for_values_is_run_as_it_is() -> None:
    class Halving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x: Any) -> Any:
            x = self.layer(x)
            while float(x.abs().sum()) > 1:
                x = x / 2
            return x

    found = gn.inspect(Halving(), gn.rand(4, 4))
    assert [record.cls for record in found.nodes][:2] == ["Linear", "div"]
    assert found.nodes[0].gradient


def test_loops_within_the_graph() -> None:
    def halved(x: Any) -> Any:
        return gn.while_loop(lambda x: x.abs().sum() > 1, lambda x: (x / 2,), (x,))[0]

    found = gn.inspect(halved, gn.rand(4, 4) + 1)
    assert {"while", "div"} <= {record.name for record in found.nodes}


def test_values_and_drawing(tmp_path: Path) -> None:
    found = gn.inspect(mlp(8, nn.Sigmoid), gn.randn(32, 16))
    gradients = found.values()
    assert gradients["16"] == 0
    assert gradients["0"] < -4
    assert found.values("zeros")["0"] == 0
    assert set(gn.inspect(mlp(2), gn.randn(32, 16)).values("dead")) == {"1", "3"}
    assert math.isfinite(found.values("activations")["15"])
    text = found.draw(tmp_path / "net.dot").read_text(encoding="utf-8")
    assert f"{gradients['0']:.3g}" in text
    assert "power of ten" in text
    for ending in ("html", "txt"):
        assert found.draw(tmp_path / f"net.{ending}", "activations", depth=1).stat().st_size
    with pytest.raises(gn.ArgumentError, match="gradients, activations, dead or zeros, got 'size'"):
        found.values("size")


def test_notebooks_show_a_table() -> None:
    text = gn.inspect(mlp(1), gn.randn(32, 16))._repr_html_()
    assert text.startswith("<table>") and "Linear" in text


@pytest.mark.parametrize(
    ("arguments", "options", "error", "told"),
    [
        ((), {}, gn.ArgumentError, r"give a batch for each input, such as gn\.inspect\(net, x\)"),
        ((("N", 16),), {}, gn.ArgumentTypeError, r"tensors or arrays with data, got the tuple \('N', 16\)"),
        ((gn.ones(2, 16),), {"limit": 1}, gn.ArgumentError, "a number above 1, got 1"),
        ((gn.ones(2, 16),), {"limit": "big"}, gn.ArgumentError, "a number above 1, got 'big'"),
        ((gn.ones(2, 16),), {"loss": 3}, gn.ArgumentTypeError, "a function of the network's result, got an int"),
        ((gn.ones(2, 16),), {"loss": lambda y: y}, gn.ArgumentTypeError, "loss gives a tensor of one number"),
        ((gn.ones(2, 15),), {}, gn.ShapeError, r"0 \(Linear, .*expects 16 input features, got 15"),
    ],
)
def test_wrong_arguments(arguments: Any, options: Any, error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        gn.inspect(mlp(), *arguments, **options)


def test_values_that_overflow_give_no_warnings() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = gn.inspect(mlp(4, nn.Identity, scale=1e20), gn.randn(4, 16))
        str(found)
        found.values("activations")
    assert "not finite" in kinds(found)
