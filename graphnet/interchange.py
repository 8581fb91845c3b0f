"""Graphs that other programs wrote: the doors to `Graph.from_networkx` and `Graph.from_json`.

Example:
    >>> import graphnet as gn
    >>> graph = gn.trace(gn.nn.Linear(3, 2), ("N", 3))
    >>> gn.equal(gn.from_json(graph.to_json())(gn.ones(1, 3)), graph(gn.ones(1, 3)))
    True
"""

from __future__ import annotations

from graphnet.graph import Graph

__all__ = ["from_json", "from_networkx"]

from_networkx = Graph.from_networkx
from_json = Graph.from_json
