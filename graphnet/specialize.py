"""Graphs for inputs of given types, traced once for all batch sizes where the network does not depend on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from graphnet import ir
from graphnet.errors import GraphError, GraphnetError, TraceError
from graphnet.graph import Graph
from graphnet.ir import TensorType, Unifier, WatchedSymbol
from graphnet.nn.changes import Watch, altered, mark, structure_version
from graphnet.passes import bind, resolve
from graphnet.program import Guards
from graphnet.reads import reads
from graphnet.tensor.state import state
from graphnet.tensor.witness import Witness
from graphnet.trace import Spec

__all__ = ["Specialized"]

_NEVER: tuple[Any, str, Any] = ({}, "set", True)
KEPT = 16  # graphs per network; the one used longest ago goes first


class Specialized:
    """The graphs of one network by the types of its inputs.

    A trace leaves the first size of every input open; inputs whose first sizes agree share one unknown. Where tracing
    so fails, where the code compares the size with a number, and for sizes 0 and 1, which broadcast and squeeze in
    ways of their own, the network is traced for the sizes as they are.

    Args:
        make: traces the network for inputs of these types.
        roots: what it calls: the network, a loss.
    """

    def __init__(self, make: Callable[[Sequence[Spec]], Graph], *roots: Any) -> None:
        self._make, self._roots = make, roots
        self._open: list[tuple[Any, Watch, Graph | None]] = []
        self.traces = 0

    def find(self, types: Sequence[TensorType]) -> tuple[ir.Graph, Any, Any]:
        """A graph with sizes as in these types, how its outputs are nested, and what else has to stay as it is."""
        leads = list(dict.fromkeys(t.shape[0] for t in types if t.shape and int(t.shape[0]) > 1))
        place = [leads.index(t.shape[0]) if t.shape and t.shape[0] in leads else None for t in types]
        key = tuple((lead, t.dtype, t.shape[lead is not None :]) for lead, t in zip(place, types))
        found = next((row for row in self._open if row[0] == key and row[1].holds()), None)
        before = _Before(self._roots) if found is None else None
        if found is None:
            assert before is not None
            with before.witness.active():
                graph = self._trace_open(types, leads) if leads else None
            found = key, Watch(self._guards(before)), graph
        others = [row for row in self._open if row is not found and row[1].lives]
        self._open = [found, *others[: KEPT - 1]]
        graph = found[2]
        if graph is not None:
            try:
                bound = resolve(graph, bind(graph, types, Unifier()))
                return bound, graph.structure, found[1].guards
            except GraphnetError:
                pass  # these sizes are special to the network; tracing them says in which way
        before = before or _Before(self._roots)
        with before.witness.active():
            graph = self._trace([Spec(t.shape, t.dtype) for t in types])
        return graph, graph.structure, self._guards(before)

    def _guards(self, before: _Before) -> Any:
        """What the network's code read besides modules; None for nothing."""
        rows = before.witness.rows()
        if before.rows or structure_version() != before.version:
            rows = [*reads(*self._roots, shared=before.witness.shares), *rows]
        if before.altered():  # by the network itself, whose code has to run every time
            rows.append(_NEVER)
        return Guards(rows) if rows else None

    def _trace(self, specs: Sequence[Spec]) -> Graph:
        self.traces += 1
        kept = state.witness.kept
        try:
            graph = self._make(specs)
            if kept:  # harmless where every call sets them before it reads them: then a second one goes as the first
                graph = self._make(specs)
        except GraphError as error:
            if not kept:
                raise
            names = ", ".join(dict.fromkeys(kept))
            raise TraceError(
                f"{names}: an attribute keeps a tensor from call to call; make it a buffer with register_buffer, which "
                f"compiled networks read and write ({error})"
            ) from error
        return graph

    def _trace_open(self, types: Sequence[TensorType], leads: list[Any]) -> Graph | None:
        """The graph with open sizes; None where the network depends on them."""
        symbols = [WatchedSymbol("batch" if i == 0 else f"batch{i}") for i in range(len(leads))]
        specs = []
        for shape, dtype in types:
            first = (symbols[leads.index(shape[0])],) if shape and shape[0] in leads else shape[:1]
            specs.append(Spec((*first, *shape[1:]), dtype))
        try:
            graph = self._trace(specs)
        except Exception:  # also the user's own: an assert of a size, a size as text
            return None
        return None if any(symbol.compared for symbol in symbols) else graph


class _Before:
    """How things are before a trace.

    Attributes:
        witness: what looks at the trace.
        rows: what the code may read besides modules.
        version: the number of the last change of modules.
    """

    def __init__(self, roots: Sequence[Any]) -> None:
        self.witness, self.rows, self.version = Witness(), reads(*roots), structure_version()
        self._mark, self._guards = mark(), Guards(self.rows)

    def altered(self) -> bool:
        """Whether attributes, globals, lists and the like have other values now than before the trace."""
        return altered(self._mark) or not self._guards.hold()
