"""Functions that make tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from graphnet.device import check_device
from graphnet.dtypes import DType, as_dtype, bool_, float32, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, kind_of
from graphnet.ir import SymbolicDim
from graphnet.ops import TABLE
from graphnet.tensor.axes import sizes_of
from graphnet.tensor.core import Base, apply, check_tensor, wrap
from graphnet.tensor.state import state as thread

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = [
    "arange",
    "as_tensor",
    "empty",
    "empty_like",
    "eye",
    "from_dlpack",
    "from_numpy",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "tensor",
    "zeros",
    "zeros_like",
]


def tensor(data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
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
    check_device(device)
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
    if thread.witness is not None:
        thread.witness.array(data)
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
        return data._looked_at()
    return [_nested(d) for d in data] if isinstance(data, (list, tuple)) else data


def as_tensor(data: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """The data as a tensor, without a copy where possible.

    Example:
        >>> import graphnet as gn
        >>> gn.as_tensor([1.5])
        tensor([1.5000])
    """
    check_device(device)
    if isinstance(data, (Base, np.ndarray)):
        result = check_tensor("as_tensor", data)
        return result if dtype is None else result.to(dtype)
    return tensor(data, dtype=dtype)


def from_numpy(array: Any) -> Tensor:
    """A tensor that shares an array's memory.

    Raises:
        ArgumentTypeError: not a NumPy array.

    Example:
        >>> import graphnet as gn, numpy as np
        >>> gn.from_numpy(np.arange(3))
        tensor([0, 1, 2])
    """
    if not isinstance(array, np.ndarray):
        raise ArgumentTypeError(f"from_numpy: expects a NumPy array, got {kind_of(array)}")
    return wrap(array)


def from_dlpack(ext_tensor: Any) -> Tensor:
    """A tensor that shares the memory of anything with the DLPack protocol: tensors and arrays of other libraries.

    Raises:
        ArgumentTypeError: it does not have the protocol.
        ArgumentError: it does not lie on the CPU.

    Example:
        >>> import graphnet as gn, numpy as np
        >>> gn.from_dlpack(np.arange(3.0))
        tensor([0., 1., 2.], dtype=graphnet.float64)
    """
    if not hasattr(ext_tensor, "__dlpack__"):
        raise ArgumentTypeError(f"from_dlpack: {kind_of(ext_tensor)} has no __dlpack__")
    try:
        return wrap(np.from_dlpack(ext_tensor))
    except (BufferError, RuntimeError) as error:
        raise ArgumentError(f"from_dlpack: {error}") from None


def _made(array: Any, requires_grad: bool, device: Any = None) -> Tensor:
    check_device(device)
    result = wrap(array)
    return result.requires_grad_() if requires_grad else result


def _sizes(what: str, sizes: tuple[Any, ...], size: Any) -> tuple[Any, ...]:
    if size is not None and sizes:
        raise ArgumentTypeError(f"{what}: sizes are given either one by one or as size=, not both")
    return sizes_of(what, sizes if size is None else (size,))


def _filled(shape: tuple[Any, ...], value: Any, dtype: DType, requires_grad: bool, device: Any) -> Tensor:
    """A number everywhere; in a traced graph also in a shape of sizes that are not known yet."""
    if thread.tracer is None or all(isinstance(size, int) for size in shape):
        return _made(np.full(shape, value, dtype.dtype), requires_grad, device)
    check_device(device)
    result = apply("copy", apply("expand", wrap(np.asarray(value, dtype.dtype)), shape=shape))
    return result.requires_grad_() if requires_grad else result


def zeros(
    *sizes: Any, size: Any = None, dtype: Any = float32, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of zeros; sizes one by one or as one sequence.

    Example:
        >>> import graphnet as gn
        >>> gn.zeros(2, 3)
        tensor([[0., 0., 0.],
                [0., 0., 0.]])
    """
    return _filled(_sizes("zeros", sizes, size), 0, _wanted(dtype), requires_grad, device)


