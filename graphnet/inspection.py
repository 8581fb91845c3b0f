"""`graphnet.inspect`: what flows through a network over a batch, forward and backward, and what is wrong with it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from graphnet.drawing import draw
from graphnet.errors import ArgumentError, ArgumentTypeError, TraceError, kind_of
from graphnet.export.grid import as_html, as_text
from graphnet.export.look import Values, number_text
from graphnet.graph import Graph
from graphnet.ir import Node, Unifier, render_shape
from graphnet.keys import get_rng_state, set_rng_state
from graphnet.nn import Module
from graphnet.passes import bind
from graphnet.recorded import graph_of
from graphnet.replay import Replay
from graphnet.tensor import Tensor, check_tensor, enable_grad, no_grad
from graphnet.trace import trace

__all__ = ["Finding", "Inspection", "NodeRecord", "WeightRecord", "inspect"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
_VERB = {"exploding": "explode", "vanishing": "vanish"}
_FEW = 8  # rows, of which a healthy unit may well see none that it likes
_RECTIFIERS = ("relu", "clamp_min", "maximum")  # ops whose units can be dead


class NodeRecord(NamedTuple):
    """What one node gave over the batch, and the gradient that came back to it.

    Attributes:
        name: of the node. cls: the layer's class, or the operation. where: the place in the source.
        shape: of its result.
        mean, std, smallest, largest: of the result's finite elements.
        zeros: the share of elements that are 0.
        bad: how many elements are not finite.
        gradient: root mean square of the gradient; None where none flows.
        dead, units: of a ReLU, how many of its units are 0 for every row; 0 and 0 for others.
        weights: whether it uses parameters.
    """

    name: str
    cls: str
    where: str
    shape: str
    mean: float
    std: float
    smallest: float
    largest: float
    zeros: float
    bad: int
    gradient: float | None
    dead: int
    units: int
    weights: bool


class WeightRecord(NamedTuple):
    """A parameter, and its gradient.

    Attributes:
        name: of the parameter. shape: its sizes. size: root mean square of its elements.
        gradient: root mean square of its gradient; None where none flows.
    """

    name: str
    shape: str
    size: float
    gradient: float | None


class Finding(NamedTuple):
    """Something that hinders training.

    Attributes:
        kind: "not finite", "dead", "vanishing gradient", "exploding gradient", "no gradient", "vanishing activation"
            or "exploding activation".
        name: of the node.
        text: a sentence for people.
    """

    kind: str
    name: str
    text: str


class Inspection:
    """The statistics of a network over a batch; printing it shows a table and what was found.

    Attributes:
        graph: what was run.
        nodes: a `NodeRecord` for each node with numbers, in order.
        weights: a `WeightRecord` for each parameter.
        findings: a `Finding` for each thing that hinders training.

    Example:
        >>> import graphnet as gn
        >>> found = gn.inspect(gn.nn.Linear(2, 1), gn.ones(4, 2))
        >>> type(found).__name__, len(found.weights)
        ('Inspection', 2)
    """

    def __init__(
        self, graph: Graph, nodes: list[NodeRecord], weights: list[WeightRecord], limit: float, reference: str
    ) -> None:
        self.graph, self.nodes, self.weights = graph, tuple(nodes), tuple(weights)
        self._reference = next((r for r in nodes if r.name == reference), None)
        self.findings = tuple(_findings(self.nodes, self._reference, limit))

    def records(self) -> list[dict[str, Any]]:
        """The nodes' records as dicts."""
        return [record._asdict() for record in self.nodes]

    def values(self, what: str = "gradients") -> Values:
        """A number for each node, for `graphnet.draw`.

        Args:
            what: "gradients": the power of ten between a node's gradient and that of the last layer, so that -6 is
                vanishing; "activations": the same for the results and the first input; "dead": the share of units that
                are 0 for all rows; "zeros": the share of zeros.

        Raises:
            ArgumentError: another word.
        """
        if what == "gradients":
            base = self._reference.gradient if self._reference is not None else None
            found = {r.name: _power(r.gradient, base) for r in self.nodes if r.gradient is not None}
            return Values(found, "gradient, as a power of ten of that at the last layer")
        if what == "activations":
            first = _size(self.nodes[0]) if self.nodes else 0.0
            found = {r.name: math.nan if r.bad else _power(_size(r), first) for r in self.nodes}
            return Values(found, "size of results, as a power of ten of that of the first input")
        if what == "dead":
            return Values({r.name: r.dead / r.units for r in self.nodes if r.units}, "share of dead units")
        if what == "zeros":
            return Values({r.name: r.zeros for r in self.nodes}, "share of zeros")
        raise ArgumentError(f"values: gradients, activations, dead or zeros, got {what!r}")

    def draw(self, path: str | os.PathLike[str], what: str = "gradients", **look: Any) -> Path:
        """Draw the network with these values as colours.

        Args:
            path, look: as for `graphnet.draw`.
            what: as for `values`.
        """
        return draw(self.graph, path, values=self.values(what), **look)

    def _table(self) -> tuple[str, list[tuple[str, ...]], list[str], tuple[int, ...]]:
        lines: list[tuple[str, ...]] = [("node", "class", "shape", "mean", "std", "zeros", "gradient", "")]
        marks: dict[str, list[str]] = {}
        for finding in self.findings:
            marks.setdefault(finding.name, []).append(finding.kind)
        for r in self.nodes:
            gradient = "" if r.gradient is None else number_text(r.gradient)
            numbers = number_text(r.mean), number_text(r.std), f"{r.zeros:.0%}"
            lines.append((r.name, r.cls, r.shape, *numbers, gradient, ", ".join(marks.get(r.name, ()))))
        told = [f.text for f in self.findings] or ["nothing found that hinders training"]
        return self.graph.name, lines, told, (3, 4, 5, 6)

    def __str__(self) -> str:
        return as_text(*self._table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return as_html(*self._table())


def inspect(network: Any, *inputs: Any, loss: Callable[[Any], Any] | None = None, limit: float = 1e3) -> Inspection:
    """Run a network over a batch, forward and backward, and look at every node.

    Nothing is changed: gradients, buffers and the random numbers to come are afterwards what they were.

    Args:
        network: a module, a graph or a function on tensors.
        inputs: tensors or arrays.
        loss: what gives the loss from the network's result. By default each element of the results has a fixed random
            weight, so that gradients arrive at all of them.
        limit: a gradient is vanishing or exploding where it is so many times smaller or larger than at the last layer
            with weights; results are where they differ so much from the first input.

    Returns:
        Statistics of results and gradients for each node, and findings: dead ReLUs (units that are 0 for every row),
        layers whose gradients or results vanish or explode, the first node whose result is not finite.

    Raises:
        ArgumentError, ArgumentTypeError: no inputs, a limit of 1 or less, a loss that is not one number.
        ShapeError, DTypeError, ...: as calling the network.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(4, 8), gn.nn.ReLU(), gn.nn.Linear(8, 1))
        >>> with gn.no_grad():
        ...     _ = net[0].bias.fill_(-100)
        >>> print(gn.inspect(net, gn.rand(16, 4)).findings[0].text)
        1 (ReLU, ...): all 8 units are 0 for all 16 rows (dead)
    """
    if isinstance(network, type) or not callable(network):
        raise ArgumentTypeError(f"inspect: expects a module, a graph or a function, got {kind_of(network)}")
    if not inputs:
        raise ArgumentError("inspect: give a batch for each input, such as gn.inspect(net, x)")
    if isinstance(limit, bool) or not isinstance(limit, (int, float)) or not limit > 1:
        raise ArgumentError(f"inspect: limit is a number above 1, got {limit!r}")
    if loss is not None and not callable(loss):
        raise ArgumentTypeError(f"inspect: loss is a function of the network's result, got {kind_of(loss)}")
    shapes = [i for i in inputs if isinstance(i, tuple)]
    if shapes:
        raise ArgumentTypeError(f"inspect: expects tensors or arrays with data, got the tuple {shapes[0]!r}")
    module = network if isinstance(network, Module) else None
    seed = get_rng_state()
    try:
        with enable_grad(), ExitStack() as stack:
            if module is not None:
                inputs, _ = module._take_arrays(inputs, {})
            if isinstance(network, Graph):
                extra = inputs[len(network.inputs) :]
                inputs = (*(network.take(node, value) for node, value in zip(network.inputs, inputs)), *extra)
            tensors = [_leaf(check_tensor("inspect", value)) for value in inputs]
            return _run(network, tensors, loss, float(limit), stack)
    finally:
        set_rng_state(seed)


@contextmanager
def _untouched(parameters: Iterable[Any], buffers: Iterable[Any]) -> Iterator[None]:
    """Put gradients and buffers back in the end; meanwhile there are no gradients."""
    gradients = [(p, p.grad) for p in parameters]
    values = [(buffer, buffer.clone()) for buffer in buffers]
    for parameter, _ in gradients:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in gradients:
            parameter.grad = gradient
        with no_grad():
            for buffer, before in values:
                buffer.copy_(before)


def _leaf(tensor: Any) -> Any:
    """An input as a tensor of its own, with a gradient where it can have one."""
    copy = tensor.detach()
    return copy.requires_grad_() if copy.dtype.is_floating_point else copy


def _run(
    network: Any, tensors: list[Any], loss: Callable[[Any], Any] | None, limit: float, stack: ExitStack
) -> Inspection:
    seen: dict[Node, Any] = {}

    def watch(node: Node, value: Any) -> None:
        if isinstance(value, Tensor):
            seen[node] = value
            if value.requires_grad:
                value.retain_grad()

    try:
        graph = network if isinstance(network, Graph) else trace(network, *tensors)
    except TraceError:  # it asks for values, in a loop of Python: what ran is looked at
        module = network if isinstance(network, Module) else None
        if module is not None:
            stack.enter_context(_untouched([], module.buffers()))
        results = _flat(network(*tensors))
        graph, bound = graph_of(*[r for r in results if r.requires_grad], root=module), {}
        given: list[Any] = []
    else:
        given = tensors
        bound = bind(graph, [t._type() for t in given], Unifier())
        seen.update(zip(graph.inputs, given))
    stack.enter_context(_untouched(graph.used_parameters(), graph.buffer_names))
    replay = Replay(bound, {})
    replay.watch = watch
    results = replay.run(graph, given)
    total = _loss(results, loss)
    if total is not None:
        total.backward()
    nodes = [_record(node, value) for node, value in seen.items() if value.numel()]
    weights = [_weight(name, p) for name, p in graph.named_parameters() if p.numel()]
    last = [record.name for record in nodes if record.weights and record.gradient]
    return Inspection(graph, nodes, weights, limit, last[-1] if last else "")


def _flat(result: Any) -> list[Any]:
    if isinstance(result, Tensor):
        return [result]
    parts = result.values() if isinstance(result, dict) else result if isinstance(result, (tuple, list)) else ()
    return [tensor for part in parts for tensor in _flat(part)]


def _loss(results: list[Any], loss: Callable[[Any], Any] | None) -> Any:
    """What is differentiated; None where nothing can be."""
    if loss is not None:
        total = loss(results[0] if len(results) == 1 else tuple(results))
        if not isinstance(total, Tensor) or total.numel() != 1:
            raise ArgumentTypeError(f"inspect: loss gives a tensor of one number, got {total!r:.60}")
        return total if total.requires_grad else None
    numbers = np.random.default_rng(0)
    total = None
    for result in results:
        if isinstance(result, Tensor) and result.requires_grad and result.numel():
            weights = np.asarray(numbers.standard_normal(tuple(result.shape)), result.dtype.dtype)
            part = (result * check_tensor("inspect", weights)).sum()
            total = part if total is None else total + part
    return total


def _record(node: Node, tensor: Any) -> NodeRecord:
    values: Array = np.asarray(tensor.detach()).astype(np.float64)
    finite = values[np.isfinite(values)]
    gradient = np.asarray(tensor.grad) if tensor.grad is not None else None
    dead = units = 0
    rectifies = node.op in _RECTIFIERS and (node.op == "relu" or _at_zero(node))
    if rectifies and values.ndim > 0:
        rows = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[None]
        units, dead = rows.shape[1], int((rows == 0).all(axis=0).sum())
        chance = 0.5 ** min(len(rows), 1000)  # that a healthy unit is 0 for all rows
        if dead < units and (len(rows) < _FEW or dead <= units * chance + 4 * math.sqrt(units * chance)):
            dead = 0
    scope = node.scope
    where = scope.where if scope is not None and scope.library else node.where
    return NodeRecord(
        name=node.name,
        cls=scope.cls if scope is not None and scope.library else node.op,
        where=str(where or ""),
        shape=render_shape(values.shape),
        mean=float(finite.mean()) if finite.size else math.nan,
        std=float(finite.std()) if finite.size else math.nan,
        smallest=float(finite.min()) if finite.size else math.nan,
        largest=float(finite.max()) if finite.size else math.nan,
        zeros=float((values == 0).mean()),
        bad=int(values.size - finite.size),
        gradient=None if gradient is None else _rms(gradient),
        dead=dead,
        units=units,
        weights=bool(node.parameters),
    )


def _at_zero(node: Node) -> bool:
    """Whether a clamp or maximum is one with 0."""
    bounds = [getattr(o, "value", None) for o in node.inputs[1:]] + [node.attrs.get("min"), node.attrs.get("value")]
    return any(isinstance(b, (int, float)) and b == 0 for b in bounds)


def _weight(name: str, parameter: Any) -> WeightRecord:
    gradient = None if parameter.grad is None else _rms(np.asarray(parameter.grad))
    values = np.asarray(parameter.detach())
    return WeightRecord(name, render_shape(values.shape), _rms(values), gradient)


def _rms(values: Array) -> float:
    """Root mean square, without overflow of the squares."""
    wide = np.abs(values.astype(np.float64))
    largest = float(wide.max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return 0.0 if largest == 0 else largest
    return largest * float(np.sqrt(np.mean((wide / largest) ** 2)))


def _size(record: NodeRecord) -> float:
    return math.hypot(record.mean, record.std)


def _power(value: float | None, base: float | None) -> float:
    if value is None or not base or not math.isfinite(value) or not math.isfinite(base):
        return math.nan
    return math.log10(value / base) if value > 0 else -30.0


# -- what is found ---------------------------------------------------------------------------------------


def _findings(nodes: Iterable[NodeRecord], reference: NodeRecord | None, limit: float) -> Iterable[Finding]:
    records = list(nodes)
    bad = next((r for r in records if r.bad), None)
    if bad is not None:
        text = f"{_who(bad)}: {bad.bad:,} elements are NaN or infinite, the first that are"
        yield Finding("not finite", bad.name, text)
    for r in records:
        if r.dead:
            count = f"all {r.units}" if r.dead == r.units else f"{r.dead} of {r.units}"
            rows = math.prod(int(s) for s in r.shape.strip("(),").split(",")) // r.units
            yield Finding("dead", r.name, f"{_who(r)}: {count} units are 0 for all {rows} rows (dead)")
    yield from _gradients([r for r in records if r.weights], reference, limit)
    first = next((_size(r) for r in records if not r.bad and _size(r) > 0), 0.0)
    for r in records:
        if r.weights and not r.bad and first:
            ratio = _size(r) / first
            if ratio > limit or ratio < 1 / limit:
                kind = "exploding" if ratio > limit else "vanishing"
                text = f"{_who(r)}: its results have size {number_text(_size(r))}, the first input {number_text(first)}"
                yield Finding(f"{kind} activation", r.name, f"{text}: they {_VERB[kind]}")


def _gradients(layers: list[NodeRecord], reference: NodeRecord | None, limit: float) -> Iterable[Finding]:
    base = reference.gradient if reference is not None else None
    for r in layers:
        if r.gradient is None or base is None or reference is None:
            continue
        told = f"{_who(r)}: its gradient is {number_text(r.gradient)}, that of {reference.name} {number_text(base)}"
        if r.gradient == 0:
            yield Finding("no gradient", r.name, f"{_who(r)}: no gradient arrives (it is 0 everywhere)")
        elif not math.isfinite(r.gradient) or r.gradient > limit * base:
            yield Finding("exploding gradient", r.name, f"{told}: it explodes")
        elif r.gradient < base / limit:
            yield Finding("vanishing gradient", r.name, f"{told}: it vanishes")


def _who(record: NodeRecord) -> str:
    place = ", ".join(part for part in (record.cls, record.where) if part)
    return f"{record.name} ({place})"
