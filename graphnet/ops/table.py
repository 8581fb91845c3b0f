"""The table of operations: one row per op, with everything that graphnet knows about it.

A row names the op, says which operands it takes, how shapes and dtypes follow from theirs, what its
gradients are as further ops, which kernel (or view) computes it, and what NumPy would compute: the
reference that tests hold kernels against. Eager calls, tracing, differentiation and programs all read
this table; there is no second place with such a rule.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np

from graphnet import _core
from graphnet.dtypes import DType, bool_, int64
from graphnet.errors import ArgumentTypeError, DTypeError, IndexOutOfRangeError, ShapeError, with_article
from graphnet.ir import Dim, Shape, TensorType, Unifier, product, render_shape
from graphnet.ops.onnx import Onnx

__all__ = [
    "FUSED",
    "TABLE",
    "Attrs",
    "FlopsRule",
    "GradientRule",
    "Op",
    "Site",
    "broadcast",
    "check_axis",
    "infer",
    "register",
    "row",
    "setting_key",
]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
Attrs: TypeAlias = "Mapping[str, Any]"
ShapeRule: TypeAlias = "Callable[..., Shape]"  # (unifier, attrs, *input shapes)
FlopsRule: TypeAlias = "Callable[[Attrs, Sequence[Shape], Shape], Dim]"  # (attrs, input shapes, result's shape)


class Site(Protocol):
    """What a gradient rule sees of the node it differentiates, and how it writes IR.

    Calling the site emits an op: `n("mul", g, n.x(1))`. Values are opaque; Python numbers become literals
    of the node's dtype.
    """

    op: Op
    operand: int  # the input whose gradient is wanted
    attrs: Attrs
    shapes: tuple[Shape, ...]
    shape: Shape
    dtypes: tuple[DType, ...]

    def x(self, index: int) -> Any:
        """The node's input; the row must list it in `saves`."""

    def y(self) -> Any:
        """The node's result; the row must have "y" in `saves`."""

    def number(self, index: int) -> int | float | None:
        """The input as a Python number, where it was written as one."""

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> Any:
        """Emit an op."""


GradientRule: TypeAlias = "Callable[[Site, Any], Any]"

