"""The table of layers."""

from __future__ import annotations

import json
from typing import Any

import pytest

import graphnet as gn
from graphnet import nn
from graphnet.export import table


class Own(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(4)
        self.weight = nn.Parameter(gn.ones(4, 3))
        self.loss = nn.CrossEntropyLoss()

    def forward(self, x: Any, y: Any) -> Any:
        x = self.layer(x).relu()
        return self.loss(self.layer(x) @ self.weight, y)


def test_rows_of_tied_layers() -> None:
    tied = nn.LazyLinear(8)
    net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), tied, nn.Sequential(tied, nn.ReLU()), nn.LazyLinear(1))
    rows = table.rows(gn.trace(net, ("N", 20)))
    assert [(r.path, r.cls, r.shape, r.parameters, r.shared_with, r.operations) for r in rows] == [
        ("0", "Linear", "(N, 8)", 168, "", 1),
        ("1", "ReLU", "(N, 8)", 0, "", 1),
        ("2", "Linear", "(N, 8)", 72, "", 1),
        ("3.0", "Linear", "(N, 8)", 0, "2", 1),
        ("3.1", "ReLU", "(N, 8)", 0, "", 1),
        ("4", "Linear", "(N, 1)", 9, "", 1),
    ]
    assert sum(r.parameters for r in rows) == sum(p.numel() for p in net.parameters())
    assert rows[3].shared == 72


def test_rows_of_own_code() -> None:
    rows = table.rows(gn.trace(Own(), ("N", 4), gn.Spec(("N",), gn.int64)))
    assert [(r.path, r.cls, r.parameters, r.shared_with) for r in rows] == [
        ("layer", "Linear", 20, ""),
        ("relu", "relu", 0, ""),
        ("layer", "Linear", 0, "layer"),
        ("matmul", "matmul", 12, ""),
        ("loss", "CrossEntropyLoss", 0, ""),
    ]


def test_rows_of_a_single_layer() -> None:
    (row,) = table.rows(gn.trace(nn.Linear(3, 4), ("N", 3)))
    assert (row.path, row.cls, row.parameters) == ("Linear", "Linear", 16)


def test_text_is_aligned_with_a_total() -> None:
    with gn.Graph("mlp") as g:
        x = g.input("x", ("N", 8))
        h = g.relu(g.linear(x, 400, name="hidden"), name="act")
        h = g.linear(h, 400, name="again")
        h = g.linear(h, 400, name="tied", share="again")
        g.output(g.linear(h, 2, name="out"))
    assert table.text(g).splitlines() == [
        "mlp",
        "path    class   output    parameters      FLOPs    bytes",
        "---------------------------------------------------------------------------",
        "x       input   (N, 8)",
        "hidden  Linear  (N, 400)       3,600    6,400 N  1,600 N",
        "act     relu    (N, 400)           0      400 N  1,600 N",
        "again   Linear  (N, 400)     160,400  320,000 N  1,600 N",
        "tied    Linear  (N, 400)           0  320,000 N  1,600 N  shared with again",
        "out     Linear  (N, 2)           802    1,600 N      8 N",
        "---------------------------------------------------------------------------",
        "164,802 parameters, of which 160,400 shared, 648,400 N FLOPs, 6,408 N bytes of results",
    ]


def test_records_and_totals_are_plain_data() -> None:
    net = nn.Sequential(nn.Linear(20, 4), nn.ReLU())
    open_sized, sized = gn.summary(net, ("N", 20)), gn.summary(net, (5, 20))
    assert sized.records() == [
        {"path": "0", "cls": "Linear", "shape": "(5, 4)", "parameters": 84, "shared_with": "", "shared": 0}
        | {"operations": 1, "flops": 800, "bytes": 80, "within": ""},
        {"path": "1", "cls": "ReLU", "shape": "(5, 4)", "parameters": 0, "shared_with": "", "shared": 0}
        | {"operations": 1, "flops": 20, "bytes": 80, "within": ""},
    ]
    assert sized.totals() == {"parameters": 84, "shared": 0, "flops": 820, "bytes": 160}
    assert open_sized.totals() == {"parameters": 84, "shared": 0, "flops": "164*N", "bytes": "32*N"}
    assert json.loads(json.dumps(open_sized.records()))[1]["flops"] == "4*N"


def test_notebooks_show_a_table() -> None:
    with gn.Graph("a<b>") as g:
        g.output(g.linear(g.input("x", ("N", 8)), 4, name="<i>"))
    text = gn.summary(g)._repr_html_()
    assert "&lt;i&gt;" in text and "a&lt;b&gt;" in text
    assert "<i>" not in text
    assert text.count("<tr>") == 4


def test_wrong_arguments() -> None:
    with pytest.raises(gn.ArgumentError, match=r'summary: give the shape of each input, such as \("N", 20\)'):
        gn.summary(nn.Linear(2, 3))
    with pytest.raises(gn.ArgumentTypeError, match="got an int"):
        gn.summary(3, (2, 3))
    with gn.Graph("open") as graph:
        graph.output(graph.relu(graph.input("x", (2,))))
        with pytest.raises(gn.GraphError, match="summary: the graph 'open' is not finished"):
            gn.summary(graph)


def test_odd_names_stay_on_their_lines() -> None:
    with gn.Graph("a\nb") as g:
        g.output(g.linear(g.input("x", (1, 1)), 1, bias=False, name="line\nend\x1b"))
    lines = table.text(g).splitlines()
    assert lines[0] == r"a\nb"
    assert lines[4].startswith(r"line\nend\x1b  Linear")
    assert lines[-1].startswith("1 parameter, ")


def test_long_networks() -> None:
    net = nn.Sequential(*[nn.ReLU() for _ in range(3000)])
    assert len(table.rows(gn.trace(net, ("N", 2)))) == 3000
