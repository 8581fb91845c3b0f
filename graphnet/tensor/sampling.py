"""Functions that make tensors of random numbers. `generator=` draws from another source than the default one."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.device import check_device
from graphnet.dtypes import as_dtype, float32, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, GraphnetWarning, kind_of
from graphnet.keys import Generator, Key, next_key
from graphnet.places import stack_depth
from graphnet.tensor import random
from graphnet.tensor.axes import sizes_of
from graphnet.tensor.core import Base, apply, check_tensor, make
from graphnet.tensor.creation import _form, _made, _sizes, _wanted
from graphnet.tensor.state import state as thread
from graphnet.whole import is_whole, whole

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["normal", "rand", "rand_like", "randint", "randn", "randn_like", "randperm"]


def _key(generator: Any) -> Key:
    """The key of a draw."""
    if thread.tracer is not None:
        if thread.tracer.looping:
            thread.tracer.refuse_random()
        warnings.warn(
            "random numbers drawn while a graph is traced are constants of the graph: every run has the same ones. "
            "Make them outside and pass them in, or use dropout, which draws anew",
            GraphnetWarning,
            stacklevel=stack_depth(),
        )
    if generator is None:
        return next_key()
    if not isinstance(generator, Generator):
        raise ArgumentTypeError(f"generator: expects a graphnet.Generator, got {kind_of(generator)}")
    return generator.next_key()


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
    return _made(random.uniform_array(_key(generator), shape, wanted), requires_grad, device)


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
    return _made(random.normal_array(_key(generator), shape, wanted), requires_grad, device)


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
        values = random.normal_array(_key(generator), shape, _wanted(dtype), float(mean), float(std))
        return _made(values, requires_grad, device)
    if size is not None:
        raise ArgumentTypeError("normal: the size is that of the tensors; leave it out")
    check_device(device)
    for tensor in (check_tensor("normal", t) for t in tensors):
        if not tensor._dtype.is_floating_point:
            raise DTypeError(f"normal: expects floating-point tensors, got {tensor._dtype.name}")
    if bool((check_tensor("normal", std).detach() < 0).any()):
        raise ArgumentError("normal: a standard deviation is below 0")
    means = apply("add", check_tensor("normal", tensors[0]).detach() * 0, mean).detach()
    shape = tuple(apply("add", means, std)._type().shape)
    noise = make(random.normal_array(_key(generator), shape, means._dtype), means._dtype)
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
    values = random.generator(_key(generator)).integers(low, high, shape)
    return _made(values.astype(as_dtype(dtype).dtype), requires_grad, device)


def randperm(
    n: int, *, generator: Any = None, dtype: Any = int64, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers from 0 up to n in random order.

    Example:
        >>> import graphnet as gn
        >>> sorted(gn.randperm(4).tolist())
        [0, 1, 2, 3]
    """
    (count,) = sizes_of("randperm", ((n,),))
    values = random.generator(_key(generator)).permutation(int(count))
    return _made(values.astype(as_dtype(dtype).dtype), requires_grad, device)