FLOAT, NUMBER, ANY, BOOL, INDEX, INTEGER = "floating-point", "numeric", "any", "bool", "int64", "integer"
_CATEGORIES: dict[str, tuple[int, ...]] = {
    FLOAT: (2,),
    NUMBER: (1, 2),
    ANY: (0, 1, 2),
    BOOL: (0,),
    INDEX: (1,),
    INTEGER: (1,),
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Op:
    """A row of the table.

    Attributes:
        name: the op's name; also what builders and errors call it.
        shape: `(unifier, attrs, *shapes) -> shape`; raises ShapeError.
        operands: one word per operand for the dtypes it takes; the last repeats where `variadic`.
        optional: how many operands at the end may be left out.
        promote: "common" brings operands to one dtype, "float" does and makes that floating point,
            "none" takes each as it is.
        result: dtype of the result; None for that of operand `like`.
        gradients: one rule per operand, None where nothing flows; the last repeats where `variadic`.
            Rules of ops that broadcast may return the result's shape: it is summed to the operand's.
        saves: what the rules read: "y" the result, digits the inputs (of a `variadic` op, the last digit stands for
            all that follow); one word for all rules, or one for each.
        kernel: name in the kernel table; None for views.
        params: the kernel's numbers, from attributes and input shapes.
        kernel_shape: shape in which the kernel writes the result, where it is another (kept axes).
        window: the part of the result that the kernel writes, of one that is `zeroed` or `seeded` before.
        seeded: the result starts as a copy of the first operand, which the kernel does not see.
        view: for ops that only look at memory differently; `packed` ones need it contiguous.
        source: for ops without operands: the result, made from the attributes.
        fresh: whether `source` gives another result at every run: never merged, folded, hoisted or left out.
        reference: the same in NumPy, for tests.
        label: what pictures show; the name where empty.
        onnx: the ONNX operator that takes the same operands and no attributes, or how it is read and written.
        overwrites: for rows that passes write: the operand from which on operands are the memory of the result, which
            the kernel updates; the result is the first of them.
        chosen: whether the operand before that memory says if there is an update at all; the kernel does not see it.
        pointwise: the dtypes (a word as for operands) for which every element of the result depends on the operands'
            elements in its place alone, and no value is refused: neighbours run as one loop. Nothing where not.
        flops: how many additions, multiplications, comparisons and elementary functions it computes: for each
            element of the result, or a rule for all of them. Views and sources compute none.
    """

    name: str
    shape: ShapeRule
    operands: tuple[str, ...]
    reference: Callable[..., Any]
    gradients: tuple[GradientRule | None, ...] = ()
    optional: int = 0
    variadic: bool = False
    promote: str = "common"
    result: DType | Callable[[Attrs], DType] | None = None
    like: int = 0
    saves: str | tuple[str, ...] = ""
    broadcasts: bool = False
    kernel: str | None = None
    params: Callable[[Attrs, Sequence[Shape]], tuple[float, ...]] | None = None
    kernel_shape: Callable[[Attrs, Sequence[Shape]], Shape] | None = None
    zeroed: bool = False
    seeded: bool = False
    window: Callable[[Array, Attrs], Array] | None = None
    view: Callable[[Array, Attrs], Array] | None = None
    packed: bool = False
    source: Callable[[Attrs], Array] | None = None
    fresh: bool = False
    label: str = ""
    onnx: str | Onnx | None = None
    overwrites: int | None = None
    chosen: bool = False
    pointwise: str = ""
    flops: int | FlopsRule = 1

    def count_flops(self, attrs: Attrs, shapes: Sequence[Shape], shape: Shape) -> Dim:
        """How many operations on numbers it takes to compute a result of this shape from operands of these."""
        if self.view is not None or self.source is not None:
            return 0
        return self.flops * product(shape) if isinstance(self.flops, int) else self.flops(attrs, shapes, shape)

    def gradient(self, index: int) -> GradientRule | None:
        """The rule for one operand."""
        if not self.gradients:
            return None
        return self.gradients[min(index, len(self.gradients) - 1) if self.variadic else index]

    def reads(self, index: int) -> str:
        """What the rule for one operand reads."""
        return self.saves if isinstance(self.saves, str) else self.saves[index]

    def saved(self, index: int, reads: Collection[str]) -> bool:
        """Whether one operand is among what rules read."""
        return str(min(index, len(self.operands) - 1) if self.variadic else index) in reads

    def operand(self, index: int) -> str:
        """The word for the dtypes that an operand takes."""
        return self.operands[min(index, len(self.operands) - 1)]

    def is_pointwise(self, dtype: DType) -> bool:
        """Whether it is `pointwise` for a first operand of that dtype."""
        return bool(self.pointwise) and dtype.category in _CATEGORIES[self.pointwise]

    def check_settings(self, attrs: Attrs) -> None:
        """Raise ArgumentTypeError for attributes that the op does not have, or that are missing.

        They are the keywords of the row's reference.
        """
        known = _settings_of(self.reference, len(self.operands))
        for name in attrs:
            if name not in {p.name for p in known}:
                settings = ", ".join(p.name for p in known) or "none"
                raise ArgumentTypeError(f"{self.name}: there is no setting {name!r}; it has {settings}")
        missing = [p.name for p in known if p.default is p.empty and p.name not in attrs]
        if missing:
            raise ArgumentTypeError(f"{self.name}: the settings {', '.join(missing)} are missing")


@functools.cache
def _settings_of(reference: Callable[..., Any], operands: int) -> list[inspect.Parameter]:
    """The keywords of a reference, behind its operands."""
    try:
        parameters = list(inspect.signature(reference).parameters.values())
    except ValueError:  # a NumPy ufunc, which has no settings here
        parameters = []
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in parameters[operands:] if p.kind not in variable]


TABLE: dict[str, Op] = {}
FUSED: dict[str, Op] = {}  # rows that only passes write: several ops as one kernel, updates in place


def register(op: Op) -> Op:
    """Enter a row."""
    assert op.name not in TABLE, f"two rows for {op.name}"
    TABLE[op.name] = op
    return op


def row(name: str) -> Op | None:
    """The row of that name, of either table."""
    return TABLE.get(name) or FUSED.get(name)


