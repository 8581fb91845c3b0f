"""Every row of the table of ops: its kernel, its shape and dtype rules and its gradients.

The reference of a row is NumPy in float64. A kernel may differ from it by the rounding of its own float type:
half a unit in the last place where the op is exactly rounded, `cases.ULPS` where it is not, and one rounding for
each of the `terms` that are added up.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from cases import CASES, ULPS, Case, floats, layouts

import graphnet as gn
from graphnet.ir import TensorType, Unifier, substitute, symbols
from graphnet.ops import TABLE, infer
from graphnet.ops.table import FLOAT
from graphnet.tensor import apply

ALL = [case for cases in CASES.values() for case in cases]
FLOATS = ("float32", "float64")


def by_name(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=str)


def tensors(operands: list[Any]) -> list[Any]:
    return [gn.from_numpy(o) if isinstance(o, np.ndarray) else o for o in operands]


def reference(case: Case, operands: list[Any]) -> Any:
    """What NumPy computes in float64 from the operands as they are."""
    wide = [o.astype(np.float64) if isinstance(o, np.ndarray) and o.dtype.kind == "f" else o for o in operands]
    attrs = dict(case.attrs)
    if attrs.get("dtype") is gn.float32:
        attrs["dtype"] = gn.float64
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy's for the mean of nothing
        return np.asarray(TABLE[case.op].reference(*wide, **attrs))


def assert_close(case: Case, got: Any, expected: Any, operands: list[Any]) -> None:
    """Equal up to the rounding that the op and its number of terms allow."""
    assert got.shape == expected.shape
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, expected)
        return
    eps = float(np.finfo(got.dtype).eps)
    largest = max((float(np.abs(o).max()) for o in operands if isinstance(o, np.ndarray) and o.size), default=0.0)
    scale = max(1.0, largest) ** 2 if np.isfinite(largest) else 0.0
    relative = ULPS.get(case.op, 0.5) * eps
    absolute = case.terms * eps * scale if case.terms > 1 else 0.0
    if case.op == "prod":
        relative, absolute = case.terms * eps, 0.0
    if case.op == "sigmoid":
        relative += largest * eps  # of the reference itself, which goes through a logarithm
    if case.op in ("sin", "cos"):
        absolute = eps * scale
    with np.errstate(all="ignore"):
        rounded = expected.astype(got.dtype).astype(np.float64)
    tiny = float(np.finfo(got.dtype).tiny)
    np.testing.assert_allclose(got.astype(np.float64), rounded, rtol=relative, atol=max(absolute, tiny))


def test_every_row_has_cases_and_every_case_a_row() -> None:
    assert set(CASES) == set(TABLE) - {"random_key", "random_sample"}, "they are others every time"


@pytest.mark.parametrize("op", list(TABLE.values()), ids=lambda op: op.name)
def test_a_row_is_whole(op: Any) -> None:
    assert op.kernel or op.view or op.source, "nothing computes it"
    assert len(op.gradients) in (0, 1, len(op.operands)) if op.variadic else len(op.gradients) in (0, len(op.operands))
    assert isinstance(op.saves, str) or len(op.saves) == len(op.operands)
    assert set("".join(op.saves)) <= set("y0123456789"[: 1 + len(op.operands)])


@pytest.mark.parametrize("dtype", FLOATS)
@by_name(ALL)
def test_the_kernel_gives_what_the_reference_gives(case: Case, dtype: str) -> None:
    operands = case.typed(dtype)
    if dtype == "float64" and not case.floats:
        pytest.skip("takes no floating-point operand: the same as for float32")
    got = apply(case.op, *tensors(operands), **case.attrs).numpy()
    assert_close(case, got, reference(case, operands), operands)


@pytest.mark.parametrize("layout", list(layouts(np.zeros(1))))
@by_name(ALL)
def test_memory_layout_does_not_change_the_result(case: Case, layout: str) -> None:
    plain = case.typed("float32")
    other = [layouts(o)[layout] if isinstance(o, np.ndarray) else o for o in plain]
    expected = apply(case.op, *tensors(plain), **case.attrs).numpy()
    got = apply(case.op, *tensors(other), **case.attrs).numpy()
    assert_close(case, got, expected.astype(np.float64) if expected.dtype.kind == "f" else expected, plain)
    for before, after in zip(case.typed("float32"), other):
        np.testing.assert_array_equal(before, after, "the kernel wrote to its operand")


def moved(array: Any, offset: int) -> Any:
    """A copy whose memory starts `offset` bytes behind a multiple of 64."""
    memory = np.zeros(array.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + offset
    copy = memory[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


LONG = [
    Case("matmul", "long", (floats(3, 301), floats(301, 5))),
    Case("linear", "long-rows", (floats(2, 301), floats(67, 301), floats(67))),
    Case("linear", "one-row", (floats(1, 301), floats(67, 301))),
    Case("sum", "long", (floats(3, 301),), {"axes": (1,), "keepdims": False}),
    Case("softmax", "long", (floats(3, 301),)),
]


@by_name([*(case for case in ALL if case.floats), *LONG])
def test_where_operands_lie_in_memory_does_not_change_a_bit(case: Case) -> None:
    """Otherwise equal networks would differ, as their weights lie elsewhere."""
    plain = case.typed("float32")
    results = [
        apply(case.op, *tensors([moved(o, at) if isinstance(o, np.ndarray) else o for o in plain]), **case.attrs)
        for at in (0, 8, 16, 40)
    ]
    for other in results[1:]:
        np.testing.assert_array_equal(other.numpy(), results[0].numpy())


@by_name([case for case in ALL if case.op != "iota"])
def test_shape_and_dtype_rules_foretell_the_result(case: Case) -> None:
    inputs = tensors(case.typed("float32"))
    result = apply(case.op, *inputs, **case.attrs)
    assert type(result.numpy().shape) is tuple
    assert result.numpy().dtype == result.dtype.dtype
    row = TABLE[case.op]
    if all(isinstance(i, gn.Tensor) for i in inputs) and (row.promote == "none" or len({i.dtype for i in inputs}) == 1):
        foretold = infer(row, Unifier(), [TensorType(tuple(i.shape), i.dtype) for i in inputs], case.attrs)
        assert foretold == TensorType(tuple(result.shape), result.dtype)


@by_name([case for case in ALL if case.op != "iota"])
def test_a_program_of_the_op_gives_the_eager_result(case: Case) -> None:
    operands = case.typed("float32")
    program = gn.compile(case.as_function(operands))
    for layout in ("as is", "strided", "reversed"):
        given = [o if layout == "as is" or not isinstance(o, np.ndarray) else layouts(o)[layout] for o in operands]
        inputs = tensors([o for o in given if isinstance(o, np.ndarray)])
        eager = apply(case.op, *tensors(given), **case.attrs)
        for _ in range(2):
            result = program(*inputs)
            assert result.dtype is eager.dtype
            if layout == "as is":
                np.testing.assert_array_equal(result.numpy(), eager.numpy())
            else:  # sums may run in another order where memory lies otherwise
                wide = eager.numpy().astype(np.float64) if eager.is_floating_point() else eager.numpy()
                assert_close(case, result.numpy(), wide, operands)


def traced(case: Case, operands: list[Any], named: bool = True) -> Any:
    """The op as a graph, with a name for every size above 1 where none is fixed by an attribute."""
    function = case.as_function(operands)
    shapes = []
    for operand in operands:
        if isinstance(operand, np.ndarray):
            sizes = [f"d{d}" if named and not case.fixed and d > 1 else d for d in operand.shape]
            shapes.append(gn.Spec(tuple(sizes), operand.dtype))
    return gn.trace(function, *shapes)


@by_name([case for case in ALL if case.op != "iota"])
def test_a_graph_of_open_sizes_gives_the_eager_result(case: Case) -> None:
    operands = case.typed("float32")
    eager = apply(case.op, *tensors(operands), **case.attrs)
    graph = traced(case, operands)
    arrays = [o for o in operands if isinstance(o, np.ndarray)]
    np.testing.assert_array_equal(graph(*arrays).numpy(), eager.numpy())
    (noted,) = graph.types[graph.outputs[0].node]
    sizes = {s: int(s.name[1:]) for s in symbols(noted.shape)}
    assert tuple(substitute(d, sizes) for d in noted.shape) == tuple(eager.shape)
    assert noted.dtype is eager.dtype


DIFFERENTIABLE = [
    case for case in ALL if (case.smooth and case.floats
    and any(TABLE[case.op].gradient(i) is not None for i in case.floats)
    and TABLE[case.op].result is None) or (case.op == "cast" and case.smooth and case.floats)
]  # fmt: skip


def eager_gradients(case: Case, operands: list[Any], upstream: Any = None) -> tuple[Any, Any, list[Any]]:
    """The result, what flows into it, and the gradients of all floating-point operands."""
    inputs = tensors(operands)
    for index in case.floats:
        inputs[index].requires_grad_()
    result = apply(case.op, *inputs, **case.attrs)
    if upstream is None:
        upstream = np.random.default_rng(5).uniform(0.5, 1.5, tuple(result.shape)).astype(result.dtype.dtype)
    if result.requires_grad:
        result.backward(gn.from_numpy(upstream))
    return result, upstream, [inputs[i].grad for i in case.floats]


@by_name(DIFFERENTIABLE)
def test_gradients_are_those_of_central_differences(case: Case) -> None:
    operands = [np.array(o) if isinstance(o, np.ndarray) else o for o in case.typed("float64")]
    result, upstream, gradients = eager_gradients(case, operands)
    if result.dtype is not gn.float64:
        pytest.skip("the result is not float64")

    def loss() -> float:
        with np.errstate(all="ignore"):
            return float((reference(case, operands) * upstream).sum())

    eps = float(np.finfo(np.float64).eps)
    step = eps ** (1 / 3)  # balances truncation, of order step², with rounding, of order eps/step
    for index, gradient in zip(case.floats, gradients):
        if TABLE[case.op].gradient(index) is None:
            assert gradient is None
            continue
        array = operands[index]
        expected = np.zeros_like(array)
        for at in np.ndindex(*array.shape):
            before = array[at]
            array[at] = before + step
            above = loss()
            array[at] = before - step
            below = loss()
            array[at] = before
            expected[at] = (above - below) / (2 * step)
        assert gradient is not None, f"no gradient of operand {index}"
        assert gradient.dtype is gn.float64 and tuple(gradient.shape) == array.shape
        summed = max(1.0, float(np.abs(reference(case, operands)).sum()))
        largest = max(1.0, float(np.abs(expected).max(initial=0)))
        np.testing.assert_allclose(
            gradient.numpy(), expected, rtol=0, atol=10 * (summed + 10 * largest) * eps ** (2 / 3)
        )


@by_name(DIFFERENTIABLE)
def test_the_graph_of_gradients_gives_what_backward_gives(case: Case) -> None:
    operands = case.typed("float32")
    result, upstream, gradients = eager_gradients(case, operands)
    for named in (True, False):
        graph = traced(case, operands, named).gradient()
        graph.verify()
        arrays = [o for o in operands if isinstance(o, np.ndarray)]
        outputs = graph(*arrays, *([upstream] if len(graph.inputs) > len(arrays) else []))
        if not upstream.shape:
            _, _, gradients = eager_gradients(case, operands, np.ones((), upstream.dtype))
        np.testing.assert_array_equal(outputs[0].numpy(), result.detach().numpy())
        assert len(outputs) == 1 + len(case.floats)
        for got, expected in zip(outputs[1:], gradients):
            wanted = np.zeros(got.shape, np.float32) if expected is None else expected.numpy()
            np.testing.assert_array_equal(got.numpy(), wanted)


class Watched:
    """A node as gradient rules see it, over NumPy's references, that notes what a rule reads."""

    def __init__(self, case: Case, operands: list[Any]) -> None:
        self.row, self.operands, self.attrs = TABLE[case.op], operands, case.attrs
        self.result = np.asarray(reference(case, operands))
        arrays = [np.asarray(o, None if isinstance(o, np.ndarray) else float) for o in operands]
        self.shapes, self.shape = tuple(a.shape for a in arrays), self.result.shape
        self.dtypes = tuple(gn.dtypes.as_dtype(a.dtype) for a in arrays)
        self.operand = 0
        self.read: set[str] = set()

    def x(self, index: int) -> Any:
        self.read.add(next(c for c in "0123456789" if self.row.saved(index, c)))
        return np.asarray(self.operands[index])

    def y(self) -> Any:
        self.read.add("y")
        return self.result

    def number(self, index: int) -> Any:
        return None if isinstance(self.operands[index], np.ndarray) else self.operands[index]

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> Any:
        arrays = [np.asarray(i, float if isinstance(i, (int, float)) else None) for i in inputs]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if op == "iota":
                return np.asarray(TABLE[op].reference(**attrs))
            return np.asarray(TABLE[op].reference(*arrays, **attrs))


