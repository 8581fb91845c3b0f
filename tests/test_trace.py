"""gn.trace: the graph of a network from shapes alone."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn


def line() -> int:
    """The caller's line."""
    frame = inspect.currentframe()
    assert frame is not None and frame.f_back is not None
    return frame.f_back.f_lineno


def mlp() -> Any:
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.LazyLinear(4)
        self.again = nn.LazyLinear(4)
        self.out = nn.LazyLinear(2)

    def forward(self, x: Any) -> Any:
        return self.out(self.again(self.again(self.first(x).relu())))


# -- what is recorded -------------------------------------------------------------------------------------


def test_layers_and_operations_become_nodes_in_topological_order() -> None:
    graph = gn.trace(mlp(), ("N", 20))
    assert [(n.name, n.op, n.path) for n in graph.nodes] == [
        ("input", "input", ""), ("0", "linear", "0"), ("1", "relu", "1"), ("2", "linear", "2"),
    ]  # fmt: skip
    assert [n.scope.cls for n in graph.nodes[1:]] == ["Linear", "ReLU", "Linear"]
    assert [str(graph.types[n][0]) for n in graph.nodes] == [
        "float32(N, 20)", "float32(N, 8)", "float32(N, 8)", "float32(N, 3)",
    ]  # fmt: skip
    assert [graph.operand_text(o) for o in graph.outputs] == ["2"]
    seen: set[Any] = set()
    for node in graph.nodes:
        assert set(node.sources) <= seen
        seen.add(node)


def test_no_data_is_needed_and_none_is_kept() -> None:
    net = nn.Sequential(nn.Linear(10**6, 2, bias=False))
    graph = gn.trace(net, ("N", 10**6))
    assert len(graph) == 2 and not hasattr(graph.nodes[0], "array")


def test_edges_are_data_and_shared_weights() -> None:
    graph = gn.trace(Tied(), ("N", 5))
    data = [(e.source.name, e.target.name, e.name) for e in graph.edges if e.kind == "data"]
    assert data == [
        ("x", "first", "float32(N, 5)"),
        ("first", "relu", "float32(N, 4)"),
        ("relu", "again", "float32(N, 4)"),
        ("again", "again#2", "float32(N, 4)"),
        ("again#2", "out", "float32(N, 4)"),
    ]
    shared = [(e.source.name, e.target.name, e.name) for e in graph.edges if e.kind == "shared"]
    assert shared == [("again", "again#2", "again.weight"), ("again", "again#2", "again.bias")]


def test_parameters_are_identities_each_once() -> None:
    net = Tied()
    graph = gn.trace(net, ("N", 5))
    assert [id(p) for p in graph.parameters] == [id(p) for p in net.parameters()]
    assert list(graph.parameter_names.values()) == [n for n, _ in net.named_parameters()]
    assert {k: [n.name for n in v] for k, v in graph.shared.items()} == {
        "again.weight": ["again", "again#2"],
        "again.bias": ["again", "again#2"],
    }


def test_equal_weights_are_not_merged_and_one_weight_is_not_split() -> None:
    a, b = nn.Linear(3, 3), nn.Linear(3, 3)
    b.load_state_dict(a.state_dict())
    assert not gn.trace(nn.Sequential(a, b), (1, 3)).shared
    b.weight = a.weight
    shared = gn.trace(nn.Sequential(a, b), (1, 3)).shared
    assert {k: [n.name for n in v] for k, v in shared.items()} == {"0.weight": ["0", "1"]}


def test_weights_in_plain_lists_and_functions_are_found_and_named() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(3, 3)]

        def forward(self, x: Any) -> Any:
            return self.layers[0](x)

    with pytest.warns(gn.UnregisteredModuleWarning):
        graph = gn.trace(Listed(), ("N", 3))
    assert list(graph.parameter_names.values()) == ["layers[0].weight", "layers[0].bias"]
    layer = nn.Linear(3, 2)
    assert len(gn.trace(lambda x: layer(x), ("N", 3)).parameters) == 2


def test_printing_shows_nodes_types_classes_and_places() -> None:
    graph = gn.trace(Tied(), ("N", 5))
    text = str(graph)
    assert text == repr(graph)
    for part in (
        "graph Tied(x: float32(N, 5))",
        "first",
        "linear(",
        "float32(N, 4)",
        "Linear",
        "test_trace.py:",
        "again.weight",
    ):
        assert part in text, part
    assert text.count("again.weight") >= 2