def infer(op: Op, unifier: Unifier, types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    """Shape and dtype of an op's result.

    Networks apply the same op to operands of the same types over and over, so what was inferred once and taught nothing
    about sizes is kept with the unifier.

    Raises:
        ShapeError, DTypeError: the operands do not fit; without a place, which the caller knows.
    """
    try:
        key = _core.signature(op, types, attrs)
        found = unifier.inferred.get(key)
    except TypeError:  # a setting that cannot be a key
        return _infer(op, unifier, types, attrs)
    if found is None:
        before = unifier.knowledge
        found = (_infer(op, unifier, types, attrs),)
        if unifier.knowledge == before:
            if len(unifier.inferred) >= KEPT:  # eager calls with ever other shapes
                unifier.inferred.clear()
            unifier.inferred[key] = found
    return found[0]


KEPT = 4096

setting_key = _core.setting_key
"""A setting as a key: 1, 1.0 and True differ, and so do 0.0 and -0.0. TypeError where it cannot be one."""


def _infer(op: Op, unifier: Unifier, types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    check_count(op, len(types))
    for index, (_, dtype) in enumerate(types):
        wanted = op.operand(index)
        if wanted == ANY:
            continue
        if dtype.category not in _CATEGORIES[wanted] or (wanted == INDEX and dtype is not int64):
            raise _wrong_dtype(wanted, dtype)
        if wanted == FLOAT and dtype is not types[0].dtype and op.promote == "none":
            raise DTypeError(
                f"expects operands of one dtype, got {types[0].dtype.name} and {dtype.name}; "
                "convert one with .float(), .double() or .to(dtype), or the module with .float() or .double()"
            )
    shape = op.shape(unifier, attrs, *[t.shape for t in types])
    if op.result is None:
        return TensorType(shape, types[op.like].dtype)
    return TensorType(shape, op.result if isinstance(op.result, DType) else op.result(attrs))


def check_count(op: Op, count: int) -> None:
    """Raise ArgumentTypeError unless the op takes so many operands."""
    most = len(op.operands)
    if most - op.optional <= count and (count <= most or op.variadic):
        return
    takes = f"{most} or more" if op.variadic else f"{most - op.optional} or {most}" if op.optional else str(most)
    raise ArgumentTypeError(f"{op.name}: takes {takes} operand{'s' * (takes != '1')}, got {count}")


def _wrong_dtype(wanted: str, got: DType) -> DTypeError:
    """The error for an operand whose dtype the op does not take."""
    hint = "; convert with .float() or .double()" if wanted == FLOAT else ""
    return DTypeError(f"expects {with_article(wanted)} tensor, got {got.name}{hint}")


def broadcast(unifier: Unifier, attrs: Attrs, *shapes: Shape) -> Shape:
    """NumPy's broadcasting of any number of shapes. An unknown size is taken to equal what it meets."""
    first = shapes[0]
    if all(s == first for s in shapes[1:]):
        return first
    rank = max(map(len, shapes))
    result: list[Dim] = [1] * rank
    for operand, shape in enumerate(shapes):
        for axis, dim in enumerate(shape, start=rank - len(shape)):
            have = result[axis]
            if dim == 1 and isinstance(dim, int):
                continue
            if have == 1 and isinstance(have, int):
                result[axis] = dim
            elif not unifier.unify(have, dim):
                shown = " and ".join(str(tuple(unifier.resolve_shape(s))) for s in shapes)
                raise ShapeError(
                    f"shapes {shown} do not broadcast: axis {axis - rank} has sizes "
                    f"{unifier.resolve(have)} and {unifier.resolve(dim)}",
                    expected=unifier.resolve(have),
                    got=unifier.resolve(dim),
                    operand=operand,
                )
            elif not isinstance(have, int):
                result[axis] = unifier.resolve(have)
    return tuple(result)


def check_axis(axis: int, shape: Shape) -> None:
    """Raise IndexOutOfRangeError unless the shape has that axis, counted from the front."""
    if not 0 <= axis < len(shape):
        raise IndexOutOfRangeError(f"there is no axis {axis} in shape {render_shape(shape)}")


def index_dtype(dtype: DType) -> DType:
    """The dtype in which integers and truth values are added up."""
    return int64 if dtype is bool_ or not dtype.is_floating_point else dtype
