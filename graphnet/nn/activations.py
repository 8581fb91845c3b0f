"""Activations as modules. Shapes: any (*), the same out; errors are those of the functions of the same name."""

from __future__ import annotations

from typing import Any

from graphnet.device import check_device
from graphnet.errors import ArgumentError, GraphnetWarning
from graphnet.nn import functional
from graphnet.nn.functional.activations import number
from graphnet.nn.making import Constant, float_type, made
from graphnet.nn.module import Module
from graphnet.nn.parameter import Parameter
from graphnet.nn.registry import begin
from graphnet.places import warn
from graphnet.tensor.axes import sizes_of

__all__ = [
    "ELU",
    "GELU",
    "Hardtanh",
    "LeakyReLU",
    "LogSoftmax",
    "PReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Tanh",
]


class _InPlace(Module):
    """An activation that may be written over its input."""

    inplace: bool

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        begin(self, {"inplace": inplace})

    def extra_repr(self) -> str:
        """The settings, and `inplace` where it is not the default."""
        shown = [self._settings(), "inplace=True" if self.inplace else ""]
        return ", ".join(filter(None, shown))

    def _settings(self) -> str:
        return ""


class ReLU(_InPlace):
    """max(x, 0), element by element.

    Args:
        inplace: whether it is written over the input, as the in-place operators do.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.ReLU()(gn.tensor([-1.0, 2.0]))
        tensor([0., 2.])
    """

    def forward(self, input: Any) -> Any:
        """max(x, 0)."""
        return functional.relu(input, self.inplace)


class LeakyReLU(_InPlace):
    """x where it is positive, else x times negative_slope.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.LeakyReLU(0.1)(gn.tensor([-1.0, 2.0]))
        tensor([-0.1000,  2.0000])
    """

    def __init__(self, negative_slope: float = 0.01, inplace: bool = False) -> None:
        super().__init__(inplace)
        begin(self, {"negative_slope": number("LeakyReLU: negative_slope", negative_slope)})

    def forward(self, input: Any) -> Any:
        """x, or x times negative_slope."""
        return functional.leaky_relu(input, self.negative_slope, self.inplace)

    def _settings(self) -> str:
        return f"negative_slope={self.negative_slope}"


class ELU(_InPlace):
    """x where it is positive, else alpha (exp(x) - 1).

    Example:
        >>> import graphnet as gn
        >>> gn.nn.ELU()(gn.tensor([-1.0, 2.0]))
        tensor([-0.6321,  2.0000])
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        begin(self, {"alpha": number("ELU: alpha", alpha)})

    def forward(self, input: Any) -> Any:
        """x, or alpha (exp(x) - 1)."""
        return functional.elu(input, self.alpha, self.inplace)

    def _settings(self) -> str:
        return f"alpha={self.alpha}"


class GELU(Module):
    """x Φ(x), with the normal distribution's function Φ; approximated with `approximate="tanh"`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.GELU()(gn.tensor([-1.0, 2.0]))
        tensor([-0.1587,  1.9545])
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        if approximate not in ("none", "tanh"):
            raise ArgumentError(f"GELU: the approximation is 'none' or 'tanh', got {approximate!r}")
        begin(self, {"approximate": approximate})

    def forward(self, input: Any) -> Any:
        """x Φ(x)."""
        return functional.gelu(input, self.approximate)

    def extra_repr(self) -> str:
        """The approximation."""
        return f"approximate={self.approximate!r}"


class SiLU(_InPlace):
    """x times sigmoid(x).

    Example:
        >>> import graphnet as gn
        >>> gn.nn.SiLU()(gn.tensor([-1.0, 2.0]))
        tensor([-0.2689,  1.7616])
    """

    def forward(self, input: Any) -> Any:
        """x times sigmoid(x)."""
        return functional.silu(input, self.inplace)


