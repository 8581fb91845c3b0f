"""Every name that graphnet shares with PyTorch answers as PyTorch does.

Each call of `parity_rows` runs with both, on random operands of several shapes, empty and 0-d ones too, in both float
types: values, shapes, dtypes and gradients agree up to rounding, and where PyTorch refuses, graphnet does.
"""

from __future__ import annotations

import ast
import warnings
from typing import Any

import numpy as np
import pytest
from parity_rows import CREATION, FUNCTIONS, MEMBERS, UNCOVERED

import graphnet as gn

torch = pytest.importorskip("torch")

SHAPES: tuple[tuple[int, ...], ...] = ((), (1,), (4,), (3, 4), (2, 3, 4), (0,), (2, 0, 3))
LISTED = """
tensor zeros ones full empty arange linspace eye rand randn normal randint randperm zeros_like ones_like
rand_like from_numpy cat stack split chunk matmul mm bmm einsum where maximum minimum exp log sqrt abs sign
sin cos tanh sigmoid relu softmax logsumexp sum mean var std prod max min argmax argmin all any sort topk
gather clamp allclose isclose equal manual_seed no_grad enable_grad is_tensor save load Size dtypes float32
float64 int32 int64 bool device get_num_threads set_num_threads shape size ndim dtype numel item tolist numpy
detach clone to type float double long reshape view flatten squeeze unsqueeze permute transpose T expand
repeat fill_ zero_ normal_ uniform_ data grad requires_grad_ backward retain_grad is_leaf __array__ __dlpack__
__len__ __iter__ __format__
""".split()  # noqa: SIM905


def test_every_name_has_a_row() -> None:
    covered = {name for key in (*FUNCTIONS, *MEMBERS, *CREATION) for name in key.split()} | set(UNCOVERED)
    assert not set(LISTED) - covered


def test_every_method_of_both_that_is_a_function_is_one_here() -> None:
    names = [n for n in dir(torch.Tensor) if n.strip("_") == n and hasattr(torch, n) and hasattr(gn.Tensor, n)]
    assert not [n for n in names if not hasattr(gn, n) and n not in ("cpu", "data", "dtype", "itemsize")]


