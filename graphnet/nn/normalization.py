"""Normalisation: LayerNorm, RMSNorm and BatchNorm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphnet.device import check_device
from graphnet.errors import ArgumentError, ShapeError
from graphnet.ir import Symbol, render_shape
from graphnet.nn import functional
from graphnet.nn.functional.activations import number
from graphnet.nn.making import Constant, float_type, made
from graphnet.nn.module import Module
from graphnet.nn.parameter import Buffer, Parameter, settle_layer
from graphnet.nn.registry import begin, entries
from graphnet.tensor.axes import sizes_of
from graphnet.tensor.core import check_tensor
from graphnet.tensor.creation import tensor
from graphnet.tensor.state import no_grad
from graphnet.tensor.symbolic import SymbolicTensor
from graphnet.tensor.tensor import Tensor

__all__ = ["BatchNorm1d", "LayerNorm", "LazyBatchNorm1d", "RMSNorm"]


class _OverLastAxes(Module):
    """What LayerNorm and RMSNorm share: the shape that is normalised, and a weight of it."""

    weight: Parameter | None
    bias: Parameter | None

    def __init__(self, normalized_shape: Any, eps: Any, affine: bool, bias: bool, device: Any, dtype: Any) -> None:
        super().__init__()
        check_device(device)
        name = type(self).__name__
        shape = tuple(sizes_of(f"{name}: normalized_shape", (normalized_shape,)))
        if not shape:
            raise ArgumentError(f"{name}: normalized_shape has at least one axis, got {normalized_shape!r}")
        if eps is not None and not number(f"{name}: eps", eps) >= 0:
            raise ArgumentError(f"{name}: eps is 0 or more, got {eps}")
        kind = float_type(dtype)
        first = {"weight": 1.0, "bias": 0.0} if bias else {"weight": 1.0}
        begin(
            self,
            {"normalized_shape": shape, "eps": eps, "elementwise_affine": affine},
            {key: made(Parameter, shape, kind, Constant(v), self) if affine else None for key, v in first.items()},
        )

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0 again."""
        for name, value in (("weight", 1), ("bias", 0)):
            parameter = entries(self, "_parameters").get(name)
            if parameter is not None:
                parameter.data.fill_(value)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class LayerNorm(_OverLastAxes):
    """(x - mean) / sqrt(variance + eps) * weight + bias, over the last axes (Ba et al. 2016).

    Shapes: x (*, *normalized_shape), the same out.

    Args:
        normalized_shape: the sizes of the last axes, or the size of the last one.
        eps: added to the variance.
        elementwise_affine: whether there are a weight and a bias.
        bias: whether there is a bias.
        device: "cpu" or None.
        dtype: float32 or float64.

    Raises:
        ArgumentError, ArgumentTypeError: sizes that are none. ShapeError: an input that does not end in them.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.LayerNorm(2)(gn.tensor([[1.0, 3.0]])).detach()
        tensor([[-1.0000,  1.0000]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, bias, device, dtype)
        if not bias:
            self.register_parameter("bias", None)

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """The settings."""
        return f"{super().extra_repr()}, bias={self.bias is not None}"


class RMSNorm(_OverLastAxes):
    """x / sqrt(mean(x²) + eps) * weight, over the last axes (Zhang & Sennrich 2019).

    Shapes: x (*, *normalized_shape), the same out.

    Args:
        normalized_shape: the sizes of the last axes, or the size of the last one.
        eps: the input dtype's epsilon where None.
        elementwise_affine: whether there is a weight.
        device: "cpu" or None.
        dtype: float32 or float64.

    Raises:
        ArgumentError, ArgumentTypeError: sizes that are none. ShapeError: an input that does not end in them.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.RMSNorm(2)(gn.tensor([[3.0, 4.0]])).detach()
        tensor([[0.8485, 1.1314]])
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine, False, device, dtype)

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)


