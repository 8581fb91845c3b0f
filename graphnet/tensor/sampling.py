"""Functions that make tensors of random numbers. `generator=` draws from another source than the default one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet import samples
from graphnet.device import check_device
from graphnet.dtypes import DType, as_dtype, float32, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, TraceError, kind_of
from graphnet.keys import Generator, next_key
from graphnet.tensor.axes import sizes_of
from graphnet.tensor.core import Base, apply, check_tensor
from graphnet.tensor.creation import _form, _made, _sizes, _wanted
from graphnet.tensor.state import state as thread
from graphnet.whole import is_whole, whole

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["normal", "rand", "rand_like", "randint", "randn", "randn_like", "randperm"]


def _drawn(
    kind: str, shape: Any, dtype: DType, generator: Any, requires_grad: bool, device: Any, low: Any = 0, high: Any = 1
) -> Tensor:
    """Samples of a kind (`graphnet.samples`); a traced graph draws them anew at every run, as eager calls do."""
    if generator is not None and not isinstance(generator, Generator):
        raise ArgumentTypeError(f"generator: expects a graphnet.Generator, got {kind_of(generator)}")
    if kind in ("uniform", "normal") and not dtype.is_floating_point:
        raise ArgumentTypeError(f"random samples are floating-point, not {dtype.name}")
    if thread.tracer is None:
        key = next_key() if generator is None else generator.next_key()
        return _made(samples.sample(key, kind, shape, dtype, low, high), requires_grad, device)
    if generator is not None:
        raise TraceError(
            "generator: a graph cannot draw from a generator of one's own; leave generator= out in code that is traced "
            "or compiled, or draw the samples outside and pass them in"
        )
    check_device(device)
    settings = {"kind": kind, "shape": tuple(shape), "dtype": dtype, "low": low, "high": high}
    result: Tensor = apply("random_sample", **settings)
    return result.requires_grad_() if requires_grad else result


def rand(
    *sizes: Any, size: Any = None, generator: Any = None, dtype: Any = float32, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Samples of the uniform distribution on [0, 1); sizes one by one, as one sequence, or as size=.

    Example:
        >>> import graphnet as gn
        >>> bool((gn.rand(2, 3) < 1).all())
        True
    """
    shape, wanted = _sizes("rand", sizes, size), _wanted(dtype)
    return _drawn("uniform", shape, wanted, generator, requires_grad, device)


def randn(
    *sizes: Any, size: Any = None, generator: Any = None, dtype: Any = float32, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Samples of the standard normal distribution; sizes one by one, as one sequence, or as size=.

    Example:
        >>> import graphnet as gn
        >>> gn.randn(2, 3).shape
        graphnet.Size([2, 3])
    """
    shape, wanted = _sizes("randn", sizes, size), _wanted(dtype)
    return _drawn("normal", shape, wanted, generator, requires_grad, device)


def rand_like(
    input: Any, *, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Uniform samples on [0, 1) in the shape and dtype of another tensor.

    Example:
        >>> import graphnet as gn
        >>> gn.rand_like(gn.zeros(2)).shape
        graphnet.Size([2])
    """
    shape, dtype = _form("rand_like", input, dtype)
    return rand(shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad)


def randn_like(
    input: Any, *, generator: Any = None, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Samples of the standard normal distribution in the shape and dtype of another tensor.

    Example:
        >>> import graphnet as gn
        >>> gn.randn_like(gn.zeros(2)).shape
        graphnet.Size([2])
    """
    shape, dtype = _form("randn_like", input, dtype)
    return randn(shape, generator=generator, dtype=dtype, device=device, requires_grad=requires_grad)


def normal(
    mean: Any = 0.0, std: Any = 1.0, size: Any = None, *, generator: Any = None, dtype: Any = None, device: Any = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Samples of normal distributions.

    Taken as normal(mean, std, size) with two numbers, or with a tensor for the means, the standard deviations or
    both, whose shape (after broadcasting) the result has.

    Raises:
        ArgumentError: a standard deviation below 0.
        ArgumentTypeError: two numbers without a size, or a tensor with one.

    Example:
        >>> import graphnet as gn
        >>> gn.normal(0, 1, (2, 3)).shape, gn.normal(gn.arange(3.0), 0.0)
        (graphnet.Size([2, 3]), tensor([0., 1., 2.]))
    """
    tensors = [t for t in (mean, std) if isinstance(t, (Base, np.ndarray))]
    if not tensors:
        if size is None or is_whole(size):
            raise ArgumentTypeError(
                "normal: expects a tensor for the mean or the standard deviation, or a size: normal(0, 1, (2, 3))"
            )
        shape = sizes_of("normal", (size,))
        if std < 0:
            raise ArgumentError(f"normal: the standard deviation is not negative, got {std}")
        return _drawn("normal", shape, _wanted(dtype), generator, requires_grad, device, float(mean), float(std))
    if size is not None:
        raise ArgumentTypeError("normal: the size is that of the tensors; leave it out")
    check_device(device)
    for tensor in (check_tensor("normal", t) for t in tensors):
        if not tensor._dtype.is_floating_point:
            raise DTypeError(f"normal: expects floating-point tensors, got {tensor._dtype.name}")
    spread = check_tensor("normal", std).detach()
    if spread._tracer is None and bool((spread < 0).any()):
        raise ArgumentError("normal: a standard deviation is below 0")
    means = apply("add", check_tensor("normal", tensors[0]).detach() * 0, mean).detach()
    shape = tuple(apply("add", means, std)._type().shape)
    noise = _drawn("normal", shape, means._dtype, generator, False, None)
    result = apply("add", apply("mul", noise, std), means).detach()
    return result.requires_grad_() if requires_grad else result


def randint(
    low: Any = 0, high: Any = None, size: Any = None, *, generator: Any = None, dtype: Any = int64,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """Whole numbers drawn evenly from low (0 where it is left out) up to, not including, high.

    Raises:
        ArgumentError: there is no whole number from low up to high.

    Example:
        >>> import graphnet as gn
        >>> gn.randint(10, (3,)).shape, gn.randint(5, 10, (2, 2)).shape
        (graphnet.Size([3]), graphnet.Size([2, 2]))
    """
    if size is None and isinstance(high, (tuple, list)):
        low, high, size = 0, low, high
    elif high is None:
        low, high = 0, low
    if not isinstance(size, (tuple, list)):
        raise ArgumentTypeError(f"randint: expects the size as a tuple, got {size!r:.60}")
    low, high = whole("randint: low", low), whole("randint: high", high)
    if not low < high:
        raise ArgumentError(f"randint: there is no whole number from {low} up to, not including, {high}")
    shape = sizes_of("randint", (size,))
    return _drawn("integers", shape, as_dtype(dtype), generator, requires_grad, device, low, high)


def randperm(
    n: int, *, generator: Any = None, dtype: Any = int64, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers from 0 up to n in random order.

    Example:
        >>> import graphnet as gn
        >>> sorted(gn.randperm(4).tolist())
        [0, 1, 2, 3]
    """
    return _drawn("permutation", sizes_of("randperm", ((n,),)), as_dtype(dtype), generator, requires_grad, device)
