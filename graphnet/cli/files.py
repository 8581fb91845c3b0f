"""What is done with a network in a file: drawn, summarized, exported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import graphnet as gn
from graphnet.cli.load import applied, graph_of_target
from graphnet.errors import ArgumentError

__all__ = ["draw", "export", "summary"]


def draw(target: str, inputs: list[str], path: Path, depth: int | None, direction: str, **look: Any) -> None:
    """Draw it, and tell the file."""
    gn.draw(graph_of_target(target, inputs), path, depth=depth, direction=direction, **look)
    print(f"wrote {path}")


def summary(target: str, inputs: list[str], *, as_json: bool) -> None:
    """Print its table."""
    found = gn.summary(graph_of_target(target, inputs))
    if as_json:
        print(json.dumps({"name": found.graph.name, "rows": found.records(), "totals": found.totals()}, indent=2))
    else:
        print(found)


def export(target: str, inputs: list[str], path: Path) -> None:
    """Write it in the format that the file's ending names, and tell the file."""
    kind = path.suffix.lower()
    if kind not in (".onnx", ".json", ".dot"):
        raise ArgumentError(
            f"export: {path.name!r} should end in .onnx, .json or .dot; pictures are drawn: graphnet draw"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".onnx":
        applied(target, inputs, lambda found, *specs: gn.to_onnx(found, path, *specs))
    else:
        graph: Any = graph_of_target(target, inputs)
        path.write_text(graph.to_dot() if kind == ".dot" else graph.to_json(), encoding="utf-8")
    print(f"wrote {path}")