def test_each_node_knows_its_place_in_the_users_source() -> None:
    def function(x: Any) -> Any:
        y = x * 2
        return y.sum()

    start = inspect.getsourcelines(function)[1]
    graph = gn.trace(function, ("N", 2))
    assert [(n.where.file, n.where.line) for n in graph.nodes[1:]] == [(__file__, start + 1), (__file__, start + 2)]
    layer, made = nn.Linear(2, 2), line()
    assert gn.trace(nn.Sequential(layer), ("N", 2)).node("0").where.line == made


# -- inputs and outputs -----------------------------------------------------------------------------------


def test_inputs_are_shapes_specs_tensors_or_arrays() -> None:
    def function(a: Any, b: Any, c: Any, d: Any) -> Any:
        return a + b + c + d

    given = [("N", 3), gn.Spec((3,), gn.int64), gn.ones(1, 3), np.ones((1, 1), np.float64)]
    graph = gn.trace(function, *given)
    assert [str(graph.types[n][0]) for n in graph.inputs] == [
        "float32(N, 3)", "int64(3,)", "float32(1, 3)", "float64(1, 1)",
    ]  # fmt: skip
    assert [n.name for n in graph.inputs] == ["a", "b", "c", "d"]
    assert str(graph.types[graph.outputs[0].node][0]) == "float64(N, 3)"


def test_inputs_given_as_shapes_have_the_networks_float_type() -> None:
    graph = gn.trace(mlp().double(), ("N", 4))
    assert graph.types[graph.inputs[0]][0].dtype is gn.float64
    assert gn.trace(lambda x: x * 2, (3,), dtype=gn.float64).types


def test_outputs_keep_their_nesting() -> None:
    graph = gn.trace(lambda x: {"sum": x.sum(), "parts": [x, (x * 2, x[0])]}, (2, 3))
    result = graph(gn.ones(2, 3))
    assert result["sum"].item() == 6 and result["parts"][1][0].tolist() == [[2.0] * 3] * 2
    assert isinstance(result["parts"], list) and isinstance(result["parts"][1], tuple)


def test_keyword_arguments_reach_forward() -> None:
    class Net(nn.Module):
        def forward(self, x: Any, scale: float = 1.0) -> Any:
            return x * scale

    assert gn.trace(Net(), (2,), scale=3.0)(gn.ones(2)).tolist() == [3.0, 3.0]


# -- sizes ------------------------------------------------------------------------------------------------


def test_one_name_is_one_size() -> None:
    graph = gn.trace(lambda a, b: a + b, ("N", 2), ("N", 2))
    with pytest.raises(gn.ShapeError, match=r"b.*3.*4|b.*4.*3"):
        graph(gn.ones(3, 2), gn.ones(4, 2))
    assert graph(gn.ones(4, 2), gn.ones(4, 2)).shape == (4, 2)