class Sigmoid(Module):
    """1 / (1 + exp(-x)), element by element.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Sigmoid()(gn.zeros(2))
        tensor([0.5000, 0.5000])
    """

    def forward(self, input: Any) -> Any:
        """1 / (1 + exp(-x))."""
        return functional.sigmoid(input)


class Tanh(Module):
    """tanh(x), element by element.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Tanh()(gn.tensor([0.0, 1.0]))
        tensor([0.0000, 0.7616])
    """

    def forward(self, input: Any) -> Any:
        """tanh(x)."""
        return functional.tanh(input)


class Softplus(Module):
    """log(1 + exp(beta x)) / beta, and x itself where beta x is above the threshold.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Softplus()(gn.tensor([-1.0, 30.0]))
        tensor([ 0.3133, 30.0000])
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        begin(self, {"beta": number("Softplus: beta", beta), "threshold": number("Softplus: threshold", threshold)})

    def forward(self, input: Any) -> Any:
        """log(1 + exp(beta x)) / beta."""
        return functional.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """The settings."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardtanh(_InPlace):
    """x, and min_val or max_val where it lies beyond.

    Raises:
        ArgumentError: min_val is not below max_val.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Hardtanh()(gn.tensor([-3.0, 0.5, 3.0]))
        tensor([-1.0000,  0.5000,  1.0000])
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__(inplace)
        for old, new in ((min_value, "min_val"), (max_value, "max_val")):
            if old is not None:
                warn(f"Hardtanh: {new}ue is an old name, write {new}", GraphnetWarning)
        self.min_val = number("Hardtanh: min_val", min_val if min_value is None else min_value)
        self.max_val = number("Hardtanh: max_val", max_val if max_value is None else max_value)
        if not self.min_val < self.max_val:
            raise ArgumentError(f"Hardtanh: min_val is below max_val, got {self.min_val} and {self.max_val}")

    def forward(self, input: Any) -> Any:
        """x, or the nearer bound."""
        return functional.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def _settings(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


class PReLU(Module):
    """x where it is positive, else x times a weight that is learnt (He et al. 2015).

    Args:
        num_parameters: 1, or the number of channels (axis 1 of the input).
        init: the weight's first value.
        device: "cpu" or None.
        dtype: float32 or float64.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.PReLU()(gn.tensor([-1.0, 2.0])).detach()
        tensor([-0.2500,  2.0000])
    """

    weight: Parameter

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device: Any = None, dtype: Any = None) -> None:
        super().__init__()
        check_device(device)
        shape = sizes_of("PReLU: num_parameters", ((num_parameters,),))
        settings = {"num_parameters": shape[0], "init": number("PReLU: init", init)}
        begin(self, settings, {"weight": made(Parameter, shape, float_type(dtype), Constant(float(init)), self)})

    def reset_parameters(self) -> None:
        """Give the weight its first value again."""
        self.weight.data.fill_(self.init)

    def forward(self, input: Any) -> Any:
        """x, or x times the weight."""
        return functional.prelu(input, self.weight)

    def extra_repr(self) -> str:
        """The number of weights."""
        return f"num_parameters={self.num_parameters}"


class _AlongAxis(Module):
    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        begin(self, {"dim": dim})

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along an axis.

    Args:
        dim: the axis; where it is left out, PyTorch's old rule chooses one, with a warning.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.Softmax(dim=1)(gn.zeros(1, 4))
        tensor([[0.2500, 0.2500, 0.2500, 0.2500]])
    """

    def forward(self, input: Any) -> Any:
        """exp(x) / sum(exp(x))."""
        return functional.softmax(input, self.dim)

    def extra_repr(self) -> str:
        """The axis."""
        return f"dim={self.dim}"


class LogSoftmax(_AlongAxis):
    """The logarithm of softmax along an axis, computed stably. `dim` is as in `Softmax`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.LogSoftmax(dim=0)(gn.zeros(4))
        tensor([-1.3863, -1.3863, -1.3863, -1.3863])
    """

    def forward(self, input: Any) -> Any:
        """log(softmax(x))."""
        return functional.log_softmax(input, self.dim)
