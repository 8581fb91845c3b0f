"""Loops and branches as ONNX's Loop and If, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from networks import FixedHiddenMLP
from test_onnx import model_of, run

import graphnet as gn
from graphnet import nn

onnx = pytest.importorskip("onnx")


def inner(model: Any, operator: str) -> Any:
    (node,) = [n for n in model.graph.node if n.op_type == operator]
    return node


def same(model: Any, function: Any, *arrays: Any) -> None:
    expected = function(*map(gn.from_numpy, arrays))
    expected = expected if isinstance(expected, tuple) else (expected,)
    back = gn.from_onnx(model)
    assert isinstance(back, gn.Graph)
    read = back(*arrays)
    for results in (
        run(model, *arrays),
        read if isinstance(read, tuple) else (read,),
        _tuple(gn.compile(back)(*arrays)),
    ):
        for got, want in zip(results, expected, strict=True):
            np.testing.assert_allclose(np.asarray(got if isinstance(got, np.ndarray) else got.detach().numpy()),
                                       want.detach().numpy(), rtol=2e-5, atol=1e-5)  # fmt: skip


def _tuple(value: Any) -> Any:
    return value if isinstance(value, tuple) else (value,)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_loop_is_one_loop_for_any_number_of_trips(wrapped: bool) -> None:
    gn.manual_seed(0)
    net: Any = nn.Sequential(nn.LazyLinear(60), nn.LazyLinear(20), FixedHiddenMLP()) if wrapped else FixedHiddenMLP()
    model = gn.to_onnx(net, None, ("N", 20))
    loop = inner(model, "Loop")
    assert not loop.input[0]
    assert len(model.graph.initializer) == (6 if wrapped else 2)
    for scale in (0, 1, 1000):
        same(model, net, (np.random.default_rng(1).normal(size=(3, 20)) * scale).astype("f"))


def test_a_read_loop_has_gradients() -> None:
    net = FixedHiddenMLP()
    graph = gn.from_onnx(gn.to_onnx(net, None, ("N", 20)))
    x = gn.randn(2, 20)
    graph(x).backward()
    net(x).backward()
    (weight,) = [p for n, p in graph.named_parameters() if n == "linear.weight"]
    np.testing.assert_allclose(weight.grad.numpy(), net.linear.weight.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_a_branch_is_one_if_which_sees_values_around_it() -> None:
    weight = nn.Parameter(gn.full((3,), 2.0))

    def f(x: Any) -> Any:
        y = x * weight
        return gn.cond(x.sum() > 0, lambda a: (a + y, weight), lambda a: (a, a.sum(0)), (x,))

    model = gn.to_onnx(f, None, ("N", 3))
    assert len(inner(model, "If").output) == 2 and len(model.graph.initializer) == 1
    for sign in (1, -1):
        same(model, f, np.full((2, 3), sign, "f"))


def test_loops_within_branches_within_loops_several_states_and_sizes() -> None:
    def step(k: Any, x: Any, y: Any) -> Any:
        z = gn.cond(
            x.sum() > y.sum(), lambda x: gn.while_loop(lambda x: x.max() > 1, lambda x: x / 2, x), lambda x: x + 1, (x,)
        )
        return k + 1, z, y + x.mean() / x.shape[0]

    def f(x: Any, y: Any) -> Any:
        return gn.while_loop(lambda k, x, y: y.sum() + k < 9, step, (gn.tensor(0), x, y))

    model = gn.to_onnx(f, None, ("N", 3), (2,))
    for scale in (0.1, 10):
        same(model, f, np.full((2, 3), scale, "f"), np.ones(2, "f"))


def test_states_that_stay_swap_or_are_inputs() -> None:
    def f(x: Any, y: Any) -> Any:
        return gn.while_loop(lambda a, b, c: (a * c).sum() < 10, lambda a, b, c: (b, a + b, c), (x, y, y))

    model = gn.to_onnx(f, None, (2,), (2,))
    for scale in (1, 100):
        same(model, f, np.ones(2, "f"), np.full(2, scale, "f"))


def test_the_loop_of_a_gradient_is_refused_with_its_place() -> None:
    graph = gn.trace(FixedHiddenMLP(), ("N", 20)).gradient()
    with pytest.raises(gn.GraphError, match=r"networks.py:\d+.*no counterpart"):
        gn.to_onnx(graph)


def loop_model(limit: bool) -> Any:
    """y = x doubled while the sum is below 100, adding the trip's number, at most `m` times."""
    h = onnx.helper
    nodes = [
        h.make_node("Cast", ["i"], ["f"], to=1),
        h.make_node("Add", ["a", "a"], ["twice"]),
        h.make_node("Add", ["twice", "f"], ["b"]),
        h.make_node("ReduceSum", ["b"], ["s"], keepdims=0),
        h.make_node("Less", ["s", "hundred"], ["on"]),
    ]
    info = h.make_tensor_value_info
    body = h.make_graph(
        nodes, "body", [info("i", 7, []), info("c", 9, []), info("a", 1, [2])], [info("on", 9, []), info("b", 1, [2])]
    )
    outer = [
        h.make_node("Constant", [], ["hundred"], value_float=100.0),
        h.make_node("ReduceSum", ["x"], ["s0"], keepdims=0),
        h.make_node("Less", ["s0", "hundred"], ["c0"]),
        h.make_node("Loop", ["m" if limit else "", "c0", "x"], ["y"], body=body),
    ]
    inputs = {"x": [2], **({"m": []} if limit else {})}
    return model_of(*outer, inputs=inputs, outputs={"y": [2]}, m=7)


@pytest.mark.parametrize("limit", [None, 0, 2, 50])
def test_a_loop_with_a_limit_that_looks_at_its_trips(limit: int | None) -> None:
    model = loop_model(limit is not None)
    back = gn.from_onnx(model)
    assert isinstance(back, gn.Graph)
    for start in (0.5, 200.0):
        arrays = [np.full(2, start, "f"), *([np.asarray(limit)] if limit is not None else [])]
        np.testing.assert_array_equal(back(*arrays).numpy(), run(model, *arrays)[0])
