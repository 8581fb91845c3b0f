"""Tensors without data: operations on them become nodes of a graph, and only shapes are inferred."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from graphnet import _core
from graphnet.dtypes import float64
from graphnet.errors import (
    ArgumentTypeError,
    DTypeError,
    GradientError,
    GraphError,
    GraphnetError,
    TraceError,
    with_article,
)
from graphnet.ir import Graph, Node, Operand, Origin, Scope, Shape, TensorType, Unifier, Value
from graphnet.ops import TABLE, Op
from graphnet.ops.emit import Emitter
from graphnet.places import user_site
from graphnet.tensor.adaptation import UndecidedError
from graphnet.tensor.autograd import Memory
from graphnet.tensor.core import Array, Base, Way, apply, fail, initialize, place, prepare
from graphnet.tensor.state import state
from graphnet.tensor.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["SymbolicTensor", "Tracer", "node_name"]


class SymbolicTensor(Tensor):
    """A tensor whose shape and dtype are known and whose values are not: a result within a graph."""

    __slots__ = ("_number", "_seen", "_tracer", "_value")

    _tracer: Tracer
    _value: Value
    _number: bool  # it stands for a Python number, which no operation overwrites
    _seen: int  # the version of the memory that _value is

    def _values(self) -> Array:
        raise TraceError(
            f"{_site()}the values of {self._origin} are not known while a graph is made from shapes; "
            "call the network on data, or keep Python code (float, item, numpy, print of values) out of forward"
        )

    def __bool__(self) -> bool:
        raise UndecidedError(
            f"{_site()}a `while` or `if` (or and/or/not, assert) depends on the value of {self._origin}, which is not "
            "known while a graph is made from shapes"
        )

    def _type(self) -> TensorType:
        return self._tracer.emitter.type_of(self._value)

    def _operand(self) -> Value:
        """How a node refers to it."""
        if self._seen != self._memory.version:
            raise TraceError(
                f"{_site()}{self._origin} shares its memory with a tensor that was overwritten in place since; "
                "a traced graph has no shared memory: write y = y * 2 for y *= 2"
            )
        return self._value

    def _fits(self, shape: Shape) -> bool:
        have, unifier = self._type().shape, self._tracer.emitter.sizes
        return len(have) == len(shape) and all(map(unifier.unify, have, shape))

    def _overwrite(self, result: Base) -> Self:
        return result if self._number else super()._overwrite(result)  # type: ignore[return-value]

    def _become(self, fresh: Base) -> None:
        assert isinstance(fresh, SymbolicTensor)
        self._value, self._origin, self._requires_grad = fresh._operand(), fresh._origin, fresh._requires_grad
        self._seen = self._memory.version

    def detach(self) -> Tensor:
        """The same values, through which no gradient flows."""
        result: Tensor = apply("detach", self)
        result._requires_grad = False
        return result

    def _get_data(self) -> Tensor:
        return self.detach()

    def _set_data(self, new: Tensor) -> None:
        raise TraceError(f"{_site()}the data of a traced tensor cannot be replaced")

    def is_contiguous(self) -> bool:
        """Symbolic tensors have no memory layout."""
        return True

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Raises: traced tensors have no gradient of their own."""
        raise GradientError("a traced tensor has no gradient of its own; parameters have")

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise ArgumentTypeError("a 0-d tensor cannot be iterated over")
        return (self[i] for i in range(self.shape[0]))

    def __repr__(self) -> str:
        shape, dtype = self._type()
        return f"<traced {dtype.name}{tuple(shape)}: {self._value!r} of {self._tracer.emitter.graph.name}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        raise TraceError(f"{_site()}a traced tensor cannot be copied")

    __reduce_ex__ = None  # type: ignore[assignment]


def _site() -> str:
    site = user_site()
    return f"{site}: " if site is not None else ""


