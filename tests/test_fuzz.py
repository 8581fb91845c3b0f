"""Random programs: whatever is put together, eager calls, graphs, gradients and NumPy agree, and nothing crashes.

`pytest --hypothesis-profile=long` searches longer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import graphnet as gn
from graphnet import nn
from graphnet.ops import TABLE
from graphnet.tensor import apply

pytestmark = pytest.mark.fuzz

EPS = float(np.finfo(np.float64).eps)


def values(rng: Any, shape: tuple[int, ...]) -> Any:
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def laid_out(rng: Any, array: Any) -> Any:
    """The array in other memory: transposed, strided, reversed, read-only, or as it is."""
    kind = rng.integers(5)
    if kind == 1:
        return np.asfortranarray(array) if array.ndim else array
    if kind == 2 and array.ndim:
        wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]))
        wide[..., ::2] = array
        return wide[..., ::2]
    if kind == 3 and array.ndim:
        return np.ascontiguousarray(array[::-1])[::-1]
    if kind == 4:
        array = array.copy()
        array.flags.writeable = False
    return array


# -- random graphs ----------------------------------------------------------------------------------------
#
# A program is a list of steps on a growing list of values; the same steps run on tensors and on NumPy arrays.

UNARY: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "tanh": (gn.tanh, np.tanh),
    "sigmoid": (gn.sigmoid, lambda a: 1 / (1 + np.exp(-a))),
    "sin": (gn.sin, np.sin),
    "neg": (lambda t: -t, np.negative),
    "square": (lambda t: t**2, np.square),
    "soft abs": (lambda t: (t * t + 1).sqrt(), lambda a: np.sqrt(a * a + 1)),
    "half": (lambda t: t / 2, lambda a: a / 2),
    "from one": (lambda t: 1 - t, lambda a: 1 - a),
    "transpose": (lambda t: t.T, np.transpose),
    "sum": (lambda t: t.sum(), np.sum),
    "mean last": (
        lambda t: t.mean(-1, keepdim=True) if t.numel() else t,
        lambda a: a.mean(-1, keepdims=True) if a.size and a.ndim else a,
    ),
    "sum first": (lambda t: t.sum(0), lambda a: a.sum(0) if a.ndim else a),
    "flatten": (lambda t: t.reshape(-1), np.ravel),
    "new axis": (lambda t: t.unsqueeze(0), lambda a: a[None]),
    "first row": (lambda t: t[:1] if t.ndim else t, lambda a: a[:1] if a.ndim else a),
    "twice": (lambda t: gn.cat([t, t * 2], 0) if t.ndim else t, lambda a: np.concatenate([a, a * 2]) if a.ndim else a),
    "in place": (lambda t: (t * 1).__iadd__(0.5), lambda a: a + 0.5),
    "softmax": (lambda t: t.softmax(-1) if t.ndim and t.numel() else t, lambda a: softmax(a)),
}
BINARY: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "add": (lambda a, b: a + b, np.add),
    "sub": (lambda a, b: a - b, np.subtract),
    "mul": (lambda a, b: a * b, np.multiply),
    "safe div": (lambda a, b: a / (b * b + 1), lambda a, b: a / (b * b + 1)),
    "matmul": (gn.matmul, np.matmul),
    "choose": (lambda a, b: gn.where(a.detach() > 0, a, b), lambda a, b: np.where(a > 0, a, b)),
}


def softmax(a: Any) -> Any:
    if not (a.ndim and a.size):
        return a
    e = np.exp(a - a.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


Program = list[tuple[str, int, int]]
programs = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 99), st.just(0)),
        st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 99), st.integers(0, 99)),
    ),
    min_size=1,
    max_size=9,
)
shapes = st.lists(
    st.sampled_from([(), (1,), (3,), (0,), (2, 3), (1, 3), (3, 3), (2, 1), (0, 3), (3, 2), (2, 3, 3), (2, 0)]),
    min_size=1,
    max_size=4,
)


def fits(name: str, a: Any, b: Any) -> bool:
    """Whether NumPy takes the operands, and the result stays small."""
    with np.errstate(all="ignore"):
        try:
            result = BINARY[name][1](a, b)
        except ValueError:
            return False
    return bool(np.size(result) <= 400)


def plan(program: Program, arrays: list[Any]) -> tuple[Program, list[Any]]:
    """The steps that fit, with operands chosen among the values there are, and NumPy's results."""
    known, steps = list(arrays), []
    for name, i, j in program:
        i, j = i % len(known), j % len(known)
        if name in BINARY:
            if not fits(name, known[i], known[j]):
                continue
            result = BINARY[name][1](known[i], known[j])
        else:
            result = UNARY[name][1](known[i])
            if np.size(result) > 400 or np.ndim(result) > 4:
                continue
        if np.size(result) and (not np.isfinite(result).all() or np.abs(result).max() > 100):
            continue
        steps.append((name, i, j))
        known.append(np.asarray(result))
    return steps, known


