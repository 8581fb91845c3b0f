"""Reverse-mode differentiation: what a node gives its operands, for eager records and for graphs.

Both hand in sites, which know a node's operands and how to emit ops; only what a value *is* differs
(an array, or a node of a graph).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, Protocol

from graphnet.errors import GradientError
from graphnet.ir import Shape
from graphnet.ops.table import Op, Site

__all__ = ["Differentiable", "contributions", "reverse"]


class Differentiable(Site, Protocol):
    """A site that the walk can visit."""

    op: Op
    key: Hashable  # what gradients of its result are filed under

    def targets(self) -> Iterable[Hashable | None]:
        """Per operand, what its gradient is filed under; None where none is wanted."""

    def shape_of(self, value: Any) -> Shape:
        """The shape of an emitted value."""

    def describe(self) -> str:
        """The node, for errors."""


def contributions(site: Differentiable, g: Any) -> Iterator[tuple[Hashable, Any]]:
    """What a node adds to the gradients of its operands, when `g` is that of its result: targets and gradients."""
    for index, target in enumerate(site.targets()):
        if target is None:
            continue
        rule = site.op.gradient(index)
        if rule is None:
            if not site.op.gradients:
                raise GradientError(f"{site.describe()}: {site.op.name} has no gradient")
            continue
        site.operand = index
        contribution = rule(site, g)
        if site.op.broadcasts:
            contribution = _sum_to(site, contribution, site.shapes[index])
        yield target, contribution


def reverse(sites: Iterable[Differentiable], gradients: dict[Hashable, Any]) -> None:
    """Carry gradients from results to operands; `sites` come users before producers.

    `gradients` holds those of the outputs at the start and those of the leaves at the end. They are summed
    per use.
    """
    for site in sites:
        g = gradients.pop(site.key, None)
        if g is None:
            continue
        for target, contribution in contributions(site, g):
            before = gradients.get(target)
            gradients[target] = contribution if before is None else site("add", before, contribution)


def _sum_to(site: Differentiable, value: Any, target: Shape) -> Any:
    """Sum over the axes along which an operand of shape `target` was broadcast."""
    shape = site.shape_of(value)
    if shape == target:
        return value
    lead = len(shape) - len(target)
    axes = tuple(axis for axis, dim in enumerate(shape) if axis < lead or (target[axis - lead] == 1 and dim != 1))
    if axes:
        value = site("sum", value, axes=axes, keepdims=True)
    return site("reshape", value, shape=target) if lead else value
