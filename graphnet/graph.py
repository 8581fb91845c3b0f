"""The graph as users hold it: built by hand or traced, run, trained, drawn and traced into."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from graphnet import export, ir
from graphnet.collector import collector_paused
from graphnet.dtypes import as_dtype, float32
from graphnet.errors import ArgumentTypeError, GraphError, kind_of
from graphnet.explain import Explanation, explain
from graphnet.ir import Node, Scope, Symbol, TensorType, Unifier
from graphnet.nesting import nest
from graphnet.nn import LazyLinear, Linear, Module, Parameter, functional
from graphnet.nn.naming import free_name, parameter_names, renamed
from graphnet.nn.parameter import StateTensor
from graphnet.ops import TABLE
from graphnet.passes import bind, differentiate, remove_dead, resolve, verify_types
from graphnet.places import user_site
from graphnet.replay import Replay
from graphnet.tensor import SymbolicTensor, Tensor, Tracer, apply, check_tensor, functions, state
from graphnet.tensor.axes import axes_of, axis_of, dims_of, sizes_of
from graphnet.tensor.core import wrap

__all__ = ["Graph", "Parameters"]

# What a graph under construction can add besides layers: g.tanh(x), g.cat([a, b]), g.softmax(x, dim=1), ...
FUNCTIONS = {name: getattr(home, name) for home in (functions, functional) for name in home.__all__}


class Parameters(tuple[Parameter, ...]):
    """A graph's parameters, each once. Calling it gives an iterator, as `Module.parameters()` does."""

    __slots__ = ()

    def __call__(self) -> Iterator[Parameter]:
        """An iterator over them."""
        return iter(self)