def run(steps: Program, tensors: list[Any]) -> Any:
    known = list(tensors)
    for name, i, j in steps:
        known.append(BINARY[name][0](known[i], known[j]) if name in BINARY else UNARY[name][0](known[i]))
    total = known[-1].sum()
    for value in known[:-1]:
        total = total + (value * 0.5).sum()  # so that every value, also a shared one, matters
    return total


def expected(steps: Program, arrays: list[Any]) -> Any:
    known = list(arrays)
    for name, i, j in steps:
        known.append(np.asarray(BINARY[name][1](known[i], known[j]) if name in BINARY else UNARY[name][1](known[i])))
    return known[-1].sum() + sum(0.5 * k.sum() for k in known[:-1])


@given(programs, shapes, st.integers(0, 2**32 - 1))
def test_random_graphs(program: Program, given_shapes: list[tuple[int, ...]], seed: int) -> None:
    rng = np.random.default_rng(seed)
    arrays = [laid_out(rng, values(rng, shape)) for shape in given_shapes]
    steps, known = plan(program, arrays)
    assume(steps)
    size = sum(k.size for k in known)
    scale = max(1.0, sum(float(np.abs(k).sum()) for k in known))
    leaves = [gn.from_numpy(a).requires_grad_() for a in arrays]

    total = run(steps, leaves)
    np.testing.assert_allclose(
        total.item(), expected(steps, arrays), rtol=0, atol=16 * (size + len(steps)) * EPS * scale
    )

    # the same as a graph, in which the leaves are parameters, and its gradients as a graph
    parameters = [nn.Parameter(leaf.detach()) for leaf in leaves]
    graph = gn.trace(lambda x: run(steps, [x * 1, *parameters[1:]]), gn.Spec(arrays[0].shape, gn.float64))
    graph.verify()
    assert graph(arrays[0]).item() == run(steps, [leaves[0] * 1, *leaves[1:]]).item()

    program = gn.compile(lambda x: run(steps, [x * 1, *parameters[1:]]))
    assert program(arrays[0]).item() == program(arrays[0].copy()).item() == graph(arrays[0]).item()

    total.backward()
    gradient = graph.gradient()
    gradient.verify()
    found = gradient(arrays[0])
    by_parameter = dict(zip(map(id, gradient.parameters), found[1:]))
    for leaf, parameter in zip(leaves[1:], parameters[1:]):
        if id(parameter) in by_parameter:
            np.testing.assert_array_equal(by_parameter[id(parameter)].detach().numpy(), leaf.grad.numpy())

    # one central difference along a random direction checks all gradients at once
    directions = [values(rng, a.shape) for a in arrays]
    step = EPS ** (1 / 3)
    above = expected(steps, [a + step * d for a, d in zip(arrays, directions)])
    below = expected(steps, [a - step * d for a, d in zip(arrays, directions)])
    slope = sum(float((leaf.grad.numpy() * d).sum()) for leaf, d in zip(leaves, directions) if leaf.grad is not None)
    kinks = any(name == "choose" for name, _, _ in steps)
    if not kinks or all(np.abs(k).min(initial=1) > 1e-3 for k in known):
        curvature = 100.0 ** min(len(steps), 3) * scale
        np.testing.assert_allclose(slope, (above - below) / (2 * step), rtol=1e-5, atol=curvature * EPS ** (2 / 3))


# -- shared parameters ------------------------------------------------------------------------------------


