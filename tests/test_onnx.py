"""Networks as ONNX models and back: equal results in ONNX Runtime, and in graphnet again."""

from __future__ import annotations

import importlib
import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import CASES, ULPS, Case
from networks import NestMlp

import graphnet as gn
from graphnet import nn
from graphnet.ops import TABLE
from graphnet.tensor import apply

onnx = pytest.importorskip("onnx")

ALL = [case for cases in CASES.values() for case in cases]
TRAINING = {"random_key", "random_sample", "dropout_mask", "running_statistics"}
NOT_IN_ONNX = {name for name, op in TABLE.items() if op.onnx is None}


def session(model: Any) -> Any:
    runtime = pytest.importorskip("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(model: Any, *arrays: Any) -> list[Any]:
    ready = session(model)
    return list(ready.run(None, {i.name: a for i, a in zip(ready.get_inputs(), arrays)}))


def exported(case: Case, named: bool) -> tuple[Any, list[Any]]:
    operands = case.typed("float32")
    arrays = [o for o in operands if isinstance(o, np.ndarray)]
    open_sizes = named and not case.fixed
    specs = [gn.Spec([f"d{d}" if open_sizes and d > 1 else d for d in a.shape], a.dtype) for a in arrays]
    return gn.to_onnx(case.as_function(operands), None, *specs), arrays


def test_which_rows_onnx_cannot_express() -> None:
    """Gradients that have rows of their own, and what only training does."""
    assert {n for n in NOT_IN_ONNX if not n.endswith("_backward")} == {n for n in NOT_IN_ONNX if n in TRAINING}


# Where ONNX Runtime does otherwise than NumPy and PyTorch: the mean of nothing, NaN among what is compared, no rows.
RUNS_OTHERWISE = {("mean", "(0, 3)-(0,)"), ("mean", "(0, 3)-(0,)-kept"), ("mean", "(2, 0)-(0, 1)")}
RUNS_OTHERWISE |= {("mean", "(2, 0)-(0, 1)-kept"), ("cross_entropy", "no-rows")}
RUNS_OTHERWISE |= {(op, "nan") for op in ("max", "min", "argmax", "argmin")}
NOT_WRITTEN = {"cumprod", "shift_left", "shift_right"}  # not in this version; of unsigned numbers in ONNX Runtime
WRITTEN = [c for c in ALL if c.op not in {*NOT_IN_ONNX, *NOT_WRITTEN, "iota"}]


@pytest.mark.parametrize("case", WRITTEN, ids=str)
def test_every_row_runs_in_onnx_runtime_and_comes_back(case: Case) -> None:
    model, arrays = exported(case, named=True)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        expected = apply(
            case.op,
            *[gn.from_numpy(o) if isinstance(o, np.ndarray) else o for o in case.typed("float32")],
            **case.attrs,
        ).numpy()
    back = gn.from_onnx(model)
    tolerance = 8 * (ULPS.get(case.op, 1) + case.terms) * 1.2e-7
    np.testing.assert_allclose(back(*arrays).numpy(), expected, rtol=tolerance, atol=tolerance)
    if (case.op, case.label) in RUNS_OTHERWISE:
        return
    (got,) = run(model, *arrays)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    tolerance = 8 * (ULPS.get(case.op, 1) + case.terms) * 1.2e-7
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


class FixedHidden(nn.Module):
    """The seed's, without its loop."""

    def __init__(self) -> None:
        super().__init__()
        self.rand_weight = gn.rand((20, 20))
        self.linear = nn.LazyLinear(20)

    def forward(self, X: Any) -> Any:  # noqa: N803
        h = (self.linear(X) @ self.rand_weight + 1).relu()
        return self.linear(h).sum()


class Parallel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.LazyLinear(3), nn.LazyLinear(4)

    def forward(self, X: Any) -> Any:  # noqa: N803
        return gn.cat([self.a(X), self.b(X).relu()], 1)


def tied() -> Any:
    shared = nn.LazyLinear(8)
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), nn.LazyLinear(1))


NETS = {
    "mlp": lambda: nn.Sequential(nn.LazyLinear(256), nn.ReLU(), nn.LazyLinear(10)),
    "tied": tied,
    "nested": NestMlp,
    "fixed": FixedHidden,
    "chain": lambda: nn.Sequential(NestMlp(), nn.LazyLinear(20), FixedHidden()),
    "parallel": Parallel,
    "layers": lambda: nn.Sequential(
        nn.LazyLinear(8),
        nn.BatchNorm1d(8),
        nn.Dropout(0.3),
        nn.LayerNorm(8),
        nn.RMSNorm(8),
        nn.GELU(),
        nn.PReLU(),
        nn.ELU(),
        nn.SiLU(),
        nn.Softplus(),
        nn.Hardtanh(),
        nn.LeakyReLU(),
        nn.LazyLinear(3),
        nn.LogSoftmax(1),
    ),
    "double": lambda: nn.Sequential(nn.LazyLinear(8), nn.Tanh(), nn.LazyLinear(2)).double(),
}


