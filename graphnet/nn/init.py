"""Initialisation in place, under the names of torch.nn.init.

All of these take lazy parameters too: the values are made once the sizes are known, from random keys drawn now.
A weight of shape (out, in, ...) has fan_in = in * rest and fan_out = out * rest.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet import samples
from graphnet.dtypes import DType
from graphnet.errors import ArgumentError, ShapeError
from graphnet.ir import render_shape
from graphnet.tensor.core import Array
from graphnet.tensor.state import no_grad

__all__ = [
    "calculate_gain",
    "constant_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]


def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Any:
    """Overwrite with samples of U(a, b).

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.init.uniform_(gn.empty(100), 2.0, 3.0)
        >>> 2.0 <= w.min().item() and w.max().item() < 3.0
        True
    """
    return _sample(tensor, samples.uniform_array, a, b, generator=generator)


def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    """Overwrite with samples of the normal distribution.

    Raises:
        ArgumentError: a negative standard deviation.

    Example:
        >>> import graphnet as gn
        >>> layer = gn.nn.LazyLinear(3)
        >>> _ = gn.nn.init.normal_(layer.weight, std=0.01)
        >>> layer(gn.ones(1, 2)).shape
        graphnet.Size([1, 3])
    """
    if not std >= 0:
        raise ArgumentError(f"normal_: the standard deviation is not negative, got {std}")
    return _sample(tensor, samples.normal_array, mean, std, generator=generator)


@no_grad()
def constant_(tensor: Any, val: float) -> Any:
    """Overwrite with one number.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.init.constant_(gn.empty(2), 0.3)
        tensor([0.3000, 0.3000])
    """
    return tensor.fill_(val)


def zeros_(tensor: Any) -> Any:
    """Overwrite with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Any) -> Any:
    """Overwrite with ones."""
    return constant_(tensor, 1.0)


_CONVOLUTIONS = [f"conv{kind}{rank}d" for kind in ("", "_transpose") for rank in (1, 2, 3)]


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights are scaled for an activation, as torch.nn.init.calculate_gain.

    Raises:
        ArgumentError: an activation that is not known.
    """
    if nonlinearity == "leaky_relu":
        return math.sqrt(2 / (1 + (0.01 if param is None else param) ** 2))
    if nonlinearity in _CONVOLUTIONS:
        return 1.0
    gains = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2), "selu": 0.75}
    if nonlinearity not in gains:
        raise ArgumentError(f"no gain is known for {nonlinearity!r}; there are {sorted([*gains, 'leaky_relu'])}")
    return gains[nonlinearity]


def xavier_uniform_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """U(-b, b) with b = gain * sqrt(6 / (fan_in + fan_out)) (Glorot & Bengio 2010).

    Raises:
        ShapeError: fewer than two axes.

    Example:
        >>> import graphnet as gn
        >>> w = gn.nn.init.xavier_uniform_(gn.empty(3, 3))
        >>> w.abs().max().item() <= 1
        True
    """
    return _sample(tensor, _xavier, gain, "uniform", generator=generator)


def xavier_normal_(tensor: Any, gain: float = 1.0, generator: Any = None) -> Any:
    """Normal with std = gain * sqrt(2 / (fan_in + fan_out)) (Glorot & Bengio 2010)."""
    return _sample(tensor, _xavier, gain, "normal", generator=generator)


def kaiming_uniform_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """U(-b, b) with b = gain * sqrt(3 / fan) (He et al. 2015)."""
    return _sample(tensor, _kaiming, calculate_gain(nonlinearity, a), _mode(mode), "uniform", generator=generator)


def kaiming_normal_(
    tensor: Any, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator: Any = None
) -> Any:
    """Normal with std = gain / sqrt(fan) (He et al. 2015)."""
    return _sample(tensor, _kaiming, calculate_gain(nonlinearity, a), _mode(mode), "normal", generator=generator)


def trunc_normal_(
    tensor: Any, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator: Any = None
) -> Any:
    """Normal samples, drawn again where they fall outside [a, b]."""
    if not a < b:
        raise ArgumentError(f"trunc_normal_: expects a < b, got {a} and {b}")
    return _sample(tensor, _truncated, mean, std, a, b, generator=generator)


def orthogonal_(tensor: Any, gain: float = 1, generator: Any = None) -> Any:
    """A matrix with orthonormal rows or columns, times gain (Saxe et al. 2014)."""
    return _sample(tensor, _orthogonal, gain, generator=generator)


def eye_(tensor: Any) -> Any:
    """The identity matrix.

    Raises:
        ShapeError: not a matrix.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.init.eye_(gn.empty(2, 3))
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
    """
    return _sample(tensor, _eye)


@no_grad()
def _sample(tensor: Any, maker: Callable[..., Array], *arguments: Any, generator: Any = None) -> Any:
    return tensor._sample(maker, *arguments, generator=generator)


def _mode(mode: str) -> str:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(f"the mode is 'fan_in' or 'fan_out', got {mode!r}")
    return mode


def _fans(shape: tuple[int, ...]) -> tuple[int, int]:
    if len(shape) < 2:
        raise ShapeError(f"fan_in and fan_out need at least two axes, got shape {render_shape(shape)}", got=shape)
    rest = math.prod(shape[2:])
    return shape[1] * rest, shape[0] * rest


def _scaled(key: samples.Key, shape: tuple[int, ...], dtype: DType, std: float, kind: str) -> Array:
    if kind == "uniform":
        bound = math.sqrt(3) * std
        uniform: Array = samples.uniform_array(key, shape, dtype, -bound, bound)
        return uniform
    normal: Array = samples.normal_array(key, shape, dtype, 0.0, std)
    return normal


def _xavier(key: samples.Key, shape: tuple[int, ...], dtype: DType, gain: float, kind: str) -> Array:
    total = sum(_fans(shape))
    return _scaled(key, shape, dtype, gain * math.sqrt(2 / total) if total else 0.0, kind)


def _kaiming(key: samples.Key, shape: tuple[int, ...], dtype: DType, gain: float, mode: str, kind: str) -> Array:
    fan = _fans(shape)[mode == "fan_out"]
    return _scaled(key, shape, dtype, gain / math.sqrt(fan) if fan else 0.0, kind)


def _truncated(
    key: samples.Key, shape: tuple[int, ...], dtype: DType, mean: float, std: float, a: float, b: float
) -> Array:
    generator = samples.generator(key)
    values: Array = mean + std * generator.standard_normal(shape)
    for _ in range(1000):  # a bound on bad luck far out in the tail; the rest is clipped
        outside = (values < a) | (values > b)
        if not outside.any():
            break
        values = np.where(outside, mean + std * generator.standard_normal(shape), values)
    return np.clip(values, a, b).astype(dtype.dtype)


def _orthogonal(key: samples.Key, shape: tuple[int, ...], dtype: DType, gain: float) -> Array:
    _fans(shape)
    rows, columns = shape[0], math.prod(shape[1:])
    flat = samples.generator(key).standard_normal((max(rows, columns), min(rows, columns)))
    q, r = np.linalg.qr(flat)
    q *= np.sign(np.diag(r))  # makes the distribution uniform over orthogonal matrices
    matrix = q.T if rows < columns else q
    return (gain * matrix).reshape(shape).astype(dtype.dtype)


def _eye(key: samples.Key, shape: tuple[int, ...], dtype: DType) -> Array:
    if len(shape) != 2:
        raise ShapeError(f"eye_: expects a matrix, got shape {render_shape(shape)}", got=shape)
    return np.eye(*shape, dtype=dtype.dtype)