class BatchNorm1d(Module):
    """(x - mean) / sqrt(variance + eps) * weight + bias for each channel (Ioffe & Szegedy 2015).

    In training mean and variance are those of the batch, and running statistics move towards them; in evaluation mode
    the running statistics are used. A traced or compiled network updates them at every run, as an eager one.

    Shapes: x (N, C) or (N, C, L), the same out.

    Args:
        num_features: C.
        eps: added to the variance.
        momentum: how far a batch moves the running statistics; None for the mean over all batches so far.
        affine: whether there are a weight and a bias.
        track_running_stats: whether there are running statistics; without them those of the batch are always used.
        device: "cpu" or None.
        dtype: float32 or float64.
        bias: whether there is a bias.

    Raises:
        ShapeError: an input of other axes or another C, or one value per channel alone in training.

    Example:
        >>> import graphnet as gn
        >>> layer = gn.nn.BatchNorm1d(1)
        >>> layer(gn.tensor([[1.0], [3.0]])).detach().tolist() == layer.running_var.tolist()
        False
        >>> layer.running_mean, layer.eval()(gn.tensor([[0.2]])).detach()
        (tensor([0.2000]), tensor([[0.]]))
    """

    weight: Parameter | None
    bias: Parameter | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None
    num_features: Any

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        check_device(device)
        (features,) = sizes_of("BatchNorm1d(num_features)", ((num_features,),))
        self._make(features, eps, momentum, affine, track_running_stats, dtype, bias)

    def _make(
        self, features: Any, eps: float, momentum: float | None, affine: bool, track: bool, dtype: Any, bias: bool
    ) -> None:
        kind, shape = float_type(dtype), (features,)
        settings = {"num_features": features, "eps": number("BatchNorm1d: eps", eps), "momentum": momentum}
        if momentum is not None:
            number("BatchNorm1d: momentum", momentum)
        settings.update(affine=affine, track_running_stats=track)

        def entry(kept: type[Parameter] | type[Buffer], value: float, wanted: bool) -> Any:
            return made(kept, shape, kind, Constant(value), self) if wanted else None

        parameters = {"weight": entry(Parameter, 1.0, affine), "bias": entry(Parameter, 0.0, affine and bias)}
        buffers = {"running_mean": entry(Buffer, 0.0, track), "running_var": entry(Buffer, 1.0, track)}
        begin(self, settings, parameters, {**buffers, "num_batches_tracked": tensor(0) if track else None})

    def settle(self, sizes: Mapping[Symbol, Any]) -> None:
        """Nothing is unknown here; lazy layers learn their sizes."""

    @no_grad()
    def reset_running_stats(self) -> None:
        """Set the running mean to 0, the variance to 1 and the number of batches to 0."""
        if self.track_running_stats:
            for buffer, value in ((self.running_mean, 0), (self.running_var, 1), (self.num_batches_tracked, 0)):
                if buffer is not None:
                    buffer.data.fill_(value)

    def reset_parameters(self) -> None:
        """Reset the running statistics, the weight to 1 and the bias to 0."""
        self.reset_running_stats()
        for parameter, value in ((self.weight, 1), (self.bias, 0)):
            if parameter is not None:
                parameter.data.fill_(value)

    def forward(self, input: Any) -> Any:
        """The normalised input."""
        x = check_tensor("BatchNorm1d", input)
        if x.ndim not in (2, 3):
            raise ShapeError(
                f"BatchNorm1d: expects an input of shape (N, C) or (N, C, L), got {render_shape(x.shape)}",
                expected="(N, C) or (N, C, L)",
                got=tuple(x.shape),
                operand=0,
            )
        tracks = self.training and self.track_running_stats
        momentum: Any = 0.0 if self.momentum is None else self.momentum
        count = self.num_batches_tracked if tracks else None
        if count is not None and self.momentum is None:  # the mean over all batches
            momentum = 1.0 / (count + 1).to(x.dtype)
        uses = tracks or not self.training
        result = functional.batch_norm(
            x,
            self.running_mean if uses else None,
            self.running_var if uses else None,
            self.weight,
            self.bias,
            self.training or (self.running_mean is None and self.running_var is None),
            momentum,
            self.eps,
        )
        if count is not None:
            count.add_(1)
        return result

    def extra_repr(self) -> str:
        """The settings; 0 for an unknown number of features, as PyTorch shows it."""
        features = 0 if isinstance(self.num_features, Symbol) else self.num_features
        return (
            f"{features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class LazyBatchNorm1d(BatchNorm1d):
    """A BatchNorm1d whose num_features are learnt from its first input; it becomes a `BatchNorm1d` then.

    Example:
        >>> import graphnet as gn
        >>> layer = gn.nn.LazyBatchNorm1d(momentum=None)
        >>> _ = layer(gn.ones(5, 3))
        >>> layer
        BatchNorm1d(3, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True)
    """

    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        Module.__init__(self)
        check_device(device)
        features = Symbol("num_features", placeholder=True)
        self._make(features, eps, momentum, affine, track_running_stats, dtype, bias)

    def settle(self, sizes: Mapping[Symbol, Any]) -> None:
        """Fill the parameters and buffers and become a BatchNorm1d, if the size is among those known now."""
        settle_layer(self, "num_features", sizes, LazyBatchNorm1d, BatchNorm1d)

    def forward(self, input: Any) -> Any:
        """Learn num_features from the input, then normalise it."""
        symbol = self.num_features
        if isinstance(symbol, Symbol) and isinstance(input, Tensor) and not isinstance(input, SymbolicTensor):
            shape = tuple(input.shape)
            if len(shape) in (2, 3):
                self.settle({symbol: shape[1]})
        return BatchNorm1d.forward(self, input)  # not super(): settling may have changed the class

    def _shown_as(self) -> str:
        return "BatchNorm1d" if type(self) is LazyBatchNorm1d else type(self).__name__
