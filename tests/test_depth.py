"""Depth: modules in modules, views of views, records behind records. Nothing of graphnet's own recurses over them."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.tensor import state

DEEP = 1100  # beyond Python's limit of calls; what is square in the depth is small there
DEEPEST = 100_000


def nested(depth: int, shape: str = "first") -> Any:
    """Sequentials inside one another."""
    net: nn.Module = nn.Linear(2, 2)
    for _ in range(depth):
        net = {
            "alone": lambda inner: nn.Sequential(inner),
            "first": lambda inner: nn.Sequential(inner, nn.Tanh()),
            "last": lambda inner: nn.Sequential(nn.Tanh(), inner),
        }[shape](net)
    return net


shapes = pytest.mark.parametrize("shape", ["alone", "first", "last"])
x = gn.ones(1, 2)


def step(net: Any) -> Any:
    return gn.TrainStep(net, nn.MSELoss(), gn.optim.SGD(net.parameters(), lr=0.1))(x, x)


def without_gradients(net: Any) -> None:
    with gn.no_grad():
        for _ in range(10):  # the last ones through a program
            net(x)


def traced(net: Any) -> gn.Graph:
    return gn.trace(net, ("N", 2))


def modes(net: Any) -> None:
    net.train().eval().double().float().apply(lambda module: None).requires_grad_(False).zero_grad()


def walked(net: Any) -> None:
    assert len([*net.modules()]) >= len([*net.parameters()])
    assert [*net.buffers()] == []


def fitted(net: Any) -> Any:
    data = np.ones((2, 2), np.float32)
    return gn.fit(net, (data, data), nn.MSELoss(), gn.optim.SGD(net.parameters(), lr=0.1), epochs=1, batch_size=2)


def through_onnx(net: Any, folder: Path) -> Any:
    gn.to_onnx(net, folder / "net.onnx", ("N", 2))
    return gn.from_onnx(folder / "net.onnx")


def drawn(suffix: str) -> Callable[[Any, Path], Any]:
    return lambda net, folder: gn.draw(net, folder / f"net{suffix}", ("N", 2))


LINEAR: dict[str, Callable[..., Any]] = {  # what takes time and memory in proportion to the number of modules
    "call": lambda net: net(x),
    "no_grad": without_gradients,
    "backward": lambda net: net(x).sum().backward(),
    "trace": traced,
    "gradient": lambda net: traced(net).gradient(),
    "compile": lambda net: gn.compile(net)(x),
    "train step": step,
    "fit": fitted,
    "walks": walked,
    "modes": modes,
    "deepcopy": lambda net: copy.deepcopy(net),
    "pickle": lambda net: pickle.loads(pickle.dumps(net)),
    "graph, deepcopy": lambda net: copy.deepcopy(traced(net)),
    "graph, pickle": lambda net: pickle.loads(pickle.dumps(traced(net))),
    "graph, call": lambda net: traced(net)(x),
    "graph, traced again": lambda net: gn.trace(traced(net).to_module(), ("N", 2)),
    "graph_of": lambda net: gn.graph_of(net(x)),
    "str": lambda net: str(traced(net)),
    "summary": lambda net: str(gn.summary(net, ("N", 2))),
    "inspect": lambda net: str(gn.inspect(net, x)),
    "explain": lambda net: str(traced(net).explain()),
    "json": lambda net: gn.Graph.from_json(traced(net).to_json()),
    "dot": lambda net: traced(net).to_dot(),
    "every node in dot": lambda net: traced(net).to_dot(collapse=False),
    "page": drawn(".html"),
    "onnx": through_onnx,
}
SQUARE: dict[str, Callable[..., Any]] = {  # what holds paths or indentation, as PyTorch's would
    "repr": lambda net: repr(net),
    "state_dict": lambda net: net.load_state_dict(net.state_dict()),
    "named": lambda net: [*net.named_modules(), *net.named_parameters(), *net.named_buffers()],
    "save": lambda net, folder: (gn.save(net.state_dict(), folder / "net.st"), gn.load(folder / "net.st")),
    "networkx": lambda net: gn.Graph.from_networkx(traced(net).to_networkx()),
    "text": drawn(".txt"),
    "notebook": lambda net: net._repr_mimebundle_(),
}


def run(what: Callable[..., Any], net: Any, folder: Path) -> Any:
    return what(net, folder) if "folder" in what.__code__.co_varnames else what(net)


@pytest.mark.parametrize("what", [*LINEAR, *SQUARE])
def test_sequentials_in_sequentials_meet_no_recursion_limit(what: str, tmp_path: Path) -> None:
    if what == "onnx":
        pytest.importorskip("onnx")
    run({**LINEAR, **SQUARE}[what], nested(DEEP), tmp_path)
    gc.collect()


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get("GRAPHNET_LONG"), reason="takes minutes: set GRAPHNET_LONG=1")
@pytest.mark.parametrize("what", LINEAR)
def test_what_is_linear_works_at_any_depth(what: str, tmp_path: Path) -> None:
    if what == "onnx":
        pytest.importorskip("onnx")
    run(LINEAR[what], nested(DEEPEST), tmp_path)


@shapes
def test_a_deep_nest_computes_and_differentiates_as_the_flat_one(shape: str) -> None:
    net = nested(DEEP, shape)
    flat = nn.Sequential(*[layer for layer in net.modules() if not isinstance(layer, nn.Sequential)])
    y = gn.ones(3, 2) * 0.3
    assert net(y).tolist() == flat(y).tolist() == traced(net)(y).tolist() == gn.compile(net)(y).tolist()
    gradients = []
    for network in (net, flat):
        network.zero_grad()
        network(y).sum().backward()
        gradients.append([p.grad.tolist() for p in net.parameters()])
    assert gradients[0] == gradients[1]
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin(y).tolist() == net(y).tolist()
        assert repr(twin) == repr(net)
        assert twin.state_dict().keys() == net.state_dict().keys()


# -- what a walk over nested Sequentials must not change ---------------------------------------------------


def test_calls_inside_a_walk_have_their_paths_and_states() -> None:
    seen: list[str] = []

    class Look(nn.Module):
        def forward(self, x: Any) -> Any:
            assert state.module is self
            seen.append(str(state.scope.path))
            return x

    inner = nn.Sequential(Look(), nn.Sequential(Look()), Look())
    net = nn.Sequential(Look(), inner, Look(), inner)
    net(x)
    assert seen == ["0", "1.0", "1.1.0", "1.2", "2", "3.0", "3.1.0", "3.2"]
    assert state.module is None
    assert state.scope is None
    graph = gn.trace(nn.Sequential(nn.ReLU(), nn.Sequential(nn.Sequential(nn.ReLU()), nn.ReLU())), (2,))
    assert [node.path for node in graph.nodes] == ["", "0", "1.0.0", "1.1"]
    assert [scope.cls for scope in _scopes(graph.nodes[2].scope)] == ["ReLU", "Sequential", "Sequential", "Sequential"]


def _scopes(scope: Any) -> list[Any]:
    found = []
    while scope is not None:
        found.append(scope)
        scope = scope.parent
    return found


def test_an_error_inside_a_walk_leaves_the_caller_as_it_was() -> None:
    class Caught(nn.Sequential):
        def forward(self, x: Any) -> Any:
            try:
                return super().forward(x)
            except gn.ShapeError as error:
                self.told = str(error)
                return self[1](x)

    net = Caught(nn.Sequential(nn.Sequential(nn.Linear(3, 2))), nn.Linear(2, 2))
    graph = gn.trace(nn.Sequential(net), (1, 2))
    assert net.told.startswith("0.0.0.0 (Linear")
    assert [node.path for node in graph.nodes][1:] == ["0.1"]


def test_hooks_and_forwards_of_ones_own_inside_a_walk_run() -> None:
    calls: list[str] = []

    class Own(nn.Sequential):
        def forward(self, x: Any) -> Any:
            calls.append("forward")
            return super().forward(x) * 2

    class Called(nn.Sequential):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            calls.append("call")
            return super().__call__(*args, **kwargs)

    hooked = nn.Sequential(nn.ReLU())
    hooked.register_forward_pre_hook(lambda module, args: calls.append("before"))
    hooked.register_forward_hook(lambda module, args, output: output + 1)
    replaced = nn.Sequential(nn.ReLU())
    replaced.forward = lambda x: x * 10  # type: ignore[method-assign]
    net = nn.Sequential(nn.Sequential(Own(nn.ReLU()), Called(nn.ReLU())), nn.Sequential(hooked, replaced))
    assert net(gn.ones(1)).tolist() == [30.0]
    assert calls == ["forward", "call", "before"]


def test_arrays_between_nested_sequentials_become_tensors() -> None:
    class ToArray(nn.Module):
        def forward(self, x: Any) -> Any:
            return np.asarray(x.detach().numpy(), np.float64)

    result = nn.Sequential(ToArray(), nn.Sequential(nn.Linear(2, 2)))(x)
    assert result.dtype is gn.float32


def test_first_calls_of_nested_sequentials_warn_of_unregistered_modules() -> None:
    inner = nn.Sequential(nn.ReLU())
    inner.left = [nn.Linear(2, 2)]  # type: ignore[assignment]
    net = nn.Sequential(nn.Sequential(inner))
    with pytest.warns(gn.UnregisteredModuleWarning, match=r"0\.0\.left of Sequential"):
        net(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net(x)


def test_a_sequential_that_holds_itself_is_an_error_not_a_hang() -> None:
    net = nn.Sequential(nn.ReLU())
    net.append(net)
    for what in (lambda: net(x), lambda: gn.trace(net, (1, 2)), lambda: repr(net)):
        with pytest.raises(RecursionError):
            what()
    del net[1]


# -- copies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda v: pickle.loads(pickle.dumps(v))], ids=["deepcopy", "pickle"])
def test_copies_of_deep_nests_keep_what_is_shared(copied: Any) -> None:
    tied = nn.Linear(2, 2)
    net: Any = nn.Sequential(tied)
    for _ in range(300):
        net = nn.Sequential(net, tied)
    net.note = net[0][0]
    found, inner = copied((net, net[0][0][0]))
    assert found[0][0][0] is inner
    assert found.note is found[0][0]
    assert found[1] is inner[1] is found[0][1]
    assert len([*found.parameters()]) == 2
    assert found(x).tolist() == net(x).tolist()


def test_a_copy_that_fails_leaves_no_trace() -> None:
    class Stubborn(nn.Module):
        def __reduce_ex__(self, protocol: Any) -> Any:
            raise TypeError("no")

    net: Any = nn.Sequential(Stubborn())
    for _ in range(500):
        net = nn.Sequential(net)
    for copied in (copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="no"):
            copied(net)
    bottom = net
    while isinstance(bottom[0], nn.Sequential):
        bottom = bottom[0]
    bottom[0] = nn.ReLU()
    assert copy.deepcopy(net)(x).tolist() == pickle.loads(pickle.dumps(net))(x).tolist() == x.tolist()


# -- paths -------------------------------------------------------------------------------------------------


def test_long_paths_are_shortened_in_graphs_and_whole_where_they_are_keys() -> None:
    net = nn.Sequential(nested(400), nn.Linear(2, 2))
    graph = traced(net)
    node = next(node for node in graph.nodes if node.op == "linear")
    assert node.path == "0" + ".0" * 400
    assert node.name == node.label == "..." + ".".join("0" * 125)
    assert len({node.name for node in graph.nodes}) == len(graph.nodes)
    names = [name for name, _ in graph.named_parameters()]
    assert names[:2] == [f"{node.label}.weight", f"{node.label}.bias"]
    assert names[2:] == ["1.weight", "1.bias"]
    assert next(iter(net.state_dict())) == node.path + ".weight"
    values = {name: gn.full(value.shape, 2.0) for name, value in net.state_dict().items()}
    graph.load_state_dict(values)
    assert net[1].weight.tolist() == [[2.0, 2.0]] * 2
    assert next(net.parameters()).tolist() == [[2.0, 2.0]] * 2
    with pytest.raises(gn.ShapeError, match=r"^\.\.\.[0.]{249} \(Linear"):
        net(gn.ones(1, 3))


# -- modules of one's own -----------------------------------------------------------------------------------


class Around(nn.Module):
    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Any) -> Any:
        return self.inner(x)


def around(depth: int) -> nn.Module:
    net: nn.Module = nn.Linear(2, 2)
    for _ in range(depth):
        net = Around(net)
    return net


@pytest.mark.parametrize("what", [lambda net: net(x), traced, lambda net: gn.compile(net)(x)])
def test_forwards_that_call_one_another_too_deep_are_told_so(what: Any) -> None:
    net = around(DEEP)
    with pytest.raises(gn.DepthError, match=r"inner\.inner \(Around, \S*test_depth.py:\d+\): \d+ modules call") as told:
        what(net)
    assert isinstance(told.value, RecursionError)
    assert "nn.Sequential" in str(told.value)
    assert around(100)(x).shape == (1, 2)


def test_a_recursion_that_is_not_the_modules_stays_what_it_was() -> None:
    class Endless(nn.Module):
        def forward(self, x: Any) -> Any:
            def again(x: Any) -> Any:
                return again(x)

            return again(x)

    with pytest.raises(RecursionError, match="maximum recursion depth") as told:
        nn.Sequential(Endless())(x)
    assert not isinstance(told.value, gn.GraphnetError)


def test_threads_may_call_one_network_for_the_first_time() -> None:
    class Several(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = nn.ModuleList([nn.ReLU() for _ in range(500)])

        def forward(self, x: Any) -> Any:
            for layer in self.layers:
                x = layer(x)
            return x

    net, failed = Several(), []

    def call() -> None:
        try:
            net(x)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed


# -- tensors -----------------------------------------------------------------------------------------------


def test_a_write_through_a_view_of_a_view_of_a_view() -> None:
    def written(x: Any) -> Any:
        x = x * 1
        view = x
        for i in range(1600):
            view = view.T if i % 4 > 1 else view.reshape(3 - i % 4, 2 + i % 4)
        view.mul_(2)
        return (x * x).sum()

    a = gn.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], requires_grad=True)
    written(a).backward()
    assert a.grad.tolist() == (8 * a).tolist()
    assert gn.trace(written, (2, 3))(a).item() == written(a).item() == 4 * 91


def test_views_of_views_take_memory_in_proportion() -> None:
    view, kept = gn.ones(2, 3), []
    for i in range(20_000):
        view = view.reshape(3, 2) if i % 2 == 0 else view.reshape(2, 3)
        kept.append(view)
    kept[10_000].add_(1)
    assert view.tolist() == [[2.0] * 3] * 2


def test_records_behind_records_are_differentiated_and_let_go() -> None:
    a = gn.ones(2, requires_grad=True)
    y = a
    for _ in range(8_000):
        y = y * 1.0
    y.sum().backward()
    assert a.grad.tolist() == [1.0, 1.0]
    for _ in range(8_000):
        y = y * 1.0
    del y


# -- control flow ------------------------------------------------------------------------------------------


def branches(depth: int) -> Callable[[Any], Any]:
    """Branches in branches, by functions that call one another."""
    if depth == 0:
        return lambda x: x - 1
    inner = branches(depth - 1)
    return lambda x: gn.cond(x.sum() > depth, inner, lambda x: x + 1, (x,))


def test_branches_within_branches() -> None:
    graph = gn.trace(branches(80), (2,))
    for twin in (graph, copy.deepcopy(graph), pickle.loads(pickle.dumps(graph)), gn.Graph.from_json(graph.to_json())):
        assert twin(gn.ones(2)).tolist() == [2.0, 2.0]
        assert twin(gn.ones(2) * 50).tolist() == [49.0, 49.0]
    fast = gn.compile(graph)
    assert fast(gn.ones(2) * 50).tolist() == [49.0, 49.0]


def test_onnx_tells_that_it_cannot_hold_what_lies_so_deep(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(gn.GraphError, match="deeper than an ONNX file can hold"):
        gn.to_onnx(branches(80), tmp_path / "net.onnx", (2,))
