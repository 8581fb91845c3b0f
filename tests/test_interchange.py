"""Graphs through networkx and JSON: the same graph comes back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphnet as gn
from graphnet import nn

networkx = pytest.importorskip("networkx")


def described(graph: Any) -> str:
    """Everything there is to see of a graph."""
    rows = [str(graph), repr(graph.structure), repr([n.name for n in graph.inputs])]
    rows += [f"{n.name} {n.describe()} {n.path}" for n in graph.walk()]
    rows += [
        f"{name} {p.requires_grad} {p.data.numpy().tobytes() if p._lazy is None else ''}"
        for name, p in graph.named_parameters()
    ]
    return "\n".join(rows)


def check_same(graph: Any, *arrays: Any) -> None:
    dotted, expected = graph.to_dot(), graph(*arrays) if arrays else None
    for back in (gn.from_networkx(graph.to_networkx()), gn.from_json(graph.to_json())):
        back.verify()
        assert described(back) == described(graph)
        assert back.to_dot() == dotted
        assert list(back.shared) == list(graph.shared)
        for got, want in zip(_flat(back(*arrays)) if arrays else (), _flat(expected)):
            np.testing.assert_array_equal(got.detach().numpy(), want.detach().numpy())
    assert json.loads(gn.from_json(graph.to_json()).to_json()) == json.loads(graph.to_json())


def _flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    return [v for part in value for v in _flat(part)] if isinstance(value, (tuple, list)) else [value]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fixed = gn.rand(4, 4)
        self.layer = nn.LazyLinear(4)
        self.rest = nn.Sequential(nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x: Any) -> Any:
        y = self.layer(self.layer(x) @ self.fixed + 1)
        return {"y": self.rest(y), "pair": (y.reshape(-1), [y[:, ::2], y.max(1).values * float("inf")])}


def test_a_network_with_shared_layers_constants_and_nested_outputs() -> None:
    check_same(gn.trace(Net(), ("N", 4)), np.ones((3, 4), "f"))


def test_loops_and_branches() -> None:
    weight = nn.Parameter(gn.ones(3))

    def f(x: Any) -> Any:
        y = gn.while_loop(lambda x: x.abs().sum() > 1, lambda x: x / (weight + 1), x)
        return gn.cond(y.sum() > 0, lambda y: y * weight, lambda y: -y, (y,))

    check_same(gn.trace(f, ("N", 3)), np.ones((2, 3), "f"))


def test_networkx_keeps_the_parameters_themselves() -> None:
    net = nn.Linear(3, 2)
    back = gn.from_networkx(gn.trace(net, (1, 3)).to_networkx())
    assert back.parameters[0] is net.weight and isinstance(back, gn.Graph)


def test_json_is_plain_and_says_sizes() -> None:
    text = gn.trace(lambda x: x.reshape(-1).sum(), ("N", 3)).to_json(indent=1)
    document = json.loads(text)
    assert (document["format"], document["version"]) == ("graphnet graph", 1)
    assert document["nodes"][1]["shapes"] == [[{"size": [[3, ["N"]]]}]]
    assert document["nodes"][2]["operands"] == [["node", "reshape", 0]]


def test_values_may_be_left_out_and_given_again() -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    net[1].bias.requires_grad_(False)
    graph = gn.trace(net, ("N", 3))
    text = graph.to_json(values=False)
    assert "values" not in text
    back = gn.from_json(text, net.state_dict())
    assert described(back) == described(graph)
    with pytest.raises(ValueError, match=r"0.weight was written without values; give them in state_dict"):
        gn.from_json(text)
    with pytest.raises(gn.GraphError, match=r"0.weight: expects values of shape \(2, 3\), got \(1,\)"):
        gn.from_json(text, {**net.state_dict(), "0.weight": np.ones(1)})
    with pytest.raises(ValueError, match="has 'other', which the graph has not"):
        gn.from_json(text, {**net.state_dict(), "other": np.ones(1)})


def test_a_graph_that_came_back_trains_and_goes_on() -> None:
    graph = gn.from_json(gn.trace(nn.Sequential(nn.Linear(3, 2), nn.Tanh()), ("N", 3)).to_json())
    step = gn.TrainStep(graph.to_module(), nn.MSELoss(), gn.optim.SGD(graph.parameters(), lr=0.1))
    x, y = gn.ones(4, 3), gn.zeros(4, 2)
    assert float(step(x, y)) > float(step(x, y))
    check_same(graph, x.numpy())
    check_same(graph.gradient())


def wrong(change: Any) -> str:
    document = json.loads(gn.trace(nn.Linear(3, 2), ("N", 3)).to_json())
    change(document)
    return json.dumps(document)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.pop("format"), 'not a graph: "format"'),
        (lambda d: d.update(version=2), "version 2"),
        (lambda d: d.pop("nodes"), "'nodes' is missing"),
        (lambda d: d["nodes"].reverse(), "there is no node 'input' before it is used"),
        (lambda d: d["nodes"][1].update(op="nonsense"), "no op 'nonsense'"),
        (lambda d: d["nodes"][1].update(shapes=[[1, 3]]), "its type is noted as"),
        (lambda d: d["nodes"][1].update(dtypes=["int3"]), "no data type 'int3'"),
        (lambda d: d["parameters"]["weight"].update(values="AAAA"), "not the JSON of a graph"),
        (lambda d: d["parameters"].pop("weight"), "'weight' is missing"),
        (lambda d: d.update(nodes=3), "not the JSON of a graph"),
        (lambda d: d.update(structure=5), "names other outputs than the 1 there are"),
        (lambda d: d["nodes"][1].update(attrs={"a": 1}), "there is no setting 'a'"),
        (lambda d: d["nodes"][1].update(operands=[]), "takes 2 or 3 operands, got 0"),
        (lambda d: d["nodes"][1]["operands"][0].__setitem__(2, -1), "the node 'input' has no result -1"),
        (lambda d: d["nodes"][1].update(op="sum", attrs={"axes": "x", "keepdims": 0}), "does not hold|takes 1"),
        (lambda d: d["parameters"]["weight"].update(shape=[10**9, 10**9]), "cannot reshape"),
    ],
)
def test_wrong_json_is_refused(change: Any, text: str) -> None:
    with pytest.raises(gn.GraphError, match=text):
        gn.from_json(wrong(change))


def test_wrong_arguments() -> None:
    with pytest.raises(gn.GraphError, match="not JSON"):
        gn.from_json("{")
    with pytest.raises(TypeError, match="expects JSON text, got a dict"):
        gn.from_json({})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="expects a networkx graph, got an int"):
        gn.from_networkx(3)
    with pytest.raises(gn.GraphError, match="'tensors' is missing"):
        gn.from_networkx(networkx.MultiDiGraph())


def test_the_schema_names_what_is_written() -> None:
    schema = json.loads((Path(__file__).parents[1] / "docs" / "graph.schema.json").read_text(encoding="utf-8"))
    document = json.loads(gn.trace(Net(), ("N", 4)).to_json())
    assert set(document) == set(schema["required"]) | {"format", "version"} == set(schema["properties"])
    node = schema["$defs"]["node"]
    assert {key for row in document["nodes"] for key in row} == set(node["required"]) == set(node["properties"])
    assert set(document["calls"][0]) == set(schema["$defs"]["call"]["properties"])
    assert set(document["parameters"]["layer.weight"]) == set(schema["$defs"]["parameter"]["properties"])
    operands = {row[0] for n in document["nodes"] for row in n["operands"]}
    assert operands <= {o["prefixItems"][0]["const"] for o in schema["$defs"]["operand"]["oneOf"]}


STEPS: list[Any] = [
    lambda a, b, w: a + b * 0.5,
    lambda a, b, w: a @ w,
    lambda a, b, w: (a - b).relu(),
    lambda a, b, w: gn.cat([a, b], 1)[:, : a.shape[1]],
    lambda a, b, w: a.sum(1, keepdim=True) + b,
    lambda a, b, w: gn.while_loop(lambda v: v.abs().sum() > 1, lambda v: v @ w * 0.01, a),
    lambda a, b, w: gn.cond(a.sum() > 0, lambda v: v + b, lambda v: v * 2, (a,)),
]


@st.composite
def networks(draw: Any) -> Any:
    """A random function on two tensors, with shared parameters, several outputs, loops and branches."""
    size = draw(st.integers(1, 4))
    weights = [nn.Parameter(gn.rand(size, size)) for _ in range(draw(st.integers(1, 3)))]
    constant = gn.rand(size)
    number = st.integers(0, 9)
    steps = draw(st.lists(st.tuples(st.sampled_from(STEPS), number, number), min_size=1, max_size=10))

    def f(x: Any, y: Any) -> Any:
        values = [x, y * constant]
        for step, i, j in steps:
            values.append(step(values[i % len(values)], values[j % len(values)], weights[j % len(weights)]))
        return {"last": values[-1], "all": tuple(values[2:])}

    return gn.trace(f, ("N", size), ("N", size)), size


@given(networks(), st.integers(0, 3))
def test_any_graph_comes_back(network: Any, rows: int) -> None:
    graph, size = network
    rng = np.random.default_rng(rows)
    check_same(graph, *(rng.normal(size=(rows, size)).astype("f") for _ in range(2)))
