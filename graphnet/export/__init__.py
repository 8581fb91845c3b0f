"""Graphs for other eyes and tools: DOT, networkx, tables, pictures. Each part is imported when it is asked for."""

from typing import TYPE_CHECKING

from graphnet.later import attach

if TYPE_CHECKING:
    from graphnet.export import dot, html, jsons, nx, outline, render, table, text

_PARTS = ("dot", "html", "jsons", "nx", "outline", "render", "table", "text")

__getattr__, __dir__ = attach("graphnet.export", {part: f"graphnet.export.{part}" for part in _PARTS})

__all__ = ["dot", "html", "jsons", "nx", "outline", "render", "table", "text"]
