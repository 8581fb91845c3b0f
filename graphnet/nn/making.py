"""What layers are made with: dtypes, devices, and the first values of parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from graphnet import samples
from graphnet.dtypes import DType, as_dtype, float32
from graphnet.errors import ArgumentTypeError
from graphnet.ir import Dim, Shape, Symbol, substitute
from graphnet.nn.parameter import Buffer, Parameter
from graphnet.program import aligned_empty, fill_uniform
from graphnet.tensor.core import Array

__all__ = ["Constant", "Normal", "Uniform", "float_type", "made"]


def float_type(dtype: Any) -> DType:
    """A layer's dtype; float32 where None.

    Raises:
        ArgumentTypeError: it is not a floating-point type.
    """
    kind = float32 if dtype is None else as_dtype(dtype)
    if not kind.is_floating_point:
        raise ArgumentTypeError(f"layers have floating-point parameters, not {kind.name}")
    return kind


class Uniform:
    """Fills a parameter with U(-b, b), b = 1/sqrt(fan): PyTorch's default for linear layers.

    The key is drawn when the layer is made, so the values do not depend on when the size becomes known.
    """

    def __init__(self, fan: Dim) -> None:
        self.fan = fan
        self.key = samples.next_key()

    def __call__(self, array: Array, sizes: Mapping[Symbol, int]) -> None:
        """Fill the array, now that the sizes are known."""
        fan = self.fan if type(self.fan) is int else substitute(self.fan, sizes)
        bound = 1 / math.sqrt(int(fan)) if fan else 0.0
        fill_uniform(array, self.key, -bound, bound)


class Normal:
    """Fills a parameter with samples of the standard normal distribution."""

    def __init__(self) -> None:
        self.key = samples.next_key()

    def __call__(self, array: Array, sizes: Mapping[Symbol, int]) -> None:
        """Fill the array, now that the sizes are known."""
        array[...] = samples.normal_array(self.key, array.shape, as_dtype(array.dtype))


class Constant:
    """Fills a parameter or buffer with one number."""

    def __init__(self, value: float) -> None:
        self.value = value

    def __call__(self, array: Array, sizes: Mapping[Symbol, int]) -> None:
        """Fill the array, now that the sizes are known."""
        array[...] = self.value


def made(
    kind: type[Parameter] | type[Buffer], shape: Shape, dtype: DType, fill: Any, owner: Any, depends: Shape = ()
) -> Any:
    """A parameter or buffer, filled at once where its sizes are known: lazy or not, one draws the same keys."""
    for dim in (*shape, *depends):
        if type(dim) is not int:
            tensor = kind.lazy(shape, dtype, fill, owner, depends)
            tensor.settle({})
            return tensor
    array = aligned_empty(shape, dtype.dtype)  # type: ignore[arg-type]  # all are numbers
    fill(array, {})
    return kind.over(array, dtype)
