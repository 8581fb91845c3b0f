"""Pure functions over graphs. No pass imports another; this file tells in which order they apply.

Sizes that were learnt are put in, types are checked and gradients are taken while a graph is traced and
differentiated. What is compiled is then bound to inputs of given types, gets clipped gradients and updates, and goes
through `optimize`. At the end its buffers get their places in memory.
"""

from collections.abc import Callable

from graphnet.collector import collector_paused
from graphnet.ir import Graph
from graphnet.passes.clip import clip_norm
from graphnet.passes.dead import remove_dead
from graphnet.passes.folding import fold_constants
from graphnet.passes.fusion import fuse
from graphnet.passes.gradient import differentiate
from graphnet.passes.grouping import group_elementwise
from graphnet.passes.memory import plan
from graphnet.passes.merge import merge_common
from graphnet.passes.simplify import simplify
from graphnet.passes.sizes import bind, resolve, verify_types
from graphnet.passes.updates import Update, add_updates, place_updates

__all__ = [
    "PASSES",
    "Update",
    "add_updates",
    "bind",
    "clip_norm",
    "differentiate",
    "fold_constants",
    "fuse",
    "group_elementwise",
    "merge_common",
    "optimize",
    "place_updates",
    "plan",
    "remove_dead",
    "resolve",
    "simplify",
    "verify_types",
]

PASSES: tuple[Callable[[Graph], Graph], ...] = (
    remove_dead,
    fold_constants,
    simplify,
    merge_common,
    fuse,
    group_elementwise,
    place_updates,
)


def optimize(graph: Graph) -> Graph:
    """A graph with the same outputs that takes less time, for graphs of which no gradient is taken any more."""
    with collector_paused():
        for apply in PASSES:
            before, graph = graph, apply(graph)
            if graph is not before:
                graph.verify()
                verify_types(graph, before)
    return graph
