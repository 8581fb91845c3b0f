"""What is done to a function's syntax tree before diastatic-malt rewrites its control flow."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import FunctionType
from typing import Any

from graphnet.tensor.walrus import spell_out

__all__ = ["prepare"]

_MUTATORS = {
    "append", "extend", "insert", "pop", "popitem", "remove", "clear", "update", "setdefault", "add", "discard",
    "sort", "reverse", "appendleft", "popleft",
}  # fmt: skip


def prepare(tree: Any, function: FunctionType) -> Any:
    """The tree with changes of variables as assignments, which is how loops learn what they carry.

    Also `super()` and names with two underscores are spelt out, and simple forms that malt does not take.
    """
    preparation = _Prepare(function)
    return ast.fix_missing_locations(preparation.visit(spell_out(tree, preparation.like)))


class _Prepare(ast.NodeTransformer):
    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        self._own = {*code.co_varnames, *code.co_cellvars}
        self._first = code.co_varnames[0] if code.co_argcount else ""
        parts = function.__qualname__.split(".")
        self._class = parts[-2].lstrip("_") if len(parts) > 1 and parts[-2] != "<locals>" else ""

    def like(self, node: ast.AST, old: ast.AST) -> Any:
        """The new node at the place of the old one."""
        for part in ast.walk(node):
            if not hasattr(part, "lineno"):
                ast.copy_location(part, old)
        notes = getattr(old, "___pyct_anno", None)
        if notes is not None and not hasattr(node, "___pyct_anno"):
            setattr(node, "___pyct_anno", dict(notes))
            node._fields += ("___pyct_anno",)  # type: ignore[misc]
        return node

    def _is_own(self, node: ast.AST) -> bool:
        return isinstance(node, ast.Name) and node.id in self._own

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if node.attr.startswith("__") and not node.attr.endswith("__") and self._class:
            node.attr = f"_{self._class}{node.attr}"
        return node

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> Any:
        raise SyntaxError("it assigns to a variable of another scope: global or nonlocal")

    visit_Nonlocal = visit_Global  # noqa: N815

    def visit_Match(self, node: ast.AST) -> Any:
        raise SyntaxError("it has a match statement")

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "super" and not node.args and self._first:
            node.args = [ast.Name("__class__", ast.Load()), ast.Name(self._first, ast.Load())]
            return self.like(node, node)
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        self.generic_visit(node)
        call = node.value
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            return node
        name, target = call.func.attr, call.func.value
        in_place = name.endswith("_") and not name.endswith("__")
        if name not in _MUTATORS and not in_place:
            return node
        own = self._is_own(target)
        new = self._ask("mutate" if own else "mutate_outside", target, ast.Constant(name), *call.args)
        new.keywords = call.keywords
        if not own:
            return node if in_place else self.like(ast.Expr(new), node)
        assert isinstance(target, ast.Name)
        return self.like(ast.Assign([ast.Name(target.id, ast.Store())], new), node)

    def visit_Assign(self, node: ast.Assign) -> Any:
        self.generic_visit(node)
        target = node.targets[0]
        if len(node.targets) != 1 or not isinstance(target, ast.Subscript):
            return node
        return self._set_item(node, target, node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> Any:
        self.generic_visit(node)
        target = node.target
        if not isinstance(target, ast.Subscript) or not isinstance(target.slice, (ast.Name, ast.Constant)):
            return node
        old = ast.Subscript(_loaded(target.value), target.slice, ast.Load())
        return self._set_item(node, target, ast.BinOp(old, node.op, node.value))

    def _set_item(self, node: ast.stmt, target: ast.Subscript, value: ast.expr) -> Any:
        key: Any = target.slice
        if isinstance(key, ast.Slice):
            none: Any = ast.Constant(None)
            parts = [part or none for part in (key.lower, key.upper, key.step)]
            key = ast.Call(ast.Name("slice", ast.Load()), parts, [])
        elif any(isinstance(part, ast.Slice) for part in ast.walk(key)):
            return node
        own = self._is_own(target.value)
        new = self._ask("set_item" if own else "set_item_outside", target.value, key, value)
        if not own:
            return self.like(ast.Expr(new), node)
        assert isinstance(target.value, ast.Name)
        return self.like(ast.Assign([ast.Name(target.value.id, ast.Store())], new), node)

    def _ask(self, name: str, target: ast.expr, *arguments: ast.expr) -> ast.Call:
        function = ast.Attribute(ast.Name("ag__", ast.Load()), name, ast.Load())
        return ast.Call(function, [_loaded(target), *arguments], [])

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        middle = node.comparators[:-1]
        if not middle or not all(isinstance(part, (ast.Name, ast.Constant)) for part in middle):
            return node
        left = [node.left, *middle]
        parts: list[ast.expr] = [ast.Compare(a, [op], [b]) for a, op, b in zip(left, node.ops, node.comparators)]
        return self.like(ast.BoolOp(ast.And(), parts), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        """A function that returns on some paths says that it gives None on the others."""
        self.generic_visit(node)
        if any(isinstance(part, ast.Return) for part in _own(node.body)) and _goes_on(node.body):
            node.body.append(self.like(ast.Return(ast.Constant(None)), node.body[-1]))
        return node

    def visit_Raise(self, node: ast.Raise) -> Any:
        self.generic_visit(node)
        if node.exc is not None:
            node.exc = self.like(self._ask("raised", node.exc), node.exc)
        return node

    def visit_While(self, node: ast.While) -> Any:
        return self._without_else(node)

    def visit_For(self, node: ast.For) -> Any:
        return self._without_else(node)

    def _without_else(self, node: Any) -> Any:
        """A loop's `else` behind it, where no `break` leaves it out."""
        self.generic_visit(node)
        if not node.orelse or _breaks(node.body):
            return node
        rest, node.orelse = node.orelse, []
        return [node, *rest]


def _loaded(node: Any) -> Any:
    return ast.Name(node.id, ast.Load()) if isinstance(node, ast.Name) else node


def _own(body: list[ast.stmt], *, loops: bool = True) -> Iterator[ast.AST]:
    """All nodes of statements, not those of functions and classes (without `loops`: of loops either) inside them."""
    stack: list[ast.AST] = list(body)
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, (ast.While, ast.For)) and not loops:
            stack.extend(node.orelse)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            stack.extend(ast.iter_child_nodes(node))


def _breaks(body: list[ast.stmt]) -> bool:
    """Whether a `break` of this loop's own is among the statements."""
    return any(isinstance(node, ast.Break) for node in _own(body, loops=False))


def _goes_on(body: list[ast.stmt]) -> bool:
    """Whether what stands behind the statements may be reached."""
    for node in body:
        if isinstance(node, (ast.Return, ast.Raise)):
            return False
        if isinstance(node, ast.If) and not _goes_on(node.body) and node.orelse and not _goes_on(node.orelse):
            return False
        if isinstance(node, ast.With) and not _goes_on(node.body):
            return False
        if isinstance(node, ast.Try):
            paths = [[*node.body, *node.orelse], *(handler.body for handler in node.handlers)]
            if not _goes_on(node.finalbody) or not any(map(_goes_on, paths)):
                return False
        if isinstance(node, (ast.For, ast.While)) and not _breaks(node.body):
            endless = isinstance(node, ast.While) and isinstance(node.test, ast.Constant) and node.test.value
            if endless or (node.orelse and not _goes_on(node.orelse)):
                return False
    return True
