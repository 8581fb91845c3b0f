"""Arguments that name axes and sizes, brought to one form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphnet.errors import ArgumentError, ArgumentTypeError, IndexOutOfRangeError
from graphnet.ir import Dim, Shape, Symbol, SymbolicDim
from graphnet.whole import is_whole, whole

__all__ = ["axes_of", "axis_of", "dims_of", "sizes_of"]


def axis_of(what: str, axis: Any, rank: int) -> int:
    """A possibly negative axis as one from 0 up; 0-d tensors count as having one axis, as in PyTorch.

    Raises:
        IndexOutOfRangeError: there is no such axis.
        ArgumentTypeError: not a whole number.
    """
    number, last = whole(f"{what}: an axis", axis), max(rank, 1)
    if not -last <= number < last:
        raise IndexOutOfRangeError(f"{what}: axis {number} is out of range for a tensor with {rank} axes")
    return number % last


def axes_of(what: str, axis: Any, rank: int) -> tuple[int, ...]:
    """One axis, several, or None for all, ascending."""
    if axis is None or (isinstance(axis, (tuple, list)) and not axis):
        return tuple(range(rank))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = sorted(axis_of(what, a, rank) for a in given)
    if len(set(axes)) < len(axes):
        raise ArgumentError(f"{what}: an axis appears twice in {axis!r}")
    return tuple(axes) if rank else ()


def sizes_of(what: str, sizes: tuple[Any, ...], open_sizes: bool = False) -> Shape:
    """Sizes given one by one or as one sequence; with `open_sizes`, -1 is one too.

    Raises:
        ArgumentError: negative, not whole or not finite.
    """
    if len(sizes) == 1 and (type(sizes[0]) is tuple or not (isinstance(sizes[0], SymbolicDim) or is_whole(sizes[0]))):
        if not isinstance(sizes[0], (tuple, list)):
            whole(f"{what}: a size", sizes[0])
        sizes = tuple(sizes[0])
    result: list[Dim] = []
    total, open_ones = 1, False
    for size in sizes:
        if type(size) is int:
            number = size
        elif isinstance(size, SymbolicDim):
            result.append(size)
            open_ones = True
            continue
        else:
            number = whole(f"{what}: a size", size)
        if number < (-1 if open_sizes else 0):
            raise ArgumentError(f"{what}: sizes are not negative, got {size} in {tuple(sizes)}")
        if number >= 2**63:
            raise ArgumentError(f"{what}: a size of {size} is more than memory can hold")
        result.append(number)
        total *= number or 1
    if abs(total) >= 2**59 and not open_ones:
        raise ArgumentError(f"{what}: a tensor of shape {tuple(result)} has more elements than memory can hold")
    return tuple(result)


def dims_of(name: str, shape: Any, dimension: Callable[[str], Dim]) -> Shape:
    """A shape as given to an input of a graph, which knows the `dimension` of a name.

    Raises:
        ArgumentTypeError, ArgumentError: not a sequence of sizes and names.
    """
    if isinstance(shape, (str, bytes)) or not hasattr(shape, "__iter__"):
        raise ArgumentTypeError(f'{name}: a shape is a tuple of sizes and names such as ("N", 20), got {shape!r}')
    dims: list[Any] = []
    for axis, size in enumerate(shape):
        if isinstance(size, str):
            if not size:
                raise ArgumentError(f"{name}: the name of a size is not empty")
            dims.append(dimension(size))
        elif size is None:
            dims.append(Symbol(f"{name}_{axis}", placeholder=True))
        else:
            dims.extend(sizes_of(name, ((size,),)))
    return tuple(dims)