def ones(
    *sizes: Any, size: Any = None, dtype: Any = float32, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of ones; sizes one by one or as one sequence.

    Example:
        >>> import graphnet as gn
        >>> gn.ones((2, 2), dtype=gn.int64)
        tensor([[1, 1],
                [1, 1]])
    """
    return _filled(_sizes("ones", sizes, size), 1, _wanted(dtype), requires_grad, device)


def empty(
    *sizes: Any, size: Any = None, dtype: Any = float32, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A tensor whose elements are whatever the memory held; sizes one by one or as one sequence.

    Example:
        >>> import graphnet as gn
        >>> gn.empty(2, 3).shape
        graphnet.Size([2, 3])
    """
    shape = _sizes("empty", sizes, size)
    if not all(isinstance(size, int) for size in shape):
        return _filled(shape, 0, _wanted(dtype), requires_grad, device)
    return _made(np.empty(shape, _wanted(dtype).dtype), requires_grad, device)


def full(size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor with one number everywhere, of the number's kind.

    Raises:
        ArgumentError: a number that does not fit into the dtype.

    Example:
        >>> import graphnet as gn
        >>> gn.full((2,), 7), gn.full((2,), 7.0)
        (tensor([7, 7]), tensor([7., 7.]))
    """
    if isinstance(fill_value, (Base, np.generic)):
        fill_value = fill_value.item()  # type: ignore[union-attr]
    wanted = as_dtype(type(fill_value) if dtype is None else dtype)
    if wanted.category == 1 and not -(2**63) <= fill_value < 2**63:
        raise ArgumentError(f"full: {fill_value} does not fit into {wanted.name}")
    return _filled(sizes_of("full", (size,)), fill_value, wanted, requires_grad, device)


def _wanted(dtype: Any) -> DType:
    return float32 if dtype is None else as_dtype(dtype)


def _form(what: str, input: Any, dtype: Any) -> tuple[tuple[Any, ...], Any]:
    """The shape of another tensor, and its dtype where no other is wanted."""
    like = check_tensor(what, input)
    return tuple(like.shape), like._dtype if dtype is None else dtype


def _like(what: str, input: Any, value: Any, dtype: Any, device: Any, requires_grad: bool) -> Tensor:
    """A number in the shape of another tensor, also of a traced one."""
    check_device(device)
    like = check_tensor(what, input)
    wanted = like._dtype if dtype is None else as_dtype(dtype)
    if like._tracer is None:
        return full(tuple(like.shape), value, dtype=wanted, requires_grad=requires_grad)
    scalar = wrap(np.asarray(value, wanted.dtype))
    return apply("copy", like._tracer.apply(TABLE["expand"], (scalar,), {"shape": tuple(like.shape)}))


def zeros_like(input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Zeros in the shape and dtype of another tensor.

    Example:
        >>> import graphnet as gn
        >>> gn.zeros_like(gn.tensor([1, 2]))
        tensor([0, 0])
    """
    return _like("zeros_like", input, 0, dtype, device, requires_grad)


def ones_like(input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """Ones in the shape and dtype of another tensor.

    Example:
        >>> import graphnet as gn
        >>> gn.ones_like(gn.tensor([1.0, 2.0]))
        tensor([1., 1.])
    """
    return _like("ones_like", input, 1, dtype, device, requires_grad)


def full_like(
    input: Any, fill_value: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A number in the shape and dtype of another tensor.

    Example:
        >>> import graphnet as gn
        >>> gn.full_like(gn.tensor([1.0, 2.0]), 5)
        tensor([5., 5.])
    """
    return _like("full_like", input, fill_value, dtype, device, requires_grad)


def empty_like(input: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor of the shape and dtype of another one, whose elements are whatever the memory held.

    Example:
        >>> import graphnet as gn
        >>> gn.empty_like(gn.ones(2)).shape
        graphnet.Size([2])
    """
    shape, dtype = _form("empty_like", input, dtype)
    return empty(shape, dtype=dtype, device=device, requires_grad=requires_grad)


def arange(
    start: Any, end: Any = None, step: Any = 1, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The numbers from start up to, not including, end; int64 for whole numbers, else float32.

    Raises:
        ArgumentError: no steps lead from start to end.

    Example:
        >>> import graphnet as gn
        >>> gn.arange(3), gn.arange(0.0, 1.0, 0.5)
        (tensor([0, 1, 2]), tensor([0.0000, 0.5000]))
    """
    if end is None:
        start, end = 0, start
    if isinstance(end, SymbolicDim) and thread.tracer is not None and start == 0 and step == 1:
        check_device(device)
        places = apply("iota", shape=(end,), axis=0)
        return places if dtype is None else places.to(dtype)
    numbers = [_number("arange", n) for n in (start, end, step)]
    start, end, step = numbers
    if step == 0 or (end - start) / step < 0 or not np.isfinite(end - start):
        raise ArgumentError(f"arange: no steps of {step} lead from {start} to {end}")
    natural = int64 if all(isinstance(n, int) for n in numbers) else float32
    count = -int(-((end - start) / step) // 1) if natural is float32 else len(range(start, end, step))
    values = start + np.arange(count) * step
    return _made(values.astype((natural if dtype is None else as_dtype(dtype)).dtype), requires_grad, device)


def _number(what: str, value: Any) -> Any:
    """A number, also from a tensor or array of one element."""
    if isinstance(value, (Base, np.ndarray, np.generic)) and getattr(value, "shape", ()) == ():
        value = value.item()  # type: ignore[union-attr]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentTypeError(f"{what}: expects numbers, got {value!r:.60}")
    return value


def linspace(
    start: Any, end: Any, steps: int, *, dtype: Any = float32, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """`steps` numbers at equal distances from start to end, both included.

    Example:
        >>> import graphnet as gn
        >>> gn.linspace(0, 1, 5)
        tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    (count,) = sizes_of("linspace", ((steps,),))
    values = np.linspace(_number("linspace", start), _number("linspace", end), int(count))
    return _made(values.astype(_wanted(dtype).dtype), requires_grad, device)


def eye(
    n: int, m: int | None = None, *, dtype: Any = float32, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """Ones on the diagonal, zeros elsewhere: (n, n) or (n, m).

    Example:
        >>> import graphnet as gn
        >>> gn.eye(2, 3)
        tensor([[1., 0., 0.],
                [0., 1., 0.]])
    """
    rows, columns = sizes_of("eye", (n, n if m is None else m))
    return _made(np.eye(int(rows), int(columns), dtype=_wanted(dtype).dtype), requires_grad, device)
