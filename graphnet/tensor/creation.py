"""Functions that make tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.dtypes import DType, as_dtype, bool_, float32, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError
from graphnet.tensor import random
from graphnet.tensor.axes import sizes_of
from graphnet.tensor.core import Base, apply, check_tensor, make, wrap
from graphnet.whole import whole

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "eye",
    "from_numpy",
    "full",
    "linspace",
    "ones",
    "ones_like",
    "rand",
    "rand_like",
    "randint",
    "randn",
    "randperm",
    "tensor",
    "zeros",
    "zeros_like",
]


def tensor(data: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with a copy of the data: a number, nested lists of numbers, an array or a tensor.

    Python floats become float32, ints int64; arrays keep their dtype.

    Raises:
        ArgumentError: nested lists of unequal lengths.
        DTypeError: data that are not numbers.

    Example:
        >>> import graphnet as gn
        >>> gn.tensor([[1, 2], [3, 4]])
        tensor([[1, 2],
                [3, 4]])
    """
    if isinstance(data, Base):
        result = apply("copy", data.detach())  # type: ignore[attr-defined]
        if dtype is not None:
            result = result.to(dtype)
    else:
        wanted = as_dtype(dtype) if dtype is not None else None
        result = wrap(_array(data, wanted))
    return result.requires_grad_() if requires_grad else result


def _array(data: Any, dtype: DType | None) -> Any:
    """A new array with the data in the dtype, or in the one that PyTorch gives them."""
    if isinstance(data, (list, tuple)):
        data = _nested(data)
    try:
        array = np.array(data)
    except ValueError as error:
        raise ArgumentError(f"tensor: nested lists must have equal lengths at each level ({error})") from None
    if not isinstance(data, (np.ndarray, np.generic)) and _too_large(data, array):
        raise ArgumentError(f"tensor: a whole number in {data!r:.60} does not fit into int64")
    if array.dtype.kind not in "biuf":
        raise DTypeError(f"tensor: expects numbers, got {type(data).__name__} of NumPy's dtype {array.dtype}")
    if dtype is None:
        typed = isinstance(data, (np.ndarray, np.generic))
        dtype = as_dtype(array.dtype) if typed else {"b": bool_, "i": int64}.get(array.dtype.kind, float32)
    with np.errstate(over="ignore"):  # what is too large for the dtype becomes infinite, as in PyTorch
        return array.astype(dtype.dtype)


def _too_large(data: Any, array: Any) -> bool:
    """Whether Python's ints were too large for int64, so that NumPy made something else of them."""
    if array.dtype.kind == "O":
        return any(isinstance(item, int) for item in array.ravel().tolist())
    if array.dtype.kind == "f" and array.size and np.abs(array).max() >= 2.0**63:
        return _holds_large_int(data)
    return bool(array.dtype.kind == "u")


def _holds_large_int(data: Any) -> bool:
    if isinstance(data, (list, tuple)):
        return any(map(_holds_large_int, data))
    return isinstance(data, int) and not -(2**63) <= data < 2**63


def _nested(data: Any) -> Any:
    """Nested lists with tensors in them replaced by what NumPy reads."""
    if isinstance(data, Base):
        return data._values()
    return [_nested(d) for d in data] if isinstance(data, (list, tuple)) else data


def as_tensor(data: Any, *, dtype: Any = None) -> Tensor:
    """The data as a tensor, without a copy where possible."""
    if isinstance(data, (Base, np.ndarray)):
        result = check_tensor("as_tensor", data)
        return result if dtype is None else result.to(dtype)
    return tensor(data, dtype=dtype)


def from_numpy(array: Any) -> Tensor:
    """A tensor that shares an array's memory.

    Raises:
        ArgumentTypeError: not a NumPy array.
    """
    if not isinstance(array, np.ndarray):
        raise ArgumentTypeError(f"from_numpy: expects a NumPy array, got a {type(array).__name__}")
    return wrap(array)


def _made(array: Any, requires_grad: bool) -> Tensor:
    result = wrap(array)
    return result.requires_grad_() if requires_grad else result


def _sizes(what: str, sizes: tuple[Any, ...], size: Any) -> tuple[Any, ...]:
    if size is not None and sizes:
        raise ArgumentTypeError(f"{what}: sizes are given either one by one or as size=, not both")
    return sizes_of(what, sizes if size is None else (size,))


def zeros(*sizes: Any, size: Any = None, dtype: Any = float32, requires_grad: bool = False) -> Tensor:
    """A tensor of zeros; sizes one by one or as one sequence."""
    return _made(np.zeros(_sizes("zeros", sizes, size), as_dtype(dtype).dtype), requires_grad)


def ones(*sizes: Any, size: Any = None, dtype: Any = float32, requires_grad: bool = False) -> Tensor:
    """A tensor of ones; sizes one by one or as one sequence."""
    return _made(np.ones(_sizes("ones", sizes, size), as_dtype(dtype).dtype), requires_grad)


