"""The tensor: memory, what it was computed from, and `apply`, through which every operation goes."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from graphnet.dtypes import DType, as_dtype, bool_, float32, int64, promote
from graphnet.errors import (
    ArgumentError,
    ArgumentTypeError,
    GradientError,
    GraphnetError,
    ShapeError,
    UninitializedError,
    kind_of,
)
from graphnet.ir import (
    Constant,
    Literal,
    Origin,
    Parameter,
    Scope,
    Shape,
    SymbolicDim,
    TensorType,
    Where,
)
from graphnet.ops import TABLE, Op, check_count, infer
from graphnet.places import user_site
from graphnet.program import execute
from graphnet.tensor.autograd import CONCRETE, Memory, Record, Saved
from graphnet.tensor.size import Size
from graphnet.tensor.state import state

if TYPE_CHECKING:
    from typing_extensions import Self

    from graphnet.tensor.tensor import Tensor

__all__ = [
    "Base",
    "View",
    "Way",
    "apply",
    "as_array",
    "check_tensor",
    "fail",
    "initialize",
    "make",
    "natural_dtype",
    "place",
    "prepare",
    "producer",
    "set_tensor_class",
    "wrap",
]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
View: TypeAlias = "tuple[tuple[str, dict[str, Any]], ...]"  # ops that only look, one after the other: names, attributes


class Way:
    """How a view looks at its root: as another view does, and then through one more op. So views of views share it."""

    __slots__ = ("attrs", "before", "length", "name")

    def __init__(self, before: Way | None, name: str, attrs: dict[str, Any]) -> None:
        self.before = before
        self.name = name
        self.attrs = attrs
        self.length: int = before.length + 1 if before is not None else 1

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """From the root on."""
        steps: list[tuple[str, dict[str, Any]]] = []
        at: Way | None = self
        while at is not None:
            steps.append((at.name, at.attrs))
            at = at.before
        return iter(steps[::-1])


_accumulating = threading.Lock()


class Base(Constant):
    """Memory and history of a tensor; the public class adds the operators."""

    __slots__ = (
        "__weakref__", "_array", "_buffer", "_dtype", "_memory", "_origin", "_record", "_requires_grad", "_source",
        "_view",
        "grad",
    )  # fmt: skip

    _tracer: Any = None  # symbolic tensors have one
    __array_ufunc__ = None  # lets array + tensor come here instead of into NumPy's loops
    __array_priority__ = 1000

    _array: Array | None
    _buffer: bool  # whether a module registered it as a buffer: graphs read and write it where it lies
    _dtype: DType
    _memory: Memory
    _origin: Origin | None
    _record: Record | None
    _requires_grad: bool
    _source: Base | None
    _view: tuple[Base, Way] | None  # the tensor whose memory it looks at, and how; see `inplace.py`
    grad: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ArgumentTypeError("make tensors with graphnet.tensor(data), zeros(shape), rand(shape), ...")

    # -- what it is ---------------------------------------------------------------------------------------

    def _values(self) -> Array:
        """The memory, also of a view of a lazy parameter that was filled since."""
        if self._array is None:
            if self._source is not None and self._source._array is not None:
                self._array = self._source._array
            else:
                raise self._missing()
        return self._array

    def _looked_at(self) -> Array:
        """The memory, for code that looks at the values: a graph that is being traced has no part in that."""
        values = self._values()
        if state.witness is not None:
            state.witness.tensor(self)
        return values

    def _missing(self) -> GraphnetError:
        if self._source is not None:
            return self._source._missing()
        return UninitializedError("the tensor has no values yet")

    def _type(self) -> TensorType:
        return TensorType(self._values().shape, self._dtype)

    @property
    def shape(self) -> Size:
        """The sizes of the axes.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 3).shape
            graphnet.Size([2, 3])
        """
        return Size(self._type().shape)

    @property
    def dtype(self) -> DType:
        """The element type.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2).dtype
            graphnet.float32
        """
        return self._dtype

    @property
    def ndim(self) -> int:
        """The number of axes.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 3).ndim
            2
        """
        return len(self._type().shape)

    @property
    def requires_grad(self) -> bool:
        """Whether gradients flow to or through the tensor. Settable on tensors that were not computed.

        Example:
            >>> import graphnet as gn
            >>> w = gn.ones(2, requires_grad=True)
            >>> w.requires_grad, (w * 2).requires_grad, gn.ones(2).requires_grad
            (True, True, False)
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        self.requires_grad_(value)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Set `requires_grad` in place.

        Raises:
            GradientError: not a floating-point tensor, or one computed from others.

        Example:
            >>> import graphnet as gn
            >>> gn.ones(2).requires_grad_()
            tensor([1., 1.], requires_grad=True)
        """
        if requires_grad and not self._dtype.is_floating_point:
            raise GradientError(f"only floating-point tensors have gradients, this one is {self._dtype.name}")
        if not requires_grad and self._record is not None:
            raise GradientError("requires_grad can be taken from leaf tensors only; use detach() on a computed one")
        self._requires_grad = bool(requires_grad)
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether it was not computed from tensors that require a gradient.

        Example:
            >>> import graphnet as gn
            >>> w = gn.ones(2, requires_grad=True)
            >>> w.is_leaf, (w * 2).is_leaf
            (True, False)
        """
        return self._record is None

    # -- gradients ----------------------------------------------------------------------------------------

    def _accumulate(self, gradient: Array) -> None:
        with _accumulating:  # threads may train one parameter
            if self.grad is None:
                self.grad = wrap(gradient)
            else:
                self.grad = wrap(execute(TABLE["add"], (self.grad._values(), gradient), {}, self._type()))

    def _forget_gradient(self, set_to_none: bool = True) -> None:
        """Drop the gradient, or set it to zero in the memory that it has."""
        if set_to_none:
            self.grad = None
        elif self.grad is not None:
            self.grad.detach().zero_()

    # -- memory -------------------------------------------------------------------------------------------

    def _fits(self, shape: Shape) -> bool:
        """Whether it has that shape."""
        return bool(self._values().shape == shape)

    def _become(self, fresh: Base) -> None:
        """Have the history of another tensor, whose values are in this one's memory."""
        self._record, self._requires_grad, self._origin = fresh._record, fresh._requires_grad, fresh._origin

    def _share_memory(self, other: Base) -> None:
        """Look at `other`'s memory."""
        self._memory = memory = other._memory
        if memory.viewers is None:
            memory.viewers = [weakref.ref(other)]
        elif len(memory.viewers) > 32 and not len(memory.viewers) & (len(memory.viewers) - 1):
            memory.viewers = [ref for ref in memory.viewers if ref() is not None]
        memory.viewers.append(weakref.ref(self))


