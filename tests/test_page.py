"""The page that `graphnet.draw` writes, in a real browser that has no network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import PROGRAM, Page, browser
from test_draw import tied
from test_unfold import chimera

import graphnet as gn
from graphnet import nn

needs_browser = pytest.mark.skipif(PROGRAM is None, reason="Chromium is not installed")
CHECKED_LINE = "        self.second = nn.Linear(8, 2)"


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Sequential(nn.Linear(20, 8), nn.ReLU()), nn.ReLU())
        self.second = nn.Linear(8, 2)

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x)) * 2 + 1  # seen


def data(page: Path) -> Any:
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


def test_it_holds_everything_itself(tmp_path: Path) -> None:
    text = gn.draw(Own(), tmp_path / "net.html", ("N", 20)).read_text(encoding="utf-8")
    assert not re.findall(r"""(?:src|href)\s*=|url\((?!#)|@import|https?://""", text)
    assert "default-src 'none'" in text
    assert len(text) < 60_000


def test_details_of_each_node(tmp_path: Path) -> None:
    items = data(gn.draw(Own(), tmp_path / "net.html", ("N", 20)))["items"]
    (second,) = [item for item in items if item["l"][0] == "second"]
    told = dict(reversed([d for d in second["d"] if d[0]]))
    assert told["parameters"] == "18"
    assert told["FLOPs"] == "32 N"
    assert told["memory"] == "8 N bytes"
    assert told["result"] == "(N, 2) float32"
    assert re.search(r"test_page\.py:\d+$", told["source"])
    assert CHECKED_LINE.strip() in [text for _, text in second["d"]]
    (mul,) = [item for item in items if item["l"][0] == "* 2"]
    assert "return self.second(self.first(x)) * 2 + 1  # seen" in [text for _, text in mul["d"]]


def test_titles_and_names_cannot_break_out(tmp_path: Path) -> None:
    bad = "</script><script>boom()</script><b>"
    with gn.Graph(bad) as graph:
        graph.output(graph.linear(graph.input(bad, ("N", 2)), 2, name="a<b>&\ud800"))
    text = gn.draw(graph, tmp_path / "net.html").read_text(encoding="utf-8")
    assert "<script>boom" not in text
    assert text.count("</script>") == 2


def test_many_layers_side_by_side_come_in_parts(tmp_path: Path) -> None:
    net = nn.Sequential(*[nn.Linear(3, 3) if i % 3 else nn.ReLU() for i in range(1003)])
    page = data(gn.draw(net, tmp_path / "net.html", ("N", 3), collapse=False))
    holders = [item for item in page["items"] if "c" in item]
    assert max(len(item["c"]) for item in holders) <= 100
    assert ["0 … 98", "99 operations"] in [item["l"] for item in holders] or any("…" in h["l"][0] for h in holders)
    leaves = [i for item in holders for i in item["c"] if "c" not in page["items"][i]]
    assert len(leaves) == len(set(leaves)) == 1005


# -- in the browser ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    with browser() as page:
        yield page


def boxes(page: Page) -> dict[str, dict[str, float]]:
    """Where each box is on the screen, by the first line of its label."""
    code = """Object.fromEntries([...document.querySelectorAll('#scene [data-id]')].map(g => {
        const r = (g.querySelector('.bar') || g).getBoundingClientRect();
        return [items[+g.dataset.id].l[0], {x: r.x + r.width / 2, y: r.y + r.height / 2, w: r.width, h: r.height}]}))"""
    found: dict[str, dict[str, float]] = page.run(code)
    return found


def at(page: Page, name: str) -> tuple[float, float]:
    box = boxes(page)[name]
    return box["x"], box["y"]


def tip(page: Page) -> str:
    return str(page.run("document.getElementById('tip').hidden ? '' : document.getElementById('tip').innerText"))


@needs_browser
def test_open_and_close_modules(chromium: Page, tmp_path: Path) -> None:
    chromium.open(gn.draw(Own(), tmp_path / "net.html", ("N", 20), depth=1))
    assert set(boxes(chromium)) == {"Own", "input x", "first", "second", "* 2", "+ 1", "output"}
    chromium.click(*at(chromium, "first"))
    assert {"first.0", "first.1"} <= set(boxes(chromium))
    chromium.click(*at(chromium, "first.0"))
    assert {"first.0.0", "first.0.1"} <= set(boxes(chromium))
    chromium.click(*at(chromium, "first"))
    assert "first.0" not in boxes(chromium)
    chromium.key("c")
    chromium.key("e")
    chromium.key("e")
    assert {"first.0.0", "first.0.1", "first.1"} <= set(boxes(chromium))
    chromium.key("c")
    assert "first.1" not in boxes(chromium)
    assert not chromium.errors()


@needs_browser
def test_boxes_do_not_overlap_and_lines_go_forward(chromium: Page, tmp_path: Path) -> None:
    for direction in ("LR", "TB", "RL", "BT"):
        chromium.open(gn.draw(tied(), tmp_path / f"{direction}.html", ("N", 20), direction=direction))
        chromium.run("expand(), expand(), expand()")
        overlaps = """(() => {
            const leaves = visible().filter(id => !(items[id].c && open.has(id))).map(id => boxes.get(id));
            return leaves.filter((a, i) => leaves.some((b, j) => i < j && a.x < b.x + b.w && b.x < a.x + a.w
                && a.y < b.y + b.h && b.y < a.y + a.h)).length })()"""
        assert chromium.run(overlaps) == 0
        inside = """visible().every(id => items[id].u === undefined || (() => {
            const a = boxes.get(id), b = boxes.get(items[id].u);
            return a.x >= b.x && a.y >= b.y && a.x + a.w <= b.x + b.w && a.y + a.h <= b.y + b.h })())"""
        assert chromium.run(inside)
        place = boxes(chromium)
        axis = "x" if direction in ("LR", "RL") else "y"
        sign = -1 if direction in ("RL", "BT") else 1
        chain = [
            sign * place[name][axis] for name in ("input", "0", "1", "2.0", "2.1", "3.net.0", "3.linear", "output")
        ]
        assert chain == sorted(chain)
        assert chromium.run("document.querySelectorAll('.edge').length") == 10
        assert chromium.run("document.querySelectorAll('#scene .tie').length") == 1
    assert not chromium.errors()


@needs_browser
def test_pan_and_zoom(chromium: Page, tmp_path: Path) -> None:
    chromium.open(gn.draw(Own(), tmp_path / "net.html", ("N", 20)))
    before = boxes(chromium)["second"]
    chromium.drag(600, 700, 80, -50)
    after = boxes(chromium)["second"]
    assert (after["x"] - before["x"], after["y"] - before["y"]) == (pytest.approx(80, abs=1), pytest.approx(-50, abs=1))
    chromium.wheel(after["x"], after["y"], -400)
    closer = boxes(chromium)["second"]
    assert closer["w"] > 1.5 * after["w"]
    assert (closer["x"], closer["y"]) == (pytest.approx(after["x"], abs=2), pytest.approx(after["y"], abs=2))
    chromium.key("0")
    fitted = boxes(chromium)["second"]
    assert fitted["w"] == pytest.approx(before["w"], rel=0.01)
    assert not chromium.errors()


@needs_browser
def test_hovering_tells_shape_flops_parameters_and_source(chromium: Page, tmp_path: Path) -> None:
    chromium.open(gn.draw(Own(), tmp_path / "net.html", ("N", 20), depth=1))
    assert not tip(chromium)
    chromium.hover(*at(chromium, "second"))
    told = tip(chromium)
    for part in (
        "(N, 2) float32",
        "18",
        "32 N",
        "8 N bytes",
        "test_page.py:",
        CHECKED_LINE.strip(),
        "second.weight (2, 8)",
    ):
        assert part in told
    assert chromium.run("document.querySelectorAll('.edge.near').length") == 2
    chromium.hover(*at(chromium, "first"))
    assert "168" in tip(chromium) and "3 operations" in tip(chromium)
    chromium.hover(5, 700)
    assert not tip(chromium)
    chromium.click(*at(chromium, "second"))  # stays
    chromium.hover(5, 700)
    assert "18" in tip(chromium)
    chromium.key("Escape")
    assert not tip(chromium)
    assert not chromium.errors()


@needs_browser
def test_search_opens_what_it_finds(chromium: Page, tmp_path: Path) -> None:
    path = gn.draw(Own(), tmp_path / "net.html", ("N", 20), depth=1)
    chromium.open(path)
    chromium.key("/")
    chromium.type("relu")
    assert "first.0.1" in chromium.run("document.getElementById('found').innerText")
    chromium.key("Enter")
    assert "first.0.1" in boxes(chromium) or "first.1" in boxes(chromium)
    assert "ReLU" in tip(chromium)
    chromium.run("document.getElementById('find').value = ''")
    chromium.key("/")
    chromium.type("no such thing")
    assert "nothing found" in chromium.run("document.getElementById('found').innerText")
    chromium.open(path, "#find=first.0.0")
    assert "first.0.0" in boxes(chromium)
    assert "20" in tip(chromium)
    assert not chromium.errors()


@needs_browser
def test_values_and_kinds_show(chromium: Page, tmp_path: Path) -> None:
    chromium.open(gn.draw(tied(), tmp_path / "net.html", ("N", 20), values={"0": 0.25, "1": 1e-9}))
    fill = "document.querySelector(`[data-id='${items.findIndex(i => i.l[0] === NAME)}'] .shape`).getAttribute('fill')"
    assert chromium.run(fill.replace("NAME", "'0'")) != chromium.run(fill.replace("NAME", "'1'"))
    assert "1e-09" in chromium.run("document.getElementById('scene').textContent")
    legend = chromium.run("document.getElementById('legend').innerText")
    assert "layer with weights" in legend and "shared weights" in legend
    assert chromium.run("document.querySelectorAll('#scene .shares').length") == 2


@needs_browser
def test_ten_thousand_nodes_do_not_freeze(chromium: Page, tmp_path: Path) -> None:
    blocks = [nn.Sequential(nn.Linear(4, 4), nn.ReLU()) if i % 2 else nn.ReLU() for i in range(6700)]
    chromium.open(gn.draw(nn.Sequential(*blocks), tmp_path / "net.html", ("N", 4), collapse=False))
    for _ in range(4):
        chromium.key("e")
    assert chromium.run("document.querySelectorAll('#scene g').length") <= 1500
    assert "click what to open" in chromium.run("document.getElementById('status').textContent")
    chromium.key("c")
    assert boxes(chromium)["input"]["w"] > 30  # readable, though not all of it is seen
    chromium.open(tmp_path / "net.html", "#find=6699.0")
    assert "6699.0" in boxes(chromium)
    assert not chromium.errors()


@needs_browser
def test_loops_are_boxes_with_a_line_back(chromium: Page, tmp_path: Path) -> None:
    for direction in ("LR", "TB"):
        chromium.open(gn.draw(chimera(), tmp_path / f"{direction}.html", direction=direction))
        assert {"2.while", "2.while.condition", "2.while.body", "state"} <= set(boxes(chromium))
        assert chromium.run("document.querySelectorAll('#scene .again').length") == 1
        assert chromium.run("document.querySelectorAll('#scene .round').length") == 3
        chromium.key("0")
        chromium.click(*at(chromium, "2.while"))
        assert "state" not in boxes(chromium)
        assert chromium.run("document.querySelectorAll('#scene .again').length") == 0
    assert not chromium.errors()


@needs_browser
def test_odd_names_and_many_lines(chromium: Page, tmp_path: Path) -> None:
    def function(x: Any) -> Any:
        parts = [x * i for i in range(12)]
        return gn.cat([a + b for a, b in zip(parts, parts[::-1])]), parts[3], parts[3]

    with gn.Graph('<b>"&') as graph:
        graph.output(graph.linear(graph.input("ü<i>", ("N", 2)), 2, name="a'b<c>"))
    for network in (gn.trace(function, (3,)), graph, gn.trace(nn.ReLU(), (2,))):
        chromium.open(gn.draw(network, tmp_path / "net.html"))
        assert boxes(chromium)
        assert chromium.run("document.querySelectorAll('#scene i, #scene b').length") == 0
    assert not chromium.errors()