SIZES = {
    "flatten": (lambda x: x.flatten(), ("N", 3), "(3*N,)"),
    "reshape": (lambda x: x.reshape(-1, 2), ("N", 4), "(2*N, 2)"),
    "cat": (lambda x: gn.cat([x, x[:, :1]], 1), ("N", "M"), None),
    "cat rows": (lambda x: gn.cat([x, gn.ones(2, 3), x]), ("N", 3), "(2*N+2, 3)"),
    "two names": (lambda x: x.reshape(-1), ("N", "M"), "(N*M,)"),
    "product": (lambda x: x @ x.T, ("N", 3), "(N, N)"),
    "sum": (lambda x: x.sum(0, keepdim=True), ("N", 3), "(1, 3)"),
    "transpose": (lambda x: x.T, ("N", 3), "(3, N)"),
    "read back": (lambda x: x.reshape(x.shape[0] * x.shape[1]), ("N", "M"), "(N*M,)"),
    "broadcast": (lambda x: x + gn.ones(5, 1, 3), ("N", 3), "(5, N, 3)"),
    "stack": (lambda x: gn.stack([x, x], 1), ("N", 3), "(N, 2, 3)"),
    "row": (lambda x: x[0], ("N", 3), "(3,)"),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_computed_with_names(name: str) -> None:
    function, shape, expected = SIZES[name]
    if expected is None:
        with pytest.raises(gn.ShapeError, match="M"):
            gn.trace(function, shape)
        return
    graph = gn.trace(function, shape)
    assert str(graph.types[graph.outputs[0].node][0]) == f"float32{expected}"
    sizes = {"N": 6, "M": 5}
    x = gn.rand(*[sizes.get(s, s) for s in shape])
    assert graph(x).tolist() == function(x).tolist()


def test_sizes_in_arithmetic() -> None:
    def function(x: Any) -> Any:
        n = x.shape[0]
        assert n == n and n != n + 1 and n - n == 0 and 2 * n == n + n and (n * 6) // 3 == 2 * n
        assert str(2 * n + 1) == "2*N+1" and hash(n + 1) == hash(1 + n)
        return x.sum(0) / n

    x = gn.rand(4, 3)
    graph = gn.trace(function, ("N", 3))
    np.testing.assert_array_equal(graph(x).numpy(), (x.sum(0) / 4).numpy())


@pytest.mark.parametrize(
    "drive", [range, lambda n: [0][n], int, lambda n: list(range(3))[:n]], ids=["range", "index", "int", "slice"]
)
def test_an_unknown_size_cannot_drive_python(drive: Any) -> None:
    def function(x: Any) -> Any:
        drive(x.shape[0])
        return x * 2

    with pytest.raises(gn.TraceError, match="size N"):
        gn.trace(function, ("N", 3))


COMPARED: dict[str, Any] = {
    "greater": lambda n: n > 1,
    "less or equal": lambda n: n <= 1,
    "max": lambda n: max(n, 2),
    "remainder": lambda n: n % 2,
    "root": lambda n: n**0.5,
    "not whole": lambda n: n // 2,
}


@pytest.mark.parametrize("name", COMPARED)
def test_what_only_a_known_size_can_answer_is_a_trace_error(name: str) -> None:
    with pytest.raises(gn.TraceError, match="N"):
        gn.trace(lambda x: x * COMPARED[name](x.shape[0]), ("N", 3))


def test_an_index_beyond_a_size_that_was_open_is_told_when_it_is_known() -> None:
    graph = gn.trace(lambda x: x[5], ("N", 3))
    assert graph(gn.ones(6, 3)).shape == (3,)
    with pytest.raises(gn.IndexOutOfRangeError, match=r"5.*size 2"):
        graph(gn.ones(2, 3))


def test_unknown_sizes_are_learnt_in_both_directions() -> None:
    graph = gn.trace(nn.Linear(7, 2), ("N", None))
    assert str(graph.types[graph.inputs[0]][0]) == "float32(N, 7)"
    graph = gn.trace(lambda a, b: a + b, ("N", "M"), (4, "M"))
    assert str(graph.types[graph.inputs[0]][0]) == "float32(4, M)"


# -- running ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("net", [mlp, Tied], ids=["mlp", "tied"])
@pytest.mark.parametrize("rows", [1, 3, 0])
def test_a_graph_computes_what_the_network_does_to_the_bit(net: Any, rows: int) -> None:
    net = net()
    graph = gn.trace(net, ("N", 5))
    x = gn.rand(rows, 5, requires_grad=True)
    y = gn.tensor(x.detach(), requires_grad=True)
    a, b = net(x), graph(y)
    assert a.tolist() == b.tolist()
    (a * a).sum().backward()
    mine = [p.grad.tolist() for p in net.parameters()]
    net.zero_grad()
    (b * b).sum().backward()
    assert [p.grad.tolist() for p in net.parameters()] == mine and x.grad.tolist() == y.grad.tolist()


def test_a_graph_follows_its_parameters_as_they_are_trained() -> None:
    net = mlp()
    graph = gn.trace(net, ("N", 5))
    optimizer = gn.optim.SGD(graph.parameters, lr=0.5)
    x, losses = gn.rand(16, 5), []
    for _ in range(10):
        optimizer.zero_grad()
        loss = (graph(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert graph(x).tolist() == net(x).tolist()


def test_no_grad_and_detach_are_traced() -> None:
    layer = nn.Linear(3, 3)

    def function(x: Any) -> Any:
        with gn.no_grad():
            frozen = layer(x)
        return layer(x) * frozen + (x * layer.weight.sum()).detach()

    graph = gn.trace(function, ("N", 3))
    x = gn.rand(2, 3)
    for call in (function, graph):
        layer.zero_grad()
        call(x).sum().backward()
        grads = [p.grad.tolist() for p in layer.parameters()]
        if call is function:
            expected = grads
    assert grads == expected


def test_in_place_forms_are_traced() -> None:
    def function(x: Any) -> Any:
        y = x * 2
        y += 1
        y /= 4
        return y

    x = gn.rand(3)
    assert gn.trace(function, (3,))(x).tolist() == function(x).tolist()


def test_constants_are_referred_to_and_parameters_recorded() -> None:
    constant, weight = gn.rand(3, 3), nn.Parameter(gn.ones(3))
    graph = gn.trace(lambda x: x @ constant + (weight * 2).sum(), ("N", 3))
    weight.data.fill_(5.0)
    assert graph(gn.zeros(1, 3)).tolist() == [[30.0] * 3]


def test_a_graph_can_be_traced_into_another() -> None:
    inner = gn.trace(mlp(), ("N", 5))
    outer = gn.trace(lambda x: inner(x * 2).sum(1), ("B", 5))
    assert len(outer.parameters) == 4 and all(a is b for a, b in zip(outer.parameters, inner.parameters))
    x = gn.rand(4, 5)
    assert outer(x).tolist() == inner(x * 2).sum(1).tolist()
    assert str(outer.types[outer.outputs[0].node][0]) == "float32(B,)"
    assert gn.trace(inner, ("K", 5))(x).tolist() == inner(x).tolist()


def test_a_graph_can_be_part_of_a_module() -> None:
    inner = gn.trace(mlp(), ("N", 5)).to_module()
    net = nn.Sequential(inner, nn.LazyLinear(2))
    assert net(gn.rand(3, 5)).shape == (3, 2) and len(list(net.parameters())) == 6
    assert gn.trace(net, ("N", 5))(gn.rand(3, 5)).shape == (3, 2)


def test_tracing_leaves_no_trace() -> None:
    net = mlp()
    gn.trace(net, ("N", 5))
    with pytest.raises(gn.ShapeError):
        gn.trace(net, ("N", 6))
    with pytest.raises(ZeroDivisionError):
        gn.trace(lambda x: 1 / 0, (1,))
    assert net(gn.ones(1, 5)).requires_grad and (net[0].weight * 2).tolist()


# -- what cannot be traced --------------------------------------------------------------------------------


class Loop(nn.Module):
    def forward(self, x: Any) -> Any:
        while x.abs().sum() > 1:
            x = x / 2
        return x


def test_a_while_on_a_value_is_captured_with_file_and_line() -> None:
    number = inspect.getsourcelines(Loop.forward)[1] + 1
    graph = gn.trace(nn.Sequential(nn.LazyLinear(3), Loop()), ("N", 3))
    assert str(graph.node("1.while").where).endswith(f"test_trace.py:{number}")


def test_a_while_without_source_says_so_and_names_file_and_line() -> None:
    space: dict[str, Any] = {}
    exec(compile("def f(x):\n while x.abs().sum() > 1: x = x / 2\n return x", "nowhere.py", "exec"), space)
    with pytest.raises(gn.TraceError, match=r"nowhere\.py:2.*`while`.*source could not be captured.*gn\.while_loop"):
        gn.trace(space["f"], ("N", 3))


VALUES = {
    "and": lambda x: (x.sum() > 0) and x,
    "float": lambda x: x * float(x.sum()),
    "int": lambda x: x * int(x.sum()),
    "item": lambda x: x * x.sum().item(),
    "numpy": lambda x: x.numpy(),
    "tolist": lambda x: x.tolist(),
    "asarray": np.asarray,
    "mask": lambda x: x[x > 0],
    "assignment to data": lambda x: gn.ones(2, 3).__setitem__(0, x[0]),
    "assignment that no gradient sees": lambda x: x.detach().__setitem__(0, 1.0),
    "index": lambda x: [1, 2][x.long()[0, 0]],
    "format": lambda x: f"{x.sum():.3f}",
    "data": lambda x: setattr(x, "data", gn.ones(2, 3)),
}


@pytest.mark.parametrize("name", VALUES)
def test_what_only_data_can_answer_is_a_trace_error_with_the_place(name: str) -> None:
    with pytest.raises(gn.TraceError, match=r"test_trace\.py:\d+"):
        gn.trace(VALUES[name], (2, 3))


def test_a_traced_tensor_is_of_no_use_after_its_graph() -> None:
    kept = []
    gn.trace(lambda x: kept.append(x) or x * 2, (2,))
    with pytest.raises(gn.GraphError, match=r"test_trace\.py:\d+.*finished"):
        kept[0] + 1
    with pytest.raises(gn.GraphError, match=r"finished|another"):
        gn.trace(lambda x: x + kept[0], (2,))


WRONG = {
    "no network": (lambda: gn.trace(3, (1,)), TypeError, "int"),
    "a class": (lambda: gn.trace(nn.ReLU, (1,)), TypeError, "ReLU"),
    "no shape": (lambda: gn.trace(mlp()), ValueError, "shape"),
    "a number for a shape": (lambda: gn.trace(mlp(), 20), TypeError, "20"),
    "text for a shape": (lambda: gn.trace(mlp(), "N"), TypeError, "'N'"),
    "a negative size": (lambda: gn.trace(mlp(), ("N", -1)), ValueError, "-1"),
    "a fractional size": (lambda: gn.trace(mlp(), ("N", 2.5)), (TypeError, ValueError), "2.5"),
    "an infinite size": (lambda: gn.trace(mlp(), ("N", float("inf"))), (TypeError, ValueError), "inf"),
    "an empty name": (lambda: gn.trace(mlp(), ("", 3)), ValueError, "name"),
    "an empty network": (lambda: gn.trace(nn.Sequential(), (1,)), ValueError, "empty"),
    "a network that returns nothing": (lambda: gn.trace(lambda x: None, (1,)), ValueError, "returns None"),
    "a network that returns a number": (lambda: gn.trace(lambda x: 3, (1,)), ValueError, "int"),
    "a network that ignores its input": (
        lambda: gn.trace(lambda x: gn.ones(2), (1,)),
        (ValueError, RuntimeError),
        "input",
    ),
    "an unknown dtype": (lambda: gn.trace(mlp(), (1, 2), dtype="complex64"), TypeError, "complex64"),
    "too many inputs": (lambda: gn.trace(mlp(), (1, 2), (1, 2)), TypeError, "positional|inputs"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused(name: str) -> None:
    function, kind, text = WRONG[name]
    with pytest.raises(kind, match=text):
        function()


OPEN: dict[str, Any] = {
    "zeros": lambda x: gn.zeros(x.shape[0], 2),
    "ones": lambda x: gn.ones(x.size(0), 1, dtype=gn.float64),
    "full": lambda x: gn.full((2, x.shape[0]), 7.0),
    "full of numbers": lambda x: gn.full((x.shape[0],), 7),
    "empty and filled": lambda x: gn.empty(x.shape[0], 2).fill_(3.0),
    "like": lambda x: gn.full_like(x, 2) + gn.zeros_like(x) * gn.ones_like(x),
    "arange": lambda x: gn.arange(x.shape[0]),
    "arange as floats": lambda x: gn.arange(0, x.shape[0], dtype=gn.float32),
    "an expression": lambda x: gn.zeros(2 * x.shape[0] + 1),
    "written to": lambda x: gn.zeros(x.shape[0], 2).copy_(x[:, :2]) + 1,
}


@pytest.mark.parametrize("name", OPEN)
def test_tensors_of_open_sizes(name: str) -> None:
    network = lambda x: (x * 2, OPEN[name](x))  # noqa: E731
    graph = gn.trace(network, ("N", 3))
    for size in (4, 1, 0):
        x = gn.ones(size, 3)
        expected, got = network(x)[1], graph(x)[1]
        assert gn.equal(got, expected) and got.dtype is expected.dtype
        assert gn.equal(gn.compile(graph)(x)[1], expected)


def test_tensors_of_open_sizes_outside_a_trace() -> None:
    with gn.Graph() as graph:
        x = graph.input("x", ("N", 3))
        graph.output(x + gn.ones(x.shape[0], 1))
    assert gn.equal(graph(gn.ones(2, 3)), gn.full((2, 3), 2.0))