@pytest.mark.parametrize("opset", [17, 18, 20, 21])
@pytest.mark.parametrize("name", NETS)
def test_networks_give_the_same_in_onnx_runtime(name: str, opset: int, tmp_path: Path) -> None:
    net = NETS[name]()
    model = gn.to_onnx(net, tmp_path / "net.onnx", ("N", 20), opset=opset)
    assert model.opset_import[0].version == opset
    (shape,) = [i.type.tensor_type.shape for i in model.graph.input]
    assert shape.dim[0].dim_param == "N" and shape.dim[1].dim_value == 20
    used = {n for n, _ in [*net.named_parameters(), *net.named_buffers()] if "num_batches" not in n}
    assert sorted(i.name for i in model.graph.initializer) == sorted(used)
    net.eval()
    back = gn.from_onnx(tmp_path / "net.onnx")
    assert dict(back.named_parameters()).keys() == used
    trained = {n for n, p in back.named_parameters() if p.requires_grad}
    assert trained == {n for n, _ in net.named_parameters()}
    for rows in (1, 2, 7):
        x = np.random.default_rng(rows).normal(size=(rows, 20)).astype("float64" if name == "double" else "float32")
        expected = net(x).detach().numpy()
        (got,) = run(onnx.load(tmp_path / "net.onnx"), x)
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-4)
        np.testing.assert_allclose(back(x).detach().numpy(), expected, rtol=1e-6, atol=1e-6)


def test_a_tied_parameter_is_one_initializer_and_comes_back_tied() -> None:
    model = gn.to_onnx(tied(), None, ("N", 4))
    assert len(model.graph.initializer) == 6
    assert set(gn.from_onnx(model).shared) == {"2.weight", "2.bias"}


def test_a_model_that_was_read_trains_compiles_draws_and_is_written_again() -> None:
    graph = gn.from_onnx(gn.to_onnx(tied(), None, ("N", 4)))
    x, y = gn.randn(6, 4), gn.zeros(6, 1)
    np.testing.assert_array_equal(gn.compile(graph)(x).numpy(), graph(x).detach().numpy())
    step = gn.TrainStep(graph.to_module(), nn.MSELoss(), gn.optim.SGD(graph.parameters(), lr=0.05))
    losses = [float(step(x, y)) for _ in range(5)]
    assert losses[-1] < losses[0]
    assert "2.weight" in graph.to_dot()
    again = gn.to_onnx(graph, None)
    np.testing.assert_allclose(run(again, x.numpy())[0], graph(x).detach().numpy(), rtol=1e-5, atol=1e-5)
    assert [i.name for i in again.graph.initializer] == [i.name for i in gn.to_onnx(graph, None).graph.initializer]


def test_the_module_keeps_its_mode_and_frozen_parameters_stay_frozen() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 1))
    net[0].weight.requires_grad_(False)
    net[2].eval()
    model = gn.to_onnx(net, None, ("N", 3))
    assert [m.training for m in net.modules()] == [True, True, True, False]
    frozen = {name for name, p in gn.from_onnx(model).named_parameters() if not p.requires_grad}
    assert frozen == {"0.weight"}


def test_open_sizes_are_computed_in_the_model() -> None:
    def f(x: Any, y: Any) -> Any:
        return x.reshape(x.shape[0] * y.shape[0], -1).mean(0), gn.cat([x.flatten(), y.flatten()]), x / x.shape[0]

    graph = gn.trace(f, ("N", "M", 4), ("M", 2))
    model = gn.to_onnx(graph)
    for n, m in ((2, 3), (1, 1), (4, 2)):
        x, y = np.ones((n, m, 4), "f") * n, np.ones((m, 2), "f")
        for got, expected in zip(run(model, x, y), f(gn.from_numpy(x), gn.from_numpy(y))):
            np.testing.assert_allclose(got, expected.numpy(), rtol=1e-6)
    back = gn.from_onnx(model)
    results = back(x, y)
    assert isinstance(results, tuple) and len(results) == 3
    assert str(back.types[back.inputs[0]][0]) == "float32(N, M, 4)"


def test_outputs_that_are_inputs_or_parameters_or_the_same() -> None:
    weight = nn.Parameter(gn.ones(3))

    def f(x: Any) -> Any:
        y = x * weight
        return y, x, y, weight

    model = gn.to_onnx(f, None, (2, 3))
    results = run(model, np.full((2, 3), 2, "f"))
    assert [r.tolist() for r in results] == [[[2] * 3] * 2, [[2] * 3] * 2, [[2] * 3] * 2, [1] * 3]
    assert [r.shape for r in gn.from_onnx(model)(gn.ones(2, 3))] == [(2, 3), (2, 3), (2, 3), (3,)]


