"""The calls of modules that a graph's nodes belong to, as a tree: what pictures and tables are drawn from."""

from __future__ import annotations

from typing import TypeAlias

from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.export.unfold import LOOPS
from graphnet.ir import Graph, Scope

__all__ = ["Call", "Item", "Tree", "checked_depth"]

_CONTROL = (*LOOPS, "condition", "body", "then", "else")
Item: TypeAlias = "Call | int"  # a call within another, or the index of a node of its own


class Call:
    """One call of a module, or the whole graph.

    Attributes:
        scope: which module was called; None for a graph that is not one module's.
        items: calls and nodes in it, in order.
        number: 0 for the whole graph, then counting calls in the order of the tree.
        level: how many calls it is inside of.
        start, stop: where its nodes are within `Tree.order`.
    """

    __slots__ = ("items", "level", "number", "scope", "start", "stop")

    def __init__(self, scope: Scope | None) -> None:
        self.scope = scope
        self.items: list[Item] = []
        self.number = self.level = self.start = self.stop = 0

    @property
    def node(self) -> int | None:
        """The node of a layer: of a call of a module of graphnet's own that is one operation."""
        if self.scope is None or not self.scope.library or len(self.items) != 1:
            return None
        item = self.items[0]
        return None if isinstance(item, Call) else item

    @property
    def loop(self) -> bool:
        """Whether it is a loop or branch, or a block of one."""
        return self.scope is not None and not self.scope.library and self.scope.cls in _CONTROL

    @property
    def leaf(self) -> bool:
        """Whether it is a module of graphnet's own without others inside, whose operations are its own business."""
        return self.scope is not None and self.scope.library and not any(isinstance(i, Call) for i in self.items)


class Tree:
    """A graph's calls.

    Attributes:
        root: the whole graph. Where one module's call is everything, its scope is the root's.
        calls: all calls, each before the ones inside it.
        order: indices of the operations, those of each call side by side.
    """

    __slots__ = ("calls", "order", "root")

    def __init__(self, graph: Graph) -> None:
        self.root = self._root(graph)
        self.calls: list[Call] = []
        self.order: list[int] = []
        stack: list[tuple[Item, int]] = [(self.root, 0)]
        while stack:
            item, level = stack.pop()
            if not isinstance(item, Call):
                self.order.append(item)
                continue
            item.number, item.level, item.start = len(self.calls), level, len(self.order)
            self.calls.append(item)
            stack.extend((inner, level + 1) for inner in reversed(item.items))
        for call in reversed(self.calls):
            call.stop = call.start + sum(i.stop - i.start if isinstance(i, Call) else 1 for i in call.items)

    def _root(self, graph: Graph) -> Call:
        root = Call(None)
        known: dict[Scope | None, Call] = {None: root}
        for index, node in enumerate(graph.nodes):
            if node.op == "input":
                continue
            missing: list[Scope] = []
            scope = node.scope
            while scope is not None and scope not in known:
                missing.append(scope)
                scope = scope.parent
            call = known[scope]
            for new in reversed(missing):
                inner = known[new] = Call(new)
                call.items.append(inner)
                call = inner
            call.items.append(index)
        only = root.items[0] if len(root.items) == 1 else None
        if isinstance(only, Call) and only.scope is not None and not only.scope.path and only.node is None:
            return only
        return root

    def nodes(self, item: Item) -> list[int]:
        """The indices of the nodes within an item."""
        return self.order[item.start : item.stop] if isinstance(item, Call) else [item]


def checked_depth(what: str, depth: object) -> int | None:
    """A depth as given by a user: a whole number from 0 up, or None for all.

    Raises:
        ArgumentTypeError, ArgumentError: something else.
    """
    if depth is None:
        return None
    if isinstance(depth, bool) or not hasattr(depth, "__index__"):
        raise ArgumentTypeError(f"{what}: depth is a whole number or None, got {depth!r}")
    if int(depth) < 0:
        raise ArgumentError(f"{what}: depth is 0 or more levels, got {depth}")
    return int(depth)
