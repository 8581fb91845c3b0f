"""Who uses what in a graph, by the nodes' positions. Kept in few objects: networks have many nodes."""

from __future__ import annotations

from graphnet.ir import Constant, Graph, Parameter, Value

__all__ = ["OUTPUT", "Links"]

OUTPUT = -1  # stands for the graph's outputs among the users of a node
_NOBODY = -2


class Links:
    """The links of a graph.

    Attributes:
        index: the position of each node.
        sources: for each node the results it takes, as `(position, slot)`.
        weights: for each node the parameters it uses, one entry per use.
        shared: the parameters that several nodes use, with these nodes in order.
        constants: the other data that the graph refers to, with the nodes that use it, one entry per use.
    """

    __slots__ = ("_first", "_more", "constants", "index", "shared", "sources", "weights")

    def __init__(self, graph: Graph) -> None:
        self.index = {node: i for i, node in enumerate(graph.nodes)}
        self.sources: list[tuple[tuple[int, int], ...]] = []
        self.weights: list[tuple[Parameter, ...]] = []
        self.shared: dict[Parameter, list[int]] = {}
        self.constants: dict[Constant, list[int]] = {}
        self._first = [_NOBODY] * len(graph.nodes)
        self._more: dict[int, list[int]] = {}
        users: dict[Parameter, int] = {}  # the first one of each
        for user, node in enumerate(graph.nodes):
            sources: tuple[tuple[int, int], ...] = ()
            weights: tuple[Parameter, ...] = ()
            for operand in node.inputs:
                if isinstance(operand, Value):
                    source = self.index[operand.node]
                    sources += ((source, operand.slot),)
                    self._use(source, user)
                elif isinstance(operand, Parameter):
                    weights += (operand,)
                    first = users.setdefault(operand, user)
                    if first != user:
                        uses = self.shared.setdefault(operand, [first])
                        if uses[-1] != user:
                            uses.append(user)
                elif isinstance(operand, Constant):
                    self.constants.setdefault(operand, []).append(user)
            self.sources.append(sources)
            self.weights.append(weights)
        for output in graph.outputs:
            if isinstance(output, Value):
                self._use(self.index[output.node], OUTPUT)

    def _use(self, source: int, user: int) -> None:
        if self._first[source] == _NOBODY:
            self._first[source] = user
        else:
            self._more.setdefault(source, [self._first[source]]).append(user)

    def users(self, node: int) -> list[int]:
        """The nodes that take a node's results, one entry per use; `OUTPUT` among them for the graph itself."""
        first = self._first[node]
        return [] if first == _NOBODY else self._more.get(node) or [first]
