"""What PyTorch computes, graphnet computes: values, gradients and dtypes of operators, methods, and losses."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import graphnet as gn
from graphnet.nn import functional as F  # noqa: N812

torch = pytest.importorskip("torch")
TF = torch.nn.functional

DTYPES = ("bool", "int32", "int64", "float32", "float64")


def data(*shape: int, dtype: str = "float64", low: float = 0.4, high: float = 1.6) -> Any:
    rng = np.random.default_rng([*shape, 11])
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if dtype.startswith("int"):
        return rng.integers(1, 5, shape).astype(dtype)
    signs = rng.choice([-1.0, 1.0], shape)
    return (rng.uniform(low, high, shape) * signs).astype(dtype)


def same(ours: Any, theirs: Any, terms: int = 16) -> None:
    """Same shape, dtype and, up to rounding, values; nested results too."""
    if isinstance(theirs, tuple) and not isinstance(theirs, torch.Size):
        for a, b in zip(ours, theirs, strict=True):
            same(a, b, terms)
        return
    if not isinstance(theirs, torch.Tensor):
        assert ours == theirs
        return
    assert isinstance(ours, gn.Tensor)
    assert tuple(ours.shape) == tuple(theirs.shape)
    assert ours.dtype.name == str(theirs.dtype).removeprefix("torch.")
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    if a.dtype.kind != "f":
        np.testing.assert_array_equal(a, b)
        return
    eps = float(np.finfo(a.dtype).eps)
    finite = np.abs(b[np.isfinite(b)])
    np.testing.assert_allclose(a, b, rtol=terms * eps, atol=terms * eps * finite.max(initial=0))


def check(function: Callable[..., Any], *arrays: Any, terms: int = 64, gradients: bool = True) -> None:
    """The same function with graphnet and with torch: results, then gradients of every floating-point operand."""
    mine = [gn.tensor(a) for a in arrays]
    theirs = [torch.tensor(a) for a in arrays]
    for a, b in zip(mine, theirs):
        if gradients and a.is_floating_point():
            a.requires_grad_()
            b.requires_grad_()
    ours, expected = function(gn, *mine), function(torch, *theirs)
    same(ours, expected, terms)
    if not isinstance(expected, torch.Tensor) or not gradients:
        return
    assert ours.requires_grad == expected.requires_grad
    if expected.requires_grad:
        upstream = data(*expected.shape, dtype=str(expected.dtype).removeprefix("torch."))
        ours.backward(gn.tensor(upstream))
        expected.backward(torch.tensor(upstream))
        for a, b in zip(mine, theirs):
            assert (a.grad is None) == (b.grad is None)
            if b.grad is not None:
                same(a.grad, b.grad, terms)


X, Y, M, V = data(3, 4), data(3, 4, dtype="float64")[::-1].copy(), data(4, 5), data(4)
P = np.abs(X)

EXPRESSIONS: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "a + b": (lambda t, a, b: a + b, (X, Y)),
    "a - b": (lambda t, a, b: a - b, (X, V)),
    "a * b": (lambda t, a, b: a * b, (X, V)),
    "a / b": (lambda t, a, b: a / b, (X, Y)),
    "a ** b": (lambda t, a, b: a**b, (P, Y)),
    "a ** 2": (lambda t, a: a**2, (X,)),
    "a ** 0": (lambda t, a: a**0, (X,)),
    "a ** -1.5": (lambda t, a: a**-1.5, (P,)),
    "2 ** a": (lambda t, a: 2**a, (X,)),
    "0 ** a": (lambda t, a: 0.0**a, (P,)),
    "a ** 2 at 0": (lambda t, a: a**2, (np.zeros(3),)),
    "a ** b at 0": (lambda t, a, b: a**b, (np.zeros(4), np.array([0.0, 1.0, 2.0, 0.5]))),
    "a // b": (lambda t, a, b: a.detach() // b.detach(), (X, V)),
    "a % b": (lambda t, a, b: a % b, (X, V)),
    "a % 0.7": (lambda t, a: a % 0.7, (X,)),
    "1 - a": (lambda t, a: 1 - a, (X,)),
    "1 / a": (lambda t, a: 1 / a, (X,)),
    "-a": (lambda t, a: -a, (X,)),
    "+a": (lambda t, a: +a * 1, (X,)),
    "abs(a)": (lambda t, a: abs(a), (X,)),
    "abs at 0": (lambda t, a: abs(a), (np.array([0.0, -0.0, 1.0]),)),
    "a @ m": (lambda t, a, b: a @ b, (X, M)),
    "a @ v": (lambda t, a, b: a @ b, (X, V)),
    "v @ m": (lambda t, a, b: a @ b, (V, M)),
    "v @ v": (lambda t, a, b: a @ b, (V, V[::-1].copy())),
    "batch @ m": (lambda t, a, b: a @ b, (data(2, 3, 4), M)),
    "batch @ v": (lambda t, a, b: a @ b, (data(2, 3, 4), V)),
    "v @ batch": (lambda t, a, b: a @ b, (V, data(2, 4, 3))),
    "m.T @ a.T": (lambda t, a, b: b.T @ a.T, (X, M)),
    "relu": (lambda t, a: t.relu(a), (X,)),
    "relu at 0": (lambda t, a: t.relu(a), (np.array([0.0, -0.0, 1.0, -1.0]),)),
    "relu of nan": (lambda t, a: t.relu(a), (np.array([np.nan, 1.0]),)),
    "exp": (lambda t, a: t.exp(a), (X,)),
    "log": (lambda t, a: t.log(a), (P,)),
    "sqrt": (lambda t, a: t.sqrt(a), (P,)),
    "sin cos": (lambda t, a: t.sin(a) * t.cos(a), (X,)),
    "tanh": (lambda t, a: t.tanh(a), (X,)),
    "sigmoid": (lambda t, a: t.sigmoid(a * 4), (X,)),
    "erf": (lambda t, a: t.erf(a), (X,)),
    "sign": (lambda t, a: t.sign(a), (X,)),
    "square": (lambda t, a: t.square(a), (X,)),
    "maximum": (lambda t, a, b: t.maximum(a, b), (X, Y)),
    "maximum of ties": (lambda t, a, b: t.maximum(a, b), (np.ones(3), np.ones(3))),
    "minimum": (lambda t, a, b: t.minimum(a, b), (X, V)),
    "where": (lambda t, a, b: t.where(a > 0, a, b), (X, V)),
    "where numbers": (lambda t, a: t.where(a > 0, a, 2.0), (X,)),
    "sum": (lambda t, a: a.sum(), (X,)),
    "sum dim": (lambda t, a: a.sum(1), (X,)),
    "sum dims kept": (lambda t, a: a.sum(dim=(0, 2), keepdim=True), (data(2, 3, 4),)),
    "sum of nothing": (lambda t, a: a.sum(), (np.zeros((0, 3)),)),
    "mean": (lambda t, a: a.mean(), (X,)),
    "mean dim": (lambda t, a: a.mean(-1, keepdim=True), (X,)),
    "mean of nothing": (lambda t, a: a.mean(), (np.zeros((0, 3)),)),
    "prod": (lambda t, a: a.prod(), (V,)),
    "prod with a zero": (lambda t, a: a.prod(), (np.array([2.0, 0.0, 3.0]),)),
    "prod dim": (lambda t, a: a.prod(1), (X,)),
    "max": (lambda t, a: a.max(), (X,)),
    "max of ties": (lambda t, a: a.max(), (np.array([1.0, 2.0, 2.0]),)),
    "min": (lambda t, a: t.min(a), (X,)),
    "max dim": (lambda t, a: tuple(t.max(a, 1)), (X,)),
    "max dim values": (lambda t, a: a.max(dim=1).values, (np.array([[1.0, 2.0, 2.0], [3.0, 0.0, 3.0]]),)),
    "min dim kept": (lambda t, a: a.min(0, keepdim=True).values, (X,)),
    "amax": (lambda t, a: a.amax(1), (np.array([[1.0, 2.0, 2.0], [3.0, 0.0, 3.0]]),)),
    "amin dims": (lambda t, a: a.amin((0, 1)), (X,)),
    "argmax": (lambda t, a: a.argmax(), (X,)),
    "argmax dim": (lambda t, a: a.argmax(1, keepdim=True), (X,)),
    "argmin": (lambda t, a: t.argmin(a, 0), (X,)),
    "var": (lambda t, a: a.var(), (X,)),
    "var dim": (lambda t, a: a.var(1, keepdim=True), (X,)),
    "std": (lambda t, a: t.std(a, 0), (X,)),
    "softmax": (lambda t, a: t.softmax(a, 1), (X,)),
    "softmax first": (lambda t, a: a.softmax(0), (X,)),
    "log_softmax": (lambda t, a: t.log_softmax(a, -1), (X,)),
    "reshape": (lambda t, a: a.reshape(2, -1), (X,)),
    "reshape of a transpose": (lambda t, a: a.T.reshape(12), (X,)),
    "view": (lambda t, a: a.view(4, 3), (X,)),
    "T": (lambda t, a: a.T, (X,)),
    "mT": (lambda t, a: a.mT, (data(2, 3, 4),)),
    "transpose": (lambda t, a: a.transpose(0, 2), (data(2, 3, 4),)),
    "permute": (lambda t, a: a.permute(2, 0, 1), (data(2, 3, 4),)),
    "flatten": (lambda t, a: t.flatten(a, 1), (data(2, 3, 4),)),
    "flatten of 0-d": (lambda t, a: a.flatten(), (np.array(2.0),)),
    "unsqueeze squeeze": (lambda t, a: a.unsqueeze(1).squeeze(1).unsqueeze(-1), (X,)),
    "squeeze all": (lambda t, a: a.squeeze(), (data(1, 3, 1),)),
    "expand": (lambda t, a: a.expand(3, -1), (V,)),
    "cat": (lambda t, a, b: t.cat([a, b], 0), (X, Y)),
    "cat dim": (lambda t, a, b: t.cat((a, b), dim=-1), (X, data(3, 2))),
    "stack": (lambda t, a, b: t.stack([a, b], 1), (X, Y)),
    "clone": (lambda t, a: a.clone(), (X,)),
    "detach": (lambda t, a: a.detach() * a, (X,)),
    "cast": (lambda t, a: a.float().double() * 2, (X,)),
    "used twice": (lambda t, a: (a * a + a).sum() * a.sum(), (X,)),
    "in-place add": (lambda t, a: (a * 1).__iadd__(2), (X,)),
    "in-place mul": (lambda t, a, b: operator.imul(a * 1, b), (X, V)),
    "in-place div": (lambda t, a: operator.itruediv(a * 1, 2), (X,)),
    "in-place pow": (lambda t, a: operator.ipow(a * 1, 2), (X,)),
    "in-place of what no gradient reads": (lambda t, a: operator.isub(t.sin(a), 1).abs().sum(), (X,)),
    "a > b": (lambda t, a, b: a > b, (X, V)),
    "a == b": (lambda t, a, b: a == b, (X, X)),
    "a != b": (lambda t, a, b: a != b, (X, Y)),
    "a[1]": (lambda t, a: a[1], (X,)),
    "a[-1, 2]": (lambda t, a: a[-1, 2], (X,)),
    "a[:, 1:3]": (lambda t, a: a[:, 1:3], (X,)),
    "a[::2]": (lambda t, a: a[::2], (X,)),
    "a[..., None]": (lambda t, a: a[..., None], (X,)),
    "a[None, 1]": (lambda t, a: a[None, 1], (X,)),
    "a[[2, 0, 2]]": (lambda t, a: a[[2, 0, 2]], (X,)),
    "a[tensor]": (lambda t, a: a[t.tensor([0, -1])], (X,)),
    "a[matrix of rows]": (lambda t, a: a[t.tensor([[0, 1], [2, 2]])], (X,)),
    "a[mask]": (lambda t, a: a[a > 0], (X,)),
    "a[row mask]": (lambda t, a: a[t.tensor([True, False, True])], (X,)),
    "a[5:2]": (lambda t, a: a[5:2], (X,)),
    "any all": (lambda t, a: (a > 0).any() & (a > -9).all(1), (X,)),
    "bool logic": (lambda t, a: ~(a > 0) | (a > 1) ^ (a < 0), (X,)),
    "isnan isfinite": (lambda t, a: a.isnan() | ~a.isfinite(), (np.array([1.0, np.nan, np.inf]),)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions(name: str, dtype: str) -> None:
    function, arrays = EXPRESSIONS[name]
    check(function, *(a.astype(dtype) for a in arrays))


LOGITS, CLASSES = data(4, 5), np.array([1, 0, 4, 2])
WEIGHT = np.abs(data(5))
LOSSES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "mse": (lambda f, a, b: f.mse_loss(a, b), (X, Y)),
    "mse sum": (lambda f, a, b: f.mse_loss(a, b, reduction="sum"), (X, Y)),
    "mse none": (lambda f, a, b: f.mse_loss(a, b, reduction="none"), (X, Y)),
    "cross entropy": (lambda f, a, b: f.cross_entropy(a, b), (LOGITS, CLASSES)),
    "cross entropy sum": (lambda f, a, b: f.cross_entropy(a, b, reduction="sum"), (LOGITS, CLASSES)),
    "cross entropy none": (lambda f, a, b: f.cross_entropy(a, b, reduction="none"), (LOGITS, CLASSES)),
    "weights": (lambda f, a, b, w: f.cross_entropy(a, b, w.detach()), (LOGITS, CLASSES, WEIGHT)),
    "smoothing": (lambda f, a, b, w: f.cross_entropy(a, b, w.detach(), label_smoothing=0.1), (LOGITS, CLASSES, WEIGHT)),
    "ignored": (lambda f, a, b: f.cross_entropy(a, b, ignore_index=0), (LOGITS, CLASSES)),
    "ignored by default": (lambda f, a, b: f.cross_entropy(a, b), (LOGITS, np.array([1, -100, 4, 2]))),
    "probabilities": (lambda f, a, b: f.cross_entropy(a, b.softmax(1).detach()), (LOGITS, LOGITS[::-1].copy())),
    "one example": (lambda f, a, b: f.cross_entropy(a, b), (LOGITS[0], np.array(3))),
    "images": (lambda f, a, b: f.cross_entropy(a, b), (data(2, 5, 3), np.array([[0, 1, 4], [2, 2, 3]]))),
    "images none": (
        lambda f, a, b: f.cross_entropy(a, b, reduction="none"),
        (data(2, 5, 3), np.array([[0, 1, 4], [2, 2, 3]])),
    ),
    "far logits": (lambda f, a, b: f.cross_entropy(a * 1000, b), (LOGITS, CLASSES)),
    "linear": (lambda f, a, b, c: f.linear(a, b, c), (X, data(2, 4), data(2))),
    "linear without bias": (lambda f, a, b: f.linear(a, b), (data(2, 3, 4), data(2, 4))),
    "linear of a vector": (lambda f, a, b, c: f.linear(a, b, c), (V, data(2, 4), data(2))),
    "relu": (lambda f, a: f.relu(a), (X,)),
    "softmax": (lambda f, a: f.softmax(a, dim=0), (X,)),
    "log_softmax": (lambda f, a: f.log_softmax(a, dim=1), (X,)),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", LOSSES)
def test_functional(name: str, dtype: str) -> None:
    function, arrays = LOSSES[name]
    arrays = tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in arrays)
    check(lambda t, *xs: function(F if t is gn else TF, *xs), *arrays, terms=256)


# -- dtypes -----------------------------------------------------------------------------------------------

OPERATORS = {"+": operator.add, "*": operator.mul, "/": operator.truediv, "<": operator.lt, "==": operator.eq}
NUMBERS: tuple[Any, ...] = (True, 2, 2.5)


def outcome(function: Callable[[], Any]) -> tuple[str, Any]:
    """The dtype and values of a result, or that it is refused."""
    try:
        result = function()
    except (RuntimeError, TypeError, ValueError):
        return "refused", None
    return str(result.dtype).rpartition(".")[2], result.tolist()


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize(("a", "b"), list(itertools.product(DTYPES, DTYPES)))
@pytest.mark.parametrize("ranks", [(1, 1), (1, 0), (0, 1), (0, 0)], ids=str)
def test_dtypes_of_two_tensors(symbol: str, a: str, b: str, ranks: tuple[int, int]) -> None:
    x, y = data(*(3,) * ranks[0], dtype=a), data(*(3,) * ranks[1], dtype=b)
    x, y = np.asarray(x, a), np.asarray(y, b)
    ours = outcome(lambda: OPERATORS[symbol](gn.tensor(x), gn.tensor(y)))
    theirs = outcome(lambda: OPERATORS[symbol](torch.tensor(x), torch.tensor(y)))
    assert ours[0] == theirs[0]
    np.testing.assert_allclose(np.array(ours[1], float), np.array(theirs[1], float), rtol=2**-22)


@pytest.mark.parametrize("symbol", OPERATORS)
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(("a", "number"), list(itertools.product(DTYPES, NUMBERS)))
def test_dtypes_of_a_tensor_and_a_number(symbol: str, rank: int, a: str, number: Any) -> None:
    x = np.asarray(data(*(3,) * rank, dtype=a), a)
    for swap in (False, True):

        def both(t: Any, swap: bool = swap) -> Any:
            return OPERATORS[symbol](number, t) if swap else OPERATORS[symbol](t, number)

        assert outcome(lambda: both(gn.tensor(x)))[0] == outcome(lambda: both(torch.tensor(x)))[0]


IN_PLACE = {"+=": operator.iadd, "*=": operator.imul, "/=": operator.itruediv}


@pytest.mark.parametrize("symbol", IN_PLACE)
@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", [*DTYPES, *NUMBERS])
def test_dtypes_in_place(symbol: str, a: str, b: Any) -> None:
    x = np.asarray(data(3, dtype=a), a)
    y = np.asarray(data(3, dtype=b), b) if isinstance(b, str) else None
    ours = outcome(lambda: IN_PLACE[symbol](gn.tensor(x), b if y is None else gn.tensor(y)))
    theirs = outcome(lambda: IN_PLACE[symbol](torch.tensor(x), b if y is None else torch.tensor(y)))
    assert ours[0] == theirs[0]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "method", ["sum", "prod", "mean", "max", "min", "any", "all", "argmax", "exp", "abs", "sigmoid", "sqrt"]
)
def test_dtypes_of_methods(method: str, dtype: str) -> None:
    if (method, dtype) == ("argmax", "bool"):
        pytest.skip("torch has no kernel for it")
    x = np.asarray(data(4, dtype=dtype), dtype)
    ours = outcome(lambda: getattr(gn.tensor(x), method)())
    assert ours[0] == outcome(lambda: getattr(torch.tensor(x), method)())[0]


CREATED: dict[str, Callable[[Any], Any]] = {
    "tensor of floats": lambda t: t.tensor([1.0, 2]),
    "tensor of ints": lambda t: t.tensor([[1, 2], [3, 4]]),
    "tensor of bools": lambda t: t.tensor([True, False]),
    "tensor of nothing": lambda t: t.tensor([]),
    "tensor of a number": lambda t: t.tensor(3),
    "tensor of an array": lambda t: t.tensor(np.ones(2)),
    "tensor with dtype": lambda t: t.tensor([1, 2], dtype=t.float64),
    "arange": lambda t: t.arange(5),
    "arange of floats": lambda t: t.arange(0.0, 1.0, 0.3),
    "arange down": lambda t: t.arange(5, 0, -2),
    "arange from to": lambda t: t.arange(2, 5, dtype=t.float32),
    "zeros": lambda t: t.zeros(2, 3),
    "zeros of a tuple": lambda t: t.zeros((2, 0)),
    "ones": lambda t: t.ones(2, dtype=t.int64),
    "ones 0-d": lambda t: t.ones(()),
    "full": lambda t: t.full((2,), 7),
    "full of floats": lambda t: t.full((2,), 7.0),
    "eye": lambda t: t.eye(3),
    "linspace": lambda t: t.linspace(0, 1, 5),
    "zeros_like": lambda t: t.zeros_like(t.arange(3)),
    "ones_like": lambda t: t.ones_like(t.zeros(2, 2)),
    "from_numpy": lambda t: t.from_numpy(np.arange(3, dtype=np.int32)),
    "as_tensor": lambda t: t.as_tensor([1.5]),
    "sum of bools": lambda t: t.tensor([True, True]).sum(),
    "int division": lambda t: t.arange(-4, 4) // 3,
    "int remainder": lambda t: t.arange(-4, 4) % 3,
    "int power": lambda t: t.arange(4) ** 2,
    "float to int": lambda t: t.tensor([1.7, -1.7]).long(),
    "to bool": lambda t: t.tensor([0.0, 0.5]).bool(),
}


@pytest.mark.parametrize("name", CREATED)
def test_creation(name: str) -> None:
    same(CREATED[name](gn), CREATED[name](torch))


# -- indexing ---------------------------------------------------------------------------------------------

KINDS = ("int", "slice", "none", "dots", "row", "column", "number", "list", "mask", "matrix mask", "bool")


def index_of(kinds: list[str], shape: tuple[int, ...], rng: Any) -> tuple[Any, ...] | None:
    """An index of these kinds, with arrays for tensors; None where they do not fit the shape."""
    free = [k for k in kinds if k not in ("none", "dots", "bool")]
    spans = {"matrix mask": 2}
    if sum(spans.get(k, 1) for k in free) > len(shape) or kinds.count("dots") > 1:
        return None
    index: list[Any] = []
    axis = 0
    for place, kind in enumerate(kinds):
        if kind == "dots":
            rest = [k for k in kinds[place + 1 :] if k in free]
            axis = len(shape) - sum(spans.get(k, 1) for k in rest)
        size = shape[axis] if axis < len(shape) else 1
        places = rng.integers(-size, size, 3)
        mask = np.zeros(shape[axis : axis + 2] if kind == "matrix mask" else size, bool)
        mask.reshape(-1)[: min(2, mask.size)] = True
        index.append(
            {
                "int": int(places[0]), "slice": slice(int(places[1]), None, 1 + int(places[0] > 0)), "none": None,
                "dots": Ellipsis, "row": places[:2], "column": places[:, None], "number": places[0], "bool": True,
                "list": places[1:].tolist(), "mask": mask, "matrix mask": mask,
            }[kind]
        )  # fmt: skip
        axis += 0 if kind in ("none", "dots", "bool") else spans.get(kind, 1)
    return tuple(index)


@given(st.lists(st.sampled_from(KINDS), min_size=1, max_size=5), st.integers(0, 2**32))
def test_any_index(kinds: list[str], seed: int) -> None:
    index = index_of(kinds, (2, 3, 4, 5), np.random.default_rng(seed))
    if index is None:
        return
    array = data(2, 3, 4, 5)

    def outcome_of(t: Any) -> Any:
        at = tuple(t.tensor(e) if isinstance(e, (np.ndarray, np.generic)) else e for e in index)
        x, z = t.tensor(array, requires_grad=True), t.tensor(array)
        try:
            y = x[at]
        except (IndexError, ValueError):
            return "refused"
        (y * y).sum().backward()
        z[at] = y.detach() * 2
        return y.detach().numpy(), x.grad.numpy(), z.numpy()

    ours, theirs = outcome_of(gn), outcome_of(torch)
    assert len(ours) == len(theirs)
    for a, b in zip(ours, theirs):
        np.testing.assert_array_equal(a, b)
