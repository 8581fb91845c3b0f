"""Einstein's summation: products of tensors along named axes."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from graphnet.ir import Dim, product
from graphnet.ops import TABLE
from graphnet.tensor.core import apply, check_tensor

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["einsum"]

Term = list[str]  # a name for each axis; those of ... are numbers


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products of the operands along axes that are named by letters, as torch.einsum.

    A letter that the result does not name is summed over; `...` stands for axes that broadcast. Without `->` the
    result has the letters that occur once, in alphabetical order, after those of `...`. Operands may also be given
    with lists of numbers for letters: einsum(a, [0, 1], b, [1, 2], [0, 2]).

    Raises:
        ArgumentError: an equation that is malformed or does not fit the operands.
        ShapeError: axes of one letter have different sizes.

    Example:
        >>> import graphnet as gn
        >>> gn.einsum("ij,jk->ik", gn.ones(2, 3), gn.ones(3, 2))
        tensor([[3., 3.],
                [3., 3.]])
        >>> gn.einsum("ii", gn.eye(3))
        tensor(3.)
    """
    if not isinstance(equation, str):
        equation, operands = _from_lists((equation, *operands))
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    tensors = [check_tensor("einsum", operand) for operand in operands]
    terms, result = _parsed(equation, [tensor.ndim for tensor in tensors])
    _check_sizes(equation, terms, tensors)
    later = [{axis for term in [*terms[i + 1 :], result] for axis in term} for i in range(len(terms))]
    value, axes = _single(tensors[0], terms[0], later[0])
    for tensor, term, wanted in zip(tensors[1:], terms[1:], later[1:]):
        part, part_axes = _single(tensor, term, wanted | set(axes))
        value, axes = _pair(value, axes, part, part_axes, wanted)
    value, axes = _single(value, axes, set(result))
    return value if axes == result else apply("permute", value, axes=tuple(axes.index(axis) for axis in result))


def _from_lists(arguments: Sequence[Any]) -> tuple[str, tuple[Any, ...]]:
    """An equation from operands that each come with a list of numbers."""

    def text(numbers: Any) -> str:
        if not isinstance(numbers, (list, tuple)):
            raise ArgumentTypeError(
                f"einsum: expects an equation, or a list of numbers per operand, got {numbers!r:.60}"
            )
        return "".join("..." if n is Ellipsis else string.ascii_letters[n] for n in numbers)

    pairs = len(arguments) // 2
    equation = ",".join(text(arguments[2 * i + 1]) for i in range(pairs))
    if len(arguments) % 2:
        equation += "->" + text(arguments[-1])
    return equation, tuple(arguments[2 * i] for i in range(pairs))


def _parsed(equation: str, ranks: list[int]) -> tuple[list[Term], Term]:
    """Names for the axes of each operand and of the result."""
    text = equation.replace(" ", "")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(ranks):
        raise ArgumentError(f"einsum: {equation!r} names {len(parts)} operands, got {len(ranks)}")
    dots = max((rank - len(part.replace("...", "")) for part, rank in zip(parts, ranks) if "..." in part), default=0)
    terms = [_names(equation, part, rank) for part, rank in zip(parts, ranks)]
    if arrow:
        result = _names(equation, right, len(right.replace("...", "")) + (dots if "..." in right else 0))
        for axis in result:
            if result.count(axis) > 1:
                raise ArgumentError(f"einsum: {axis!r} occurs twice in the result of {equation!r}")
            if not any(axis in term for term in terms):
                raise ArgumentError(f"einsum: {axis!r} of the result of {equation!r} occurs in no operand")
        return terms, result
    letters = [axis for term in terms for axis in term if axis.isalpha()]
    once = sorted(axis for axis in letters if letters.count(axis) == 1)
    return terms, [*(str(i) for i in range(dots - 1, -1, -1)), *once]


def _names(equation: str, part: str, rank: int) -> Term:
    """A name per axis; the axes of ... are numbered from the last one."""
    before, dots, after = part.partition("...")
    if not all(letter in string.ascii_letters for letter in before + after):
        raise ArgumentError(f"einsum: expects letters, ',', '...' and '->', got {equation!r}")
    open_axes = rank - len(before) - len(after)
    if open_axes < 0 or (open_axes and not dots):
        raise ArgumentError(f"einsum: {part!r} in {equation!r} names {len(before + after)} axes of {rank}")
    return [*before, *(str(i) for i in range(open_axes - 1, -1, -1)), *after]


