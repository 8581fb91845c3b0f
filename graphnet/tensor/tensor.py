"""The Tensor class: PyTorch's methods over the table of ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from graphnet.dtypes import as_dtype, bool_, float32, float64, int32, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, GradientError
from graphnet.tensor import indexing, printing, random
from graphnet.tensor.axes import axis_of
from graphnet.tensor.core import Array, apply, check_tensor, make, set_tensor_class
from graphnet.tensor.operators import Operators, matmul
from graphnet.tensor.reductions import Reductions, numpy_names
from graphnet.tensor.selection import Selection
from graphnet.tensor.shaping import Shaping

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Tensor"]


class Tensor(Operators, Reductions, Shaping, Selection):
    """An array of one dtype that records what it was computed from, for gradients and graphs.

    Made by `graphnet.tensor`, `zeros`, `rand`, ... and by operations. NumPy arrays and numbers are taken
    wherever a tensor is; `numpy.asarray(tensor)` shares its memory.

    Example:
        >>> import graphnet as gn
        >>> x = gn.tensor([1.0, 2.0, 3.0], requires_grad=True)
        >>> (x * x).sum().backward()
        >>> x.grad
        tensor([2., 4., 6.])
    """

    __slots__ = ()

    # -- looking at it ------------------------------------------------------------------------------------

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return self.shape if dim is None else self.shape[axis_of("size", dim, self.ndim)]

    def dim(self) -> int:
        """The number of axes."""
        return self.ndim

    def numel(self) -> Any:
        """The number of elements."""
        return self.shape.numel()

    nelement = numel

    def is_floating_point(self) -> bool:
        """Whether the dtype is float32 or float64."""
        return self._dtype.is_floating_point

    def item(self) -> Any:
        """The only element as a Python number.

        Raises:
            ArgumentError: there is not exactly one.
        """
        values = self._values()
        if values.size != 1:
            raise ArgumentError(f"item(): a tensor of shape {tuple(self.shape)} has {values.size} elements, not one")
        return values.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._values().tolist()

    def numpy(self, *, force: bool = False) -> Array:
        """The memory as a NumPy array, shared.

        Raises:
            GradientError: the tensor requires a gradient, which would be lost; detach() it or pass force=True.
        """
        if self._requires_grad and not force:
            raise GradientError("numpy(): the tensor requires a gradient, which NumPy would lose; use detach().numpy()")
        return self._values()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        values = self._values()
        if self._requires_grad and not copy:
            values = values.view()
            values.flags.writeable = False  # a write from outside could not be told to the recorded gradient
        if dtype is not None and np.dtype(dtype) != values.dtype:
            if copy is False:
                raise ValueError(f"a {self._dtype.name} tensor cannot be seen as {np.dtype(dtype)} without a copy")
            return values.astype(dtype)
        return values.copy() if copy else values

    def __dlpack__(self, **arguments: Any) -> Any:
        return self.detach()._values().__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU

    def __bool__(self) -> bool:
        values = self._values()
        if values.size != 1:
            raise ArgumentError(f"the truth of a tensor with {values.size} elements is ambiguous; use .any() or .all()")
        return bool(values.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __index__(self) -> int:
        if self._dtype.is_floating_point:
            raise ArgumentTypeError(f"only integer tensors of one element are indices, this one is {self._dtype.name}")
        return int(self.item())

    def __len__(self) -> int:
        if not self.ndim:
            raise ArgumentTypeError("a 0-d tensor has no length")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise ArgumentTypeError("a 0-d tensor cannot be iterated over")
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool((self == value).any())

    def __getitem__(self, index: Any) -> Tensor:
        return indexing.get(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        indexing.put(self, index, value)

    def __repr__(self) -> str:
        return printing.tensor_text(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self.ndim else format(repr(self), spec)

    # -- other types, other memory ------------------------------------------------------------------------

    def to(self, dtype: Any) -> Tensor:
        """The tensor in another dtype (or that of another tensor); itself where it has it already."""
        if isinstance(dtype, str) and dtype.startswith("cpu"):
            return self
        wanted = dtype._dtype if isinstance(dtype, Tensor) else as_dtype(dtype)
        return self if wanted is self._dtype else apply("cast", self, dtype=wanted)

    def type(self, dtype: Any) -> Tensor:
        """The tensor in another dtype."""
        return self.to(dtype)

    def float(self) -> Tensor:
        """As float32."""
        return self.to(float32)

    def double(self) -> Tensor:
        """As float64."""
        return self.to(float64)

    def int(self) -> Tensor:
        """As int32."""
        return self.to(int32)

    def long(self) -> Tensor:
        """As int64."""
        return self.to(int64)

    def bool(self) -> Tensor:
        """As truth values: what is not zero is True."""
        return self.to(bool_)

    def clone(self) -> Tensor:
        """A copy in memory of its own; gradients flow through."""
        return apply("copy", self)

    def contiguous(self) -> Tensor:
        """The tensor with its elements in row-major order; itself where they are."""
        return self if self.is_contiguous() else self.clone()

    def detach(self) -> Tensor:
        """The same memory, without history."""
        result: Tensor = make(self._values(), self._dtype)
        result._share_memory(self)
        return result

    @property
    def data(self) -> Tensor:
        """The same memory as a tensor without history; writes to it are not recorded."""
        return self._get_data()

    @data.setter
    def data(self, value: Any) -> None:
        self._set_data(check_tensor("data", value))

    def _get_data(self) -> Tensor:
        return make(self._values(), self._dtype)

    def _set_data(self, new: Tensor) -> None:
        self._array, self._dtype = new._values(), new._dtype
        self._memory.version += 1

    # -- element by element -------------------------------------------------------------------------------

    def abs(self) -> Tensor:
        """The absolute values."""
        return apply("abs", self)

    def exp(self) -> Tensor:
        """e to the power of each element."""
        return apply("exp", self)

    def log(self) -> Tensor:
        """The natural logarithms."""
        return apply("log", self)

    def expm1(self) -> Tensor:
        """exp(x) - 1, exact near 0."""
        return apply("expm1", self)

    def log1p(self) -> Tensor:
        """log(1 + x), exact near 0."""
        return apply("log1p", self)

    def floor(self) -> Tensor:
        """The largest whole numbers that are not above."""
        return apply("floor", self) if self._dtype.is_floating_point else self.clone()

    def ceil(self) -> Tensor:
        """The smallest whole numbers that are not below."""
        return apply("ceil", self) if self._dtype.is_floating_point else self.clone()

    def erf(self) -> Tensor:
        """The error function."""
        return apply("erf", self)

    def sqrt(self) -> Tensor:
        """The square roots."""
        return apply("sqrt", self)

    def sin(self) -> Tensor:
        """The sines of angles in radians."""
        return apply("sin", self)

    def cos(self) -> Tensor:
        """The cosines of angles in radians."""
        return apply("cos", self)

    def sign(self) -> Tensor:
        """-1, 0 or 1."""
        return apply("sign", self)

    def tanh(self) -> Tensor:
        """The hyperbolic tangents."""
        return apply("tanh", self)

    def sigmoid(self) -> Tensor:
        """1 / (1 + exp(-x))."""
        return apply("sigmoid", self)

    def relu(self) -> Tensor:
        """max(x, 0)."""
        return apply("relu", self)

    def square(self) -> Tensor:
        """The squares."""
        return apply("mul", self, self)

    def pow(self, exponent: Any) -> Tensor:
        """Each element to a power."""
        return apply("pow", self, exponent)

    def isnan(self) -> Tensor:
        """Where elements are not a number."""
        return apply("isnan", self)

    def isinf(self) -> Tensor:
        """Where elements are infinite."""
        return apply("eq", apply("abs", self), float("inf")) if self._dtype.is_floating_point else self != self

    def isfinite(self) -> Tensor:
        """Where elements are neither infinite nor not a number."""
        return apply("isfinite", self)

    def matmul(self, other: Any) -> Tensor:
        """The matrix product, as `graphnet.matmul`."""
        return matmul(self, check_tensor("matmul", other))

    @numpy_names
    def softmax(self, dim: SupportsIndex) -> Tensor:
        """exp(x) / sum(exp(x)) along an axis."""
        return self._along("softmax", dim)

    @numpy_names
    def log_softmax(self, dim: SupportsIndex) -> Tensor:
        """The logarithm of softmax, computed stably."""
        return self._along("log_softmax", dim)

    def _along(self, name: str, dim: SupportsIndex) -> Tensor:
        last, axis = self.ndim - 1, axis_of(name, dim, self.ndim)
        if axis == last:
            return apply(name, self)
        return apply(name, self.transpose(axis, last)).transpose(axis, last)

    # -- in place -----------------------------------------------------------------------------------------

    def _fill(self, values: Any) -> Self:
        """Overwrite all elements with an array that broadcasts; the one way in for the writers below."""
        indexing.put(self, Ellipsis, values)
        return self

    def copy_(self, source: Any) -> Self:
        """Overwrite with the elements of another tensor, which may broadcast."""
        return self._fill(source)

    def fill_(self, value: Any) -> Self:
        """Overwrite every element with a number."""
        return self._fill(value)

    def zero_(self) -> Self:
        """Overwrite every element with 0."""
        return self._fill(0)

    def _sample(self, maker: Callable[..., Array], *arguments: Any) -> Self:
        """Overwrite with what `maker(key, shape, dtype, *arguments)` makes, from a key drawn now."""
        return self._fill(maker(random.next_key(), tuple(self.shape), self._dtype, *arguments))

    def normal_(self, mean: Any = 0.0, std: Any = 1.0) -> Self:
        """Overwrite with samples of the normal distribution."""
        return self._sample(random.normal_array, mean, std)

    def uniform_(self, low: Any = 0.0, high: Any = 1.0) -> Self:
        """Overwrite with samples of the uniform distribution on [low, high)."""
        return self._sample(random.uniform_array, low, high)

    def __deepcopy__(self, memo: Any) -> Tensor:
        if self._record is not None:
            raise GradientError("only leaf tensors can be deep-copied; use detach().clone() on a computed one")
        copied: Tensor = make(self._values().copy(), self._dtype)
        copied._requires_grad, copied._buffer = self._requires_grad, self._buffer
        memo[id(self)] = copied
        return copied

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        if self._record is not None:
            raise GradientError("only leaf tensors can be pickled; use detach() on a computed one")
        return _rebuild, (self._values(), self._requires_grad, self._buffer)


def _rebuild(array: Array, requires_grad: Any, buffer: Any = False) -> Tensor:
    tensor = check_tensor("unpickle", array).requires_grad_(requires_grad)
    tensor._buffer = buffer
    return tensor


set_tensor_class(Tensor)