_factory: Callable[[], Tensor]


def set_tensor_class(cls: type[Base]) -> None:
    """Name the class that results have: the public one, defined on top of this file."""
    global _factory
    new: Any = cls.__new__
    _factory = lambda: new(cls)  # noqa: E731


def initialize(tensor: Any, array: Array | None, dtype: DType) -> None:
    """Set every slot of a tensor that was made without __init__."""
    tensor._array = array
    tensor._dtype = dtype
    tensor._memory = Memory()
    tensor._origin = tensor._record = tensor._source = tensor._view = tensor.grad = None
    tensor._requires_grad = tensor._buffer = False


def make(array: Array, dtype: DType) -> Tensor:
    """A tensor over an array of that dtype."""
    tensor = _factory()
    initialize(tensor, array, dtype)
    return tensor


def wrap(array: Array) -> Tensor:
    """A tensor over an array, sharing its memory where the layout allows.

    Raises:
        DTypeError: for a dtype that graphnet does not have.
    """
    dtype = as_dtype(array.dtype)
    if state.witness is not None:
        state.witness.shared(array)
    if not array.dtype.isnative or not array.flags.aligned or any(s % array.itemsize for s in array.strides):
        if state.witness is not None:
            state.witness.array(array)
        array = np.array(array, dtype.dtype, order="C")
    return make(array.view(np.ndarray) if type(array) is not np.ndarray else array, dtype)


def as_array(value: Any, dtype: DType, what: str = "value") -> Array:
    """A tensor, array or number as an array of that dtype."""
    tensor = value if isinstance(value, Base) else check_tensor(what, value)
    if tensor._dtype is not dtype:
        tensor = apply("cast", tensor, dtype=dtype)
    return tensor._values()


