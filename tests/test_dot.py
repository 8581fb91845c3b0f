"""Pictures in DOT, read back through Graphviz itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import graphnet as gn
from graphnet import ir, nn
from graphnet.export import dot

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


class NestMlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(32), nn.ReLU())
        self.linear = nn.LazyLinear(16)

    def forward(self, x: Any) -> Any:
        return self.linear(self.net(x))


class Fixed(nn.Module):
    """Uses one layer twice, a constant, and operators."""

    def __init__(self) -> None:
        super().__init__()
        self.constant = gn.ones(20, 20)
        self.linear = nn.LazyLinear(20)

    def forward(self, x: Any) -> Any:
        x = gn.relu(self.linear(x) @ self.constant + 1)
        return self.linear(x).sum()


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 8))

    def forward(self, x: Any) -> Any:
        return x + self.mlp(x)


def chimera() -> gn.Graph:
    return gn.trace(nn.Sequential(NestMlp(), nn.LazyLinear(20), nn.ReLU()), ("N", 20))


def chain(pairs: int, size: int = 8) -> nn.Sequential:
    return nn.Sequential(*[layer for _ in range(pairs) for layer in (nn.Linear(size, size), nn.ReLU())])


class Line(NamedTuple):
    source: str
    target: str
    label: str
    dashed: bool


class Picture:
    """What Graphviz makes of DOT text: labels of nodes, of boxes with what they hold, and lines."""

    def __init__(self, text: str) -> None:
        data = json.loads(graphviz(text, "json"))
        objects = data.get("objects", [])
        self.title = shown(data.get("label", ""))
        self.nodes = [shown(o["label"]) for o in objects if "nodes" not in o and not o["name"].startswith("cluster")]
        names = {o["_gvid"]: shown(o["label"]) for o in objects}
        self.boxes = {shown(o["label"]): {names[n] for n in o["nodes"]} for o in objects if "nodes" in o}
        self.box_count = sum("nodes" in o for o in objects)
        self.lines = [
            Line(names[e["tail"]], names[e["head"]], shown(e.get("label", "")), e.get("style") == "dashed")
            for e in data.get("edges", [])
        ]


def graphviz(text: str, form: str) -> str:
    done = subprocess.run(["dot", f"-T{form}"], input=text.encode(), capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    assert not done.stderr, done.stderr.decode()
    return done.stdout.decode()


def shown(label: str) -> str:
    """A label as Graphviz draws it, from how it is written."""
    text = re.sub(r"\\(.)", lambda m: "\n" if m[1] in "nl" else m[1] if m[1] == "\\" else "?", label, flags=re.DOTALL)
    return text.replace("&amp;", "&").removesuffix("\n")


@needs_dot
def test_every_layer_is_a_node_in_the_box_of_its_module() -> None:
    picture = Picture(chimera().to_dot())
    assert picture.title == "Sequential"
    assert picture.nodes == [
        "input\n(N, 20)",
        "0.net.0\nLinear\n(N, 64)",
        "0.net.1\nReLU\n(N, 64)",
        "0.net.2\nLinear\n(N, 32)",
        "0.net.3\nReLU\n(N, 32)",
        "0.linear\nLinear\n(N, 16)",
        "1\nLinear\n(N, 20)",
        "2\nReLU\n(N, 20)",
        "output\n(N, 20)",
    ]
    assert picture.boxes == {
        "0\nNestMlp": set(picture.nodes[1:6]),
        "0.net\nSequential": set(picture.nodes[1:5]),
    }
    assert [(a, b) for a, b, _, _ in picture.lines] == list(zip(picture.nodes, picture.nodes[1:]))


@needs_dot
def test_depth_folds_modules_into_single_nodes() -> None:
    graph = chimera()
    whole = Picture(graph.to_dot(depth=0))
    assert whole.nodes == ["input\n(N, 20)", "Sequential\n(N, 20)\n7 operations", "output\n(N, 20)"]
    assert not whole.boxes
    children = Picture(graph.to_dot(depth=1))
    assert children.nodes[1:4] == ["0\nNestMlp\n(N, 16)\n5 operations", "1\nLinear\n(N, 20)", "2\nReLU\n(N, 20)"]
    assert len(children.lines) == 4
    inner = Picture(graph.to_dot(depth=2))
    assert "0.net\nSequential\n(N, 32)\n4 operations" in inner.nodes
    assert set(inner.boxes) == {"0\nNestMlp"}
    assert graph.to_dot(depth=3) == graph.to_dot(depth=100) == graph.to_dot()


def test_depth_is_checked() -> None:
    graph = chimera()
    with pytest.raises(gn.ArgumentError, match="depth is 0 or more"):
        graph.to_dot(depth=-1)
    for wrong in (1.0, "1", True):
        with pytest.raises(gn.ArgumentTypeError, match="whole number"):
            graph.to_dot(depth=wrong)  # type: ignore[arg-type]


@needs_dot
def test_operations_of_own_code_constants_and_a_layer_called_twice() -> None:
    picture = Picture(gn.trace(Fixed(), (2, 20)).to_dot())
    assert picture.nodes.count("linear\nLinear\n(2, 20)") == 2
    for label in ("@\nmatmul\n(2, 20)", "+ 1\nadd\n(2, 20)", "relu\n(2, 20)", "sum\n()", "constant\n(20, 20)"):
        assert picture.nodes.count(label) == 1
    (shared,) = [line for line in picture.lines if line.dashed]
    assert shared.label == "linear.weight\nlinear.bias"
    assert ("constant\n(20, 20)", "@\nmatmul\n(2, 20)") in [(a, b) for a, b, _, _ in picture.lines]


@needs_dot
def test_tied_layers_are_joined_by_one_dashed_line_per_pair() -> None:
    layer = nn.LazyLinear(8)
    net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), layer, nn.ReLU(), layer, nn.ReLU(), layer, nn.LazyLinear(1))
    text = gn.trace(net, ("N", 20)).to_dot()
    dashed = [line for line in Picture(text).lines if line.dashed]
    assert [(a.split("\n")[0], b.split("\n")[0]) for a, b, _, _ in dashed] == [("2", "4"), ("4", "6")]
    assert {line.label for line in dashed} == {"2.weight\n2.bias"}
    assert text.count("constraint=false") == 2


@needs_dot
def test_a_graph_built_by_hand() -> None:
    with gn.Graph("mlp") as g:
        x = g.input("x", ("N", 8))
        h = g.relu(g.linear(x, 4, name="hidden"))
        h = g.relu(g.linear(h, 4, name="again"))
        h = g.relu(g.linear(h, 4, name="tied", share="again"), name="act")
        g.output(g.linear(h, 2, name="out"))
    picture = Picture(g.to_dot())
    assert picture.title == "mlp"
    assert picture.nodes[0] == "input x\n(N, 8)"
    assert "tied\nLinear\n(N, 4)" in picture.nodes
    assert "act\nrelu\n(N, 4)" in picture.nodes
    (shared,) = [line for line in picture.lines if line.dashed]
    assert shared == ("again\nLinear\n(N, 4)", "tied\nLinear\n(N, 4)", "again.weight\nagain.bias", True)


@needs_dot
def test_shared_weights_show_between_folded_modules() -> None:
    inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    net = nn.Sequential(nn.Sequential(inner, nn.ReLU()), nn.Sequential(inner, nn.ReLU()))
    picture = Picture(gn.trace(net, ("N", 4)).to_dot(depth=1))
    (shared,) = [line for line in picture.lines if line.dashed]
    assert [shared.source[:1], shared.target[:1]] == ["0", "1"]


@needs_dot
def test_parameters_results_and_modules_of_a_function() -> None:
    weight = nn.Parameter(gn.ones(3, 3))
    first, second = nn.Sequential(nn.Linear(3, 3), nn.ReLU()), nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    picture = Picture(gn.trace(lambda x: (second(first(x)), x * x, weight, x), ("N", 3)).to_dot())
    assert picture.box_count == 2
    assert [f"output {i}" in "".join(picture.nodes) for i in range(4)] == [True] * 4
    assert [(a, b) for a, b, _, _ in picture.lines].count(("input x\n(N, 3)", "*\nmul\n(N, 3)")) == 2
    assert any(node.startswith("parameter\n") for node in picture.nodes)


@needs_dot
def test_several_results_of_a_folded_module_show_on_their_lines() -> None:
    class Two(nn.Module):
        def forward(self, x: Any) -> Any:
            return x.sum(), x.relu()

    lines = Picture(gn.trace(Two(), ("N", 3)).to_dot(depth=0)).lines
    assert [line.label for line in lines] == ["", "()", "(N, 3)"]


@needs_dot
def test_other_dtypes_and_sizes_show() -> None:
    picture = Picture(gn.trace(lambda x: x + 1, gn.Spec(("N", 2), gn.int64)).to_dot())
    assert picture.nodes == ["input x\n(N, 2) int64", "+ 1\nadd\n(N, 2) int64", "output\n(N, 2) int64"]


# -- repeats ----------------------------------------------------------------------------------------------


@needs_dot
def test_a_long_run_is_drawn_once() -> None:
    net = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), *chain(20, 64), nn.Linear(64, 10))
    graph = gn.trace(net, ("N", 20))
    picture = Picture(graph.to_dot())
    assert picture.boxes == {"×20\n2 … 41": {"2\nLinear\n(N, 64)", "3\nReLU\n(N, 64)"}}
    assert [(a.split("\n")[0], b.split("\n")[0]) for a, b, _, _ in picture.lines] == [
        ("input", "0"), ("0", "1"), ("1", "2"), ("2", "3"), ("3", "42"), ("42", "output"),
    ]  # fmt: skip
    assert len(Picture(dot.to_dot(graph, collapse=False)).nodes) == 45


@needs_dot
def test_repeated_modules_are_drawn_once_open_or_folded() -> None:
    graph = gn.trace(nn.Sequential(*[Residual() for _ in range(6)], nn.Linear(8, 2)), (5, 8))
    opened = Picture(graph.to_dot())
    assert set(opened.boxes) == {"×6\n0 … 5", "0\nResidual", "0.mlp\nSequential"}
    folded = Picture(graph.to_dot(depth=1))
    assert folded.boxes == {"×6\n0 … 5": {"0\nResidual\n(5, 8)\n4 operations"}}
    assert len(folded.lines) == 3


@needs_dot
def test_the_same_layer_many_times_is_said_to_be_one() -> None:
    layer = nn.Linear(8, 8)
    net = nn.Sequential(*[m for _ in range(10) for m in (layer, nn.ReLU())], nn.Linear(8, 8), layer)
    picture = Picture(gn.trace(net, (2, 8)).to_dot())
    assert list(picture.boxes) == ["×10\n0 … 19\nwith the same weights"]
    (shared,) = [line for line in picture.lines if line.dashed]
    assert shared[:2] == ("0\nLinear\n(2, 8)", "21\nLinear\n(2, 8)")


@pytest.mark.parametrize("kind", ["few", "read from", "tied inside", "sizes", "settings"])
def test_what_is_not_the_same_is_drawn_in_full(kind: str) -> None:
    def network(x: Any) -> Any:
        seen = []
        for i, layer in enumerate(layers):
            x = layer(x)
            x = x.softmax(i % 3) if kind == "settings" else x.relu()
            seen.append(x)
        return (x, seen[3], seen[7], seen[10]) if kind == "read from" else x

    layers = [nn.Linear(8, 8) for _ in range(5 if kind == "few" else 12)]
    if kind == "tied inside":
        layers[3] = layers[7] = layers[10] = layers[0]
    if kind == "sizes":
        layers = [nn.Linear(8 + i, 9 + i) for i in range(12)]
    assert "×" not in gn.trace(network, (1, 2, 8)).to_dot()


# -- names ------------------------------------------------------------------------------------------------

ODD = ['a"b', "a\\", "\\N\\G\\L\\n", "<b>x</b>", "<b>", "a & b", "&lt;", "&amp;", "&#65;", "a\nb", "  x ", "-->", "\\l"]
printable = st.text(st.characters(exclude_categories=["C", "Zl", "Zp", "Zs"]), min_size=1, max_size=12)
special = st.text(st.sampled_from('\\"nNGLlrETH<>&;{}|#ab \n'), min_size=1, max_size=8)
names = (printable | special | st.sampled_from(ODD)).filter(lambda name: "." not in name)


@needs_dot
@given(names, names, names)
@example("\\", "\\\\", '\\"')
def test_names_are_shown_as_they_are(title: str, given_input: str, layer: str) -> None:
    with gn.Graph(title) as g:
        x = g.input(given_input, ("N", 2))
        g.output(g.linear(x, 3, name=layer))
    picture = Picture(g.to_dot())
    assert picture.title == title.removesuffix("\n")
    expected = "input" if given_input == "input" else f"input {given_input}"
    assert picture.nodes[:2] == [f"{expected}\n(N, 2)", f"{layer}\nLinear\n(N, 3)"]


@needs_dot
@given(names)
def test_names_of_boxes_are_shown_as_they_are(name: str) -> None:
    net = nn.Sequential()
    net.add_module(name, nn.Sequential(nn.ReLU(), nn.ReLU()))
    assert list(Picture(gn.trace(net, ("N", 2)).to_dot()).boxes) == [f"{name}\nSequential"]


@needs_dot
@given(st.text(min_size=1).filter(lambda name: "." not in name))
@example("\x00\x01\x1b\x7f\x85")
@example("\ud800")
@example("\ufffe\uffff")
@example("\r\n\t")
@example("x" * 20_000)
@example("&\\" * 10_000)
def test_any_name_gives_valid_dot_and_svg(name: str) -> None:
    with gn.Graph(name) as g:
        g.output(g.relu(g.input(name, ("N", 2)), name=f"{name}2"))
    ET.fromstring(graphviz(g.to_dot(), "svg").replace("&nbsp;", "&#160;"))


@needs_dot
def test_the_picture_shows_the_text() -> None:
    for name in ODD:
        with gn.Graph("odd") as g:
            g.output(g.linear(g.input("x", (1, 2)), 3, name=name))
        svg = ET.fromstring(graphviz(g.to_dot(), "svg"))
        texts = [e.text.replace("\xa0", " ") for e in svg.iter("{http://www.w3.org/2000/svg}text") if e.text]
        start = texts.index("(1, 2)") + 1
        assert "\n".join(texts[start : texts.index("Linear")]) == name


# -- size -------------------------------------------------------------------------------------------------


def test_text_is_the_same_each_time() -> None:
    assert chimera().to_dot() == chimera().to_dot()


def relus(count: int, nested: bool) -> ir.Graph:
    graph, types = ir.Graph("deep"), (ir.TensorType((2,), gn.float32),)
    node = graph.add(ir.Node("input", (), name="x"), types)
    scope: ir.Scope | None = None
    for i in range(count):
        scope = ir.Scope(scope if nested else None, "" if nested and i else "a", "ReLU", None, library=True)
        node = graph.add(ir.Node("relu", (ir.Value(node),), name=f"r{i}", scope=scope), types)
    graph.outputs.append(ir.Value(node))
    return graph


def test_a_long_chain_is_drawn_once_or_in_full() -> None:
    graph = gn.trace(chain(2000), ("N", 8))
    for collapse in (True, False):
        assert ("×2000" in dot.to_dot(graph, collapse=collapse)) is collapse


def test_long_and_deep_networks_meet_no_recursion_limit() -> None:
    assert "×20000" in dot.to_dot(relus(20_000, nested=False))
    text = dot.to_dot(relus(3000, nested=True))
    assert text.count("subgraph") == 2999
    assert text.count("{") == text.count("}")


@needs_dot
def test_gradients_are_drawn() -> None:
    graph = gn.trace(Fixed(), (2, 20)).gradient()
    for depth in (None, 0, 1):
        picture = Picture(graph.to_dot(depth=depth))
        assert sum(node.startswith("output") for node in picture.nodes) == len(graph.outputs)
