"""The backward pass over what was recorded: on arrays, or on tensors that record it in their turn."""

from __future__ import annotations

import weakref
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.errors import ArgumentTypeError, GradientError, ShapeError
from graphnet.ir import Literal, Shape, SymbolicDim
from graphnet.ops.gradient import reverse
from graphnet.tensor.autograd import Record, check_kept, collect, duplicate
from graphnet.tensor.core import Array, Base, apply, as_array, make
from graphnet.tensor.state import state

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Backward", "grad"]


class _Recorded:
    """A record as gradient rules see it, over tensors: what a rule computes is recorded like anything else."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.key, self.op, self.attrs, self.operand = record, record.op, record.attrs, 0
        self.shapes, self.dtypes, self.shape, self.dtype = record.shapes, record.dtypes, record.shape, record.dtype

    def targets(self) -> tuple[Any, ...]:
        return self.record.edges

    def describe(self) -> str:
        return self.record.describe()

    def shape_of(self, value: Any) -> Shape:
        return tuple(value._type().shape)

    def number(self, index: int) -> Any:
        return self.record.number(index)

    def x(self, index: int) -> Any:
        array, memory, _ = self.record.saved[index]
        self.record.x(index)  # which refuses what was overwritten since
        source = self.record.edges[index]
        if isinstance(source, Base):
            return source
        return _seen_again(array, self.record.types[index].dtype, memory, source)

    def y(self) -> Any:
        assert self.record.result is not None
        self.record.y()
        array, memory, _ = self.record.result
        return _seen_again(array, self.dtype, memory, self.record)

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> Any:
        values = [Literal(i, self.dtype) if isinstance(i, (bool, int, float, SymbolicDim)) else i for i in inputs]
        return apply(op, *values, **attrs)


def _seen_again(array: Array, dtype: Any, memory: Any, record: Record | None) -> Tensor:
    """A value that a record kept, as a tensor with its history."""
    tensor = make(array, dtype)
    if memory is not None:
        tensor._memory = memory
    if record is not None:
        tensor._record, tensor._requires_grad, tensor._origin = record, True, record.origin
    return tensor


def _run(starts: dict[Any, Any], recorded: bool, wanted: Collection[Any], retain: bool, what: str) -> dict[Any, Any]:
    """The gradients of leaves, and of the records that are wanted, from those of what was computed from them."""
    gradients = dict(starts)
    records = collect([r for r in starts if isinstance(r, Record)])
    check_kept(records, what)
    found: dict[Any, Any] = {}

    def visited() -> Iterable[Any]:
        for record in records:
            if record in gradients:
                tensor = record.retained() if record.retained is not None else None
                if tensor is not None:
                    _give(tensor, gradients[record], recorded, True)
                if record in wanted:
                    found[record] = gradients[record]
            yield _Recorded(record) if recorded else record

    before, state.grad = state.grad, recorded
    try:
        reverse(visited(), gradients)
    finally:
        state.grad = before
    if not retain:
        for record in records:
            record.free()
    return {**gradients, **found}


def _give(leaf: Base, gradient: Any, recorded: bool, copied: bool) -> None:
    """Add a gradient to a tensor's."""
    if not recorded:
        leaf._accumulate(duplicate(gradient) if copied else gradient)
    elif leaf.grad is None:
        leaf.grad = apply("copy", gradient)
    else:
        leaf.grad = apply("add", leaf.grad, gradient)


def _start(output: Base, gradient: Any, recorded: bool, what: str) -> Any:
    """What flows into an output."""
    if not output._requires_grad:
        raise GradientError(
            f"{what}: nothing it was computed from requires a gradient "
            "(were the parameters frozen, or did it run under no_grad()?)"
        )
    shape = output._values().shape
    if gradient is None:
        if output._values().size != 1:
            raise GradientError(
                f"{what} without a gradient starts from a single element, got shape {tuple(shape)}; "
                "reduce it with .sum() or .mean(), or pass gradient="
            )
        start: Array = np.ones(shape, output._dtype.dtype)
    else:
        start = as_array(gradient, output._dtype, what)
        if start.shape != shape:
            raise ShapeError(
                f"{what}: expects a gradient of shape {tuple(shape)}, got {start.shape}",
                expected=tuple(shape),
                got=start.shape,
            )
        if recorded and isinstance(gradient, Base) and gradient._dtype is output._dtype:
            return gradient
    return make(start, output._dtype) if recorded else start