def test_what_cannot_be_written_is_named_with_its_place() -> None:
    graph = gn.trace(lambda x: nn.functional.cross_entropy(x, gn.tensor([0, 1])), (2, 3)).gradient()
    with pytest.raises(gn.GraphError, match=r"to_onnx: cross_entropy_backward \(.*test_onnx.py:\d+\).*no counterpart"):
        gn.to_onnx(graph)


def test_wrong_arguments(tmp_path: Path) -> None:
    net = nn.Linear(2, 2)
    with pytest.raises(gn.errors.ArgumentError, match="give the shape of each input"):
        gn.to_onnx(net, "net.onnx")
    with pytest.raises(gn.errors.ArgumentTypeError, match="expects a path as second argument"):
        gn.to_onnx(net, ("N", 2))
    for opset, kind in ((16, ValueError), (9999, ValueError), ("20", TypeError), (True, TypeError)):
        with pytest.raises(kind, match="opset"):
            gn.to_onnx(net, None, (1, 2), opset=opset)
    with pytest.raises(TypeError, match=r"expects a path or an onnx.ModelProto, got an int"):
        gn.from_onnx(3)
    with pytest.raises(FileNotFoundError):
        gn.from_onnx(tmp_path / "none.onnx")
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(gn.GraphError, match=r"bad.onnx is not an ONNX model"):
        gn.from_onnx(tmp_path / "bad.onnx")
    with pytest.raises(ValueError, match="takes 1 inputs"):
        gn.from_onnx(gn.to_onnx(net, None, (1, 2)))()


def model_of(*nodes: Any, inputs: dict[str, Any], outputs: dict[str, Any], opset: int = 20, **kinds: int) -> Any:
    h = onnx.helper
    infos = [[h.make_tensor_value_info(n, kinds.get(n, 1), s) for n, s in g.items()] for g in (inputs, outputs)]
    return h.make_model(h.make_graph(nodes, "g", *infos), opset_imports=[h.make_opsetid("", opset)])


def test_what_cannot_be_read_is_named_all_at_once() -> None:
    h = onnx.helper
    nodes = [h.make_node("Conv", ["x", "x"], ["y"], name="c1"), h.make_node("STFT", ["y", "y"], ["z"], name="s")]
    model = model_of(*nodes, inputs={"x": [1]}, outputs={"z": [1]})
    with pytest.raises(gn.GraphError, match=r"no counterpart for Conv \(node 'c1'\), STFT \(node 's'\)"):
        gn.from_onnx(model)
    model = model_of(h.make_node("Abs", ["x"], ["y"], name="a"), inputs={"x": [1]}, outputs={"y": [1]}, x=10, y=10)
    with pytest.raises(gn.GraphError, match="input x is of float16"):
        gn.from_onnx(model)
    model = model_of(h.make_node("Elu", ["x"], ["y"], name="e", gamma=1.0), inputs={"x": [1]}, outputs={"y": [1]})
    with pytest.raises(gn.GraphError, match="Elu 'e': the attribute gamma"):
        gn.from_onnx(model)
    model = model_of(h.make_node("Cast", ["x"], ["y"], to=10), inputs={"x": [1]}, outputs={"y": [1]}, y=10)
    with pytest.raises(gn.GraphError, match=r"Cast 'y': .*element type 10"):
        gn.from_onnx(model)
    model = model_of(h.make_node("MatMul", ["x", "x"], ["y"], name="m"), inputs={"x": [2, 3]}, outputs={"y": [2, 3]})
    with pytest.raises(gn.ShapeError, match="MatMul"):
        gn.from_onnx(model)


def test_a_model_that_onnx_does_not_allow_is_refused() -> None:
    add = onnx.helper.make_node("Add", ["x", "i"], ["y"], name="a")
    with pytest.raises(gn.GraphError, match="not a valid ONNX model"):
        gn.from_onnx(model_of(add, inputs={"x": [2], "i": [2]}, outputs={"y": [2]}, i=7))


def test_sizes_that_depend_on_values_make_a_module() -> None:
    model = model_of(
        onnx.helper.make_node("Reshape", ["x", "shape"], ["y"], name="r"),
        inputs={"x": [2, 6], "shape": [2]}, outputs={"y": [None, None]}, shape=7,
    )  # fmt: skip
    net = gn.from_onnx(model)
    assert isinstance(net, gn.onnx.OnnxModule)
    assert net(np.ones((2, 6), "f"), np.array([3, 4])).shape == (3, 4)
    assert net(gn.ones(2, 6), np.array([4, -1])).shape == (4, 3)
    assert net(np.ones((2, 6)), np.array([12])).dtype is gn.float32
    assert "Reshape 'r': input 1 (shape)" in net.reason
    graph = net.to_graph(np.ones((2, 6), "f"), np.array([3, 4]))
    assert graph(gn.ones(2, 6)).shape == (3, 4) and len(graph.inputs) == 1


