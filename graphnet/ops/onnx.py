"""The `onnx` column of the table: how a row reads from and is written as ONNX operators.

Rules see a node through `Reader` or `Writer` and know nothing of files; `graphnet.onnx` implements both. A row
whose operator takes the same operands in the same order and has no attributes needs its name only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from graphnet.dtypes import DType, bool_, float32, float64, int32, int64
from graphnet.ir import Dim, Shape

__all__ = ["ELEMENT_TYPES", "Onnx", "Reader", "Writer"]

ELEMENT_TYPES: dict[int, DType] = {1: float32, 6: int32, 7: int64, 9: bool_, 11: float64}  # TensorProto.DataType


class Reader(Protocol):
    """An ONNX node as reading rules see it.

    Values are opaque: tensors, or known ones (sizes, settings), on which operations are computed at once. A rule
    returns a value, or a tuple of them for an operator with several results.
    """

    kind: str  # the operator
    version: int  # of the operator set
    count: int  # how many inputs it has
    results: int  # how many of its results are used

    def has(self, index: int) -> bool:
        """Whether an input was given."""

    def x(self, index: int) -> Any:
        """An input; GraphError if it is missing."""

    def known(self, index: int) -> Any:
        """An input's value as an array, for settings; sizes that are open are symbols in it.

        Raises TraceError where only data can tell.
        """

    def ints(self, index: int) -> list[Any]:
        """A known input as a list of sizes."""

    def attr(self, name: str, default: Any = None) -> Any:
        """An attribute."""

    def is_known(self, value: Any) -> bool:
        """Whether a value is known already."""

    def is_open(self, value: Any) -> bool:
        """Whether a value holds sizes that are not known yet."""

    def shape(self, value: Any) -> Shape:
        """The shape of a value."""

    def dtype(self, value: Any) -> DType:
        """The dtype of a value."""

    def number(self, value: Any, like: Any) -> Any:
        """A number of another value's dtype."""

    def const(self, array: Any) -> Any:
        """A NumPy array as a value."""

    def truth(self, value: Any) -> bool:
        """A value as a truth value, where it is known."""

    def tensor(self, value: Any) -> Any:
        """A value as a tensor."""

    def uses(self, name: str, index: int) -> bool:
        """Whether the subgraph in an attribute uses its input of that number."""

    def body(self, name: str, *inputs: Any) -> list[Any]:
        """Run the subgraph in an attribute."""

    def fail(self, why: str) -> Exception:
        """The error to raise for a node that cannot be read."""

    def __call__(self, op: str, *inputs: Any, **attrs: Any) -> Any:
        """Apply an op of the table."""


class Writer(Protocol):
    """A node of a graph as writing rules see it; values are names in the ONNX graph."""

    version: int  # of the operator set
    count: int
    attrs: Any
    shapes: tuple[Shape, ...]
    dtypes: tuple[DType, ...]
    shape: Shape
    dtype: DType

    def x(self, index: int) -> str:
        """An operand."""

    def constant(self, value: Any, dtype: DType | None = None) -> str:
        """A constant."""

    def sizes(self, dims: Sequence[Dim]) -> str:
        """Sizes as a vector of int64, computed from the inputs' shapes where they are open."""

    def fail(self, why: str) -> Exception:
        """The error to raise for a node that cannot be written."""

    def nth(self, index: int, operator: str, *inputs: str, outputs: int, **attrs: Any) -> str:
        """Add an ONNX node with several results, and give one of them."""

    def __call__(self, operator: str, *inputs: str, **attrs: Any) -> str:
        """Add an ONNX node with one result."""


@dataclass(frozen=True, slots=True, eq=False)
class Onnx:
    """What a row is in ONNX.

    Attributes:
        name: the operator; empty where several are needed, which `write` knows.
        read: `(Reader) -> value`; None for the operator's inputs as operands.
        write: `(Writer) -> name of the result`; None for the operands as inputs.
        reads: whether the operator is read as this row; one row per operator is.
    """

    name: str = ""
    read: Callable[[Reader], Any] | None = None
    write: Callable[[Writer], str] | None = None
    reads: bool = True
