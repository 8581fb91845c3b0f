"""Nodes and their results, which are objects of the extension: what they are compared by, what they refuse."""

from __future__ import annotations

import copy
import gc
import pickle

import pytest

import graphnet as gn
from graphnet import _core
from graphnet.ir import Node, Value


def test_a_result_is_compared_by_node_and_slot() -> None:
    a, b = Node("relu", (), name="a"), Node("relu", (), name="a")
    assert Value(a) == Value(a, 0) == Value(node=a, slot=0)
    assert Value(a) != Value(b)
    assert Value(a, 1) != Value(a)
    assert len({Value(a), Value(a, 0), Value(a, 1), Value(b)}) == 3
    assert (Value(a) == (a, 0)) is False


def test_a_result_unpacks_and_prints() -> None:
    node = Node("relu", (), name="a")
    source, slot = Value(node, 2)
    assert source is node
    assert slot == 2
    assert (repr(Value(node)), repr(Value(node, 2))) == ("a", "a[2]")


def test_copies_and_pickles_keep_the_fields() -> None:
    node = Node("sum", (Value(Node("input", (), name="x")),), {"axes": (0,)}, "s")
    for other in (copy.deepcopy(node), pickle.loads(pickle.dumps(node))):
        assert (other.op, other.attrs, other.name, other.scope, other.blocks) == ("sum", {"axes": (0,)}, "s", None, ())
        assert [source.name for source in other.sources] == ["x"]


@pytest.mark.parametrize("name", ["op", "inputs", "name", "new"])
def test_a_node_does_not_change(name: str) -> None:
    with pytest.raises(AttributeError, match="a node does not change"):
        setattr(Node("relu", ()), name, "x")


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Node(1, ()), "must be str"),  # type: ignore[arg-type]
        (lambda: Node("relu", [1]), "must be tuple"),  # type: ignore[arg-type]
        (lambda: Value(1), "expects a node, got int"),  # type: ignore[arg-type]
        (lambda: Value(Node("relu", ()), "x"), "cannot be interpreted as an integer"),  # type: ignore[arg-type]
        (lambda: Value(Node("relu", ()), 0, 1), "takes a node and a slot"),  # type: ignore[call-arg]
    ],
)
def test_what_they_are_not_made_of(make: object, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        make()  # type: ignore[operator]


def test_the_collector_does_not_look_through_graphs() -> None:
    graph = gn.trace(gn.nn.Sequential(gn.nn.Linear(2, 2), gn.nn.ReLU()), (1, 2))
    assert not any(map(gc.is_tracked, graph.nodes))
    assert not any(gc.is_tracked(Value(node)) for node in graph.nodes)


def test_long_chains_are_given_up_without_recursion() -> None:
    node = Node("input", (), name="x")
    for _ in range(300_000):
        node = Node("relu", (Value(node),), name="r")
    del node


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda: _core.type_of({}, Value(Node("relu", (), name="r"))), KeyError),
        (lambda: _core.keep(["x"], 0, (), ({}, {}, {}, None, [], {})), TypeError),
        (lambda: _core.emit(*range(10)), (TypeError, AttributeError)),
        (lambda: _core.gradient_key(1, 2, 3, 4), TypeError),
        (lambda: _core.setting_key([{1, 2}]), TypeError),
    ],
)
def test_the_extension_refuses_what_is_no_graph(call: object, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        call()  # type: ignore[operator]


@pytest.mark.parametrize(("a", "b"), [(1, 1.0), (1, True), (0.0, -0.0), ((1, 2), [1, 2]), ("1", 1)])
def test_settings_that_are_equal_may_be_other_settings(a: object, b: object) -> None:
    assert _core.setting_key({"s": a}) != _core.setting_key({"s": b})
