"""Which functions are rewritten while a graph is traced, so that Python's `while` and `if` on tensors are captured.

Tracing runs code as it is, until a condition is a tensor without a value. The functions that led there are noted, and
tracing starts again with them rewritten (`graphnet.tensor.capture`).
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable
from types import CodeType, FunctionType, MethodType
from typing import Any

from graphnet.errors import TraceError
from graphnet.places import is_inside
from graphnet.tensor.state import adapters, state

__all__ = ["UndecidedError", "adapted", "learn", "set_rewriter"]


class UndecidedError(TraceError):
    """A condition is a tensor without a value."""


_rewriter: Callable[[FunctionType], Any]


def set_rewriter(rewriter: Callable[[FunctionType], Any]) -> None:
    """Name what rewrites a function; it is defined on top of this file."""
    global _rewriter
    _rewriter = rewriter


_wanted: dict[CodeType, bool] = {}  # code to rewrite; False where it was looked at and needs none
_NO_SOURCE = "there is none for code of exec(), of `python -c` or of the prompt"
_NOT_REWRITTEN = "what asks for it is not rewritten, such as a property, a class or a built-in function"
_failed: dict[CodeType, str] = {}  # why code could not be rewritten


def adapted(function: Any) -> Any:
    """A function, as it runs while a graph is traced: rewritten where that is known to be needed."""
    if state.tracer is None:
        return function
    method = function if isinstance(function, MethodType) else None
    plain = method.__func__ if method is not None else function
    if isinstance(plain, functools.partial):
        return functools.partial(adapted(plain.func), *plain.args, **plain.keywords)
    if not isinstance(plain, FunctionType):
        call = inspect.getattr_static(type(plain), "__call__", None)
        if not isinstance(call, FunctionType) or not _wanted.get(call.__code__):
            return function
        method, plain = MethodType(call, plain), call
    code = plain.__code__
    if code not in _wanted:
        _wanted[code] = _has_while(plain)
    if not _wanted[code] or code in _failed:
        return function
    try:
        new = _rewriter(plain)
    except Exception as error:  # whatever the rewriting of unusual code meets; the code runs as it is then
        _failed[code] = f"{type(error).__name__}: {error}".split("\n")[0] if _has_source(plain) else _NO_SOURCE
        return function
    return MethodType(new, method.__self__) if method is not None else new


adapters.append(adapted)  # for functions that no_grad() and its like decorate


def learn(error: UndecidedError) -> bool:
    """Note which functions led to a condition without a value; whether any of them was not known yet.

    Where nothing can be done about it, the error says why.
    """
    codes: list[CodeType] = []
    step = error.__traceback__
    while step is not None:
        code = step.tb_frame.f_code
        if not is_inside(code.co_filename):
            codes.append(code)
        step = step.tb_next
    new = [code for code in codes if not _wanted.get(code) and code not in _failed]
    for code in new:
        _wanted[code] = True
    if not new:
        reasons = [_failed[code] for code in codes if code in _failed]
        why = f" ({reasons[-1] if reasons else _NOT_REWRITTEN})"
        error.args = (f"{error}; its source could not be captured{why}: write gn.while_loop or gn.cond there",)
    return bool(new)


def _has_source(function: FunctionType) -> bool:
    try:
        return bool(inspect.getsource(function))
    except (OSError, TypeError):
        return False


def _has_while(function: FunctionType) -> bool:
    """Whether there is a `while` in a function's source: it is rewritten at once then, not only after it failed."""
    if is_inside(function.__code__.co_filename):
        return False
    try:
        source = inspect.getsource(function)
        return "while" in source and any(isinstance(n, ast.While) for n in ast.walk(ast.parse(textwrap.dedent(source))))
    except (OSError, TypeError, SyntaxError):
        return False