class Tracer:
    """Records the operations on symbolic tensors into a graph.

    While it is active (see `state.tracer`), operations on parameters alone are recorded as well: their values
    change as they are trained.

    A block of control flow is recorded by a tracer of its own: the `child` of the one that it lies in. What it takes
    from outside becomes an input of the block.
    """

    def __init__(self, graph: Graph) -> None:
        self.emitter = Emitter(graph, Unifier())
        self.closed = False
        self.parent: Tracer | None = None
        self.child: Tracer | None = None
        self.looping = self.throwaway = False
        self.captured: dict[Operand, Value] = {}  # what comes from outside, and the block's input for it
        self.memories: dict[Operand, Memory] = {}  # where that lies
        self.roots: list[Any] = []  # modules called from outside any module: their paths name parameters
        self.given_names: dict[Any, str] = {}  # of parameters that come with a graph traced into this one
        self._grad = state.grad
        self._named: set[Scope] = set()  # library calls that have named a node after themselves

    @contextlib.contextmanager
    def block(self, name: str, *, looping: bool = False, throwaway: bool = False) -> Iterator[Tracer]:
        """A tracer that records a block within this graph, and is active meanwhile.

        Args:
            name: of the block.
            looping: whether it runs once for each trip of a loop.
            throwaway: whether it is only tried what it gives.
        """
        inner = Tracer.__new__(Tracer)
        inner.emitter = self.emitter.inner(name, throwaway=throwaway)
        inner.closed, inner.parent, inner.child = False, self, None
        inner.captured, inner.memories = {}, {}
        inner.looping, inner.throwaway = looping, throwaway
        inner.roots, inner.given_names = self.roots, self.given_names
        inner._grad, inner._named = self._grad, set(self._named) if throwaway else self._named
        before, state.tracer, self.child = state.tracer, inner, inner
        try:
            yield inner
        finally:
            state.tracer, self.child, inner.closed = before, None, True

    def running(self) -> Tracer:
        """The tracer of the innermost block that is being recorded in the graph that this belongs to."""
        tracer = self
        while tracer.closed and tracer.parent is not None:
            tracer = tracer.parent
        while tracer.child is not None:
            tracer = tracer.child
        return tracer

    def take(self, tensor: SymbolicTensor) -> SymbolicTensor:
        """A tensor as one of this graph: those of graphs around this block become its inputs."""
        if tensor._tracer is self:
            return tensor
        outer = self.parent
        if tensor._tracer.closed and tensor._tracer.parent is not None:
            raise GraphError(
                f"{tensor._origin} was computed inside the {tensor._tracer.emitter.graph.name} of a loop or branch and "
                "is used outside it; make it part of the state, or return it"
            )
        if outer is None:
            raise GraphError(f"an operand belongs to another graph, {tensor._tracer.emitter.graph.name!r}")
        value = outer.take(tensor)._operand()
        self.memories[value] = tensor._memory
        return self._capture(value, tensor)

    def hold(self, tensor: Base) -> SymbolicTensor:
        """A tensor as one of this block, with data of its own or without."""
        return self.take(tensor) if isinstance(tensor, SymbolicTensor) else self._capture(tensor, tensor)

    def _capture(self, operand: Operand, tensor: Base) -> SymbolicTensor:
        """An input of this block for an operand outside: a new tensor for it, each time that it is asked for."""
        start = self.input_for(operand)
        found = self._tensor(start, tensor._origin or Origin("input", None, None, repr(start)), tensor._requires_grad)
        found._number = tensor._number if isinstance(tensor, SymbolicTensor) else False
        return found

    def lift(self, name: str, type: TensorType, origin: Origin) -> SymbolicTensor:
        """An input of a block."""
        return self._tensor(self.emitter.input(name, type), origin, type.dtype.is_floating_point)

    def operand(self, value: Any) -> Operand:
        """How a node of this graph refers to a tensor or typed number."""
        if isinstance(value, SymbolicTensor):
            return self.take(value)._operand()
        return self._current(value) if isinstance(value, Base) and value._buffer else value

    def _current(self, buffer: Base) -> Operand:
        """A buffer, or the value that the graph gave it last."""
        if self.parent is None:
            return self.emitter.graph.updates.get(buffer, buffer)
        outside = self.parent._current(buffer)
        return outside if outside is buffer else self.input_for(outside)

    def input_for(self, operand: Operand) -> Value:
        """This block's input for an operand outside."""
        assert self.parent is not None
        if operand not in self.captured:
            name = repr(operand) if isinstance(operand, Value) else "constant"
            self.captured[operand] = self.emitter.input(name, self.parent.emitter.type_of(operand))
        return self.captured[operand]

    def result(self, node: Node, slot: int, requires_grad: bool) -> SymbolicTensor:
        """A result of a node of control flow."""
        return self._tensor(Value(node, slot), Origin(node.op, node.scope, node.where), requires_grad)

    def name(self, op: str, scope: Scope | None) -> str:
        """What a node is called."""
        return node_name(op, scope, self._named)

    def input(self, name: str, type: TensorType) -> SymbolicTensor:
        """A tensor that stands for an input."""
        value = self.emitter.input(name, type, user_site())
        return self._tensor(value, Origin("input", None, None, value.node.name), False)

    def _tensor(self, value: Value, origin: Origin, requires_grad: bool) -> SymbolicTensor:
        dtype = self.emitter.graph.type_of(value).dtype
        return _core.symbolic_tensor(self, value, dtype, origin, requires_grad)  # type: ignore[no-any-return]

    def update(self, buffer: Base, value: Base) -> None:
        """Note that a run leaves this value in a buffer; reading the buffer gives it from here on.

        Raises:
            TraceError: the tensor is no module's buffer.
            ShapeError, DTypeError: the value does not fit.
        """
        if self.running().parent is not None:
            raise TraceError(
                f"{_site()}{value._origin} is written into a tensor from outside the loop or branch; write y = y * 2 "
                "for y *= 2, and a buffer after the loop"
            )
        if not buffer._buffer:
            raise TraceError(
                f"{_site()}{value._origin} is written into a tensor that no module has registered: a traced graph "
                "keeps only buffers; use register_buffer, or y = y + x for y += x"
            )
        have, got = buffer._type(), value._type()
        if got.dtype.category > have.dtype.category:
            raise DTypeError(
                f"in place: {with_article(got.dtype.name)} result does not fit into "
                f"{with_article(have.dtype.name)} buffer"
            )
        result: Any = value if got.dtype is have.dtype else apply("cast", value, dtype=have.dtype)
        if len(got.shape) != len(have.shape) or not all(map(self.emitter.sizes.unify, have.shape, got.shape)):
            result = apply("expand", result, shape=tuple(have.shape))
        op = TABLE.get(result._operand().node.op) if isinstance(result, SymbolicTensor) else None
        if op is None or op.kernel is None:
            result = self.apply(TABLE["copy"], [result], {})  # it needs memory of its own
        self.emitter.graph.updates[buffer] = result._operand()

    def apply(self, op: Op, operands: Sequence[Any], attrs: dict[str, Any]) -> SymbolicTensor:
        """Record an operation.

        Raises:
            GraphError: the graph is finished, or an operand belongs to another one.
            ShapeError, DTypeError: the operands do not fit.
        """
        running = self.running()
        return running._record(op, operands, attrs)

    def _widened(self, op: Op, operands: Sequence[Any]) -> list[Any]:
        """Operands, where whole numbers of a loop become floating-point, in float64 if the network is."""
        for v in operands:
            if isinstance(v, SymbolicTensor) and v._number and not v._dtype.is_floating_point:
                break
        else:
            return list(operands)
        tensors = [v for v in operands if isinstance(v, Base)]
        whole = [v for v in tensors if isinstance(v, SymbolicTensor) and v._number and not v._dtype.is_floating_point]
        floating = op.promote == "float" or any(isinstance(v, float) for v in operands)
        if not whole or len(whole) < len(tensors) or not floating:
            return list(operands)
        root = self
        while root.parent is not None:
            root = root.parent
        graph = root.emitter.graph
        if not any(graph.types[node][0].dtype is float64 for node in graph.inputs):
            return list(operands)
        return [apply("cast", v, dtype=float64) if isinstance(v, SymbolicTensor) else v for v in operands]

    def refuse_random(self) -> None:
        """Raise TraceError for random numbers in the body of a loop."""
        raise TraceError(
            f"{_site()}random numbers are drawn in a `while` whose number of trips only running tells; every trip "
            "would get the same ones: draw them before the loop"
        )

    def _record(self, op: Op, operands: Sequence[Any], attrs: dict[str, Any]) -> SymbolicTensor:
        graph = self.emitter.graph
        if op.fresh and self.parent is not None and not self.throwaway:
            if self.looping:
                self.refuse_random()
            return self.take(self.parent._record(op, operands, attrs))  # drawn whether the branch is taken or not
        if self.closed:
            raise GraphError(
                f"{_site()}{op.name}: a tensor of the graph {graph.name!r} is used after the graph was finished; "
                "call the graph on data, or make the whole graph within one trace or with block"
            )
        values: Sequence[Any] = operands
        number = False
        plain = _core.plain_operands(self, operands)
        if plain is None:
            values = self._widened(op, operands)
        scope, where = place()
        try:
            if plain is not None:
                inputs, requires_grad = plain
            else:
                values = prepare(op, values)
                inputs = tuple(map(self.operand, values))
                tensors = [v for v in values if isinstance(v, Base)]
                requires_grad = any(v._requires_grad for v in tensors)
                number = bool(values) and all(isinstance(v, SymbolicTensor) and v._number for v in tensors)
            result = self.emitter.emit(op, inputs, attrs, node_name(op.name, scope, self._named), scope, where)
        except GraphnetError as error:
            raise fail(op, error, values) from None
        if requires_grad and self._grad and not state.grad and op.name != "detach":
            result = self.emitter.emit(TABLE["detach"], [result], {}, f"{result.node.name}.detach", scope, where)
            requires_grad = False
        tensor = self._tensor(result, Origin(op.name, scope, where), requires_grad)
        if number:
            tensor._number = True
        if op.view is not None and isinstance(values[0], Base):
            tensor._share_memory(values[0])
            root, before = values[0]._view or (values[0], None)
            tensor._view = (root, Way(before, op.name, attrs))
            tensor._seen = tensor._memory.version
        return tensor


def _pattern() -> SymbolicTensor:
    """What new ones are copies of."""
    tensor = SymbolicTensor.__new__(SymbolicTensor)
    initialize(tensor, None, float64)
    tensor._tracer = tensor._value = None  # type: ignore[assignment]
    tensor._seen, tensor._number = 0, False
    return tensor


_core.set_symbolic_pattern(_pattern())


def node_name(op: str, scope: Scope | None, named: set[Scope]) -> str:
    """The path of a library layer, for its first operation; else the path and the operation's name."""
    if scope is None:
        return op
    label = scope.label
    if scope.library and label and scope not in named:
        named.add(scope)
        return label
    return f"{label}.{op}" if label else op
