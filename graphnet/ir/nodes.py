"""What a graph is made of: nodes, their operands, scopes and source places. Nothing here holds data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from graphnet import _core
from graphnet._core import Node, Value
from graphnet.dtypes import DType
from graphnet.ir.dims import Dim, Shape, render_shape

if TYPE_CHECKING:
    from graphnet.ir.graph import Graph

__all__ = [
    "Constant",
    "Literal",
    "Node",
    "Operand",
    "Origin",
    "Parameter",
    "Scope",
    "TensorType",
    "Value",
    "Where",
    "shortened",
]


class Where(NamedTuple):
    """A place in the user's source."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{_shorten(self.file)}:{self.line}"


def _shorten(file: str) -> str:
    if not os.path.isabs(file):
        return file
    try:
        relative = os.path.relpath(file)
    except (ValueError, OSError):
        return file
    return file if relative.startswith("..") else relative


class TensorType(NamedTuple):
    """Shape and data type of a value."""

    shape: Shape
    dtype: DType

    def __str__(self) -> str:
        return f"{self.dtype.name}{render_shape(self.shape)}"


class Constant:
    """The identity of data that a graph refers to without holding it. Two constants are never merged."""

    __slots__ = ()

    def _type(self) -> TensorType:
        """Shape and dtype of the data; sizes may be unknown."""
        raise NotImplementedError

    def _values(self) -> Any:
        """The memory, once a program needs it."""
        raise NotImplementedError


class Parameter(Constant):
    """The identity of a trained weight. Used twice it is one parameter: that is what a tied weight is."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for it; not for a frozen one."""
        raise NotImplementedError


class Literal(NamedTuple):
    """A number written in the program, or a size that is known only with the input's shape."""

    value: bool | int | float | Dim
    dtype: DType

    def __str__(self) -> str:
        return str(self.value)


_LONG = 250  # characters of a path that is shown, and kept
_LEFT_OUT = "..."


def shortened(path: str) -> str:
    """A path, or the end of it where it is long: where modules are nested hundreds deep.

    All paths of a deep nest together would fill the memory. What is shortened may be made longer and shortened again.
    """
    left_out = path.startswith(_LEFT_OUT)
    if len(path) - len(_LEFT_OUT) * left_out <= _LONG:
        return path
    return _LEFT_OUT + path[path.find(".", len(path) - _LONG - 1) + 1 :]


class Scope:
    """One call of a module: where in the module tree it happened, and of what class.

    `library` tells that the class's own forward is graphnet's, so a place in the source can only be the one where
    the module was made. One is made for every call of a module, so it is a plain class and its path is put together
    when someone asks.
    """

    __slots__ = ("_label", "cls", "library", "name", "parent", "where")

    def __init__(self, parent: Scope | None, name: str, cls: str, where: Where | None, library: bool = False) -> None:
        self.parent = parent
        self.name = name
        self.cls = cls
        self.where = where
        self.library = library
        self._label: str | None = None

    @property
    def label(self) -> str:
        """The path, or the end of it where that is long (see `shortened`)."""
        if self._label is None:
            missing: list[Scope] = []
            at: Scope | None = self
            while at is not None and at._label is None:
                missing.append(at)
                at = at.parent
            label = at._label or "" if at is not None else ""
            for scope in reversed(missing):
                if scope.name:
                    label = shortened(f"{label}.{scope.name}" if label else scope.name)
                scope._label = label
        return self._label or ""

    @property
    def path(self) -> str:
        """The path from the root, with `name` as its last part."""
        if not self.label.startswith(_LEFT_OUT):
            return self.label
        parts: list[str] = []
        at: Scope | None = self
        while at is not None:
            if at.name:
                parts.append(at.name)
            at = at.parent
        return ".".join(reversed(parts))

    def __reduce__(self) -> tuple[object, ...]:
        return Scope, (self.parent, self.name, self.cls, self.where, self.library)

    def __str__(self) -> str:
        place = f"{self.cls}, {self.where}" if self.where else self.cls
        return f"{self.label} ({place})" if self.label else f"{self.cls} ({self.where})" if self.where else self.cls


class Origin(NamedTuple):
    """Where a value comes from, as errors tell it: operation, module call, source place."""

    op: str
    scope: Scope | None
    where: Where | None
    name: str = ""

    def __str__(self) -> str:
        if self.op == "input":
            return "input" if self.name == "input" else f"input {self.name}"
        if self.scope is not None and self.scope.library:
            return str(self.scope)
        inside = f" in {self.scope}" if self.scope is not None and self.scope.label else ""
        place = f" ({self.where})" if self.where else ""
        return f"{self.op}{place}{inside}"


class _Described:
    """What nodes tell of themselves. The extension holds their fields: graphs have tens of thousands of them."""

    __slots__ = ()

    op: str
    inputs: tuple[Operand, ...]
    attrs: Mapping[str, object]
    name: str
    scope: Scope | None
    where: Where | None
    blocks: tuple[Graph, ...]

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a node does not change: {name} cannot be set")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a node does not change: {name} cannot be deleted")

    def __reduce__(self) -> tuple[object, ...]:
        return Node, (self.op, self.inputs, self.attrs, self.name, self.scope, self.where, self.blocks)

    @property
    def path(self) -> str:
        """The path of the module call that the node belongs to; empty at the top."""
        return self.scope.path if self.scope is not None else ""

    @property
    def label(self) -> str:
        """The path, or the end of it where that is long."""
        return self.scope.label if self.scope is not None else ""

    @property
    def settings(self) -> Mapping[str, object]:
        """The attributes worth showing: not those that only say how a loop's operands are laid out."""
        return {k: v for k, v in self.attrs.items() if k not in ("states", "stacks")} if self.blocks else self.attrs

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters it uses, one entry per use."""
        return tuple([p for p in self.inputs if isinstance(p, Parameter)])

    def describe(self) -> str:
        """The node as errors name it: path, class or operation, and source place."""
        return str(Origin(self.op, self.scope, self.where, self.name))

    def __repr__(self) -> str:
        return f"<Node {self.name or self.op}: {self.op}>"


# Not a base class: instances of classes that Python defines are looked at by the garbage collector.
for _name in (
    "__setattr__",
    "__delattr__",
    "__reduce__",
    "__repr__",
    "path",
    "label",
    "settings",
    "parameters",
    "describe",
):
    setattr(Node, _name, vars(_Described)[_name])

Operand: TypeAlias = "Value | Constant | Literal"

_core.set_node_classes(Literal, TensorType)
