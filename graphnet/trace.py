"""Tracing: a network's graph from shapes alone."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from graphnet import export
from graphnet.collector import collector_paused
from graphnet.dtypes import DType, as_dtype, float32
from graphnet.errors import ArgumentError, ArgumentTypeError, GraphError, GraphnetError, TraceError, kind_of
from graphnet.graph import Graph
from graphnet.ir import TensorType
from graphnet.nn import Module, Parameter
from graphnet.nn.naming import warn_unreached
from graphnet.tensor import SymbolicTensor, Tensor, check_tensor, enable_grad, state
from graphnet.tensor.adaptation import UndecidedError, adapted, learn
from graphnet.tensor.axes import dims_of
from graphnet.tensor.control import check_limit
from graphnet.tensor.locating import locate

__all__ = ["Spec", "forward_graph", "graph_for", "summary", "trace"]


class Spec(NamedTuple):
    """Shape and dtype of an input, for inputs that are not of the network's float type.

    Example:
        >>> import graphnet as gn
        >>> gn.Spec(("N",), gn.int64).shape
        ('N',)
    """

    shape: Any
    dtype: Any = float32


def trace(network: Any, *inputs: Any, dtype: Any = None, max_trips: int | None = None, **settings: Any) -> Graph:
    """Record the graph of a network without data.

    Args:
        network: a module, a graph, or a function on tensors.
        *inputs: for each input its shape, such as ("N", 20) with a named batch size; or a `Spec` with a dtype; or a
            tensor or array, of which shape and dtype count.
        dtype: of inputs given as shapes; by default that of the network's parameters.
        max_trips: how often the body of a loop may run that is captured from a `while` in Python; None for any number.
        **settings: passed on to the network as they are.

    Returns:
        The graph. Sizes of lazy layers that could be inferred are known now, and their parameters filled.

    Raises:
        ShapeError, DTypeError: layers do not fit, named with path, class, source place, expected and got.
        TraceError: the code wants values, such as float(tensor), named with file and line.
        GraphError: the network computes nothing.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.LazyLinear(4), gn.nn.ReLU(), gn.nn.LazyLinear(2))
        >>> graph = gn.trace(net, ("N", 20))
        >>> [node.name for node in graph.nodes]
        ['input', '0', '1', '2']
        >>> net[0].weight.shape
        graphnet.Size([4, 20])
    """
    if isinstance(network, type):
        raise ArgumentTypeError(f"trace: expects a network, got the class {network.__name__}; call it to make one")
    if not callable(network):
        raise ArgumentTypeError(f"trace: expects a module, a graph or a function, got {kind_of(network)}")
    if not inputs:
        raise ArgumentError('trace: give the shape of each input, such as gn.trace(net, ("N", 20))')
    return _captured(network, inputs, dtype, check_limit("trace", max_trips), settings)


def forward_graph(network: Any, specs: Sequence[Spec], max_trips: int | None) -> Graph:
    """A network's graph for running it: as `trace`, but it may also hand its inputs through and do nothing else."""
    return _captured(network, tuple(specs), None, max_trips, {}, empty=True)


def _captured(
    network: Any,
    inputs: tuple[Any, ...],
    dtype: Any,
    max_trips: int | None,
    settings: dict[str, Any],
    empty: bool = False,
) -> Graph:
    """The graph, with functions rewritten as it turns out that they have to be."""
    while True:
        try:
            # A graph serves gradients too, whoever asks for it: a surrounding no_grad() is not the network's.
            with collector_paused(), enable_grad():
                return _traced(network, inputs, dtype, max_trips, settings, empty)
        except UndecidedError as error:
            if not learn(error):  # code without source, for one
                raise TraceError(*error.args) from None


def _traced(
    network: Any, inputs: tuple[Any, ...], dtype: Any, max_trips: int | None, settings: dict[str, Any], empty: bool
) -> Graph:
    """The graph, unless it turns out that code has to be rewritten first."""
    graph = Graph(network.name if isinstance(network, Graph) else getattr(network, "__name__", type(network).__name__))
    names = _input_names(network, len(inputs))
    default = as_dtype(dtype) if dtype is not None else _float_type(network)
    tracer = graph._open("trace")
    tensors = []
    for name, given in zip(names, inputs):
        shape, kind = _spec(name, given, default)
        tensors.append(tracer.input(name, TensorType(dims_of(name, shape, graph.dimension), kind)))
    if isinstance(network, Module):
        graph._root = network
    elif isinstance(network, Graph):
        graph._root = network._root
    outer = state.tracer, state.module, state.scope, state.hint, state.max_trips
    state.tracer, state.module, state.scope, state.hint, state.max_trips = tracer, None, None, None, max_trips
    try:
        result = adapted(network)(*tensors, **settings)
    except GraphnetError as error:
        locate(error, None)
        raise
    finally:
        state.tracer, state.module, state.scope, state.hint, state.max_trips = outer
        closed, tracer.closed = tracer.closed, True
    tracer.closed = closed
    graph.structure = _outputs(graph, result, isinstance(network, Graph))
    graph._finish(empty)
    if isinstance(network, Module):
        warn_unreached(network, graph.parameter_names)
    return graph