class Graph(ir.Graph):
    """A network as a graph of layer and operation nodes.

    It comes from `graphnet.trace`, or is built in a with block, whose end checks it. Calling it on tensors or
    arrays runs it, with gradients; calling it on traced tensors puts its nodes into their graph.

    Example:
        >>> import graphnet as gn
        >>> with gn.Graph("mlp") as g:
        ...     x = g.input("x", ("N", 8))
        ...     h = g.relu(g.linear(x, 4, name="hidden"))
        ...     h = g.relu(g.linear(h, 4, name="again"))
        ...     h = g.relu(g.linear(h, 4, name="tied", share="again"))
        ...     g.output(g.linear(h, 2, name="out"))
        >>> sorted(g.shared)
        ['again.bias', 'again.weight']
        >>> g(gn.ones(3, 8)).shape
        graphnet.Size([3, 2])
    """

    def __init__(self, name: str = "graph") -> None:
        if not isinstance(name, str):
            raise ArgumentTypeError(f"Graph: a name is a string, got {name!r}")
        super().__init__(name)
        self._tracer: Tracer | None = Tracer(self)
        self._dims: dict[str, Symbol] = {}
        self._layers = Module()  # the layers by name, which own the parameters
        self._root: Any = self._layers
        self._numbers: dict[str, int] = {}  # of names: the next that may be free
        self._sizes: dict[Symbol, Any] = {}
        self.structure: Any = None  # how the outputs are nested; numbers stand for them
        self._outer: list[Any] = []

    # -- building -----------------------------------------------------------------------------------------

    def __enter__(self) -> Graph:
        self._open("the with block")
        self._outer.append((state.tracer, state.module, state.scope))
        state.tracer, state.module, state.scope = self._tracer, self._layers, None
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        state.tracer, state.module, state.scope = self._outer.pop()
        if kind is None:
            self._finish()
        elif self._tracer is not None:
            self._tracer.closed = True

    def _open(self, what: str) -> Tracer:
        if self._tracer is None or self._tracer.closed:
            raise GraphError(f"{what}: the graph {self.name!r} is finished and cannot be changed; build another one")
        return self._tracer

    def _finish(self, empty: bool = False) -> None:
        """Put in what was learnt, name the parameters, fill lazy ones, check the graph, which may be `empty` or not."""
        tracer = self._open("finish")
        tracer.closed = True
        if not empty and not any(node.op != "input" for node in self.nodes):
            raise GraphError(
                f"{self.name} has no operations: an empty network computes nothing; add layers between input and output"
            )
        if not self.outputs:
            raise GraphError(f"{self.name} has no output; name it with g.output(...)")
        self._sizes = dict(tracer.emitter.sizes.values)
        self._settle({})
        names: dict[Any, str] = {}
        for root in dict.fromkeys([self._root, *tracer.roots]):
            for parameter, name in parameter_names(root).items():
                names.setdefault(parameter, name)
        taken: dict[str, int] = {}
        for parameter in self.used_parameters():
            name = names.get(parameter) or tracer.given_names.get(parameter, "parameter")
            self.parameter_names[parameter] = free_name(name, taken)
        self._name_buffers([self._root, *tracer.roots], taken)
        self._adopt(resolve(self, self._sizes))
        self._tracer = None
        self.verify()

    def _buffers(self) -> dict[Any, None]:
        """The buffers that the graph reads or writes."""
        return dict.fromkeys([*(tensor for tensor in self.used(Tensor) if tensor._buffer), *self.updates])

    def _name_buffers(self, roots: list[Any], taken: dict[str, int]) -> None:
        """Name the buffers that the graph reads or writes, by their paths."""
        used = self._buffers().keys()
        found = ((name, b) for root in roots[::-1] for name, b in root.named_buffers() if b in used) if used else ()
        names = {buffer: ir.shortened(name) for name, buffer in found}
        for buffer in sorted(names, key=lambda b: names[b]):
            self.buffer_names[buffer] = free_name(names[buffer], taken)

    def _adopt(self, graph: ir.Graph) -> None:
        self.nodes, self.inputs, self.outputs = graph.nodes, graph.inputs, graph.outputs
        self.types, self.parameter_names = graph.types, graph.parameter_names
        self.updates, self.buffer_names = graph.updates, graph.buffer_names

    def _settle(self, bound: Mapping[Symbol, Any]) -> None:
        """Fill the lazy parameters whose sizes are known."""
        known = {**self._sizes, **bound}
        for held in (*self.used(StateTensor), *self.updates):
            if isinstance(held, StateTensor):
                held.settle_all(known)

    def dimension(self, name: str) -> Symbol:
        """The symbol of that name in this graph."""
        return self._dims.setdefault(name, Symbol(name))

    def input(self, name: str, shape: Any, dtype: Any = float32) -> SymbolicTensor:
        """Add an input and return the tensor that stands for it.

        Args:
            name: what pictures and errors call it.
            shape: sizes: numbers, names of open sizes such as "N" (one name is one size), None for others.
            dtype: its element type.
        """
        tracer = self._open("input")
        if not isinstance(name, str):
            raise ArgumentTypeError(f"input: a name is a string, got {name!r}")
        dims = dims_of(name, shape, self.dimension)
        return tracer.input(name, TensorType(dims, as_dtype(dtype)))

    def output(self, *values: Any) -> None:
        """Mark results, in order; a graph with several gives a tuple."""
        tracer = self._open("output")
        for value in values:
            if not isinstance(value, (SymbolicTensor, Parameter)):
                raise ArgumentTypeError(f"output: expects tensors of the graph, got {kind_of(value)}")
            if isinstance(value, SymbolicTensor) and value._tracer is not tracer:
                raise GraphError("output: the tensor belongs to another graph")
            self.outputs.append(value._operand() if isinstance(value, SymbolicTensor) else value)
        count = len(self.outputs)
        self.structure = 0 if count == 1 else tuple(range(count))

    def call(self, layer: Any, *inputs: Any, name: str | None = None) -> Any:
        """Apply a module as a layer of this graph, under a name."""
        self._open("call")
        if not isinstance(layer, Module):
            raise ArgumentTypeError(f"call: expects a module, got {kind_of(layer)}")
        name = self._name(type(layer).__name__.lower() if name is None else name)
        self._layers.add_module(name, layer)
        state.hint = (layer, name)
        outer = state.tracer, state.module, state.scope
        state.tracer, state.module, state.scope = self._tracer, self._layers, None
        try:
            return layer(*inputs)
        finally:
            state.tracer, state.module, state.scope = outer

    def _name(self, name: str) -> str:
        if name not in self._layers._modules:
            return name
        number = self._numbers.get(name, 2)
        while f"{name}{number}" in self._layers._modules:
            number += 1
        self._numbers[name] = number + 1
        return f"{name}{number}"

    def linear(
        self, input: Any, out_features: int, bias: bool = True, *, name: str | None = None, share: str | None = None
    ) -> Any:
        """Add a linear layer; `share` names an earlier one whose parameters it uses, rather than its own.

        Raises:
            GraphError: no such layer to share, a name that is taken, or another number of features.
        """
        self._open("linear")
        if name is not None and name in self._layers._modules:
            raise GraphError(f"linear: there is a layer {name!r} already; names are unique")
        if share is None:
            where = user_site()
            layer: Any = LazyLinear(out_features, bias)
            layer.__dict__["_where"] = where
        else:
            layer = self._layers._modules.get(share)
            if not isinstance(layer, Linear):
                have = ", ".join(map(repr, self._layers._modules)) or "none"
                raise GraphError(f"linear: there is no linear layer {share!r} to share; there are {have}")
            if layer.out_features != out_features:
                raise GraphError(
                    f"linear: {share!r} has {layer.out_features} output features, so {name!r} cannot share it "
                    f"with {out_features}"
                )
        return self.call(layer, input, name=name)

    def parameter(self, name: str, data: Any) -> Parameter:
        """Add a parameter of the graph's own, for use with any operation."""
        self._open("parameter")
        parameter = data if isinstance(data, Parameter) else Parameter(data)
        self._layers.register_parameter(name, parameter)
        return parameter

    def op(self, op: str, *inputs: Any, name: str | None = None, **attrs: Any) -> Any:
        """Add an operation of the table by its name there, with its attributes."""
        self._open(op)
        if op not in TABLE:
            raise GraphError(f"there is no op {op!r}; there are {', '.join(sorted(TABLE))}")
        TABLE[op].check_settings(attrs)
        rank = len(getattr(inputs[0], "shape", ())) if inputs else 0
        if "axes" in attrs and op != "permute":
            attrs["axes"] = axes_of(op, attrs["axes"], rank)
        if "axis" in attrs and inputs:
            attrs["axis"] = axis_of(op, attrs["axis"], rank)
        if "shape" in attrs:
            attrs["shape"] = sizes_of(op, (attrs["shape"],), open_sizes=op == "reshape")
        return self._named(name, op, lambda: apply(op, *inputs, **attrs))

    def _named(self, name: str | None, op: str, add: Any) -> Any:
        """What `add` gives, as a node of that name."""
        if name is None:
            return add()
        before = state.scope
        state.scope = Scope(None, name, op, user_site(), library=True)
        try:
            return add()
        finally:
            state.scope = before

    def relu(self, input: Any, *, name: str | None = None) -> Any:
        """Add max(x, 0)."""
        return self.op("relu", input, name=name)

    def __getattr__(self, name: str) -> Any:
        function = FUNCTIONS.get(name)
        if function is None:
            raise AttributeError(f"Graph has no attribute {name!r}, and there is no function of that name to add")

        def add(*args: Any, name: str | None = None, **kwargs: Any) -> Any:
            self._open(function.__name__)
            return self._named(name, function.__name__, lambda: function(*args, **kwargs))

        return add

    # -- parameters ---------------------------------------------------------------------------------------

    @property
    def parameters(self) -> Parameters:
        """The parameters, each once, in order of first use."""
        return Parameters(self.used_parameters())  # type: ignore[arg-type]

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """The parameters with their names, each once."""
        return ((self.parameter_names[p], p) for p in self.parameters)

    def named_buffers(self) -> Iterator[tuple[str, Any]]:
        """The buffers that the graph reads or writes, with their names."""
        return ((name, buffer) for buffer, name in self.buffer_names.items())

    def state_dict(self) -> OrderedDict[str, Any]:
        """The parameters' and buffers' values by name, sharing their memory."""
        return OrderedDict((name, p.data) for name, p in (*self.named_parameters(), *self.named_buffers()))

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True) -> Any:
        """Copy values into the parameters, as `Module.load_state_dict`."""
        holder = Module()
        holder._parameters.update(self.named_parameters())
        holder._buffers.update(self.named_buffers())
        known = dict(state_dict)
        if isinstance(self._root, Module):
            known = renamed(known, self._root, {**self.parameter_names, **self.buffer_names})
        return holder.load_state_dict(known, strict)

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for parameter in self.parameters:
            parameter._forget_gradient()

    def to_module(self) -> Module:
        """A module that runs the graph, with its parameters registered: for use inside other modules."""
        return _GraphModule(self)

    # -- running ------------------------------------------------------------------------------------------

    def __call__(self, *inputs: Any) -> Any:
        """Run the graph on tensors or arrays, or trace it into the graph of symbolic ones.

        Raises:
            GraphError: not finished, or another number of inputs.
            ShapeError, DTypeError: an input that does not fit, named with what was expected.
        """
        self._check_finished()
        given = [self.take(node, value) for node, value in zip(self.inputs, inputs)] + list(inputs[len(self.inputs) :])
        symbolic = next((t for t in given if isinstance(t, SymbolicTensor)), None)
        unifier = symbolic._tracer.emitter.sizes if symbolic is not None else Unifier()
        bound = bind(self, [t._type() for t in given], unifier)
        if symbolic is None:
            self._settle(bound)
        scopes: dict[Scope | None, Scope | None] = {}
        if symbolic is not None:
            for parameter, name in self.parameter_names.items():
                symbolic._tracer.given_names.setdefault(parameter, name)
            if isinstance(state.module, _GraphModule):
                scopes[None] = state.scope
            elif state.scope is not None:
                scopes[None] = Scope(state.scope, self.name, "Graph", user_site())
        results = Replay(bound, scopes).run(self, given)
        return nest(self.structure, results)

    def _check_finished(self) -> None:
        if self._tracer is not None:
            raise GraphError(f"the graph {self.name!r} is not finished; call it after its with block")

    def bound_to(self, types: Sequence[TensorType]) -> ir.Graph:
        """The graph with sizes as in these types of its inputs; lazy parameters are filled.

        Raises:
            GraphError: not finished, or another number of inputs.
            ShapeError, DTypeError: an input that does not fit, named with what was expected.
        """
        self._check_finished()
        bound = bind(self, types, Unifier())
        self._settle(bound)
        return resolve(self, bound)

    def take(self, node: Node, value: Any) -> Any:
        """An input as a tensor; floating-point arrays in the dtype that the graph was made for."""
        wanted = self.types[node][0].dtype
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and wanted.is_floating_point:
            value = value.astype(wanted.dtype, copy=False)
        return check_tensor(f"input {node.name} of {self.name}", value)

    # -- checking and looking -----------------------------------------------------------------------------

    def verify(self) -> None:
        """Check structure and types.

        Raises:
            GraphError: naming the node, the cause and the likely fix.
        """
        super().verify()
        verify_types(self)

    def explain(self, **sizes: int) -> Explanation:
        """What compiling makes of the graph: what is fused, the memory that it plans, the work of every node.

        Args:
            **sizes: numbers for sizes with names, such as N=32; memory is planned once all are known.

        Raises:
            ArgumentError: a size of that name does not occur.
        """
        return explain(self, sizes)

    @collector_paused()
    def gradient(self, reached: dict[Any, int | None] | None = None) -> Graph:
        """The graph of the gradients of its output (see `graphnet.passes.differentiate`).

        Args:
            reached: a dict into which go the parameters and inputs that a gradient flows to, and the number of the
                output that tells whether one does, where only running tells; else None.
        """
        result = Graph(f"{self.name}.gradient")
        result._adopt(remove_dead(differentiate(self, reached)))
        result._tracer, result._root, result._sizes = None, self._root, self._sizes
        result.structure = tuple(range(len(result.outputs)))
        return result

    def to_dot(
        self,
        depth: int | None = None,
        *,
        collapse: bool = True,
        direction: str = "LR",
        shared: bool = True,
        legend: bool = False,
        values: Mapping[str, float] | None = None,
    ) -> str:
        """The graph in Graphviz's DOT language.

        Args:
            depth: how many levels of modules are shown open; deeper ones are one node each. None shows all.
            collapse: draw long repeats once, with their number.
            direction: where data flow: "LR" from left to right, "TB" down, "RL", "BT".
            shared: outline and join what shares weights.
            legend: tell what outlines and colours mean.
            values: numbers by name of a node or path of a module, shown as colour and text.

        Raises:
            ArgumentError, ArgumentTypeError: a depth that is not a whole number from 0 up, an unknown direction,
                values that are not numbers.
        """
        return export.dot.to_dot(
            self, depth, collapse=collapse, direction=direction, shared=shared, legend=legend, values=values
        )

    def to_networkx(self) -> Any:
        """The graph as a `networkx.MultiDiGraph`, with attributes on nodes and edges."""
        return export.nx.to_networkx(self)

    def to_json(self, *, values: bool = True, indent: int | None = None) -> str:
        """The graph as JSON text (see `graphnet.export.jsons`); without `values`, without those of its parameters."""
        return export.jsons.to_json(self, values, indent)

    @classmethod
    def from_networkx(cls, graph: Any) -> Graph:
        """The graph that `to_networkx` wrote, with the same parameters (see `graphnet.export.nx`)."""
        return cls._of(*export.nx.from_networkx(graph))

    @classmethod
    def from_json(cls, text: str, state_dict: Mapping[str, Any] | None = None) -> Graph:
        """The graph that `to_json` wrote.

        `state_dict` has values by name, for parameters and buffers that were written without, or instead of theirs.

        Raises:
            GraphError: not that of a graph. ArgumentError: values are missing. ArgumentTypeError: not text.
        """
        return cls._of(*export.jsons.from_json(text, _made, state_dict))

    @classmethod
    def _of(cls, graph: ir.Graph, structure: Any) -> Graph:
        """A finished graph over nodes that were made elsewhere."""
        result = cls(graph.name)
        result._adopt(graph)
        result._tracer, result.structure = None, structure
        result._layers._parameters.update(result.named_parameters())
        try:
            result.verify()
        except (TypeError, IndexError) as error:  # settings of a wrong kind
            raise GraphError(f"the graph does not hold: {error}") from None
        return result

    _bundle: ClassVar[Any] = None  # what notebooks show; `graphnet.notebook` puts it here

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self._bundle(self) if self._bundle is not None else {"text/plain": str(self)}

    def __repr__(self) -> str:
        return str(self)


def _made(kind: str, values: Any, requires_grad: bool) -> Tensor:
    """A tensor of a graph that is read."""
    if kind == "parameter":
        return Parameter(wrap(values), requires_grad)
    tensor = wrap(values)
    tensor._buffer = kind == "buffer"
    return tensor


class _GraphModule(Module):
    """Runs a graph as a module."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self._parameters.update(graph.named_parameters())
        self._buffers.update(graph.named_buffers())

    def forward(self, *inputs: Any) -> Any:
        """The graph's result."""
        return self.graph(*inputs)
