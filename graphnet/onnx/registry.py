"""The ONNX operators that are no row of the table but a composition of rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from graphnet.ops.onnx import Reader

__all__ = ["OPERATORS", "Rule", "operator"]

Rule: TypeAlias = "Callable[[Reader], Any]"

OPERATORS: dict[str, Rule] = {}


def operator(*names: str) -> Callable[[Rule], Rule]:
    """Enter a rule for operators."""

    def enter(rule: Rule) -> Rule:
        for name in names:
            assert name not in OPERATORS, f"two rules for {name}"
            OPERATORS[name] = rule
        return rule

    return enter
