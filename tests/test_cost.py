"""What the table says that an op costs."""

from __future__ import annotations

from typing import Any

import pytest
from cases import CASES
from test_ops import tensors

import graphnet as gn
from graphnet import nn
from graphnet.ops import TABLE, node_flops, result_bytes
from graphnet.tensor import apply


def costs(function: Any, *shapes: Any) -> tuple[str, str]:
    """Operations and bytes of the last node of a function on inputs of these shapes."""
    graph = gn.trace(function, *shapes)
    return str(node_flops(graph, graph.nodes[-1])), str(result_bytes(graph, graph.nodes[-1]))


@pytest.mark.parametrize(
    ("function", "shapes", "flops", "bytes"),
    [
        (nn.Linear(20, 4), [("N", 20)], "160*N", "16*N"),
        (nn.Linear(20, 4, bias=False), [(3, 20)], "480", "48"),
        (nn.Linear(20, 4), [("N", 7, 20)], "1120*N", "112*N"),
        (lambda a, b: a @ b, [(2, 3, 5), (5, 7)], "420", "168"),
        (lambda a, b: a + b, [("N", 4), (4,)], "4*N", "16*N"),
        (lambda a: a.relu(), [("N", 4)], "4*N", "16*N"),
        (lambda a: a > 1, [(3, 4)], "12", "12"),
        (lambda a: a.sum(), [("N", 4)], "4*N", "4"),
        (lambda a: a.mean(dim=0), [(3, 4)], "12", "16"),
        (lambda a: a.softmax(-1), [("N", 4)], "20*N", "16*N"),
        (lambda a: a.reshape(-1), [(3, 4)], "0", "0"),
        (lambda a: a.T, [(3, 4)], "0", "0"),
        (lambda a, b: gn.cat([a, b]), [(3, 4), (1, 4)], "0", "64"),
        (lambda a: a.double(), [(3, 4)], "0", "96"),
    ],
)
def test_costs(function: Any, shapes: list[Any], flops: str, bytes: str) -> None:
    assert costs(function, *shapes) == (flops, bytes)


def test_inputs_cost_nothing() -> None:
    graph = gn.trace(nn.Linear(2, 3), ("N", 2))
    assert node_flops(graph, graph.nodes[0]) == result_bytes(graph, graph.nodes[0]) == 0


@pytest.mark.parametrize("op", sorted(CASES))
def test_every_row_has_a_cost(op: str) -> None:
    for case in CASES[op]:
        operands = case.typed("float32")
        shape = tuple(apply(op, *tensors(operands), **case.attrs).shape)
        count = TABLE[op].count_flops(case.attrs, [getattr(o, "shape", ()) for o in operands], shape)
        assert isinstance(count, int)
        assert count >= 0


def test_products_are_counted_as_pytorch_counts_them() -> None:
    torch = pytest.importorskip("torch")
    counter = pytest.importorskip("torch.utils.flop_counter").FlopCounterMode(display=False)
    layers = [torch.nn.Linear(20, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10)]
    with counter:
        torch.nn.Sequential(*layers)(torch.zeros(8, 20))
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 10))
    graph = gn.trace(net, (8, 20))
    ours = sum(int(node_flops(graph, node)) for node in graph.nodes if node.op in ("linear", "matmul"))
    assert ours == counter.get_total_flops()
