"""Networks built as graphs with no module at all: building, sharing, running, training, checking."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.ir import Literal, Node, TensorType, Value


def issue_graph() -> Any:
    with gn.Graph("mlp") as g:
        x = g.input("x", ("N", 784))
        h = g.relu(g.linear(x, 256, name="hidden"))
        h = g.relu(g.linear(h, 256, name="again"))
        h = g.relu(g.linear(h, 256, name="tied", share="again"))
        g.output(g.linear(h, 10, name="out"))
    return g


def small(name: str = "small") -> Any:
    with gn.Graph(name) as g:
        x = g.input("x", ("N", 4))
        g.output(g.linear(g.relu(g.linear(x, 3, name="a")), 2, name="b"))
    return g


# -- building ---------------------------------------------------------------------------------------------


def test_sharing_is_a_shared_weight_edge() -> None:
    g = issue_graph()
    assert [n.name for n in g.nodes] == ["x", "hidden", "relu", "again", "relu#2", "tied", "relu#3", "out"]
    assert {k: [n.name for n in v] for k, v in g.shared.items()} == {
        "again.weight": ["again", "tied"],
        "again.bias": ["again", "tied"],
    }
    assert [(e.source.name, e.target.name) for e in g.edges if e.kind == "shared"] == [("again", "tied")] * 2
    assert len(g.parameters) == 6 and len(list(g.parameters())) == 6
    assert [n for n, _ in g.named_parameters()] == [
        f"{layer}.{kind}" for layer in ("hidden", "again", "out") for kind in ("weight", "bias")
    ]
    assert [tuple(p.shape) for p in g.parameters][:2] == [(256, 784), (256,)]


def test_it_computes_what_the_same_modules_compute() -> None:
    g = small()
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    net.load_state_dict(dict(zip(net.state_dict(), g.state_dict().values())))
    x = gn.rand(5, 4)
    assert g(x).tolist() == net(x).tolist()
    g(x).sum().backward()
    net(x).sum().backward()
    assert [p.grad.tolist() for p in g.parameters] == [p.grad.tolist() for p in net.parameters()]
    g.zero_grad()
    assert all(p.grad is None for p in g.parameters)


def test_the_same_seed_gives_the_same_weights_as_modules() -> None:
    gn.manual_seed(5)
    g = small()
    gn.manual_seed(5)
    net = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    assert [p.tolist() for p in g.parameters] == [p.tolist() for p in net.parameters()]


def test_a_shared_layers_gradient_is_summed_over_its_uses() -> None:
    with gn.Graph() as g:
        x = g.input("x", (1, 2))
        h = g.linear(x, 2, bias=False, name="w")
        g.output(g.linear(h, 2, name="again", share="w").sum())
    x = gn.tensor([[1.0, 2.0]])
    g(x).backward()
    w = nn.Parameter(g.parameters[0].detach().clone())
    ((x @ w.T) @ w.T).sum().backward()
    np.testing.assert_allclose(g.parameters[0].grad.numpy(), w.grad.numpy(), rtol=8 * np.finfo(np.float32).eps)


def test_operations_by_their_name_in_the_table() -> None:
    with gn.Graph() as g:
        x = g.input("x", ("N", 3))
        y = g.op("exp", x, name="e")
        g.output(g.op("sum", y, axes=(1,), keepdims=False, name="total"))
    assert [n.name for n in g.nodes] == ["x", "e", "total"] and g.node("total").op == "sum"
    a = gn.rand(2, 3)
    assert g(a).tolist() == a.exp().sum(1).tolist()


def test_every_function_of_the_package_can_be_added() -> None:
    with gn.Graph() as g:
        x = g.input("x", ("N", 3))
        y = g.tanh(x, name="t")
        z = g.cat([y, g.softmax(x, dim=1)], dim=0)
        g.output(g.mse_loss(g.where(z > 0, z, -z), g.sigmoid(z)))
    a = gn.rand(2, 3)
    expected = gn.cat([gn.tanh(a), gn.softmax(a, dim=1)])
    assert (
        g(a).item() == nn.functional.mse_loss(gn.where(expected > 0, expected, -expected), gn.sigmoid(expected)).item()
    )
    assert g.node("t").op == "tanh"


def test_operators_work_within_and_parameters_are_the_graphs_own() -> None:
    with gn.Graph() as g:
        x = g.input("x", ("N", 3))
        scale = g.parameter("scale", gn.ones(3))
        g.output(((x - 1) * scale).sum(1) / 2)
    assert g.parameter_names == {scale: "scale"} and g.parameters == (scale,)
    g(gn.rand(2, 3)).sum().backward()
    assert scale.grad is not None


def test_modules_are_layers_of_a_graph() -> None:
    block = nn.Sequential(nn.LazyLinear(4), nn.Tanh())
    with gn.Graph() as g:
        x = g.input("x", ("N", 3))
        g.output(g.call(block, g.call(nn.Linear(3, 3), x, name="first"), name="block"))
    assert [n for n, _ in g.named_parameters()] == ["first.weight", "first.bias", "block.0.weight", "block.0.bias"]
    assert [n.path for n in g.nodes] == ["", "first", "block.0", "block.1"]
    assert type(block[0]) is nn.Linear
    assert g(gn.rand(2, 3)).shape == (2, 4)


def test_a_module_called_twice_is_shared() -> None:
    layer = nn.Linear(3, 3)
    with gn.Graph() as g:
        x = g.input("x", ("N", 3))
        g.output(layer(layer(x)))
    assert len(g.parameters) == 2 and len(g.shared) == 2


def test_several_inputs_and_outputs() -> None:
    with gn.Graph() as g:
        a, b = g.input("a", ("N", 2)), g.input("b", ("N",), dtype=gn.int64)
        g.output(a.sum(1), b + 1)
        g.output(a)
    x, y = gn.rand(3, 2), gn.arange(3)
    first, second, third = g(x, y)
    assert first.tolist() == x.sum(1).tolist() and second.tolist() == [1, 2, 3] and third.tolist() == x.tolist()


def test_a_graph_within_a_graph() -> None:
    inner = small()
    with gn.Graph("outer") as g:
        x = g.input("x", ("B", 4))
        g.output(inner(x) + inner(-x))
    assert len(g.parameters) == 4 and set(g.shared) == {"a.weight", "a.bias", "b.weight", "b.bias"}
    a = gn.rand(3, 4)
    assert g(a).tolist() == (inner(a) + inner(-a)).tolist()


def test_layers_without_names_are_numbered() -> None:
    with gn.Graph() as g:
        x = g.input("x", ("N", 3))
        g.output(g.linear(g.linear(x, 3), 3))
    names = [n.name for n in g.nodes if n.op == "linear"]
    assert len(set(names)) == 2 and all(names)


def test_layers_of_unknown_features_wait_for_data() -> None:
    with gn.Graph() as g:
        x = g.input("x", ("N", None))
        g.output(g.linear(x, 2, name="l"))
    assert g(gn.ones(1, 7)).shape == (1, 2)
    assert tuple(g.parameters[0].shape) == (2, 7)


def test_it_trains() -> None:
    g, x = small(), gn.rand(32, 4)
    target = x[:, :2] * 2
    optimizer = gn.optim.Adam(g.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(g(x), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4


def test_state_dict_goes_out_and_in() -> None:
    g = issue_graph()
    state = {k: v * 2 for k, v in g.state_dict().items()}
    g.load_state_dict(state)
    assert all(g.state_dict()[k].tolist() == v.tolist() for k, v in state.items())
    with pytest.raises(gn.StateDictError, match="'nope'"):
        g.load_state_dict({**state, "nope": gn.ones(1)})


def test_arrays_and_tensors_are_taken() -> None:
    g, array = small(), np.ones((2, 4))
    assert g(array).tolist() == g(array.astype(np.float32)).tolist() == g(gn.ones(2, 4)).tolist()


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda g: pickle.loads(pickle.dumps(g))], ids=["deepcopy", "pickle"])
def test_a_copy_is_a_graph_of_its_own(copied: Callable[[Any], Any]) -> None:
    g = issue_graph()
    twin = copied(g)
    x = gn.rand(2, 784)
    assert twin(x).tolist() == g(x).tolist() and len(twin.shared) == 2
    twin.parameters[0].data.zero_()
    assert g.parameters[0].abs().sum().item() > 0
    assert str(twin) == str(g)


# -- gradients as a graph ---------------------------------------------------------------------------------


def test_the_graph_of_gradients_has_loss_and_gradients_for_outputs() -> None:
    with gn.Graph() as g:
        x, t = g.input("x", ("N", 3)), g.input("t", ("N",), dtype=gn.int64)
        g.output(g.cross_entropy(g.linear(x, 4, name="l"), t))
    gradient = g.gradient()
    gradient.verify()
    a, classes = gn.rand(5, 3), gn.tensor([0, 1, 2, 3, 0])
    a.requires_grad_()
    loss, weight, bias, x_grad = gradient(a.detach(), classes)
    g(a, classes).backward()
    assert loss.item() == g(a, classes).item()
    assert weight.tolist() == g.parameters[0].grad.tolist() and bias.tolist() == g.parameters[1].grad.tolist()
    assert x_grad.tolist() == a.grad.tolist()


def test_gradients_of_a_shared_parameter_are_one_output_summed_over_uses() -> None:
    g = issue_graph()
    x, upstream = gn.rand(2, 784), gn.rand(2, 10)
    outputs = g.gradient()(x, upstream)
    g(x).backward(upstream)
    assert len(outputs) == 1 + 6 + 1
    for got, parameter in zip(outputs[1:], g.parameters):
        assert got.tolist() == parameter.grad.tolist()


def test_a_parameter_that_does_not_matter_has_a_gradient_of_zeros() -> None:
    with gn.Graph() as g:
        x, unused = g.input("x", (2,)), g.parameter("p", gn.ones(2))
        g.output((x * 2 + unused.detach()).sum())
    outputs = g.gradient()(gn.ones(2))
    assert outputs[-1].tolist() == [2.0, 2.0]
    assert all(o.tolist() == [0.0, 0.0] for o in outputs[1:-1])


def test_the_gradient_of_a_gradient() -> None:
    g = gn.trace(lambda x: (x**3).sum(), (3,))
    first = g.gradient()
    second = gn.trace(lambda x: first(x)[1].sum(), (3,)).gradient()
    x = gn.tensor([1.0, 2.0, 3.0])
    assert second(x)[1].tolist() == [6.0, 12.0, 18.0]


# -- checks -----------------------------------------------------------------------------------------------


def broken(change: Callable[[Any], Any]) -> str:
    """What verify says of a graph after a change."""
    g = small()
    g.verify()
    change(g)
    with pytest.raises(gn.GraphError) as caught:
        g.verify()
    return str(caught.value)


def insert(g: Any, node: Any, type_: Any, at: int | None = None) -> None:
    g.nodes.insert(len(g.nodes) if at is None else at, node)
    if type_ is not None:
        g.types[node] = (type_,)


F3 = TensorType((3,), gn.float32)
VERIFY: dict[str, tuple[Callable[[Any], Any], tuple[str, ...]]] = {
    "no output": (lambda g: g.outputs.clear(), ("output",)),
    "two nodes of one name": (
        lambda g: insert(g, Node("relu", g.nodes[1].inputs[:1], name="a"), F3),
        ("'a'", "rename"),
    ),
    "no type": (lambda g: insert(g, Node("relu", (Value(g.nodes[1]),), name="r"), None), ("r", "type")),
    "a wrong order": (lambda g: g.nodes.reverse(), ("later", "first")),
    "a node of another graph": (
        lambda g: insert(g, Node("relu", (Value(small().nodes[1]),), name="r"), F3),
        ("r", "not in this graph"),
    ),
    "an output of another graph": (
        lambda g: g.outputs.append(Value(small().nodes[1])),
        ("output", "not in this graph"),
    ),
    "a result that is not there": (
        lambda g: insert(g, Node("relu", (Value(g.nodes[1], 3),), name="r"), F3),
        ("r", "3"),
    ),
    "a nameless parameter": (lambda g: g.parameter_names.clear(), ("a", "parameter")),
    "an unknown op": (lambda g: insert(g, Node("frob", (), name="f"), F3), ("f", "'frob'")),
    "a wrong shape": (lambda g: g.types.update({g.nodes[1]: (F3,)}), ("a", "(3,)")),
    "a wrong dtype": (
        lambda g: g.types.update({g.nodes[2]: (TensorType(g.types[g.nodes[2]][0].shape, gn.float64),)}),
        ("relu", "float64"),
    ),
    "operands that do not fit": (
        lambda g: insert(g, Node("matmul", (Value(g.nodes[0]), Literal(1.0, gn.float32)), name="m"), F3),
        ("m", "matrices"),
    ),
}


@pytest.mark.parametrize("name", VERIFY)
def test_verify_names_the_node_and_the_cause(name: str) -> None:
    change, parts = VERIFY[name]
    text = broken(change)
    for part in parts:
        assert part in text, text


def in_graph(function: Callable[[Any, Any], Any]) -> Callable[[], Any]:
    def run() -> None:
        with gn.Graph("g") as g:
            x = g.input("x", ("N", 4))
            g.linear(x, 3, name="a")
            g.output(function(g, x))

    return run


WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "share with nobody": (in_graph(lambda g, x: g.linear(x, 3, share="b")), ValueError, "'b'.*'a'"),
    "share with other sizes": (in_graph(lambda g, x: g.linear(x, 5, share="a")), ValueError, "'a'.*3.*5"),
    "share with other features": (
        in_graph(lambda g, x: g.linear(g.linear(x, 9), 3, share="a")),
        ValueError,
        "4.*9|9.*4",
    ),
    "a name twice": (in_graph(lambda g, x: g.linear(x, 3, name="a")), ValueError, "'a'"),
    "an unknown op": (in_graph(lambda g, x: g.op("frobnicate", x)), ValueError, "'frobnicate'"),
    "an unknown function": (in_graph(lambda g, x: g.frobnicate(x)), AttributeError, "frobnicate"),
    "too few operands": (in_graph(lambda g, x: g.op("add", x)), (TypeError, ValueError), "add"),
    "a setting forgotten": (in_graph(lambda g, x: g.op("sum", x)), (TypeError, ValueError), "sum.*axes"),
    "a setting too many": (in_graph(lambda g, x: g.op("relu", x, slope=1)), (TypeError, ValueError), "slope"),
    "no module": (in_graph(lambda g, x: g.call(3, x)), TypeError, "int"),
    "a number for an output": (in_graph(lambda g, x: 3), TypeError, "int"),
    "a negative size": (in_graph(lambda g, x: g.linear(x, -3)), ValueError, "-3"),
    "shapes that do not fit": (in_graph(lambda g, x: x @ g.input("y", (5, 2))), ValueError, "4.*5"),
    "no operations": (lambda: empty(), ValueError, "empty"),
    "no output": (lambda: without_output(), ValueError, "output"),
    "a name that is a number": (lambda: gn.Graph(3), TypeError, "3"),
    "too many inputs": (lambda: small()(gn.ones(1, 4), gn.ones(1, 4)), ValueError, r"1 input.*\(x\).*2"),
    "no inputs": (lambda: small()(), ValueError, r"x.*0"),
    "another rank": (lambda: small()(gn.ones(4)), ValueError, r"x.*\(N, 4\).*\(4,\)"),
    "another size": (lambda: small()(gn.ones(1, 5)), ValueError, r"x.*\(N, 4\).*\(1, 5\)"),
    "another dtype": (lambda: small()(gn.ones(1, 4).long()), TypeError, "x.*float32.*int64"),
    "a list": (lambda: small()([[1.0] * 4]), TypeError, "x.*list"),
    "an unknown node": (lambda: small().node("zz"), ValueError, "'zz'.*a"),
    "two outputs for a gradient": (
        lambda: gn.trace(lambda x: (x * 1, x * 2), (1,)).gradient(),
        RuntimeError,
        "2 outputs",
    ),
}


def empty() -> None:
    with gn.Graph() as g:
        g.output(g.input("x", (1,)))


def without_output() -> None:
    with gn.Graph() as g:
        g.relu(g.input("x", (1,)))


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused(name: str) -> None:
    function, kind, text = WRONG[name]
    with pytest.raises(kind, match=text) as caught:
        function()
    assert isinstance(caught.value, (gn.GraphnetError, AttributeError))


CHANGES: dict[str, Callable[[Any], Any]] = {
    "input": lambda g: g.input("y", (1,)),
    "linear": lambda g: g.linear(gn.ones(1), 2),
    "relu": lambda g: g.relu(gn.ones(1)),
    "op": lambda g: g.op("exp", gn.ones(1)),
    "tanh": lambda g: g.tanh(gn.ones(1)),
    "call": lambda g: g.call(nn.ReLU(), gn.ones(1)),
    "parameter": lambda g: g.parameter("p", gn.ones(1)),
    "output": lambda g: g.output(gn.ones(1)),
    "with": lambda g: g.__enter__(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_finished_graph_is_not_changed(name: str) -> None:
    with pytest.raises(gn.GraphError, match="'small' is finished"):
        CHANGES[name](small())


def test_a_graph_is_not_run_before_it_is_finished() -> None:
    with pytest.raises(gn.GraphError, match="not finished"):
        gn.Graph()(gn.ones(1))


def test_a_graph_that_failed_leaves_nothing_behind() -> None:
    g = gn.Graph()
    with pytest.raises(ZeroDivisionError), g:
        g.input("x", (1 // 0,))
    assert (nn.Parameter(gn.ones(1)) * 2).item() == 2
    with pytest.raises(gn.GraphError):
        g(gn.ones(1))


def test_deep_graphs_are_no_problem() -> None:
    def chain(x: Any) -> Any:
        for _ in range(3000):
            x = x + 1
        return x

    g = gn.trace(chain, ("N",))
    x = gn.zeros(2)
    assert g(x).tolist() == [3000.0] * 2
    for twin in (copy.deepcopy(g), pickle.loads(pickle.dumps(g))):
        assert len(twin) == 3001 and twin(x).tolist() == [3000.0] * 2
    assert g.gradient()(x, gn.ones(2))[1].tolist() == [1.0, 1.0]
    assert len(str(g).splitlines()) == 3002