def operands(t: Any, shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    rng = np.random.default_rng([*shape, 5])
    x, y = (rng.uniform(0.2, 1.5, shape) * rng.choice([-1, 1], shape) for _ in "xy")
    floats = {"x": x, "y": y, "p": rng.uniform(0.3, 1.6, shape), "s": rng.uniform(0.5, 1.5)}
    result = {name: t.tensor(np.asarray(a, dtype), requires_grad=True) for name, a in floats.items()}
    result["i"] = t.tensor(np.asarray(rng.integers(0, 5, shape)))
    result["b"] = t.tensor(np.asarray(rng.random(shape) < 0.5))
    result["n"] = np.asarray(x, dtype)
    return {"t": t, **result}


def tensors_in(value: Any) -> list[Any]:
    if isinstance(value, (gn.Tensor, torch.Tensor)):
        return [value]
    if isinstance(value, (tuple, list)) and not isinstance(value, (gn.Size, torch.Size)):
        return [found for part in value for found in tensors_in(part)]
    return []


def answer(t: Any, call: str, shape: tuple[int, ...], dtype: str) -> tuple[Any, list[Any]] | None:
    """The result and the gradients of all floats; None where the call is refused."""
    names = operands(t, shape, dtype)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            result = eval(call, {"n0": np.arange(6, dtype=np.int64).reshape(2, 3), **names})
        except Exception as error:
            if t is gn and not isinstance(error, (gn.GraphnetError, TypeError, IndexError)):
                raise
            return None
        total = 0.0
        for found in tensors_in(result):
            if found.requires_grad and found.numel():
                weight = np.linspace(0.5, 1.5, found.numel()).reshape(tuple(found.shape))
                total = total + (found * t.tensor(weight, dtype=found.dtype)).sum().double()
        if isinstance(total, (gn.Tensor, torch.Tensor)) and not total.is_leaf:
            total.backward()
    return result, [names[n].grad for n in "xyps"]


def agree(ours: Any, theirs: Any, what: str, terms: float = 64) -> None:
    if isinstance(theirs, torch.Tensor):
        assert isinstance(ours, gn.Tensor), what
        assert tuple(ours.shape) == tuple(theirs.shape), what
        assert str(ours.dtype).partition(".")[2] == str(theirs.dtype).partition(".")[2], what
        assert ours.requires_grad == theirs.requires_grad, what
        a, b = ours.detach().numpy(), theirs.detach().numpy()
        eps = float(np.finfo(b.dtype).eps) if b.dtype.kind == "f" else 0.0
        scale = float(np.abs(b[np.isfinite(b)]).max(initial=0)) if b.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(a, b, rtol=terms * eps, atol=terms * eps * scale, err_msg=what)
    elif isinstance(theirs, (tuple, list)) and not isinstance(theirs, torch.Size):
        assert type(ours).__name__ == type(theirs).__name__ and len(ours) == len(theirs), what
        for a, b in zip(ours, theirs):
            agree(a, b, what)
    elif isinstance(theirs, float):
        assert ours == pytest.approx(theirs, rel=1e-5, nan_ok=True), what
    else:
        plain = str(ours).replace("graphnet.", "torch.").replace("bool_", "bool")
        assert plain == str(theirs), what


def compare(calls: str, shape: tuple[int, ...], dtype: str) -> None:
    for call in calls.split(";"):
        call = call.strip()
        what = f"{call} with shape {shape}, {dtype}"
        theirs = answer(torch, call, shape, dtype)
        if (call, shape) in DIFFERENT or (call, None) in DIFFERENT:
            answer(gn, call, shape, dtype)
            continue
        ours = answer(gn, call, shape, dtype)
        assert (ours is None) == (theirs is None), (
            f"{what}: {'refused' if ours is None else 'not refused'}, unlike PyTorch"
        )
        if ours is None or theirs is None:
            continue
        agree(ours[0], theirs[0], what)
        for name, a, b in zip("xyps", ours[1], theirs[1]):
            assert (a is None) == (b is None), f"{what}: gradient of {name}"
            if b is not None:
                agree(a, b, f"{what}: gradient of {name}", 512)


# Calls that are answered differently, on purpose: docs/differences.md says why.
_COMPARED = "in place, PyTorch lets a gradient of zero, or that of the value before, through what has none"
_ARRAY = "arrays are taken wherever a tensor is"
_NOTHING = "nothing is an order, a shape and a number of times for no axes"
_LENIENT = "nothing is wrong with it"
DIFFERENT: dict[tuple[str, tuple[int, ...] | None], str] = {
    **{(f"(x * 1).{name}_(y)", None): _COMPARED for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    ("(x * 1).logical_not_()", None): _COMPARED,
    **{(f"x {symbol} n", None): _ARRAY for symbol in ("==", "!=", "<", "<=", ">", ">=")},
    ("True - p", None): _LENIENT,
    ("b - i", None): _LENIENT,
    ("t.sub(b, i)", None): _LENIENT,
    ("x.topk(0)", ()): "there is no shape for none of a 0-d tensor's elements",
    ("x.gather(0, x)", (0,)): "an index is of integers",
    ("x.gather(0, x)", (2, 0, 3)): "an index is of integers",
    ("x.gather(0, (i * 0).unsqueeze(0))", (0,)): "an index has the tensor's number of axes",
    ("x.gather(0, (i * 0).unsqueeze(0))", (2, 0, 3)): "an index has the tensor's number of axes",
    ("i.normal_()", (0,)): "samples are floating-point",
    ("i.normal_()", (2, 0, 3)): "samples are floating-point",
    ("x.clamp(x, 9)", None): _LENIENT,
    ("t.cat([x, y], 1)", (0,)): "there is no axis 1",
    **{(call, ()): _NOTHING for call in (
        "x.permute()", "x.expand(*x.shape)", "x.expand(*[-1] * x.ndim)", "x.repeat(*[2] * x.ndim)",
        "x.repeat(*[0] * x.ndim)", "x.repeat()",
    )},
    ("x.mT", ()): "deprecated in PyTorch",
    ("x.repeat(-1)", (0,)): "a number of times is not negative",
    ("t.full(2, 3)", None): _LENIENT,
}  # fmt: skip


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", [*FUNCTIONS, *MEMBERS])
def test_functions_and_members(name: str, dtype: str) -> None:
    for shape in SHAPES:
        compare({**FUNCTIONS, **MEMBERS}[name], shape, dtype)


@pytest.mark.parametrize("name", CREATION)
def test_creation(name: str) -> None:
    compare(CREATION[name], (2,), "float32")


def test_calls_are_expressions() -> None:
    for calls in (*FUNCTIONS.values(), *MEMBERS.values(), *CREATION.values()):
        for call in calls.split(";"):
            ast.parse(call.strip(), mode="eval")


def test_backward_and_its_arguments() -> None:
    for t in (gn, torch):
        x = t.tensor([1.0, 2.0], requires_grad=True)
        y = x * x
        y.retain_grad()
        y.backward(t.tensor([1.0, 10.0]), retain_graph=True)
        assert x.grad.tolist() == [2.0, 40.0] and y.grad.tolist() == [1.0, 10.0]
        y.backward(gradient=t.ones(2))
        assert x.grad.tolist() == [4.0, 44.0] and y.grad.tolist() == [2.0, 11.0]
        with pytest.raises(RuntimeError):
            y.backward(t.ones(2))
        with pytest.raises(RuntimeError):
            (x * x).backward()
        with pytest.raises(RuntimeError):
            t.ones(1).backward()
        z = (x * 3).sum()
        z.backward(inputs=[x])
        assert x.grad.tolist() == [7.0, 47.0]


PRINTED = """
x * 2; x + x; x - 1; -x; x / 2; x ** 2; x.exp(); x.log(); x.sqrt(); x.sum(); x.mean(); x.abs();
t.sigmoid(x); x.relu(); x.tanh(); x.softmax(1); x.log_softmax(1); x.prod(); x.max(); x[0]; x[0:1]; x[[0]];
x.unsqueeze(0); x.reshape(2, 1); x.view(1, 2); x.T @ x; x.expand(2, 2); x.permute(0, 1); x.clone();
t.cat([x, x]); t.where(x > 0, x, 0.0); t.maximum(x, x * 0); x.gather(1, t.tensor([[0]])); x.max(1);
x.sort(); x.topk(1); x.clamp(0, 1); x.cos(); x.double()
""".replace("\n", " ").split(";")


@pytest.mark.parametrize("call", [call.strip() for call in PRINTED])
def test_results_print_alike(call: str) -> None:
    ours, theirs = (eval(call, {"t": t, "x": t.tensor([[1.0, 2.0]], requires_grad=True)}) for t in (gn, torch))
    shown = repr(ours).replace("graphnet.", "torch.")
    if call in ("x.sort()", "x.topk(1)"):  # which are two operations here
        shown = shown.replace("GatherBackward0", "SortBackward0" if "sort" in call else "TopkBackward0")
    assert shown == repr(theirs)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("nonzero", "is_tensor", "rand_like")])
def test_traced_functions_give_what_eager_ones_do(name: str) -> None:
    """As graphs of fixed sizes, for whatever gives tensors that depend on the operands."""
    names = operands(gn, (3, 4), "float32")
    order = ["x", "y", "p", "s", "i", "b"]
    for call in FUNCTIONS[name].split(";"):
        code = compile(call.strip(), call, "eval")
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                expected = tensors_in(eval(code, dict(names)))
            except (gn.GraphnetError, TypeError):
                continue
            if not expected or expected[0] is names["x"] or call.strip() == "t.where(x > 0)":
                continue
            specs = [gn.Spec(tuple(names[n].shape), names[n].dtype) for n in order]
            graph = gn.trace(
                lambda *given, code=code: tuple(tensors_in(eval(code, {**names, **dict(zip(order, given))}))), *specs
            )
            for a, b in zip(graph(*(names[n].detach() for n in order)), expected, strict=True):
                np.testing.assert_array_equal(a.detach().numpy(), b.detach().numpy(), err_msg=call)
                assert a.dtype is b.dtype, call
