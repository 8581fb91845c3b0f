"""Operations on elements that run as one loop: which do, that nothing else changes, and how groups look."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphnet as gn
from graphnet import _core, nn
from graphnet.compile import _callable
from graphnet.errors import GraphError
from graphnet.export.dot import to_dot
from graphnet.export.jsons import to_json
from graphnet.export.nx import to_networkx
from graphnet.ir import ELEMENTWISE, Graph, Node, TensorType, Unifier, Value
from graphnet.ops import TABLE, Op, group_reference, infer
from graphnet.passes import group_elementwise, remove_dead, verify_types
from graphnet.program import Program

W = gn.tensor(np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32))
B = gn.tensor(np.random.default_rng(1).standard_normal(4).astype(np.float32))
COLUMN = gn.tensor(np.random.default_rng(1).standard_normal((4, 1)).astype(np.float32))


def lines(graph: Graph) -> list[str]:
    """The operations in order; those of a group as one, in brackets."""
    found = []
    for node in graph.nodes:
        if node.op == ELEMENTWISE:
            found.append(f"[{' '.join(n.op for n in node.blocks[0].nodes if n.op != 'input')}]")
        elif node.op != "input":
            found.append(node.op)
    return found


# What to trace on a (4, 4) input, and what is left.
CASES: dict[str, tuple[Callable[[Any], Any], list[str]]] = {
    "a chain": (lambda x: x.exp().sin() * 2, ["[exp sin mul]"]),
    "one operation": (lambda x: x.exp(), ["exp"]),
    "a diamond": (lambda x: (y := x.exp()) * (y + 1) - y.tanh(), ["[exp add mul tanh sub]"]),
    "row, column and number": (lambda x: (x + B) * COLUMN - 3, ["[add mul sub]"]),
    "a condition": (lambda x: gn.where(x > 0, x, x.expm1()), ["[gt expm1 where]"]),
    "conversions": (lambda x: (x > 0).float() * x, ["[gt cast mul]"]),
    "several results": (lambda x: [(y := x * 2), y + 1, y.exp()], ["[mul add exp]"]),
    "broadcasting happens at the edge": (
        lambda x: (x.sum(0) * 2 + 1).exp() + x * 2,
        ["sum", "[mul add exp]", "[mul add]"],
    ),
    "only next to each other": (lambda x: [x.exp(), x.sin()], ["exp", "sin"]),
    "a product between": (lambda x: (x * 2).exp() @ W + 1, ["[mul exp]", "matmul", "add"]),
    "around a product": (lambda x: ((y := (x * 2).exp()) @ W).sin() * y, ["[mul exp]", "matmul", "[sin mul]"]),
    "no way leads back": (lambda x: (y := x.exp()) + y.sum(), ["exp", "sum", "add"]),
    "where it is needed": (lambda x: x * 2 + (x @ W), ["matmul", "[mul add]"]),
    "with what it reads": (lambda x: [(y := x.exp() * 2) @ W, y.sin() @ W], ["[exp mul sin]", "matmul", "matmul"]),
    "not what may refuse its data": (lambda x: x.int() // 2 + 1, ["cast", "floor_div", "add"]),
    "whole numbers": (lambda x: (x.int() + 1) * 2, ["[cast add mul]"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_goes_together(name: str) -> None:
    function, expected = CASES[name]
    graph = gn.trace(function, (4, 4))
    before = str(graph)
    after = group_elementwise(graph)
    after.verify()
    verify_types(after)
    assert sorted(lines(after)) == sorted(expected) and str(graph) == before
    x = gn.tensor(np.random.default_rng(2).standard_normal((4, 4)).astype(np.float32))
    want, got = function(x), gn.compile(function)(x)
    for a, b in zip(want, got) if isinstance(want, list) else [(want, got)]:
        np.testing.assert_allclose(b.numpy(), a.numpy(), rtol=1e-5, atol=1e-6)


def test_gradients_leave_to_the_backward_pass_what_it_alone_needs() -> None:
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Tanh(), nn.Linear(4, 4, bias=False))
    gradient = gn.trace(lambda x: net(x).exp().sum(), (4, 4)).gradient()
    found = lines(group_elementwise(gradient))
    assert "tanh" in found and "[mul sub mul]" in found


def test_large_groups_are_cut() -> None:
    def long(x: Any) -> Any:
        for i in range(300):
            x = x * 1.001 + gn.full((5,), float(i)) if i % 2 else -x
        return x

    after = group_elementwise(gn.trace(long, (5,)))
    sizes = [len(node.blocks[0].nodes) - len(node.inputs) for node in after.nodes if node.op == ELEMENTWISE]
    assert len(sizes) > 5 and max(sizes) <= 40
    x = gn.randn(5)
    assert gn.equal(gn.compile(long)(x), long(x))


UNARY = ("neg", "abs", "exp", "tanh", "sigmoid", "relu", "floor", "erf", "sign", "sqrt", "log1p", "sin")
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "maximum": gn.maximum,
    "where": lambda a, b: gn.where(a > b, a, b),
    "mask": lambda a, b: (a <= b).to(a.dtype) * a,
    "literal": lambda a, b: a * -0.0 + 2.5,
}
BETWEEN: dict[str, Callable[[Any], Any]] = {
    "sum": lambda a: a.sum(-1, keepdim=True),
    "softmax": lambda a: a.softmax(-1),
    "shape": lambda a: a.reshape(-1).reshape(a.shape),
    "turned": lambda a: a.mT.mT if a.dim() > 1 else a,
}


@st.composite
def programs(draw: Any) -> tuple[Any, list[Any]]:
    """A random graph of operations on elements with others between, and operands for it."""
    shape = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 7, 130]), max_size=3)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    operands = []
    for _ in range(draw(st.integers(1, 4))):
        own = [d if draw(st.booleans()) else 1 for d in shape][draw(st.integers(0, len(shape))) :]
        operands.append(gn.tensor(rng.standard_normal(own).astype(dtype)))
    operands[0] = gn.tensor(rng.standard_normal(shape).astype(dtype))
    kinds = st.sampled_from([*UNARY, *BINARY, *BETWEEN])
    steps = draw(st.lists(st.tuples(kinds, st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12))
    shown = draw(st.sets(st.integers(0, 30), max_size=3))

    def run(*values: Any) -> Any:
        found = [*values, values[0] * 2]
        for kind, i, j in steps:
            a, b = found[-1 - i % len(found)], found[-1 - j % len(found)]
            if kind in UNARY:
                found.append(getattr(a, kind)())
            elif kind in BINARY:
                found.append(BINARY[kind](a, b))
            elif a.dim():
                found.append(BETWEEN[kind](a))
        return [found[-1], *(found[k % len(found)] for k in sorted(shown))]

    return run, operands


@settings(max_examples=40)
@given(programs())
def test_grouped_and_ungrouped_give_the_same_bits(program: tuple[Any, list[Any]]) -> None:
    run, operands = program
    with gn.no_grad():
        want = run(*operands)
    compiled = gn.compile(run)
    for a, b in zip(want, compiled(*operands)):
        np.testing.assert_array_equal(b.numpy(), a.numpy())
    graph = group_elementwise(remove_dead(gn.trace(run, *operands)))
    graph.verify()
    verify_types(graph)


@settings(max_examples=40)
@given(programs())
def test_groups_compute_what_the_references_of_their_members_do(program: tuple[Any, list[Any]]) -> None:
    run, operands = program
    graph = group_elementwise(gn.trace(run, *operands))
    for group in (node for node in graph.nodes if node.op == ELEMENTWISE):
        block, rng = group.blocks[0], np.random.default_rng(0)
        types = [block.types[node][0] for node in block.inputs]
        arrays = [np.asarray(rng.standard_normal(tuple(map(int, t.shape))), t.dtype.dtype) for t in types]
        alone = Graph("alone")
        inputs = [alone.add(Node("input", (), name=f"x{i}"), (t,)) for i, t in enumerate(types)]
        made = alone.add(Node(ELEMENTWISE, tuple(map(Value, inputs)), {}, "y", blocks=(block,)), graph.types[group])
        alone.outputs = [Value(made, slot) for slot in range(len(block.outputs))]
        alone.verify()
        verify_types(alone)
        plan = _callable(Program(alone, alone.outputs), None, None)
        got = plan.run(tuple(map(gn.tensor, arrays)))
        for a, b in zip(group_reference(block, arrays), [got] if isinstance(got, gn.Tensor) else got):
            np.testing.assert_allclose(b.numpy(), a, rtol=1e-4, atol=1e-5)


def test_pictures_and_texts_show_groups() -> None:
    graph = group_elementwise(gn.trace(lambda x: [(y := x.exp() + B) * 2, y @ W], (4, 4)))
    assert str(graph).count("elementwise") == 2 and "exp = exp(x#2)" in str(graph)
    (group,) = [node for node in graph.nodes if node.op == ELEMENTWISE]
    picture = to_dot(graph)
    assert picture.count("subgraph") == 1 and "elementwise" in picture and "exp" in picture
    (inner,) = to_networkx(graph).nodes[group.name]["blocks"]
    assert nx.is_directed_acyclic_graph(inner) and "exp" in inner
    assert [row["op"] for row in json.loads(to_json(graph))["nodes"]] == ["input", ELEMENTWISE, "matmul"]
    told = gn.trace(lambda x: x.exp() * 2, (4, 4)).explain()
    assert told.fused == {"mul": ("exp (exp)", "mul (mul)")}
    assert told.planned == 128  # the operand and the result


def test_a_group_that_does_not_hold_is_told() -> None:
    graph = group_elementwise(gn.trace(lambda x: x.exp() * 2, (4, 4)))
    group = graph.outputs[0].node  # type: ignore[union-attr]
    block = group.blocks[0]
    exp = block.node("exp")
    block.nodes[block.nodes.index(exp)] = wrong = Node("softmax", exp.inputs, {}, "exp")
    block.types[wrong] = block.types[exp]
    with pytest.raises(GraphError, match=r"mul: exp \(softmax\) does not work on elements alone"):
        verify_types(graph)


def test_rows_and_kernels_agree_on_what_can_be_in_a_group() -> None:
    """A row says `pointwise` for just those dtypes that the kernel takes in groups."""
    kinds = {gn.float32: 0, gn.float64: 1, gn.int32: 2, gn.int64: 3, gn.bool: 4}
    arrays = {dtype: np.ones(2, dtype.dtype) for dtype in kinds}
    for name, op in TABLE.items():
        if op.kernel is None:
            assert not op.pointwise
            continue
        for dtype in kinds:
            first = gn.bool if name == "where" else dtype
            inputs = (arrays[first], *[arrays[dtype]] * (len(op.operands) - 1))
            for result in (dtype, gn.bool):
                out = np.ones(2, result.dtype)
                step = (_core.kernel_ids()[op.kernel], [*range(len(inputs))], kinds[result])
                try:
                    _core.Program().add_group(inputs, (out,), [step], [len(inputs)])
                except (ValueError, RuntimeError):
                    continue
                if op.kernel != "copy" or name in ("cast", "copy"):
                    assert op.is_pointwise(first), name
                break
            else:
                assert not (op.is_pointwise(first) and takes(op, dtype)), (name, dtype)


def takes(op: Op, dtype: Any) -> bool:
    if op.promote == "float" and not dtype.is_floating_point:
        return False
    types = [gn.bool if name == "bool" and len(op.operands) > 1 else dtype for name in op.operands]
    try:
        infer(op, Unifier(), [TensorType((2,), t) for t in types], {})
    except gn.DTypeError:
        return False
    return True
