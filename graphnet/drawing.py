"""`graphnet.draw`: a network as a picture, a page or text, by the ending of the file's name."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphnet import ir
from graphnet.compile import Compiled
from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.export import dot, html, outline, render
from graphnet.export.look import checked_direction
from graphnet.passes import optimize
from graphnet.trace import graph_for

__all__ = ["FORMATS", "draw"]

FORMATS = (".svg", ".png", ".pdf", ".dot", ".html", ".txt")


def draw(
    network: Any,
    path: str | os.PathLike[str],
    *inputs: Any,
    depth: int | None = None,
    direction: str = "LR",
    shared: bool = True,
    collapse: bool | None = None,
    legend: bool = True,
    values: Mapping[str, float] | None = None,
    **settings: Any,
) -> Path:
    """Draw a network into a file.

    Layers and operations are nodes, coloured by kind; modules are boxes around them; dashed lines join what shares
    weights. `.svg`, `.png` and `.pdf` are drawn by Graphviz (`.svg` also by the extra `graphnet[svg]`); `.dot` is the
    text for it. `.html` is one page that needs nothing else: it pans, zooms, searches, opens and closes modules, and
    tells shapes, FLOPs, parameters and source lines of what the mouse is over. `.txt` is a tree.

    Args:
        network: a module or function, with the shapes of its `inputs` behind the path, as for `trace`; or a graph. Of
            what `graphnet.compile` gives, the graph that runs is drawn, with the operations that were fused.
        path: the file to write; its ending says which kind. A missing folder is made.
        inputs, settings: as for `trace`.
        depth: how many levels of modules are shown open; deeper ones are one node each. None shows all; the page
            then opens as many as fit, and others when they are clicked.
        direction: where data flow: "LR" from left to right, "TB" down, "RL", "BT".
        shared: outline and join what shares weights.
        collapse: draw a block that is repeated many times once, with its number of times. By default it is done
            unless there are `values`.
        legend: tell what outlines and colours mean.
        values: numbers by name of a node or path of a module, such as those of `graphnet.inspect`: they become
            colours, and stand below the names.

    Returns:
        The path.

    Raises:
        ArgumentError, ArgumentTypeError: an unknown ending, direction or depth.
        MissingPackageError: Graphviz is needed and not installed; the message says how to get it.
        RenderError: Graphviz failed.
        ShapeError, TraceError, ...: as `trace`.

    Example:
        >>> import graphnet as gn, tempfile, pathlib
        >>> net = gn.nn.Sequential(gn.nn.LazyLinear(4), gn.nn.ReLU())
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     written = gn.draw(net, pathlib.Path(folder) / "net.dot", ("N", 20))
        ...     print(written.name, "LazyLinear" in written.read_text())
        net.dot False
    """
    if not isinstance(path, (str, os.PathLike)):
        hint = '; the file\'s name comes second: gn.draw(net, "net.svg", ("N", 20))'
        raise ArgumentTypeError(f"draw: expects a file's name, got {path!r:.60}{hint}")
    target = Path(path)
    write = _WRITERS.get(target.suffix.lower())
    if write is None:
        raise ArgumentError(f"draw: {target.name!r} should end in {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    graph: ir.Graph
    if isinstance(network, Compiled):
        graph = optimize(graph_for("draw", network.network, *inputs, **settings))
    else:
        graph = graph_for("draw", network, *inputs, **settings)
    checked_direction("draw", direction)
    _check_names(graph, values)
    if collapse is None:
        collapse = values is None
    look = {"depth": depth, "direction": direction, "shared": shared, "collapse": collapse, "legend": legend}
    data = write(graph, {**look, "values": values})
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
    return target


def _check_names(graph: ir.Graph, values: Any) -> None:
    """Raise ArgumentError where values are given and the graph knows none of their names."""
    if not isinstance(values, Mapping) or not values:
        return
    known: dict[str, None] = {}
    for node in graph.walk():
        known.setdefault(node.name)
        scope = node.scope
        while scope is not None:
            known.setdefault(scope.label)
            scope = scope.parent
    if not any(str(name) in known for name in values):
        some = ", ".join([name for name in known if name][:8])
        first = next(iter(values))
        raise ArgumentError(f"draw: {graph.name} has no node or module {first!r} to show a value of; it has {some}")


_Look = dict[str, Any]


def _page(graph: ir.Graph, look: _Look) -> bytes:
    return html.page(graph, **look).encode("utf-8", "replace")


def _text(graph: ir.Graph, look: _Look) -> bytes:
    told = {name: look[name] for name in ("depth", "collapse", "shared", "values")}
    return outline.outline(graph, **told).encode("utf-8", "replace")


def _dot(graph: ir.Graph, look: _Look) -> bytes:
    return dot.to_dot(graph, **look).encode("utf-8", "replace")


def _picture(format: str) -> Callable[[ir.Graph, _Look], bytes]:
    return lambda graph, look: render.rendered(dot.to_dot(graph, **look), format)


_WRITERS: dict[str, Callable[[ir.Graph, _Look], bytes]] = {
    ".svg": _picture("svg"),
    ".png": _picture("png"),
    ".pdf": _picture("pdf"),
    ".dot": _dot,
    ".html": _page,
    ".txt": _text,
}
