"""Python's own `while` and `if` on traced tensors: user code is rewritten, when it turns out that it has such a thing.

Functions in which it turned out that they have such a thing (`graphnet.tensor.adaptation`) are rewritten, by the
package diastatic-malt, to call `graphnet.tensor.statements` instead. Rewritten code keeps the user's file and lines.
"""

from __future__ import annotations

import ast
import builtins
import functools
import threading
import warnings
from collections.abc import Callable
from types import CodeType, FunctionType, ModuleType, SimpleNamespace
from typing import Any

from graphnet.errors import TraceError
from graphnet.tensor.adaptation import adapted, set_rewriter
from graphnet.tensor.rewriting import prepare
from graphnet.tensor.statements import BUILTINS, STATEMENTS, in_block, refuse

__all__ = ["rewritten"]

_lock = threading.RLock()
_made: dict[CodeType, Any] = {}  # what makes a function of rewritten code
_FRAMES = (locals, vars, dir, eval, exec, globals)  # they look at the frame of their caller


def _call(f: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None, scope: Any = None) -> Any:
    """A call in rewritten code."""
    if f in _FRAMES if isinstance(f, (type, type(len))) else False:
        raise TraceError(f"{f.__name__}() cannot be captured within a `while` or `if` on a tensor")
    if f is builtins.print and in_block():
        refuse("print()")
    if args and isinstance(f, (type, type(len))) and f in BUILTINS:
        return BUILTINS[f](*args, **(kwargs or {}))
    return adapted(f)(*args, **(kwargs or {}))


def rewritten(function: FunctionType) -> Any:
    """The function as one that calls what stands for statements."""
    with _lock:
        factory = _made.get(function.__code__)
        if factory is None:
            with warnings.catch_warnings():  # what newer Pythons say about malt's own code
                warnings.simplefilter("ignore")
                factory = _made[function.__code__] = _factory(function)
    return factory.instantiate(
        globals_=function.__globals__,
        closure=function.__closure__ or (),
        defaults=function.__defaults__,
        kwdefaults=function.__kwdefaults__,
    )


def _factory(function: FunctionType) -> Any:
    """Something that makes functions of a function's rewritten code, for other closures and defaults too."""
    malt = _malt()
    node, ctx = malt.transpiler.transform_function(function, malt.context)
    if isinstance(node, ast.Lambda):
        node = ast.Assign(targets=[ast.Name(ctx.info.name, ctx=ast.Store())], value=node)
    else:
        node.name = ctx.info.name
    free = function.__code__.co_freevars
    inner, outer = ctx.namer.new_symbol("inner_factory", ()), ctx.namer.new_symbol("outer_factory", ())
    tree = malt.wrap(node, ctx.info.name, inner, outer, free, ["ag__"], ctx.info.future_features)
    line = function.__code__.co_firstlineno
    for part in tree:
        _place(part, line, malt.origin)
    body = ast.Module(body=list(tree), type_ignores=[])
    space: dict[str, Any] = {}
    exec(compile(body, function.__code__.co_filename, "exec"), space)
    factory = malt.factory(ctx.info.name, free, {"ag__": malt.names})
    factory._unbound_factory = space[outer]()
    return factory


def _place(node: ast.AST, line: int, origin: Callable[[ast.AST], int | None]) -> None:
    """Give a node and those inside it the lines that they come from."""
    stack = [(node, line)]
    while stack:
        part, line = stack.pop()
        line = origin(part) or line
        if isinstance(part, (ast.stmt, ast.expr, ast.excepthandler, ast.arg, ast.keyword, ast.alias)) or hasattr(
            part, "lineno"
        ):
            part.lineno = part.end_lineno = line  # type: ignore[attr-defined]
            part.col_offset = part.end_col_offset = 0  # type: ignore[attr-defined]
        stack.extend((child, line) for child in ast.iter_child_nodes(part))


@functools.lru_cache(maxsize=1)
def _malt() -> Any:
    """The parts of diastatic-malt that are used, imported when there is something to rewrite."""
    try:
        from malt.converters import (
            asserts,
            break_statements,
            call_trees,
            conditional_expressions,
            continue_statements,
            control_flow,
            functions,
            logical_expressions,
            return_statements,
            variables,
        )
        from malt.core import converter, unsupported_features_checker
        from malt.impl.api import PyToPy
        from malt.pyct import anno, transpiler
    except ImportError as error:
        raise ImportError("rewriting needs the package diastatic-malt: pip install diastatic-malt") from error

    passes: tuple[ModuleType, ...] = (
        functions, break_statements, asserts, continue_statements, return_statements, call_trees, control_flow,
        conditional_expressions, logical_expressions, variables,
    )  # fmt: skip
    features = (converter.Feature.BUILTIN_FUNCTIONS,)  # print goes through calls as well
    options = converter.ConversionOptions(recursive=True, user_requested=True, optional_features=features)
    names = SimpleNamespace(
        **STATEMENTS,
        converted_call=_call,
        ConversionOptions=lambda **arguments: None,
        Feature=converter.Feature,
        STD=None,
    )

    class Transpiler(PyToPy):  # type: ignore[misc]
        """The rewriting, without what is TensorFlow's."""

        def transform_function(self, fn: Any, user_context: Any) -> Any:
            self.function = fn
            return transpiler.GenericTranspiler.transform_function(self, fn, user_context)

        def transform_ast(self, node: Any, ctx: Any) -> Any:
            node = prepare(node, self.function)
            unsupported_features_checker.verify(node)
            node = self.initial_analysis(node, ctx)
            for step in passes:
                node = step.transform(node, ctx)
                while step is conditional_expressions and any(isinstance(n, ast.IfExp) for n in ast.walk(node)):
                    node = step.transform(node, ctx)  # it leaves those within others as they are
            return node

    def origin(node: ast.AST) -> int | None:
        found = anno.getanno(node, anno.Basic.ORIGIN, default=None)
        return None if found is None else int(found.loc.lineno)

    return SimpleNamespace(
        transpiler=Transpiler(),
        context=converter.ProgramContext(options=options),
        names=names,
        wrap=transpiler._wrap_into_factory,
        factory=transpiler._PythonFnFactory,
        origin=origin,
    )


set_rewriter(rewritten)