class Backward(Base):
    """Gradients of what was computed."""

    __slots__ = ()

    def backward(
        self, gradient: Any = None, retain_graph: bool | None = None, create_graph: bool = False, inputs: Any = None
    ) -> None:
        """Compute the gradients of this tensor and add them to `.grad` of the leaves it was computed from.

        Args:
            gradient: what flows in, of this tensor's shape; may be left out for a single element (1 then).
            retain_graph: keep what the pass needs, so that it can run again; by default where `create_graph` is set.
            create_graph: record the pass too, so that the gradients can be differentiated again.
            inputs: the leaves whose gradients are wanted; None for all.

        Raises:
            GradientError: nothing here requires a gradient, the graph was freed, or a value was overwritten.
            ShapeError: `gradient` has another shape.

        Example:
            >>> import graphnet as gn
            >>> x = gn.tensor([1.0, 2.0], requires_grad=True)
            >>> (x**3).sum().backward()
            >>> x.grad
            tensor([ 3., 12.])
        """
        if self._tracer is not None:
            raise GradientError("backward() needs data; differentiate a traced graph with graph.gradient()")
        start = _start(self, gradient, create_graph, "backward")
        only = None
        if inputs is not None:
            only = {inputs} if isinstance(inputs, Base) else set(inputs)
            if not all(isinstance(t, Base) and t._record is None and t._requires_grad for t in only):
                raise GradientError("backward: inputs are leaf tensors that require a gradient")
        retain = create_graph if retain_graph is None else retain_graph
        found = _run({self._record or self: start}, create_graph, (), retain, "backward")
        given = {id(start)}
        for leaf, value in found.items():
            if only is None or leaf in only:
                # Rules may hand one array to several operands, or a view: each leaf gets memory of its own.
                shared = id(value) in given or (
                    not create_graph and (value.base is not None or not value.flags.writeable)
                )
                given.add(id(value))
                _give(leaf, value, create_graph, shared)

    def retain_grad(self) -> None:
        """Keep the gradient of a computed tensor in `.grad` too.

        Raises:
            GradientError: it does not require a gradient.

        Example:
            >>> import graphnet as gn
            >>> x = gn.tensor([1.0, 2.0], requires_grad=True)
            >>> y = x * 2
            >>> y.retain_grad()
            >>> y.sum().backward()
            >>> y.grad
            tensor([1., 1.])
        """
        if not self._requires_grad:
            raise GradientError("retain_grad: the tensor does not require a gradient")
        if self._record is not None:
            self._record.retained = weakref.ref(self)


def grad(
    outputs: Any,
    inputs: Any,
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The gradients of outputs with respect to inputs, as torch.autograd.grad: `.grad` is left alone.

    Args:
        outputs: a tensor, or several.
        inputs: tensors that they were computed from.
        grad_outputs: what flows into each output; may be left out for single elements.
        retain_graph: keep what the pass needs; by default where `create_graph` is set.
        create_graph: record the pass, so that the gradients can be differentiated again.
        allow_unused: give None for an input that has no part in the outputs.

    Raises:
        GradientError: an input has no part in the outputs, or does not require a gradient.

    Example:
        >>> import graphnet as gn
        >>> x = gn.tensor(2.0, requires_grad=True)
        >>> (slope,) = gn.autograd.grad(x**3, x, create_graph=True)
        >>> (curvature,) = gn.autograd.grad(slope, x)
        >>> slope.item(), curvature.item()
        (12.0, 12.0)
    """
    of = [outputs] if isinstance(outputs, Base) else list(outputs)
    to = [inputs] if isinstance(inputs, Base) else list(inputs)
    given: Sequence[Any] = [grad_outputs] if isinstance(grad_outputs, Base) else grad_outputs or [None] * len(of)
    if not all(isinstance(t, Base) for t in (*of, *to)):
        raise ArgumentTypeError("grad: expects tensors as outputs and inputs")
    for tensor in to:
        if not tensor._requires_grad:
            raise GradientError("grad: an input does not require a gradient")
    starts: dict[Any, Any] = {}
    for output, gradient in zip(of, given):
        key, start = output._record or output, _start(output, gradient, create_graph, "grad")
        if key in starts:
            start = starts[key] + start
        starts[key] = start
    wanted = {t._record or t for t in to}
    found = _run(starts, create_graph, wanted, create_graph if retain_graph is None else retain_graph, "grad")
    results: list[Any] = []
    for number, tensor in enumerate(to):
        value = found.get(tensor._record or tensor)
        if value is None and not allow_unused:
            raise GradientError(f"grad: input {number} has no part in the outputs; pass allow_unused=True to get None")
        results.append(value if value is None or create_graph else make(duplicate(value), tensor._dtype))
    return tuple(results)
