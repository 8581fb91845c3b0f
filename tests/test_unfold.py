"""Loops and branches in pictures, pages, texts and tables."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from test_dot import NestMlp, Picture

import graphnet as gn
from graphnet import nn
from graphnet.export import html, outline
from graphnet.export.unfold import unfold
from graphnet.ops import node_flops

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


class FixedHiddenMLP(nn.Module):
    """The seed's, with its loop written so that it can be recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.rand_weight = gn.rand(20, 20)
        self.linear = nn.LazyLinear(20)

    def forward(self, x: Any) -> Any:
        x = self.linear(x)
        x = nn.functional.relu(x @ self.rand_weight + 1)
        x = self.linear(x)
        (x,) = gn.while_loop(lambda x: x.abs().sum() > 1, lambda x: (x / 2,), (x,))
        return x.sum()


class Branching(nn.Module):
    """A layer that is used in a branch of a loop, and outside."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Any) -> Any:
        def trip(x: Any) -> Any:
            return (gn.cond(x.sum() > 0, lambda: self.layer(x).relu(), lambda: x - 1),)

        (x,) = gn.while_loop(lambda x: x.sum() < 100, trip, (x,))
        return self.layer(x)


def chimera() -> gn.Graph:
    return gn.trace(nn.Sequential(NestMlp(), nn.LazyLinear(20), FixedHiddenMLP()), ("N", 20))


def branching() -> gn.Graph:
    return gn.trace(nn.Sequential(Branching(), nn.ReLU()), ("N", 4))


@pytest.mark.parametrize("make", [chimera, branching])
def test_all_nodes_of_all_blocks_are_there_and_in_order(make: Any) -> None:
    graph = make()
    flat, backs = unfold(graph)
    names = {node.name for node in flat.nodes}
    assert {node.name for node in graph.walk() if node.op != "input"} <= names
    assert not any(node.blocks for node in flat.nodes)
    seen: set[Any] = set()
    for node in flat.nodes:
        assert all(source in seen for source in node.sources), node
        seen.add(node)
    assert len(names) == len(flat.nodes)
    assert flat.used_parameters() == graph.used_parameters()
    assert [(b.source.op, b.target.op) for b in backs] == [("div" if make is chimera else "if", "state")]
    graph.verify()  # it is as it was


def test_a_graph_without_blocks_is_given_back() -> None:
    graph = gn.trace(nn.ReLU(), (2,))
    assert unfold(graph).graph is graph


@needs_dot
def test_a_loop_is_a_box_with_a_line_back() -> None:
    picture = Picture(chimera().to_dot())
    assert {"2.while\nwhile", "2.while.condition\ncondition", "2.while.body\nbody"} <= set(picture.boxes)
    assert picture.boxes["2.while.body\nbody"] == {"/ 2\n2.div\n(N, 20)"}
    (back,) = [line for line in picture.lines if line.label == "next trip"]
    assert back.source.startswith("/ 2") and back.target.startswith("state")
    folded = Picture(chimera().to_dot(depth=2))
    assert any(node.startswith("2.while\nwhile\n(N, 20)") for node in folded.nodes)
    assert not [line for line in folded.lines if line.label == "next trip"]


@needs_dot
def test_weights_shared_with_a_branch_within_a_loop() -> None:
    picture = Picture(branching().to_dot())
    (tie,) = [line for line in picture.lines if line.dashed]
    assert tie.label == "0.layer.weight\n0.layer.bias"
    assert (
        "0.layer\nLinear\n(N, 4)" in picture.boxes["0.while.body.if.then\nthen"]
    )  # its own path, wherever it is called
    assert {"0.while.body.if.else\nelse"} <= set(picture.boxes)


def test_text_and_page() -> None:
    lines = outline.outline(chimera()).splitlines()
    assert any(line.endswith("├─ 2.while.condition (condition)") for line in lines)
    assert any("2.div: / 2" in line for line in lines)
    page = html.page(branching())
    assert '"again":[[' in page
    assert "value that goes around a loop" in page


def test_tables_count_one_trip() -> None:
    summary = gn.summary(chimera())
    rows = {row.path: row for row in summary}
    assert rows["2.div"].within == "2.while"
    assert rows["2.linear"].within == ""
    assert "state" not in {row.cls for row in summary}
    assert "in 2.while" in str(summary)
    assert str(summary).endswith("of a loop one trip, of a branch both sides")
    graph = chimera()
    assert str(node_flops(graph, graph.node("2.while"))) == "60*N+1"
    shared = gn.summary(branching())
    assert [row.shared_with for row in shared if row.cls == "Linear"] == ["", "0.layer"]
    assert shared.totals()["parameters"] == 20


@needs_dot
@pytest.mark.parametrize("make", [chimera, branching])
def test_gradients_of_loops(make: Any, tmp_path: Path) -> None:
    gradient = make().gradient()
    for kind in (".dot", ".html", ".txt", ".svg"):
        assert gn.draw(gradient, tmp_path / f"net{kind}").stat().st_size
    assert "repeat" in str(gn.summary(gradient))