@given(
    st.lists(st.sampled_from(["shared", "own", "relu", "twice"]), min_size=1, max_size=8),
    st.integers(1, 4),
    st.integers(0, 3),
    st.booleans(),
)
def test_random_networks_with_shared_layers(kinds: list[str], width: int, rows: int, lazy: bool) -> None:
    def make(lazy: bool) -> Any:
        gn.manual_seed(9)

        def linear() -> Any:
            return nn.LazyLinear(width) if lazy else nn.Linear(width, width)

        shared = linear()
        layers: list[Any] = [shared]
        for kind in kinds:
            layer = {"shared": shared, "relu": nn.ReLU()}.get(kind) or linear()
            layers += [layer, layer] if kind == "twice" else [layer]
        return nn.Sequential(*layers)

    net, plain = make(lazy), make(False)
    graph = gn.trace(net, ("N", width))
    graph.verify()
    x = gn.rand(rows, width)
    results = []
    for call, owner in ((net, net), (graph, net), (plain, plain)):
        owner.zero_grad()
        y = call(x)
        y.sum().backward()
        results.append((y.tolist(), [p.grad.tolist() for p in owner.parameters()]))
    assert results[0] == results[1] == results[2]
    assert gn.compile(net)(x).tolist() == results[0][0]
    uses = sum(1 + (k == "twice") for k in kinds if k != "relu") + 1
    assert sum(n.op == "linear" for n in graph) == uses
    assert len(graph.parameters) == len(list(net.parameters()))


# -- anything at all --------------------------------------------------------------------------------------

SIGNATURE = re.compile(
    r"argument|unsupported operand|not supported between|must be str|to be str"
)  # Python's own words
numbers = st.one_of(
    st.integers(-3, 5),
    st.booleans(),
    st.floats(allow_nan=True, width=32),
    st.just(2**63),
    st.just(-(2**63)),
    st.none(),
    st.just("a"),
)
arrays = st.builds(
    lambda shape, dtype, seed: np.random.default_rng(seed).integers(-3, 4, shape).astype(dtype),
    st.sampled_from([(), (1,), (0,), (3,), (2, 3), (3, 2), (1, 0, 2), (2, 2, 2)]),
    st.sampled_from(["bool", "int32", "int64", "float32", "float64", "int8", "uint8", "float16", "complex64"]),
    st.integers(0, 9),
)
operands = st.one_of(arrays, numbers, st.lists(st.floats(-1, 1), max_size=2))


def as_operand(value: Any) -> Any:
    try:
        return gn.from_numpy(value) if isinstance(value, np.ndarray) else value
    except gn.DTypeError:
        return value


def unharmed(function: Callable[[], Any]) -> Any:
    """The result, or None where it was refused with a documented class, or by Python for the arguments' number."""
    try:
        with np.errstate(all="ignore"):
            return function()
    except gn.GraphnetError as error:
        if not str(error).strip():
            raise
    except TypeError as error:
        if not SIGNATURE.search(str(error)):
            raise
    return None


@given(st.sampled_from(sorted(TABLE)), st.lists(operands, max_size=4), st.data())
def test_any_operands_of_any_op(name: str, given_operands: list[Any], data: Any) -> None:
    settings = {
        "axes": st.lists(st.integers(-2, 3), max_size=3).map(tuple),
        "axis": st.integers(-2, 3),
        "keepdims": st.booleans(),
        "descending": st.booleans(),
        "count": st.none() | st.integers(0, 3),
        "shape": st.lists(st.integers(-2, 4), max_size=3).map(tuple),
        "dtype": st.sampled_from([gn.float32, gn.float64, gn.int64, gn.bool]),
    }
    if name in ("slice", "unslice", "set_slice", "narrow", "cross_entropy", "cross_entropy_backward"):
        return
    reduced = ("sum", "mean", "prod", "max", "min", "any", "all", "argmax", "argmin")
    wanted: dict[str, tuple[str, ...]] = {
        "cast": ("dtype",),
        "reshape": ("shape",),
        "expand": ("shape",),
        "permute": ("axes",),
        "cat": ("axis",),
        "iota": ("shape", "axis"),
        "index_add": ("shape",),
        "gather": ("axis",),
        "scatter_add": ("axis", "shape"),
        "argsort": ("axis", "descending", "count"),
        **dict.fromkeys(reduced, ("axes", "keepdims")),
    }
    attrs = {key: data.draw(settings[key]) for key in wanted.get(name, ())}
    values = [as_operand(o) for o in given_operands]
    unharmed(lambda: apply(name, *values, **attrs))