def _check_sizes(equation: str, terms: list[Term], tensors: list[Any]) -> None:
    """Axes of one name have one size; sizes of 1 broadcast."""
    sizes: dict[str, int] = {}
    for term, tensor in zip(terms, tensors):
        for axis, size in zip(term, tensor.shape):
            if isinstance(size, int) and size != 1 and sizes.setdefault(axis, size) != size:
                raise ShapeError(
                    f"einsum: axis {axis!r} of {equation!r} has sizes {sizes[axis]} and {size}",
                    expected=sizes[axis],
                    got=size,
                )


def _single(tensor: Any, term: Term, wanted: set[str]) -> tuple[Any, Term]:
    """A tensor with one axis per name, without those that nothing else names."""
    axes = list(term)
    for axis in dict.fromkeys(term):
        while axes.count(axis) > 1:
            first = axes.index(axis)
            tensor, axes = _diagonal(tensor, axes, first, axes.index(axis, first + 1))
    gone = tuple(i for i, axis in enumerate(axes) if axis not in wanted)
    if gone:
        tensor = tensor.sum(gone)
    return tensor, [axis for axis in axes if axis in wanted]


def _diagonal(tensor: Any, axes: Term, first: int, second: int) -> tuple[Any, Term]:
    """Two axes of one name as one: what lies on the diagonal."""
    order = [first, second, *(i for i in range(len(axes)) if i not in (first, second))]
    turned = apply("permute", tensor, axes=tuple(order))
    size = turned.shape[0]
    tracer = turned._tracer
    settings: Any = {"shape": (size,), "axis": 0}
    places = apply("iota", **settings) if tracer is None else tracer.apply(TABLE["iota"], (), settings)
    return apply("take", turned, places, places), [axes[i] for i in (first, *order[2:])]


def _pair(a: Any, a_axes: Term, b: Any, b_axes: Term, wanted: set[str]) -> tuple[Any, Term]:
    """Two tensors as one product: axes that both have and the rest needs are batched, others that both have summed."""
    shared = [axis for axis in a_axes if axis in b_axes]
    batch = [axis for axis in shared if axis in wanted]
    summed = [axis for axis in shared if axis not in wanted]
    for axis in summed:  # a size of 1 broadcasts against another: that one is summed alone
        i, j = a_axes.index(axis), b_axes.index(axis)
        if a.shape[i] != b.shape[j] and 1 in (a.shape[i], b.shape[j]):
            a, b = (a, b.sum(j, keepdim=True)) if a.shape[i] == 1 else (a.sum(i, keepdim=True), b)
    a_own = [axis for axis in a_axes if axis not in shared]
    b_own = [axis for axis in b_axes if axis not in shared]
    left, right = _laid_out(a, a_axes, batch, a_own, summed), _laid_out(b, b_axes, batch, summed, b_own)
    kept = [_larger(left.shape[i], right.shape[i]) for i in range(len(batch))]
    sizes_a = [a.shape[a_axes.index(axis)] for axis in a_own]
    sizes_b = [b.shape[b_axes.index(axis)] for axis in b_own]
    if summed and a._dtype is not b._dtype:
        raise DTypeError(f"einsum: expects operands of one dtype, got {a._dtype.name} and {b._dtype.name}")
    if summed and a._dtype.is_floating_point:
        result = apply("matmul", left, right)
    else:
        result = apply("mul", left.unsqueeze(-1), right.unsqueeze(-3))
        result = result.sum(-2, dtype=result._dtype)
    return apply("reshape", result, shape=(*kept, *sizes_a, *sizes_b)), [*batch, *a_own, *b_own]


def _larger(a: Dim, b: Dim) -> Dim:
    return b if isinstance(a, int) and a == 1 else a


def _laid_out(tensor: Any, axes: Term, *groups: list[str]) -> Any:
    """The batch axes one by one, then one axis for each other group."""
    order = tuple(axes.index(axis) for group in groups for axis in group)
    if order != tuple(range(len(axes))):
        tensor = apply("permute", tensor, axes=order)
    shape, start = list(tensor.shape[: len(groups[0])]), len(groups[0])
    for group in groups[1:]:
        shape.append(product(tensor.shape[start : start + len(group)]))
        start += len(group)
    return apply("reshape", tensor, shape=tuple(shape))