_NUMBERS = (bool, int, float, np.generic, SymbolicDim)
_NATURAL: dict[type, DType] = {bool: bool_, int: int64, float: float32}


def check_tensor(what: str, value: Any) -> Tensor:
    """A tensor from what may stand for one: a tensor, a NumPy array or a number.

    Raises:
        ArgumentTypeError: for anything else, lists included.
    """
    if isinstance(value, Base):
        return value  # type: ignore[return-value]  # all of them are Tensors
    if isinstance(value, (np.ndarray, np.generic)):
        return wrap(np.asarray(value))
    if isinstance(value, (bool, int, float)):
        return make(*_literal_array(value, _NATURAL[type(value)]))
    hint = "; make one with graphnet.tensor(...)" if isinstance(value, (list, tuple)) else ""
    raise ArgumentTypeError(f"{what}: expects a tensor or a NumPy array, got {kind_of(value)}{hint}")


def _literal_array(value: Any, dtype: DType) -> tuple[Array, DType]:
    if dtype is float32 and abs(value) > 3.4028235e38 and value == value:
        value = float("inf") if value > 0 else float("-inf")
    try:
        return np.asarray(value, dtype.dtype), dtype
    except OverflowError:
        raise ArgumentError(f"the number {value} does not fit into {dtype.name}") from None


def prepare(op: Op, operands: Sequence[Any]) -> list[Any]:
    """Operands as tensors and typed literals, brought to the dtypes that the op's row asks for."""
    check_count(op, len(operands))
    common: Any = None
    for x in operands:
        if not isinstance(x, Base) or (x._dtype is not common and common is not None):
            break
        common = x._dtype
    else:
        if common is not None and common.is_floating_point:  # tensors of one floating-point type, as most are
            return list(operands)
    values: list[Any] = [x if isinstance(x, (Base, Literal, *_NUMBERS)) else check_tensor(op.name, x) for x in operands]
    if op.promote == "none":
        return [v if isinstance(v, (Base, Literal)) else _literal(v, None) for v in values]
    start = 1 if op.promote == "after first" else 0
    if start and not isinstance(values[0], (Base, Literal)):
        values[0] = _literal(values[0], None)
    group = values[start:]
    typed = next((v.dtype for v in group if isinstance(v, Literal)), None)
    if typed is not None:  # from a graph, in which dtypes were settled
        return values
    numbers = [v for v in group if not isinstance(v, Base)]
    dtypes = {v._dtype for v in group if isinstance(v, Base)}
    if len(dtypes) == 1 and (not numbers or next(iter(dtypes)).is_floating_point):
        common = next(iter(dtypes))
    else:
        ranks = [(v._dtype, len(v._type().shape)) for v in group if isinstance(v, Base)]
        common = promote(ranks, [natural_dtype(v) for v in numbers])
    if op.promote == "float" and not common.is_floating_point:
        common = float32
    for index, value in enumerate(values[start:], start):
        if not isinstance(value, Base):
            values[index] = _literal(value, common)
        elif value._dtype is not common:
            values[index] = apply("cast", value, dtype=common)
    return values


def natural_dtype(value: Any) -> DType:
    """The dtype of a number written in Python."""
    if isinstance(value, np.generic):
        value = value.item()
    return int64 if isinstance(value, SymbolicDim) else _NATURAL.get(type(value)) or as_dtype(type(value))


def _literal(value: Any, dtype: DType | None) -> Literal:
    return Literal(value.item() if isinstance(value, np.generic) else value, dtype or natural_dtype(value))


def place() -> tuple[Scope | None, Where | None]:
    """The running module call and the user's line: of the layer's making inside a library layer."""
    if state.replayed is not None:
        return state.replayed
    scope = state.scope
    return scope, scope.where if scope is not None and scope.library else user_site()