METHODS = [
    name for name in dir(gn.Tensor)
    if not name.startswith("_") and callable(getattr(gn.Tensor, name)) and name not in ("backward", "settle")
]  # fmt: skip
FUNCTIONS = [
    "abs",
    "add",
    "allclose",
    "amax",
    "argmax",
    "cat",
    "cos",
    "div",
    "equal",
    "exp",
    "flatten",
    "log",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "mul",
    "neg",
    "permute",
    "pow",
    "prod",
    "relu",
    "reshape",
    "sigmoid",
    "softmax",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "sub",
    "sum",
    "tanh",
    "tensor",
    "transpose",
    "unsqueeze",
    "var",
    "where",
]
MAKERS = ["arange", "eye", "full", "linspace", "ones", "rand", "randint", "randn", "randperm", "zeros"]


@given(st.sampled_from(METHODS), arrays, st.lists(operands, max_size=3))
def test_any_arguments_of_any_method(name: str, array: Any, arguments: list[Any]) -> None:
    tensor = as_operand(array)
    assume(isinstance(tensor, gn.Tensor))
    unharmed(lambda: getattr(tensor, name)(*map(as_operand, arguments)))


@given(st.sampled_from(FUNCTIONS + MAKERS), st.lists(st.one_of(operands, st.lists(arrays, max_size=3)), max_size=3))
def test_any_arguments_of_any_function(name: str, arguments: list[Any]) -> None:
    if name in MAKERS:  # which may make what does not fit into memory
        sizes = [a for a in arguments if isinstance(a, (int, float))]
        assume(all(abs(a) < 1000 or not np.isfinite(a) for a in sizes))
    given_arguments = [[as_operand(x) for x in a] if isinstance(a, list) else as_operand(a) for a in arguments]
    unharmed(lambda: getattr(gn, name)(*given_arguments))


bounds = st.one_of(st.none(), st.integers(-4, 4))
slices = st.builds(slice, bounds, bounds, st.sampled_from([None, 1, 2, 0, -1]))
positions = st.one_of(st.integers(-4, 4), st.none(), st.just(...), st.booleans(), st.floats(-1, 1), st.just("a"))
indices = st.recursive(
    st.one_of(positions, slices, st.lists(st.integers(-4, 4), max_size=3), arrays),
    lambda inner: st.lists(inner, max_size=3).map(tuple),
    max_leaves=4,
)  # fmt: skip


@given(arrays, indices, st.booleans(), operands)
def test_any_index(array: Any, index: Any, assign: bool, value: Any) -> None:
    """Where NumPy and graphnet both take an index, they take the same elements."""
    tensor = as_operand(array.copy())
    assume(isinstance(tensor, gn.Tensor))
    if assign:
        unharmed(lambda: tensor.__setitem__(index, as_operand(value)))
        return
    result = unharmed(lambda: tensor[index])
    if result is not None and not isinstance(index, bool):
        np.testing.assert_array_equal(result.numpy(), array[index])


@given(
    st.lists(st.one_of(st.integers(-2, 4), st.floats(), st.none(), st.sampled_from(["N", "M", ""])), max_size=4),
    st.sampled_from([None, "float64", "int64", "x"]),
)
def test_any_shape_to_trace_from(shape: list[Any], dtype: Any) -> None:
    net = nn.Sequential(nn.LazyLinear(3), nn.ReLU(), nn.Linear(3, 2))
    graph = unharmed(lambda: gn.trace(net, tuple(shape), dtype=dtype))
    if graph is not None:
        graph.verify()
        assert str(graph) and graph.to_dot()


@given(
    st.lists(st.tuples(st.sampled_from(["weight", "bias", "other", "0.weight"]), operands), max_size=3), st.booleans()
)
def test_any_state_dict(entries: list[tuple[str, Any]], strict: bool) -> None:
    for layer in (nn.Linear(3, 2), nn.LazyLinear(2)):
        before = {k: repr(v) for k, v in layer.state_dict().items()}
        if unharmed(lambda: layer.load_state_dict(dict(entries), strict=strict)) is None:  # noqa: B023
            assert {k: repr(v) for k, v in layer.state_dict().items()} == before, "a failed load changed something"


@given(arrays, arrays, arrays)
def test_any_arrays_in_a_layer_and_a_loss(x: Any, target: Any, weight: Any) -> None:
    layer = nn.LazyLinear(2)
    y = unharmed(lambda: layer(x))
    for operand in [as_operand(x)] if y is None else [y, as_operand(x)]:
        loss = unharmed(lambda: nn.functional.cross_entropy(operand, as_operand(target), as_operand(weight)))  # noqa: B023
        if loss is not None and loss.requires_grad:
            unharmed(loss.sum().backward)
