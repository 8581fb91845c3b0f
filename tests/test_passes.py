"""Passes: what each leaves of a graph, and that values stay the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.dtypes import as_dtype
from graphnet.ir import Graph, TensorType, Unifier
from graphnet.nn import functional as F  # noqa: N812
from graphnet.ops import FUSED, TABLE, infer
from graphnet.passes import (
    PASSES,
    fold_constants,
    fuse,
    group_elementwise,
    merge_common,
    remove_dead,
    simplify,
    verify_types,
)
from graphnet.program import execute

W = gn.tensor(np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32))
B = gn.tensor(np.random.default_rng(1).standard_normal(4).astype(np.float32))

# What to trace on a (4, 4) input, the pass, and the ops that are left.
CASES: dict[str, tuple[Callable[[Any], Any], Callable[[Graph], Graph], list[str]]] = {
    "dead code": (lambda x: (x.exp(), x.sin())[0], remove_dead, ["exp"]),
    "the same twice": (lambda x: x.exp() + x.exp(), merge_common, ["exp", "add"]),
    "the same, with other settings": (lambda x: x.sum(0) + x.sum(1), merge_common, ["sum", "sum", "add"]),
    "0.0 is not -0.0": (lambda x: x * 0.0 + x * -0.0, merge_common, ["mul", "mul", "add"]),
    "0 is 0.0 among floats": (lambda x: (x > 0) == (x > 0.0), merge_common, ["gt", "eq"]),
    "times one": (lambda x: (x * 1 / 1 - 0).exp(), simplify, ["exp"]),
    "plus zero is not nothing": (lambda x: x + 0, simplify, ["add"]),
    "turned twice": (lambda x: x.T.T + 1, simplify, ["permute", "add"]),
    "the same shape": (lambda x: x.reshape(4, 4).detach().exp(), simplify, ["exp"]),
    "numbers": (lambda x: x + (gn.zeros(4) + 1).exp(), fold_constants, ["add"]),
    "bias": (lambda x: x @ W + B, fuse, ["affine"]),
    "bias first": (lambda x: B + x @ W, fuse, ["affine"]),
    "bias and relu": (lambda x: F.relu(x @ W + B), fuse, ["affine_relu"]),
    "relu": (lambda x: F.relu(F.linear(x, W, B)), fuse, ["linear_relu"]),
    "no bias": (lambda x: F.relu(F.linear(x, W)), fuse, ["linear_relu"]),
    "used twice": (lambda x: [F.relu(y := F.linear(x, W)), y], fuse, ["linear", "relu"]),
    "a matrix is no bias": (lambda x: x @ W + x, fuse, ["matmul", "add"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_pass_leaves(name: str) -> None:
    function, apply, ops = CASES[name]
    graph = gn.trace(function, (4, 4))
    after = apply(graph)
    after.verify()
    verify_types(after)
    assert [n.op for n in after.nodes if n.op != "input"] == ops
    x = gn.tensor(np.random.default_rng(2).standard_normal((4, 4)).astype(np.float32))
    expected, got = function(x), gn.compile(function)(x)
    for a, b in zip(expected, got) if isinstance(expected, list) else [(expected, got)]:
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=2e-5, atol=1e-6)


# The body of a loop and both sides of a branch, the pass, and the ops that are left in each.
INSIDE: dict[str, tuple[Callable[[Any], Any], Callable[[Graph], Graph], list[str]]] = {
    "dead code": (lambda x: (x.exp(), x.sin())[0], remove_dead, ["exp"]),
    "the same twice": (lambda x: x.exp() + x.exp(), merge_common, ["exp", "add"]),
    "times one": (lambda x: (x * 1).exp(), simplify, ["exp"]),
    "nothing at all": (lambda x: x * 1, simplify, []),
    "numbers": (lambda x: x + (gn.zeros(4) + 1).exp(), fold_constants, ["add"]),
    "bias and relu": (lambda x: F.relu(x @ W + B), fuse, ["affine_relu"]),
    "one loop": (lambda x: (x.exp() * 2).tanh(), group_elementwise, ["elementwise"]),
}


def nested(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The function in a branch in a loop."""

    def inner(x: Any) -> Any:
        return gn.cond(x.sum() > 1, function, lambda x: -x, (x,))

    def goes_on(i: Any, x: Any) -> Any:
        return (i < 3) * (x.abs().sum() < 1e6)

    def outer(x: Any) -> Any:
        return gn.while_loop(goes_on, lambda i, x: (i + 1, inner(x)), (gn.tensor(0), x))[1]

    return outer