@pytest.mark.parametrize("op", sorted({case.op for case in DIFFERENTIABLE}))
def test_gradient_rules_read_what_the_row_saves_and_nothing_else(op: str) -> None:
    row = TABLE[op]
    read: dict[int, set[str]] = {}
    for case in DIFFERENTIABLE:
        if case.op != op:
            continue
        for index in case.floats:
            rule = TABLE[op].gradient(index)
            if rule is None:
                continue
            site = Watched(case, case.typed("float64"))
            site.operand = index
            rule(site, np.ones(site.shape))
            assert site.read <= set(row.reads(index))
            read.setdefault(index, set()).update(site.read)
    if isinstance(row.saves, str):
        assert set().union(*read.values()) == set(row.saves), "it saves what no rule reads"
    else:
        assert read == {i: set(row.reads(i)) for i in read}, "it saves what the rule does not read"


@pytest.mark.parametrize(
    "op", [op for op in TABLE.values() if op.operands and FLOAT in op.operands], ids=lambda op: op.name
)
def test_a_dtype_that_the_row_does_not_take_is_refused(op: Any) -> None:
    case = CASES[op.name][0]
    operands = case.typed("float32")
    for index in case.floats:
        if op.operand(index) != FLOAT or op.promote in ("float", "common"):
            continue
        wrong = [o.astype(np.int64) if i == index else o for i, o in enumerate(operands)]
        with pytest.raises(gn.DTypeError, match="expects") as caught:
            apply(op.name, *tensors(wrong), **case.attrs)
        assert isinstance(caught.value, TypeError)