def apply(name: str, *operands: Any, **attrs: Any) -> Tensor:
    """Apply an op of the table: compute it, or record it where a graph is being traced.

    Raises:
        ShapeError, DTypeError, IndexOutOfRangeError: naming module path, source place, expected and got,
            and what produced the operand at fault.
    """
    op = TABLE[name]
    active = state.tracer
    plain, common = True, None
    if active is not None and (op.fresh or (attrs and not all(type(size) is int for size in attrs.get("shape", ())))):
        return active.apply(op, operands, attrs)  # type: ignore[no-any-return]
    for operand in operands:
        if not isinstance(operand, Base):
            plain = False
        elif operand._tracer is not None:
            return operand._tracer.apply(op, operands, attrs)  # type: ignore[no-any-return]
        elif active is not None and (operand._requires_grad or operand._buffer or isinstance(operand, Parameter)):
            return active.apply(op, operands, attrs)  # type: ignore[no-any-return]
        elif operand._dtype is not common:
            plain, common = plain and common is None and operand._dtype.is_floating_point, operand._dtype
    values: Sequence[Any] = operands
    try:
        if not plain:  # else the operands are tensors of one floating-point type, as most are
            values = prepare(op, operands)
        if active is not None and state.witness is not None and op.view is None:
            for value in values:  # the result is a constant of the graph
                if isinstance(value, Base):
                    state.witness.tensor(value)
        arrays = [v._values() if isinstance(v, Base) else _literal_array(*v)[0] for v in values]
        types = [TensorType(a.shape, v._dtype if isinstance(v, Base) else v.dtype) for a, v in zip(arrays, values)]
        result = infer(op, CONCRETE, types, attrs)
        array = execute(op, arrays, attrs, result)
    except GraphnetError as error:
        raise fail(op, error, values) from None
    tensor = make(array, result.dtype)
    if op.view is not None and isinstance(values[0], Base) and (not op.packed or arrays[0].flags.c_contiguous):
        tensor._share_memory(values[0])
        if name != "detach":
            root, before = values[0]._view or (values[0], None)
            tensor._view = (root, Way(before, name, attrs))
    scope, where = place()
    tensor._origin = Origin(name, scope, where)
    if state.grad and result.dtype.is_floating_point and op.gradients:
        for value in values:
            if isinstance(value, Base) and value._requires_grad:
                _remember(op, tensor, values, arrays, types, attrs, result)
                break
    return tensor


def _remember(
    op: Op,
    tensor: Base,
    values: Sequence[Any],
    arrays: Sequence[Array],
    types: Sequence[TensorType],
    attrs: dict[str, Any],
    result: TensorType,
) -> None:
    """Record how a tensor was computed."""
    assert tensor._origin is not None
    operands = tuple((v._record or v) if isinstance(v, Base) else v for v in values)
    edges = tuple(o if isinstance(v, Base) and v._requires_grad else None for o, v in zip(operands, values))
    reads = {c for i, v in enumerate(values) if isinstance(v, Base) and v._requires_grad for c in op.reads(i)}
    saved: dict[int, Saved] = {}
    for index, value in enumerate(values):
        if op.saved(index, reads):
            memory = value._memory if isinstance(value, Base) else None
            saved[index] = arrays[index], memory, memory.version if memory is not None else 0
    out = (tensor._values(), tensor._memory, tensor._memory.version) if "y" in reads else None
    tensor._record = Record(op, attrs, operands, edges, types, result, saved, out, tensor._origin)
    tensor._requires_grad = True


def fail(op: Op, error: GraphnetError, values: Sequence[Any]) -> GraphnetError:
    """The error, told where it happened and what produced the operand at fault."""
    if getattr(error, "placed", False):
        return error
    scope, where = place()
    text = str(error).removeprefix(f"{op.name}: ").removeprefix(f"{op.kernel}: ")
    if isinstance(error, ShapeError) and error.operand is not None and error.operand < len(values):
        text += producer(values[error.operand])
    error.args = (f"{Origin(op.name, scope, where)}: {text}",)
    error.placed = True  # type: ignore[attr-defined]
    return error


def producer(value: Any) -> str:
    """What produced a value, as the end of a sentence; empty where nothing is known."""
    if not isinstance(value, Base) or isinstance(value, Parameter) or value._origin is None:
        return ""
    return f", the {'' if value._origin.op == 'input' else 'output of '}{value._origin}"