def test_an_operator_is_read_in_one_place() -> None:
    from graphnet.onnx.reader import row_readers
    from graphnet.onnx.registry import OPERATORS

    assert not row_readers().keys() & OPERATORS.keys()
    unknown = {name for name in {*row_readers(), *OPERATORS} if not onnx.defs.has(name)}
    assert unknown == set()


def test_a_missing_onnx_is_named(without: Callable[..., None]) -> None:
    without("onnx")
    for call in (lambda: gn.to_onnx(nn.Linear(1, 1), None, (1, 1)), lambda: gn.from_onnx("x.onnx")):
        with pytest.raises(ImportError, match=r"pip install 'graphnet\[onnx\]'"):
            call()


def test_the_backend_runs_single_nodes_and_models() -> None:
    backend = importlib.import_module("graphnet.onnx.backend")
    node = onnx.helper.make_node("Add", ["a", "b"], ["c"])
    (result,) = backend.run_node(node, [np.ones((2, 3), "f"), np.full(3, 2, "f")])
    np.testing.assert_array_equal(result, np.full((2, 3), 3, "f"))
    split = onnx.helper.make_node("Split", ["x"], ["a", "b"], num_outputs=2)
    assert [r.shape for r in backend.run_node(split, [np.ones(5, "f")], opset_version=18)] == [(3,), (2,)]
    model = gn.to_onnx(nn.Linear(3, 2), None, ("N", 3))
    assert backend.run_model(model, [np.ones((4, 3), "f")])[0].shape == (4, 2)
    assert backend.supports_device("CPU") and not backend.supports_device("CUDA")
    with pytest.raises(onnx.checker.ValidationError):
        backend.prepare(onnx.ModelProto())


class Exported:
    """Networks as PyTorch writes them, for several batch sizes."""

    NETS = ("mlp", "activations", "reshaping", "attention")

    def __init__(self) -> None:
        self.torch = pytest.importorskip("torch")
        self.t = self.torch.nn

    def mlp(self) -> Any:
        t = self.t
        return t.Sequential(t.Linear(6, 8), t.BatchNorm1d(8), t.ReLU(), t.Dropout(), t.Linear(8, 3), t.LogSoftmax(-1))

    def activations(self) -> Any:
        t = self.t
        return t.Sequential(
            t.GELU(), t.SiLU(), t.ELU(), t.SELU(), t.Hardswish(), t.Mish(), t.PReLU(), t.CELU(), t.GLU()
        )

    def reshaping(self) -> Any:
        class Reshaping(self.t.Module):  # type: ignore[misc, name-defined]
            def forward(self, x: Any) -> Any:
                y = x.view(x.size(0), 2, -1).transpose(1, 2)
                return y.reshape(x.shape[0] * y.shape[1], -1), y[:, 1:3].mean((1, 2)), x.chunk(2, 1)[1].cumsum(1)

        return Reshaping()

    def attention(self) -> Any:
        torch, t = self.torch, self.t

        class Attention(t.Module):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                super().__init__()
                self.norm, self.q, self.o = t.LayerNorm(6), t.Linear(6, 6), t.Linear(6, 6)

            def forward(self, x: Any) -> Any:
                h = self.norm(x)[:, None] * torch.arange(1.0, 4.0)[:, None]
                n, length, size = h.shape
                q = self.q(h).view(n, length, 2, 3).transpose(1, 2)
                mask = torch.triu(torch.full((length, length), -float("inf")), 1)
                weights = torch.softmax(q @ q.transpose(-1, -2) / 2.0 + mask, -1)
                return self.o((weights @ q).transpose(1, 2).reshape(n, length, size))

        return Attention()


@pytest.mark.parametrize("name", Exported.NETS)
def test_what_pytorch_exports_is_read(name: str) -> None:
    nets = Exported()
    torch = nets.torch
    net = getattr(nets, name)().eval()
    x, file = torch.randn(3, 6), io.BytesIO()
    settings = {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}, "opset_version": 17}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's, that this exporter is the old one
        torch.onnx.export(net, (x,), file, **settings)
    graph = gn.from_onnx(onnx.load_from_string(file.getvalue()))
    assert isinstance(graph, gn.Graph)
    assert "Shape" not in str(graph)
    for batch in (x, torch.randn(7, 6)):
        expected, got = net(batch), graph(batch.numpy())
        for a, b in zip(*(r if isinstance(r, tuple) else (r,) for r in (got, expected)), strict=True):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=1e-5, atol=1e-5)