def empty(*sizes: Any, size: Any = None, dtype: Any = float32, requires_grad: bool = False) -> Tensor:
    """A tensor whose elements are whatever the memory held."""
    return _made(np.empty(_sizes("empty", sizes, size), as_dtype(dtype).dtype), requires_grad)


def full(size: Any, fill_value: Any, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with one number everywhere."""
    if isinstance(fill_value, (Base, np.generic)):
        fill_value = fill_value.item()  # type: ignore[union-attr]
    wanted = as_dtype(type(fill_value) if dtype is None else dtype)
    if wanted.category == 1 and not -(2**63) <= fill_value < 2**63:
        raise ArgumentError(f"full: {fill_value} does not fit into {wanted.name}")
    return _made(np.full(sizes_of("full", (size,)), fill_value, wanted.dtype), requires_grad)


def zeros_like(input: Any, *, dtype: Any = None) -> Tensor:
    """Zeros in the shape and dtype of another tensor."""
    return zeros(*input.shape, dtype=input.dtype if dtype is None else dtype)


def ones_like(input: Any, *, dtype: Any = None) -> Tensor:
    """Ones in the shape and dtype of another tensor."""
    return ones(*input.shape, dtype=input.dtype if dtype is None else dtype)


def rand_like(input: Any) -> Tensor:
    """Uniform samples in the shape and dtype of another tensor."""
    return rand(*input.shape, dtype=input.dtype)


def arange(start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, requires_grad: bool = False) -> Tensor:
    """The numbers from start up to, not including, end; int64 for whole numbers, else float32.

    Example:
        >>> import graphnet as gn
        >>> gn.arange(3), gn.arange(0.0, 1.0, 0.5)
        (tensor([0, 1, 2]), tensor([0.0000, 0.5000]))
    """
    if end is None:
        start, end = 0, start
    numbers = [_number("arange", n) for n in (start, end, step)]
    start, end, step = numbers
    if step == 0 or (end - start) / step < 0 or not np.isfinite(end - start):
        raise ArgumentError(f"arange: no steps of {step} lead from {start} to {end}")
    natural = int64 if all(isinstance(n, int) for n in numbers) else float32
    count = -int(-((end - start) / step) // 1) if natural is float32 else len(range(start, end, step))
    values = start + np.arange(count) * step
    return _made(values.astype((natural if dtype is None else as_dtype(dtype)).dtype), requires_grad)


def _number(what: str, value: Any) -> Any:
    """A number, also from a tensor or array of one element."""
    if isinstance(value, (Base, np.ndarray, np.generic)) and getattr(value, "shape", ()) == ():
        value = value.item()  # type: ignore[union-attr]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentTypeError(f"{what}: expects numbers, got {value!r:.60}")
    return value


def linspace(start: float, end: float, steps: int, *, dtype: Any = float32) -> Tensor:
    """`steps` numbers at equal distances from start to end, both included."""
    (count,) = sizes_of("linspace", ((steps,),))
    return wrap(
        np.linspace(_number("linspace", start), _number("linspace", end), int(count)).astype(as_dtype(dtype).dtype)
    )


def eye(n: int, m: int | None = None, *, dtype: Any = float32) -> Tensor:
    """Ones on the diagonal, zeros elsewhere."""
    return wrap(np.eye(*sizes_of("eye", (n, n if m is None else m)), dtype=as_dtype(dtype).dtype))  # type: ignore[arg-type]


def rand(*sizes: Any, size: Any = None, dtype: Any = float32, requires_grad: bool = False) -> Tensor:
    """Samples of the uniform distribution on [0, 1); sizes one by one, as one sequence, or as size=."""
    wanted = as_dtype(dtype)
    return _made(random.uniform_array(random.next_key(), _sizes("rand", sizes, size), wanted), requires_grad)


def randn(*sizes: Any, size: Any = None, dtype: Any = float32, requires_grad: bool = False) -> Tensor:
    """Samples of the standard normal distribution; sizes one by one, as one sequence, or as size=."""
    wanted = as_dtype(dtype)
    return _made(random.normal_array(random.next_key(), _sizes("randn", sizes, size), wanted), requires_grad)


def randint(low: int, high: Any = None, size: Any = None, *, dtype: Any = int64) -> Tensor:
    """Whole numbers drawn evenly from low up to, not including, high.

    Example:
        >>> import graphnet as gn
        >>> gn.randint(10, (3,)).shape, gn.randint(5, 10, (2, 2)).shape
        (graphnet.Size([3]), graphnet.Size([2, 2]))
    """
    if size is None:
        low, high, size = 0, low, high
    low, high = whole("randint: low", low), whole("randint: high", high)
    if not low < high:
        raise ArgumentError(f"randint: there is no whole number from {low} up to, not including, {high}")
    shape = sizes_of("randint", (size,))
    values = random.generator(random.next_key()).integers(low, high, shape)
    return make(values.astype(as_dtype(dtype).dtype), as_dtype(dtype))


def randperm(n: int) -> Tensor:
    """The numbers from 0 up to n in random order."""
    (count,) = sizes_of("randperm", ((n,),))
    return wrap(random.generator(random.next_key()).permutation(int(count)))