def slope(case: Case, operands: list[Any], weights: list[Any]) -> tuple[Any, list[Any], list[Any]]:
    """A weighted sum of the gradients of a case, recorded; its operands; the gradients of a sum of sines of them."""
    inputs = tensors([np.array(o) if isinstance(o, np.ndarray) else o for o in operands])
    leaves = [inputs[i].requires_grad_() for i in case.floats if TABLE[case.op].gradient(i) is not None]
    result = apply(case.op, *inputs, **case.attrs)
    upstream = np.random.default_rng(5).uniform(0.5, 1.5, tuple(result.shape)).astype(result.dtype.dtype)
    total = (result * result * gn.tensor(upstream)).sum()
    first = gn.autograd.grad(total, leaves, create_graph=True)
    return sum(((g * w).sum() for g, w in zip(first, weights)), gn.zeros((), dtype=gn.float64)), leaves, list(first)


@by_name([c for c in DIFFERENTIABLE if c.op != "cast" and all(np.size(o) for o in c.operands)])
def test_gradients_of_gradients_are_those_of_differences(case: Case) -> None:
    """Along one direction: of a weighted sum of the gradients of the result's squares."""
    operands = case.typed("float64")
    floats = [i for i in case.floats if TABLE[case.op].gradient(i) is not None]
    rng = np.random.default_rng(7)
    weights = [gn.tensor(np.asarray(rng.uniform(0.5, 1.5, operands[i].shape))) for i in floats]
    direction = [rng.uniform(-1, 1, operands[i].shape) for i in floats]
    value, leaves, _ = slope(case, operands, weights)
    second = gn.autograd.grad(value, leaves, allow_unused=True) if value.requires_grad else [None] * len(leaves)
    got = sum(float((g.numpy() * d).sum()) for g, d in zip(second, direction) if g is not None)
    step = float(np.finfo(np.float64).eps) ** (1 / 3)

    def moved_by(amount: float) -> float:
        moved_operands = list(operands)
        for i, d in zip(floats, direction):
            moved_operands[i] = np.asarray(operands[i] + amount * d)
        return float(slope(case, moved_operands, weights)[0].item())

    expected = (moved_by(step) - moved_by(-step)) / (2 * step)
    scale = max(1.0, abs(float(value.item())), abs(expected)) * case.terms
    assert got == pytest.approx(expected, rel=1e-6, abs=1e-7 * scale)
