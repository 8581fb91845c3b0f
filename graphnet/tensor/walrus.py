"""Assignment expressions as statements of their own, which is how diastatic-malt takes them."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["spell_out"]

_Like = Callable[[ast.AST, ast.AST], Any]
_PARTS = {
    ast.If: "test", ast.While: "test", ast.Assign: "value", ast.AugAssign: "value", ast.AnnAssign: "value",
    ast.Return: "value", ast.Expr: "value",
}  # fmt: skip


def spell_out(tree: Any, like: _Like) -> Any:
    """The tree with `t = value` before statements that hold `(t := value)`.

    Args:
        tree: of a function.
        like: gives a new node the place of an old one.

    Raises:
        SyntaxError: one whose value may not be computed, or behind a call, which might see it.
    """
    return _SpellOut(like).visit(tree)


class _SpellOut(ast.NodeTransformer):
    def __init__(self, like: _Like) -> None:
        self._like = like

    def visit(self, node: ast.AST) -> Any:
        name = _PARTS.get(type(node))
        part = getattr(node, name) if name is not None else None
        if part is None or not any(isinstance(inner, ast.NamedExpr) for inner in ast.walk(part)):
            return self.generic_visit(node)
        first: list[ast.stmt] = []
        for named in _always(part):
            target = ast.Name(named.target.id, ast.Store())
            first.append(self._like(ast.Assign([target], named.value), node))
        setattr(node, name, _Names().visit(part))  # type: ignore[arg-type]
        if not isinstance(node, ast.While):
            return [*(self.generic_visit(each) for each in first), self.generic_visit(node)]
        stop = ast.If(ast.UnaryOp(ast.Not(), node.test), [ast.Break()], [])
        node.test = ast.Constant(True)
        node.body = [*first, self._like(stop, part), *node.body]
        return self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Any:
        raise SyntaxError("it has an assignment expression, :=, where a value may not be needed; assign it before")


class _Names(ast.NodeTransformer):
    def visit_NamedExpr(self, node: ast.NamedExpr) -> Any:
        return ast.copy_location(ast.Name(node.target.id, ast.Load()), node)


def _always(part: ast.AST) -> Iterator[ast.NamedExpr]:
    """The assignment expressions, each of which is computed in any case and before what could tell the difference."""
    read, called = set[str](), False
    for node, certain in _order(part, True):
        if isinstance(node, ast.NamedExpr):
            if not certain or called or node.target.id in read:
                raise SyntaxError("it has an assignment expression, :=, that is not computed first; assign it before")
            yield node
        elif isinstance(node, ast.Name):
            read.add(node.id)
        called = called or isinstance(node, ast.Call)


def _order(node: ast.AST, certain: bool) -> Iterator[tuple[ast.AST, bool]]:
    """The parts of an expression as they are computed, and whether they are in any case."""
    parts: list[ast.AST] = list(ast.iter_child_nodes(node))
    firm = len(parts)
    if isinstance(node, ast.NamedExpr):
        firm, parts = 0, []
    elif isinstance(node, ast.BoolOp):
        firm = 2  # the operator and the first operand
    elif isinstance(node, ast.IfExp):
        firm = 1
    elif isinstance(node, ast.Compare):
        firm, parts = 2, [node.left, *node.comparators]
    elif isinstance(node, (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
        firm = 0
    for index, part in enumerate(parts):
        yield from _order(part, certain and index < firm)
    yield node, certain