def summary(network: Any, *inputs: Any, **settings: Any) -> export.table.Summary:
    """The layers of a network as a table: path, class, output shape, parameters, sharing, FLOPs, bytes of results.

    Args:
        network, inputs, settings: as for `trace`; a graph needs no inputs.

    Returns:
        The rows, one for each call of a layer and each operation of the user's own. Printing them shows the table;
        `records()` gives a list of dicts, `totals()` the sums.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.LazyLinear(4), gn.nn.ReLU())
        >>> [(row.path, row.cls, row.parameters) for row in gn.summary(net, ("N", 20))]
        [('0', 'Linear', 84), ('1', 'ReLU', 0)]
    """
    return export.table.summarized(graph_for("summary", network, *inputs, **settings))


def graph_for(what: str, network: Any, *inputs: Any, **settings: Any) -> Graph:
    """A graph as it is, or the trace of a network.

    Raises:
        ArgumentTypeError, ArgumentError, GraphError: neither, no inputs, or not finished; the message names the
            caller, `what`.
    """
    if isinstance(network, Graph) and not inputs:
        if network._tracer is not None:
            raise GraphError(f"{what}: the graph {network.name!r} is not finished; it is after its with block")
        return network
    if isinstance(network, type) or not callable(network):
        raise ArgumentTypeError(f"{what}: expects a module, a graph or a function, got {kind_of(network)}")
    if not inputs:
        raise ArgumentError(f'{what}: give the shape of each input, such as ("N", 20), after the other arguments')
    return trace(network, *inputs, **settings)


def _input_names(network: Any, count: int) -> list[str]:
    """The names of the forward's arguments; numbered ones beyond."""
    if isinstance(network, Graph):
        names = [node.name for node in network.inputs]
    else:
        function = network.forward if isinstance(network, Module) else network
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            parameters = {}.values()
        names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return names[:count] + [f"input{i}" for i in range(len(names), count)]


def _float_type(network: Any) -> DType:
    return network._float_type(()) or float32 if isinstance(network, Module) else float32


def _spec(name: str, given: Any, default: DType) -> tuple[Any, DType]:
    if isinstance(given, Spec):
        return given.shape, as_dtype(given.dtype)
    if isinstance(given, (Tensor, np.ndarray)):
        tensor = check_tensor(name, given)
        return tuple(tensor.shape), tensor.dtype
    return given, default


def _outputs(graph: Graph, result: Any, constants: bool, inside: bool = False) -> Any:
    """Enter the tensors that a network returned as outputs; the nesting with numbers in their places.

    Graphs may have constants among them, such as the gradient of a sum; in code they are a mistake.
    """
    if isinstance(result, (SymbolicTensor, Parameter)):
        graph.outputs.append(result._operand() if isinstance(result, SymbolicTensor) else result)
        return len(graph.outputs) - 1
    if isinstance(result, dict):
        return {key: _outputs(graph, part, constants, True) for key, part in result.items()}
    if isinstance(result, (tuple, list)) and (type(result) in (tuple, list) or hasattr(result, "_make")):
        parts = [_outputs(graph, part, constants, True) for part in result]
        return result._make(parts) if hasattr(result, "_make") else type(result)(parts)
    if result is None and inside:
        return None
    if isinstance(result, Tensor) and result._buffer:
        graph.outputs.append(graph.updates.get(result, result))
        return len(graph.outputs) - 1
    if isinstance(result, Tensor) and constants:
        graph.outputs.append(result)
        return len(graph.outputs) - 1
    if isinstance(result, Tensor):
        raise TraceError(
            f"{graph.name} returns a tensor that does not depend on its inputs: a graph of it would be a constant"
        )
    raise GraphError(f"{graph.name} returns {kind_of(result)}; a traced network returns tensors")
