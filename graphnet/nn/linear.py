"""Linear layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphnet.device import check_device
from graphnet.errors import ArgumentError, ShapeError
from graphnet.ir import Symbol
from graphnet.nn import functional
from graphnet.nn.making import Uniform, float_type, made
from graphnet.nn.module import Module
from graphnet.nn.parameter import Parameter, settle_layer
from graphnet.nn.registry import begin
from graphnet.tensor.axes import sizes_of
from graphnet.tensor.state import state
from graphnet.tensor.symbolic import SymbolicTensor
from graphnet.tensor.tensor import Tensor

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear"]


class Linear(Module):
    """y = x Aᵀ + b, as torch.nn.Linear.

    Shapes: x (*, in_features), A (out_features, in_features), b (out_features), y (*, out_features).

    Args:
        in_features: the size of the input's last axis.
        out_features: the size of the output's last axis.
        bias: whether to add b.
        device: "cpu" or None.
        dtype: float32 or float64.

    Raises:
        ArgumentError, ArgumentTypeError: a size that is negative, or not a whole number.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Linear(3, 2)(gn.ones(5, 3)).shape
        graphnet.Size([5, 2])
    """

    in_features: Any
    out_features: int
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        check_device(device)
        size_in, size_out = sizes_of("Linear(in_features, out_features)", ((in_features, out_features),))
        self._make(size_in, size_out, bias, dtype)

    def _make(self, in_features: Any, out_features: Any, bias: bool, dtype: Any) -> None:
        kind, depends = float_type(dtype), (in_features,)
        # Weight and bias are made in the same way, lazy or not, so both draw the same random keys.
        begin(
            self,
            {"in_features": in_features, "out_features": out_features},
            {
                "weight": made(Parameter, (out_features, in_features), kind, Uniform(in_features), self, depends),
                "bias": made(Parameter, (out_features,), kind, Uniform(in_features), self, depends) if bias else None,
            },
        )

    def settle(self, sizes: Mapping[Symbol, Any]) -> None:
        """Nothing is unknown here; lazy layers learn their sizes."""

    def forward(self, input: Any) -> Any:
        """y = x Aᵀ + b."""
        return functional.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class LazyLinear(Linear):
    """A Linear layer whose in_features are learnt from its first input; it becomes a `Linear` then.

    Its parameters exist from the start and are filled in place, so optimizers, state dicts and copies can
    be made before.

    Example:
        >>> import graphnet as gn
        >>> layer = gn.nn.LazyLinear(2)
        >>> layer
        LazyLinear(in_features=0, out_features=2, bias=True)
        >>> layer(gn.ones(5, 3)).shape, layer
        (graphnet.Size([5, 2]), Linear(in_features=3, out_features=2, bias=True))
    """

    def __init__(self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None) -> None:
        Module.__init__(self)
        check_device(device)
        (size_out,) = sizes_of("LazyLinear(out_features)", ((out_features,),))
        self._make(Symbol("in_features", placeholder=True), size_out, bias, dtype)

    def settle(self, sizes: Mapping[Symbol, Any]) -> None:
        """Fill the parameters and become a Linear, if the size is among those known now."""
        settle_layer(self, "in_features", sizes, LazyLinear, Linear)

    def forward(self, input: Any) -> Any:
        """Learn in_features from the input, then y = x Aᵀ + b."""
        symbol = self.in_features
        if isinstance(symbol, Symbol):
            if not self.weight.is_lazy:  # it was replaced by one of known size
                self.settle({symbol: self.weight.shape[1]})
            elif isinstance(input, Tensor) and not isinstance(input, SymbolicTensor):
                # While a graph is traced nothing is filled: its sizes are equations, solved when it is whole.
                shape = tuple(input.shape)
                if not shape:
                    raise ShapeError(
                        f"{state.scope}: expects an input of shape (*, in_features), got ()", got=shape, operand=0
                    )
                self.settle({symbol: shape[-1]})
        return Linear.forward(self, input)  # not super(): settling may have changed the class

    def _shown_as(self) -> str:
        return "Linear" if type(self) is LazyLinear else type(self).__name__

    def extra_repr(self) -> str:
        """The sizes, 0 for the unknown one, as PyTorch shows it."""
        size = 0 if isinstance(self.in_features, Symbol) else self.in_features
        return f"in_features={size}, out_features={self.out_features}, bias={self.bias is not None}"


class Bilinear(Module):
    """y_k = xᵀ A_k z + b_k, as torch.nn.Bilinear.

    Shapes: x (*, in1_features), z (*, in2_features), A (out_features, in1_features, in2_features), b (out_features).

    Args:
        in1_features, in2_features: the sizes of the inputs' last axes.
        out_features: the size of the output's last axis.
        bias: whether to add b.
        device: "cpu" or None.
        dtype: float32 or float64.

    Raises:
        ArgumentError, ArgumentTypeError: a size that is not positive, or not a whole number.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Bilinear(3, 4, 2)(gn.ones(5, 3), gn.ones(5, 4)).shape
        graphnet.Size([5, 2])
    """

    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        check_device(device)
        sizes = sizes_of(
            "Bilinear(in1_features, in2_features, out_features)", ((in1_features, in2_features, out_features),)
        )
        first, second, out = sizes
        if first == 0:
            raise ArgumentError("Bilinear: in1_features is positive, got 0")
        kind = float_type(dtype)
        begin(
            self,
            {"in1_features": first, "in2_features": second, "out_features": out},
            {
                "weight": made(Parameter, (out, first, second), kind, Uniform(first), self),
                "bias": made(Parameter, (out,), kind, Uniform(first), self) if bias else None,
            },
        )

    def forward(self, input1: Any, input2: Any) -> Any:
        """y_k = xᵀ A_k z + b_k."""
        return functional.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """The sizes."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class Identity(Module):
    """Returns its input; takes and ignores any arguments, so it can stand for another layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Any) -> Any:
        """The input."""
        return input
