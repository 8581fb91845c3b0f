"""Graphs for networkx: everything the graph knows is in the attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import graphnet as gn
from graphnet import nn

networkx = pytest.importorskip("networkx")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.constant = gn.ones(4, 4)
        self.layer = nn.LazyLinear(4)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x: Any) -> Any:
        x = self.layer(x)
        x = self.layer(x @ self.constant + 1)
        return self.rest(x * x)


def test_nodes_have_all_attributes() -> None:
    graph = gn.trace(Net(), ("N", 4))
    g = graph.to_networkx()
    assert isinstance(g, networkx.MultiDiGraph)
    assert list(g.nodes) == [node.name for node in graph.nodes]
    assert g.name == graph.name == "Net"
    assert g.graph["inputs"] == ["x"]
    assert g.graph["outputs"] == ["rest.1"]
    assert g.graph["parameters"]["rest.1.weight"] == ((2, 4), gn.float32)
    last = g.nodes["rest.1"]
    assert (last["kind"], last["op"], last["path"], last["cls"]) == ("op", "linear", "rest.1", "Linear")
    assert (last["dtypes"], last["output"], last["layer"], last["attrs"]) == (["float32"], True, True, {})
    assert str(last["shapes"]) == "[(N, 2)]"
    assert last["parameters"] == ["rest.1.weight", "rest.1.bias"]
    assert last["operands"][1:] == [("parameter", "rest.1.weight"), ("parameter", "rest.1.bias")]
    assert [call[:2] for call in last["calls"]] == [("", "Net"), ("rest", "Sequential"), ("rest.1", "Linear")]
    assert g.nodes["x"]["kind"] == "input"
    assert g.nodes["x"]["calls"] == ()
    product = g.nodes["matmul"]
    assert product["operands"] == [("node", "layer", 0), ("constant", 0, (4, 4), "float32")]
    assert product["where"][0] == __file__
    assert g.nodes["add"]["operands"][1] == ("literal", 1, "float32")


def test_calls_of_one_layer_are_told_apart() -> None:
    g = gn.trace(Net(), ("N", 4)).to_networkx()
    first, second = g.nodes["layer"]["calls"], g.nodes["layer#2"]["calls"]
    assert first[:-1] == second[:-1]
    assert first[-1][:2] == second[-1][:2] == ("layer", "Linear")
    assert first[-1][2] != second[-1][2]


def test_edges_are_one_per_use_and_shared_weights() -> None:
    graph = gn.trace(Net(), ("N", 4))
    g = graph.to_networkx()
    data = [(a, b, d) for a, b, d in g.edges(data=True) if d["kind"] == "data"]
    shared = {(a, b, d["name"]) for a, b, d in g.edges(data=True) if d["kind"] == "shared"}
    assert shared == {("layer", "layer#2", "layer.weight"), ("layer", "layer#2", "layer.bias")}
    assert [d["operand"] for a, b, d in data if b == "mul"] == [0, 1]
    assert {(a, b, d["name"]) for a, b, d in data} == {
        (e.source.name, e.target.name, e.name) for e in graph.edges if e.kind == "data"
    }
    assert len(data) + len(shared) == len(graph.edges)
    assert networkx.is_directed_acyclic_graph(g)


def test_a_parameter_used_twice_by_one_node_is_not_shared() -> None:
    weight = nn.Parameter(gn.ones(3))
    g = gn.trace(lambda x: x + weight * weight, (3,)).to_networkx()
    assert all(d["kind"] == "data" for _, _, d in g.edges(data=True))


def test_a_missing_networkx_is_named(without: Callable[..., None]) -> None:
    graph = gn.trace(nn.Linear(2, 2), (1, 2))
    without("networkx")
    with pytest.raises(ImportError, match="pip install networkx"):
        graph.to_networkx()
