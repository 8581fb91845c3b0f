"""Every layer, loss and function of nn beside PyTorch's: values, gradients, printing, eagerly and compiled.

A row makes the same layer of either library and the arrays it takes; parameters and buffers are copied from PyTorch's.
What the lists below name has a row, or a test fails.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphnet as gn

torch = pytest.importorskip("torch")

MODULES = [
    "Linear",
    "LazyLinear",
    "Bilinear",
    "Identity",
    "Flatten",
    "Unflatten",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "GELU",
    "SiLU",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Softmax",
    "LogSoftmax",
    "Hardtanh",
    "PReLU",
    "Dropout",
    "LayerNorm",
    "RMSNorm",
    "BatchNorm1d",
    "LazyBatchNorm1d",
    "Embedding",
    "MSELoss",
    "L1Loss",
    "SmoothL1Loss",
    "HuberLoss",
    "CrossEntropyLoss",
    "NLLLoss",
    "BCELoss",
    "BCEWithLogitsLoss",
    "KLDivLoss",
    "Sequential",
    "ModuleList",
    "ModuleDict",
    "ParameterList",
]
FUNCTIONS = [
    "linear",
    "bilinear",
    "relu",
    "leaky_relu",
    "elu",
    "gelu",
    "silu",
    "sigmoid",
    "tanh",
    "softplus",
    "softmax",
    "log_softmax",
    "hardtanh",
    "prelu",
    "dropout",
    "layer_norm",
    "rms_norm",
    "batch_norm",
    "embedding",
    "mse_loss",
    "l1_loss",
    "smooth_l1_loss",
    "huber_loss",
    "cross_entropy",
    "nll_loss",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "kl_div",
]

RNG = np.random.default_rng(11)


def normal(*shape: int) -> Any:
    return RNG.standard_normal(shape)


def positive(*shape: int) -> Any:
    return RNG.uniform(0.05, 0.95, shape)


def classes(count: int, *shape: int) -> Any:
    return RNG.integers(0, count, shape)


def distribution(*shape: int, axis: int = 1) -> Any:
    p = RNG.uniform(0.1, 1, shape)
    return p / p.sum(axis, keepdims=True)


class Row(NamedTuple):
    name: str
    arguments: tuple[Any, ...]
    settings: dict[str, Any]
    inputs: tuple[Any, ...]
    twice: bool = True  # PyTorch differentiates it twice, rightly

    def __str__(self) -> str:
        told = [*map(str, self.arguments), *(f"{k}={np.shape(v) or v}" for k, v in self.settings.items())]
        return f"{self.name}({', '.join(told)})-{'-'.join(str(np.shape(i)) for i in self.inputs)}"


def row(name: str, *inputs: Any, args: tuple[Any, ...] = (), twice: bool = True, **settings: Any) -> Row:
    return Row(name, args, settings, inputs, twice)


X = normal(4, 6)
KINKS = np.concatenate([normal(9) * 3, [0.0, 1.0, -1.0]]).reshape(3, 4)
FAR = np.array([[-200.0, -30.0, 30.0, 200.0]])
LAYERS = [
    row("Linear", X, args=(6, 3)),
    row("Linear", normal(2, 4, 6), args=(6, 3), bias=False),
    row("Linear", normal(6), args=(6, 3)),
    row("LazyLinear", X, args=(3,)),
    row("Bilinear", normal(4, 3), normal(4, 5), args=(3, 5, 2)),
    row("Bilinear", normal(2, 4, 3), normal(2, 4, 5), args=(3, 5, 2), bias=False),
    row("Identity", X, args=(1, 2)),
    row("Flatten", normal(2, 3, 4)),
    row("Flatten", normal(2, 3, 4), start_dim=0, end_dim=1),
    row("Unflatten", normal(2, 6), args=(1, (2, 3))),
    row("Unflatten", normal(2, 6, 3), args=(-2, (-1, 3))),
    *(
        row(n, x)
        for n in ("ReLU", "LeakyReLU", "ELU", "GELU", "SiLU", "Sigmoid", "Tanh", "Softplus", "Hardtanh")
        for x in (X, KINKS, normal(0, 3), FAR)
    ),
    row("LeakyReLU", KINKS, args=(0.3,)),
    row("ELU", KINKS, alpha=1.7),
    row("GELU", X, args=("tanh",)),
    row("Softplus", KINKS, args=(2.0, 3.0)),
    row("Hardtanh", KINKS, args=(-0.5, 1.5)),
    *(
        row(n, x, dim=d)
        for n in ("Softmax", "LogSoftmax")
        for x, d in ((X, 1), (X, 0), (normal(2, 3, 4), 1), (FAR, -1))
    ),
    row("PReLU", KINKS),
    row("PReLU", normal(2, 6, 3), args=(6,), init=0.4),
    row("PReLU", X, num_parameters=6),
    row("Dropout", X, p=0.0),
    row("LayerNorm", X, args=(6,)),
    row("LayerNorm", normal(2, 3, 4), args=((3, 4),), eps=0.1),
    row("LayerNorm", normal(2, 3, 40), args=(40,), bias=False),
    row("LayerNorm", X, args=(6,), elementwise_affine=False),
    row("RMSNorm", X, args=(6,), twice=True),
    row("RMSNorm", normal(2, 3, 4), args=((3, 4),), eps=0.1, elementwise_affine=False),
    row("BatchNorm1d", X, args=(6,)),
    row("BatchNorm1d", normal(3, 6, 5), args=(6,), momentum=0.3, eps=0.1),
    row("BatchNorm1d", X, args=(6,), momentum=None),
    row("BatchNorm1d", X, args=(6,), affine=False),
    row("BatchNorm1d", X, args=(6,), track_running_stats=False),
    row("BatchNorm1d", X, args=(6,), bias=False),
    row("LazyBatchNorm1d", normal(3, 6, 5)),
    row("LazyBatchNorm1d", X, affine=False),
    row("Embedding", classes(7, 3, 2), args=(7, 4)),
    row("Embedding", np.array([0, 2, 2, 5]), args=(7, 4), padding_idx=2),
    row("Embedding", np.array([0, 2, 2, 5]), args=(7, 4), padding_idx=-2, scale_grad_by_freq=True, twice=False),
    row("Embedding", np.array([0, 2, 2, 5]), args=(7, 4), max_norm=1.0, twice=False),  # not traced
    row("Embedding", np.array(3), args=(7, 4)),
    row("Embedding", np.zeros(0, np.int64), args=(7, 4)),
]
_P, _T = positive(4, 3), positive(4, 3)
_SOME = np.array([0, 1, 1, 2, 1])
_ENDS = (np.array([0.0, 1.0, 0.0, 1.0]), np.array([0.0, 0.0, 1.0, 1.0]))
LOSSES = [
    *(
        row(name, *inputs, reduction=reduction, **settings)
        for reduction in ("mean", "sum", "none")
        for name, inputs, settings in (
            ("MSELoss", (normal(4, 3), normal(4, 3)), {}),
            ("L1Loss", (normal(4, 3), normal(4, 3)), {}),
            ("SmoothL1Loss", (normal(4, 3) * 2, normal(4, 3)), {}),
            ("SmoothL1Loss", (normal(5), normal(5)), {"beta": 0.3}),
            ("SmoothL1Loss", (normal(5), normal(5)), {"beta": 0.0}),
            ("HuberLoss", (normal(4, 3) * 2, normal(4, 3)), {}),
            ("HuberLoss", (normal(5), normal(5)), {"delta": 0.3}),
            ("CrossEntropyLoss", (normal(5, 3), classes(3, 5)), {}),
            ("CrossEntropyLoss", (normal(5, 3), classes(3, 5)), {"weight": positive(3), "label_smoothing": 0.2}),
            ("CrossEntropyLoss", (normal(5, 3), _SOME), {"ignore_index": 1, "label_smoothing": 0.1}),
            ("CrossEntropyLoss", (normal(5, 3), _SOME), {"ignore_index": 1, "weight": positive(3)}),
            ("CrossEntropyLoss", (normal(5, 3), distribution(5, 3)), {}),
            ("CrossEntropyLoss", (normal(5, 3), distribution(5, 3)), {"weight": positive(3), "label_smoothing": 0.2}),
            ("CrossEntropyLoss", (normal(2, 3, 4), classes(3, 2, 4)), {"label_smoothing": 0.1}),
            ("CrossEntropyLoss", (normal(2, 3, 4, 2), classes(3, 2, 4, 2)), {"weight": positive(3)}),
            ("CrossEntropyLoss", (normal(2, 3, 4), distribution(2, 3, 4)), {}),
            ("CrossEntropyLoss", (normal(3), np.array(2)), {}),
            ("CrossEntropyLoss", (normal(3), distribution(3, axis=0)), {}),
            ("NLLLoss", (normal(5, 3), classes(3, 5)), {}),
            ("NLLLoss", (normal(5, 3), np.array([0, 1, -100, 2, 1])), {"weight": positive(3)}),
            ("NLLLoss", (normal(2, 3, 4), classes(3, 2, 4)), {"ignore_index": 1}),
            ("NLLLoss", (normal(3), np.array(1)), {}),
            ("BCELoss", (_P, _T), {}),
            ("BCELoss", _ENDS, {"twice": False}),
            ("BCELoss", (_P, _T), {"weight": positive(3)}),
            ("BCEWithLogitsLoss", (normal(4, 3) * 4, positive(4, 3)), {}),
            ("BCEWithLogitsLoss", (normal(4, 3), positive(4, 3)), {"pos_weight": positive(3) * 3}),
            ("BCEWithLogitsLoss", (_P, _T), {"pos_weight": positive(3), "weight": positive(4, 1)}),
            ("BCEWithLogitsLoss", (FAR, np.array([[0.0, 1.0, 0.0, 1.0]])), {}),
        )
    ),
    *(
        row("KLDivLoss", np.log(distribution(4, 3)), target, reduction=reduction, log_target=logs)
        for reduction in ("batchmean", "mean", "sum", "none")
        for logs, target in ((False, distribution(4, 3)), (True, np.log(distribution(4, 3))))
    ),
]  # fmt: skip
ROWS = [*LAYERS, *LOSSES]
_IN_CONTAINERS = {"Sequential", "ModuleList", "ModuleDict", "ParameterList"}  # have tests of their own


def test_every_module_and_function_is_there() -> None:
    assert {r.name for r in ROWS} | _IN_CONTAINERS == set(MODULES)
    assert set(MODULES) <= set(gn.nn.__all__)
    assert set(FUNCTIONS) <= set(gn.nn.functional.__all__)
    assert {f for f, _, _, _ in CALLS} == set(FUNCTIONS)


def theirs(r: Row, kind: Any) -> Any:
    arrays = {k: torch.tensor(v, dtype=kind) if isinstance(v, np.ndarray) else v for k, v in r.settings.items()}
    extra = {"dtype": kind} if r.name in WITH_DTYPE else {}
    return getattr(torch.nn, r.name)(*r.arguments, **arrays, **extra)


def ours(r: Row, kind: Any) -> Any:
    dtype = getattr(gn, kind)
    arrays = {k: gn.tensor(v, dtype=dtype) if isinstance(v, np.ndarray) else v for k, v in r.settings.items()}
    extra = {"dtype": dtype} if r.name in WITH_DTYPE else {}
    return getattr(gn.nn, r.name)(*r.arguments, **arrays, **extra)


WITH_DTYPE = {
    "Linear", "LazyLinear", "Bilinear", "PReLU", "LayerNorm", "RMSNorm", "BatchNorm1d", "LazyBatchNorm1d", "Embedding",
}  # fmt: skip


def typed(array: Any, kind: str) -> Any:
    return array.astype(kind) if array.dtype.kind == "f" else array


def close(got: Any, expected: Any, kind: str, what: str = "", factor: float = 1) -> None:
    got, expected = np.asarray(got.detach() if hasattr(got, "detach") else got), expected.detach().numpy()
    assert got.shape == expected.shape, what
    assert got.dtype == expected.dtype, what
    eps = float(np.finfo(kind).eps) * factor
    finite = expected[np.isfinite(expected)]
    scale = float(np.abs(finite).max(initial=1))
    np.testing.assert_allclose(got, expected, rtol=200 * eps, atol=64 * eps * scale, err_msg=what)


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("r", ROWS, ids=str)
@pytest.mark.filterwarnings("ignore")  # both libraries' of reductions and shapes
def test_beside_pytorch(r: Row, kind: str) -> None:
    """Values, gradients of inputs and parameters, buffers, in training and evaluation, eagerly, traced and compiled."""
    their, our = theirs(r, getattr(torch, kind)), ours(r, kind)
    arrays = [typed(a, kind) for a in r.inputs]
    if r.name.startswith("Lazy"):
        assert repr(our) == repr(their)
        their(torch.tensor(arrays[0]))
        their.load_state_dict(
            {k: torch.zeros_like(v) if k.startswith("num") else v for k, v in their.state_dict().items()}
        )
        torch.nn.init.normal_(their.weight) if getattr(their, "weight", None) is not None else None
    copy_state(their, our)
    assert repr(our) == repr(their)
    compiled_net = ours(r, kind)
    copy_state(their, compiled_net)
    # Layers with running statistics twice in training; most do not depend on the mode.
    for mode in (True, True, False) if list(their.buffers()) else (True, False) if r.name == "Dropout" else (True,):
        their.train(mode), our.train(mode), compiled_net.train(mode)
        a = [torch.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
        b = [gn.tensor(x, requires_grad=x.dtype.kind == "f") for x in arrays]
        expected, got = their(*a), our(*b)
        close(got, expected, kind)
        if expected.requires_grad and expected.numel():
            g = np.random.default_rng(3).standard_normal(tuple(expected.shape)).astype(kind)
            their.zero_grad(), our.zero_grad()
            expected.backward(torch.tensor(g)), got.backward(gn.tensor(g))
            for x, y in zip(a, b):
                if x.grad is not None:
                    close(y.grad, x.grad, kind, "gradient of an input", 8)
            for (name, p), q in zip(their.named_parameters(), our.parameters()):
                close(q.grad, p.grad, kind, f"gradient of {name}", 8)
        compare_buffers(their, our, kind)
        if "max_norm" in r.settings:
            continue  # the table's rows are shortened where they lie, which no graph does
        # times 1, as a network that does nothing is not traced
        results = gn.compile(lambda *t: compiled_net(*t) * 1)(*[gn.tensor(x) for x in arrays])
        close(results, expected, kind, "compiled")
        compare_buffers(their, compiled_net, kind)


def copy_state(their: Any, our: Any) -> None:
    state = {k: v.numpy() for k, v in their.state_dict().items()}
    our.load_state_dict({k: gn.tensor(v) for k, v in state.items()})


def compare_buffers(their: Any, our: Any, kind: str) -> None:
    assert [n for n, _ in our.named_buffers()] == [n for n, _ in their.named_buffers()]
    for (name, b), (_, c) in zip(our.named_buffers(), their.named_buffers()):
        close(b, c, kind, name)


@pytest.mark.parametrize(
    "r", [r for r in ROWS if r.twice and np.size(r.inputs[0]) and r.settings.get("reduction") != "sum"], ids=str
)
@pytest.mark.filterwarnings("ignore")
def test_second_derivatives_in_the_graph(r: Row) -> None:
    """The gradient's gradient of sums of squares, from a graph of gradients, beside PyTorch's."""
    their, our = theirs(r, torch.float64), ours(r, "float64")
    arrays = [typed(a, "float64") for a in r.inputs]
    if r.name.startswith("Lazy"):
        their(torch.tensor(arrays[0]))
    copy_state(their, our)
    wanted = [i for i, x in enumerate(arrays) if x.dtype.kind == "f"]
    a = [torch.tensor(x, requires_grad=i in wanted) for i, x in enumerate(arrays)]
    parameters = list(their.parameters())
    leaves = [*parameters, *(a[i] for i in wanted)]
    first = their(*a).pow(2).sum()
    grads = torch.autograd.grad(first, leaves, create_graph=True, allow_unused=True)
    total = sum(g.pow(2).sum() for g in grads if g is not None)
    if not total.requires_grad:
        pytest.skip("PyTorch's first gradient is constant")
    try:
        expected = torch.autograd.grad(total, leaves, allow_unused=True)
    except RuntimeError as error:
        pytest.skip(f"PyTorch: {error}")

    copied = {k: v.clone() for k, v in our.named_buffers()}
    graph = gn.trace(lambda *t: our(*t).square().sum(), *[gn.Spec(x.shape, x.dtype) for x in arrays])
    once = graph.gradient()

    def squares(*t: Any) -> Any:
        return sum(g.square().sum() for g in once(*t)[1:])

    twice = gn.trace(squares, *[gn.Spec(x.shape, x.dtype) for x in arrays]).gradient()
    found = dict(zip((id(p) for p in twice.parameters if p.requires_grad), twice(*map(gn.tensor, arrays))[1:]))
    inputs = twice(*map(gn.tensor, arrays))[1 + len(found) :]
    for buffer, value in copied.items():
        assert our.get_buffer(buffer).shape == value.shape
    got = [found.get(id(p)) for p in our.parameters()] + list(inputs)
    assert len(got) == len(expected)
    for mine, other in zip(got, expected):
        if other is not None and mine is not None:
            close(mine, other, "float64", "second derivative", 256)
        else:
            assert other is None or not other.any() or mine is not None


CALLS: list[tuple[str, tuple[Any, ...], dict[str, Any], bool]] = [
    ("linear", (X, normal(3, 6), normal(3)), {}, True),
    ("bilinear", (normal(4, 3), normal(4, 5), normal(2, 3, 5), normal(2)), {}, True),
    *((n, (X,), {}, True) for n in ("relu", "leaky_relu", "elu", "silu", "sigmoid", "tanh", "hardtanh")),
    ("gelu", (X,), {"approximate": "tanh"}, True),
    ("gelu", (X,), {}, True),
    ("softplus", (X,), {"beta": 2, "threshold": 1}, True),
    ("softmax", (X,), {"dim": 0}, True),
    ("log_softmax", (X, 1), {}, True),
    ("prelu", (X, positive(6)), {}, True),
    ("prelu", (normal(5), positive(1)), {}, True),
    ("dropout", (X,), {"training": False}, True),
    ("layer_norm", (X, (6,)), {}, True),
    ("layer_norm", (X, (6,), normal(6), normal(6)), {}, True),
    ("rms_norm", (X, (6,), normal(6)), {}, True),
    ("batch_norm", (X, normal(6), positive(6), normal(6), normal(6)), {}, True),
    ("batch_norm", (normal(2, 6, 3, 2), None, None), {"training": True}, True),
    ("embedding", (classes(5, 4), normal(5, 3)), {"padding_idx": 1}, True),
    ("mse_loss", (X, normal(4, 6)), {"weight": positive(4, 6)}, True),
    ("mse_loss", (X, normal(4, 6)), {"weight": positive(4, 6), "reduction": "sum"}, True),
    ("l1_loss", (X, normal(4, 6)), {"weight": positive(4, 6)}, True),
    ("huber_loss", (X, normal(4, 6)), {"weight": positive(4, 6)}, True),
    ("smooth_l1_loss", (X, normal(4, 6)), {"beta": 2.0}, True),
    ("mse_loss", (X, normal(4, 6)), {"size_average": False}, True),
    ("cross_entropy", (X, distribution(4, 6)), {"label_smoothing": 0.1}, True),
    ("nll_loss", (X, classes(6, 4), positive(6)), {"reduction": "sum"}, True),
    ("binary_cross_entropy", (positive(4, 3), positive(4, 3)), {"weight": positive(4, 3)}, True),
    ("binary_cross_entropy_with_logits", (X, positive(4, 6)), {"pos_weight": positive(6)}, True),
    ("kl_div", (np.log(distribution(4, 3)), distribution(4, 3)), {"reduction": "batchmean"}, True),
]


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("call", CALLS, ids=lambda c: f"{c[0]}-{list(c[2])}")
@pytest.mark.filterwarnings("ignore")
def test_functions_beside_pytorch(call: Any, kind: str) -> None:
    name, args, settings, _ = call

    def convert(make: Any, value: Any, grad: bool) -> Any:
        if not isinstance(value, np.ndarray):
            return value
        return make(typed(value, kind), requires_grad=grad and value.dtype.kind == "f")

    running = name == "batch_norm"  # gradients of statistics are refused by both
    a = [convert(torch.tensor, v, not (running and i in (1, 2))) for i, v in enumerate(args)]
    b = [convert(gn.tensor, v, not (running and i in (1, 2))) for i, v in enumerate(args)]
    if name in ("nll_loss", "cross_entropy") and len(args) > 2:
        a[2].requires_grad_(False), b[2].requires_grad_(False)
    kw = [{k: convert(m, v, False) for k, v in settings.items()} for m in (torch.tensor, gn.tensor)]
    expected = getattr(torch.nn.functional, name)(*a, **kw[0])
    got = getattr(gn.nn.functional, name)(*b, **kw[1])
    close(got, expected, kind)
    g = np.random.default_rng(3).standard_normal(tuple(expected.shape)).astype(kind)
    expected.backward(torch.tensor(g)), got.backward(gn.tensor(g))
    for x, y in zip(a, b):
        if isinstance(x, torch.Tensor) and x.grad is not None:
            close(y.grad, x.grad, kind, "gradient", 8)


def signature(function: Any) -> list[tuple[str, Any]]:
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.default if not isinstance(p.default, float) else float(p.default)) for p in parameters]


@pytest.mark.parametrize("name", [n for n in MODULES if n not in ("Sequential", "Identity")])
def test_signatures_are_pytorchs(name: str) -> None:
    ours, theirs = (signature(getattr(home, name).__init__) for home in (gn.nn, torch.nn))
    if name in ("Sigmoid", "Tanh"):
        return  # PyTorch's take and ignore anything
    assert ours == theirs


@pytest.mark.parametrize("name", FUNCTIONS)
def test_signatures_of_functions_are_pytorchs(name: str) -> None:
    try:
        theirs = signature(getattr(torch.nn.functional, name))
    except ValueError:
        pytest.skip("PyTorch's is a builtin")
    assert signature(getattr(gn.nn.functional, name)) == theirs


def first_values(make: Callable[[], Any]) -> Any:
    gn.manual_seed(0)
    return make()


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Linear", (400, 300)),
        ("Bilinear", (40, 30, 50)),
        ("Embedding", (500, 100)),
        ("LayerNorm", (5,)),
        ("PReLU", (3,)),
        ("BatchNorm1d", (4,)),
    ],
)
def test_first_values_are_distributed_as_pytorchs(name: str, arguments: Any) -> None:
    torch.manual_seed(0)
    their, our = getattr(torch.nn, name)(*arguments), first_values(lambda: getattr(gn.nn, name)(*arguments))
    for (key, p), (other, q) in zip(their.named_parameters(), our.named_parameters()):
        assert key == other
        a, b = p.detach().numpy(), q.detach().numpy()
        assert a.shape == b.shape
        assert a.dtype == b.dtype
        spread = a.std() + 1e-9
        assert abs(a.mean() - b.mean()) <= 8 * spread / np.sqrt(a.size) + 1e-9
        assert abs(a.std() - b.std()) <= 8 * spread / np.sqrt(a.size) + 1e-9
        assert np.abs(b).max() <= 1.3 * np.abs(a).max() + 1e-9
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert list(our.state_dict()) == list(their.state_dict())
