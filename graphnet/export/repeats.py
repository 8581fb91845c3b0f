"""Finds the blocks that a network repeats, so that a picture can show one of them and say how often it comes.

A run is at least `REPEATS` blocks of up to `PERIOD` items each, one behind the other, with at least `NODES`
operations in all. Its blocks are alike in everything but names: operations, settings, shapes, classes, links.
Each has one value coming in and one going out, which only the next block takes. Parameters are a block's
own, or the very same ones in every block.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

from graphnet.export.calls import Call, Item, Tree
from graphnet.export.links import Links
from graphnet.ir import Graph, Literal, Node, Parameter, Value

__all__ = ["Repeats", "Run"]

REPEATS, PERIOD, NODES = 4, 8, 12


class Run(NamedTuple):
    """Items `start` to `start + period * times` of a call are `times` times one block.

    `tied` tells that its blocks use the same parameters.
    """

    start: int
    period: int
    times: int
    tied: bool


class _Block(NamedTuple):
    form: tuple[Hashable, ...]  # equal for blocks that are linked alike inside
    entry: tuple[int, int]
    exit: int
    tied: bool


class Repeats:
    """What looks alike in a graph, and follows one another."""

    def __init__(self, graph: Graph, tree: Tree, links: Links) -> None:
        self.tree, self.links = tree, links
        self._numbers: dict[Hashable, int] = {}
        self._kinds = [self._kind(graph, node) for node in graph.nodes]
        self._call_kinds = [0] * len(tree.calls)
        for call in reversed(tree.calls):
            scope = call.scope
            of = (scope.cls, scope.library) if scope is not None else None
            self._call_kinds[call.number] = self._number((of, tuple(self.kind(item) for item in call.items)))

    def _number(self, kind: Hashable) -> int:
        return self._numbers.setdefault(kind, len(self._numbers))

    def _kind(self, graph: Graph, node: Node) -> int:
        operands: list[Hashable] = []
        for operand in node.inputs:
            if isinstance(operand, Value):
                operands.append(graph.types[operand.node][operand.slot])
            elif isinstance(operand, Parameter):
                operands.append((operand._type(),))
            else:
                operands.append(("literal", str(operand)) if isinstance(operand, Literal) else id(operand))
        settings = repr(sorted(node.attrs.items())) if node.attrs else ""
        return self._number((node.op, settings, graph.types[node], tuple(operands)))

    def kind(self, item: Item) -> int:
        """A number that is equal for items that look alike."""
        return self._call_kinds[item.number] if isinstance(item, Call) else self._kinds[item]

    def runs(self, items: Sequence[Item]) -> list[Run]:
        """The runs among the items of a call, from the left."""
        found: list[Run] = []
        if len(items) < REPEATS:
            return found
        kinds = [self.kind(item) for item in items]
        alike = [_alike(kinds, period) for period in range(1, PERIOD + 1)]
        at = 0
        while at < len(items):
            run = self._run(items, at, alike)
            if run is not None:
                found.append(run)
                at = run.start + run.period * run.times
            else:
                at += 1
        return found

    def _run(self, items: Sequence[Item], at: int, alike: list[list[int]]) -> Run | None:
        for period, lengths in enumerate(alike, start=1):
            if lengths[at] < (REPEATS - 1) * period:
                continue
            runs: list[Run] = []
            for start in range(at, at + period):
                run = self._blocks(items, start, period, lengths[start] // period + 1)
                if run is not None:
                    runs.append(run)
                    if self._starts_with_weights(items[start]):
                        break
            if runs:  # readers take a block to begin with its weights: one block fewer is worth that
                most = max(run.times for run in runs)
                last = runs[-1]
                if self._starts_with_weights(items[last.start]) and last.times >= most - 1:
                    return last
                return next(run for run in runs if run.times == most)
        return None

    def _starts_with_weights(self, item: Item) -> bool:
        return bool(self.links.weights[self.tree.nodes(item)[0]])

    def _blocks(self, items: Sequence[Item], start: int, period: int, limit: int) -> Run | None:
        """The run that starts with these items, of at most so many blocks."""
        count, nodes, tied = 0, 0, False
        before: _Block | None = None
        previous: list[int] = []
        while count < limit:
            first = start + count * period
            members = [n for item in items[first : first + period] for n in self.tree.nodes(item)]
            block = self._block(members)
            if block is None:
                break
            if before is not None:
                own = set(members)
                chained = block.entry == (before.exit, 0) and block.form == before.form
                inside = own.union(previous)
                if not chained or not all(user in inside for user in self.links.users(before.exit)):
                    break
            count, nodes, tied = count + 1, nodes + len(members), tied or block.tied
            before, previous = block, members
        return Run(start, period, count, tied) if count >= REPEATS and nodes >= NODES else None

    def _block(self, members: list[int]) -> _Block | None:
        local = {node: i for i, node in enumerate(members)}
        entry: tuple[int, int] | None = None
        exits: list[int] = []
        form: list[Hashable] = []
        weights: dict[Parameter, Hashable] = {}
        tied = False
        for node in members:
            for source in self.links.sources[node]:
                inner = local.get(source[0])
                if inner is None:
                    if entry is not None and entry != source:
                        return None
                    entry = source
                form.append((inner, source[1]))
            for parameter in self.links.weights[node]:
                if parameter not in weights:
                    uses = self.links.shared.get(parameter, ())
                    own = len(uses) <= len(members) and all(user in local for user in uses)
                    weights[parameter] = len(weights) if own else ("tied", id(parameter))
                    tied = tied or not own
                form.append(("weight", weights[parameter]))
            if any(user not in local for user in self.links.users(node)):
                exits.append(node)
        if entry is None or len(exits) != 1:
            return None
        return _Block((*form, local[exits[0]]), entry, exits[0], tied)


def _alike(kinds: list[int], period: int) -> list[int]:
    """For each position, for how many positions from there on the kind comes again one period later."""
    lengths = [0] * (len(kinds) + 1)
    for i in range(len(kinds) - period - 1, -1, -1):
        lengths[i] = lengths[i + 1] + 1 if kinds[i] == kinds[i + period] else 0
    return lengths
