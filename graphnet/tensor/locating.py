"""Errors of checks that do not know where they are: the module call and the line are added on their way out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphnet.errors import GraphnetError, ShapeError, TraceError
from graphnet.ir import Origin, Scope
from graphnet.places import raised_at
from graphnet.tensor.adaptation import UndecidedError
from graphnet.tensor.core import producer

__all__ = ["locate"]


def locate(error: GraphnetError, scope: Scope | None, inputs: Sequence[Any] = ()) -> None:
    """Tell in an error that says nothing of its place where it happened: in which module call, on which line.

    Args:
        error: caught on its way out of the module's call, or of the function that is traced.
        scope: the call.
        inputs: its arguments; what is said of a shape is said of the first, unless the error knows better.
    """
    if getattr(error, "placed", False) or isinstance(error, UndecidedError):
        return
    error.placed = True  # type: ignore[attr-defined]
    text, where = str(error), raised_at(error)
    if where is not None and str(where) in text:
        return
    if isinstance(error, TraceError):  # of the user's code, not of a layer's operands
        error.args = (f"{where}: {text}",) if where is not None else error.args
        return
    operand = getattr(error, "operand", None) or 0
    if scope is not None and scope.library and isinstance(error, ShapeError) and operand < len(inputs):
        text += producer(inputs[operand])
    op, _, rest = text.partition(": ")
    if scope is not None and scope.library:
        error.args = (f"{scope}: {text}",)
    elif op.isidentifier():
        error.args = (f"{Origin(op, scope, where)}: {rest}",)
    elif where is not None:
        error.args = (f"{where}{f' in {scope}' if scope is not None and scope.path else ''}: {text}",)
