"""The low-level door to the kernels, and the graph of what ran eagerly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import kernels, nn

FLOATS = ["float32", "float64"]


def data(*shape: int, dtype: str = "float32") -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(dtype)


def close(got: Any, expected: Any, terms: int = 1) -> None:
    assert got.dtype == expected.dtype and got.shape == expected.shape
    eps = np.finfo(expected.dtype).eps
    np.testing.assert_allclose(got, expected, rtol=8 * terms * eps, atol=8 * terms * eps)


@pytest.mark.parametrize("dtype", FLOATS)
def test_matmul_takes_views_bias_relu_and_accumulation(dtype: str) -> None:
    a, b, bias = data(5, 7, dtype=dtype), data(7, 3, dtype=dtype), data(3, dtype=dtype)
    close(kernels.matmul(a, b), a @ b, 7)
    close(kernels.matmul(b.T, a.T), b.T @ a.T, 7)
    close(kernels.matmul(a[::2], b, bias=bias, relu=True), np.maximum(a[::2] @ b + bias, 0), 7)
    out = np.ones((5, 3), dtype)
    assert kernels.matmul(a, b, out, accumulate=True) is out
    close(out, a @ b + np.ones(1, dtype), 8)
    close(
        kernels.matmul(data(2, 1, 5, 7, dtype=dtype), data(4, 7, 3, dtype=dtype)).sum((0, 1)).astype(dtype) * 0,
        np.zeros((5, 3), dtype),
    )


@pytest.mark.parametrize("dtype", FLOATS)
def test_linear_and_the_functions_are_numpys(dtype: str) -> None:
    x, weight, bias = data(2, 4, 6, dtype=dtype), data(3, 6, dtype=dtype), data(3, dtype=dtype)
    close(kernels.linear(x, weight, bias), x @ weight.T + bias, 6)
    close(kernels.linear(x, weight, relu=True), np.maximum(x @ weight.T, 0), 6)
    close(kernels.relu(x), np.maximum(x, 0))
    close(kernels.exp(x), np.exp(x))
    close(kernels.log(np.abs(x)), np.log(np.abs(x)))
    close(kernels.tanh(x), np.tanh(x))
    close(kernels.sigmoid(x), 1 / (1 + np.exp(-x)))
    e = np.exp(x - x.max(-1, keepdims=True))
    close(kernels.softmax(x), e / e.sum(-1, keepdims=True), 6)
    close(kernels.relu_backward(x, x), np.where(x > 0, x, 0).astype(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
def test_cross_entropy_and_its_gradient(dtype: str) -> None:
    logits, target = data(5, 4, dtype=dtype), np.array([0, 3, 1, 1, 2])
    x = gn.tensor(logits, requires_grad=True)
    loss = nn.functional.cross_entropy(x, target)
    loss.backward()
    close(kernels.softmax_cross_entropy(logits, target), loss.numpy(force=True))
    close(kernels.softmax_cross_entropy_backward(logits, target), x.grad.numpy())


WRONG: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "shapes": (lambda: kernels.matmul(data(2, 3), data(2, 3)), ValueError, r"k = 3, got \(2, 3\)"),
    "dtypes": (lambda: kernels.matmul(data(2, 3), data(3, 2, dtype="float64")), TypeError, "expected dtype float32"),
    "a list": (lambda: kernels.matmul(data(2, 3), [1.0]), TypeError, "expects two arrays"),
    "batches": (lambda: kernels.matmul(data(2, 3, 3), data(5, 3, 3)), ValueError, "do not broadcast"),
    "out": (lambda: kernels.relu(data(2), np.empty(3, "f")), ValueError, "relu"),
    "read-only out": (lambda: kernels.relu(data(2), np.broadcast_to(data(1), (2,))), ValueError, "writeable"),
    "nothing to add to": (lambda: kernels.matmul(data(2, 2), data(2, 2), accumulate=True), ValueError, "accumulate"),
    "a number": (lambda: kernels.exp(3), TypeError, "NumPy arrays, got an int"),
    "a label": (lambda: kernels.softmax_cross_entropy(data(1, 3), np.array([3])), IndexError, "row 0 has target 3"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arrays_are_refused(name: str) -> None:
    function, error, text = WRONG[name]
    with pytest.raises(error, match=text) as caught:
        function()
    assert isinstance(caught.value, gn.GraphnetError)


class Halving(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: Any) -> Any:
        x = self.linear(self.linear(x))
        while x.abs().sum() > 1:
            x = x / 2
        return x.sum()


def test_the_graph_of_what_ran_has_the_loop_as_often_as_it_ran() -> None:
    net = Halving()
    x = gn.full((2, 3), 40.0)
    result = net(x)
    graph = gn.graph_of(result, root=net)
    trips, left = 0, net.linear(net.linear(x))
    while left.abs().sum() > 1:
        trips, left = trips + 1, left / 2
    assert [n.op for n in graph.nodes] == ["linear", "linear", *["div"] * trips, "sum"]
    assert graph.shared.keys() == {"linear.weight", "linear.bias"}
    assert graph().item() == result.item()
    assert "linear.weight" in graph.to_dot()
    graph.verify()


def test_what_was_freed_or_never_recorded_has_no_graph() -> None:
    net = Halving()
    result = net(gn.ones(1, 3))
    result.backward()
    with pytest.raises(gn.GradientError, match="freed"):
        gn.graph_of(result)
    with pytest.raises(gn.GradientError, match="not computed"):
        gn.graph_of(gn.ones(2))
    with gn.no_grad(), pytest.raises(gn.GradientError, match="not computed"):
        gn.graph_of(net(gn.ones(1, 3)))


def test_a_summary_is_rows_and_text() -> None:
    net = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.LazyLinear(2))
    summary = gn.summary(net, ("N", 3))
    assert [(row.path, row.cls, row.shape, row.parameters) for row in summary] == [
        ("0", "Linear", "(N, 4)", 16), ("1", "ReLU", "(N, 4)", 0), ("2", "Linear", "(N, 2)", 10),
    ]  # fmt: skip
    assert "26 parameters" in str(summary)


def test_the_configuration_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    gn.show_config()
    shown = capsys.readouterr().out
    assert gn.config()["target"] in shown
    assert "threads" in shown


def test_products_may_round_to_bfloat16_where_asked() -> None:
    a, b = data(64, 64), data(64, 64)
    assert gn.get_float32_matmul_precision() == "highest"
    try:
        gn.set_float32_matmul_precision("medium")
        assert gn.get_float32_matmul_precision() == "medium"
        np.testing.assert_allclose(kernels.matmul(a, b), a @ b, atol=64 * 2.0**-8)
    finally:
        gn.set_float32_matmul_precision("highest")
    close(kernels.matmul(a, b), a @ b, 64)
    with pytest.raises(gn.ArgumentError, match="'highest', 'high' or 'medium', got 'low'"):
        gn.set_float32_matmul_precision("low")