@pytest.mark.parametrize("name", INSIDE)
def test_passes_work_in_blocks(name: str) -> None:
    function, apply, ops = INSIDE[name]
    graph = gn.trace(nested(function), (4, 4))
    before, after = str(graph), apply(graph)
    after.verify()
    verify_types(after)
    assert str(graph) == before
    (branch,) = [node for node in after.walk() if node.op == "if"]
    sources = ("input", "arange", "full", "zeros")
    assert [n.op for n in branch.blocks[0].nodes if n.op not in sources] == ops
    for seed in range(3):
        x = gn.tensor(np.random.default_rng(seed).standard_normal((4, 4)).astype(np.float32))
        got, want = gn.compile(nested(function))(x), nested(function)(x)
        np.testing.assert_allclose(got.numpy(), want.numpy(), rtol=1e-5, atol=1e-6)


def test_gradients_through_blocks_that_passes_changed() -> None:
    weight = nn.Parameter(gn.tensor(np.random.default_rng(5).standard_normal((3, 3)) * 0.4, dtype=gn.float64))

    def network(x: Any) -> Any:
        step = nested(lambda x: ((x @ weight + 1).relu() * 0.5).tanh() * 1 + (x * 0.1).sigmoid() * (x * 0.1).sigmoid())
        return step(x) + weight.sum() * 0

    for seed in range(4):
        x = gn.tensor(np.random.default_rng(seed).standard_normal((2, 3)))
        weight.grad = None
        loss = (network(x) ** 2).sum()
        loss.backward()
        before, eager = weight.detach().clone(), weight.grad
        step = gn.TrainStep(network, lambda y, t: ((y - t) ** 2).sum(), gn.optim.SGD([weight], lr=0.5))
        np.testing.assert_allclose(step(x, gn.zeros(2, 3, dtype=gn.float64)).item(), loss.item(), rtol=1e-12)
        moved = (before - weight.detach()) * 2
        np.testing.assert_allclose(moved.numpy(), eager.numpy(), rtol=1e-10, atol=1e-14)
        with gn.no_grad():
            weight.copy_(before)


def test_every_pass_leaves_a_graph_that_holds() -> None:
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(-1))
    loss: Graph = gn.trace(lambda x, y: ((net(x) - y) ** 2).mean(), ("N", 4), ("N", 3)).gradient()
    before, graph = str(loss), loss
    for apply in PASSES:
        graph = apply(graph)
        graph.verify()
        verify_types(graph)
    assert str(loss) == before  # a pass does not change what it is given


FLOATS = np.random.default_rng(3)


def operands(*shapes: tuple[int, ...]) -> list[np.ndarray[Any, Any]]:
    return [FLOATS.standard_normal(shape) for shape in shapes]


ROWS = {
    "linear_relu": operands((5, 4), (3, 4), (3,)),
    "affine": operands((5, 4), (4, 3), (3,)),
    "affine_relu": operands((2, 5, 4), (4, 3), (3,)),
    "matmul_relu_backward": operands((5, 4), (4, 3), (5, 3)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", ROWS)
def test_fused_rows_compute_what_their_references_do(name: str, dtype: Any) -> None:

    arrays = [a.astype(dtype) for a in ROWS[name]]
    types = [TensorType(a.shape, as_dtype(dtype)) for a in arrays]
    row = FUSED[name]
    result = execute(row, arrays, {}, infer(row, Unifier(), types, {}))
    np.testing.assert_allclose(result, row.reference(*arrays), rtol=1e-4 if dtype is np.float32 else 1e-12, atol=1e-6)


def test_fused_rows_are_apart_from_those_that_networks_record() -> None:
    assert not set(FUSED) & set(TABLE)
    assert set(ROWS) == {name for name, row in FUSED.items() if row.overwrites is None}


@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_the_same_bits_from_run_to_run(kind: str) -> None:
    results = []
    for _ in range(2):
        gn.manual_seed(4)
        net = nn.Sequential(nn.Linear(30, 50), nn.ReLU(), nn.Linear(50, 10))
        step = gn.TrainStep(net, nn.CrossEntropyLoss(), getattr(gn.optim, kind)(net.parameters(), lr=0.01))
        x, y = gn.randn(40, 30), gn.arange(40) % 10
        losses = [step(x, y).item() for _ in range(5)]
        results.append((losses, [p.tolist() for p in net.parameters()]))
    assert results[0] == results[1]
