"""The Tensor class: PyTorch's methods over the table of ops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np

from graphnet import samples
from graphnet.errors import (
    ArgumentError,
    ArgumentTypeError,
    GradientError,
    IndexOutOfRangeError,
    ShapeError,
    with_article,
)
from graphnet.program import set_tensor_layout
from graphnet.tensor import indexing, printing
from graphnet.tensor.autograd import Memory
from graphnet.tensor.axes import axis_of
from graphnet.tensor.backward import Backward
from graphnet.tensor.conversions import Conversions
from graphnet.tensor.core import Array, apply, check_tensor, make, set_tensor_class
from graphnet.tensor.forms import Forms
from graphnet.tensor.operators import Operators
from graphnet.tensor.products import Products
from graphnet.tensor.reductions import Reductions
from graphnet.tensor.shaping import Shaping
from graphnet.tensor.state import state

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Tensor"]


class Tensor(Operators, Forms, Products, Reductions, Shaping, Conversions, Backward):
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
        """The shape, or the size of one axis.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 3).size(), gn.zeros(2, 3).size(-1)
            (graphnet.Size([2, 3]), 3)
        """
        if dim is None:
            return self.shape
        if not self.ndim:
            raise IndexOutOfRangeError("size: a 0-d tensor has no axes")
        return self.shape[axis_of("size", dim, self.ndim)]

    def dim(self) -> int:
        """The number of axes.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 3).dim()
            2
        """
        return self.ndim

    def numel(self) -> Any:
        """The number of elements.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 3).numel()
            6
        """
        return self.shape.numel()

    nelement = numel

    def is_floating_point(self) -> bool:
        """Whether the dtype is float32 or float64.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2).is_floating_point(), gn.arange(2).is_floating_point()
            (True, False)
        """
        return self._dtype.is_floating_point

    def item(self) -> Any:
        """The only element as a Python number.

        Raises:
            ArgumentError: there is not exactly one.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([2.5]).item()
            2.5
        """
        values = self._looked_at()
        if values.size != 1:
            raise ArgumentError(f"item(): a tensor of shape {tuple(self.shape)} has {values.size} elements, not one")
        return values.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([[1, 2], [3, 4]]).tolist()
            [[1, 2], [3, 4]]
        """
        return self._looked_at().tolist()

    def numpy(self, *, force: bool = False) -> Array:
        """The memory as a NumPy array, shared.

        Raises:
            GradientError: the tensor requires a gradient, which would be lost; detach() it or pass force=True.

        Example:
            >>> import graphnet as gn
            >>> x = gn.zeros(2)
            >>> x.numpy()[0] = 5
            >>> x
            tensor([5., 0.])
        """
        if self._requires_grad and not force:
            raise GradientError("numpy(): the tensor requires a gradient, which NumPy would lose; use detach().numpy()")
        return self._looked_at()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        values = self._looked_at()
        if self._requires_grad and not copy:
            values = values.view()
            values.flags.writeable = False  # a write from outside could not be told to the recorded gradient
        if dtype is not None and np.dtype(dtype) != values.dtype:
            if copy is False:
                raise ValueError(
                    f"{with_article(self._dtype.name)} tensor cannot be seen as {np.dtype(dtype)} without a copy"
                )
            return values.astype(dtype)
        return values.copy() if copy else values

    def __dlpack__(self, **arguments: Any) -> Any:
        if self._requires_grad:
            raise GradientError("the tensor requires a gradient, which others would lose; hand over its detach()")
        return self._looked_at().__dlpack__(**arguments)

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0  # the CPU

    def __bool__(self) -> bool:
        values = self._looked_at()
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
        if not self.ndim:
            return format(self.item(), spec)
        if spec:
            raise ArgumentTypeError(f"a tensor of shape {tuple(self.shape)} takes no format {spec!r}; its elements do")
        return repr(self)

    # -- other memory -------------------------------------------------------------------------------------

    def clone(self) -> Tensor:
        """A copy in memory of its own; gradients flow through.

        Example:
            >>> import graphnet as gn
            >>> x = gn.ones(2)
            >>> x.clone().zero_(), x
            (tensor([0., 0.]), tensor([1., 1.]))
        """
        return apply("copy", self)

    def contiguous(self) -> Tensor:
        """The tensor with its elements in row-major order; itself where they are.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 3).T.contiguous().is_contiguous()
            True
        """
        return self if self.is_contiguous() else self.clone()

    def detach(self) -> Tensor:
        """The same memory, without history.

        Example:
            >>> import graphnet as gn
            >>> x = gn.ones(2, requires_grad=True)
            >>> (x * 2).detach().requires_grad
            False
        """
        result: Tensor = make(self._values(), self._dtype)
        result._share_memory(self)
        return result

    @property
    def data(self) -> Tensor:
        """The same memory as a tensor without history; writes to it are not recorded.

        Example:
            >>> import graphnet as gn
            >>> x = gn.ones(2, requires_grad=True)
            >>> x.data += 1
            >>> x
            tensor([2., 2.], requires_grad=True)
        """
        return self._get_data()

    @data.setter
    def data(self, value: Any) -> None:
        self._set_data(check_tensor("data", value))

    def _get_data(self) -> Tensor:
        return make(self._values(), self._dtype)

    def _set_data(self, new: Tensor) -> None:
        self._array, self._dtype = new._values(), new._dtype
        self._memory.version += 1

    # -- in place -----------------------------------------------------------------------------------------

    def _fill(self, values: Any) -> Self:
        """Overwrite all elements with an array that broadcasts; the one way in for the writers below."""
        indexing.put(self, Ellipsis, values)
        return self

    def copy_(self, source: Any) -> Self:
        """Overwrite with the elements of another tensor, which may broadcast.

        Raises:
            ShapeError: it does not broadcast to this tensor's shape.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 2).copy_(gn.tensor([1.0, 2.0]))
            tensor([[1., 2.],
                    [1., 2.]])
        """
        value = check_tensor("copy_", source)
        if len(value._type().shape) > self.ndim:
            raise ShapeError(
                f"copy_: a tensor of shape {tuple(value.shape)} does not broadcast to {tuple(self.shape)}",
                expected=tuple(self.shape),
                got=tuple(value.shape),
            )
        return self._fill(value)

    def fill_(self, value: Any) -> Self:
        """Overwrite every element with a number.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2).fill_(3)
            tensor([3., 3.])
        """
        return self._fill(value)

    def zero_(self) -> Self:
        """Overwrite every element with 0.

        Example:
            >>> import graphnet as gn
            >>> gn.ones(2).zero_()
            tensor([0., 0.])
        """
        return self._fill(0)

    def _sample(self, maker: Callable[..., Array], *arguments: Any, generator: Any = None) -> Self:
        """Overwrite with what `maker(key, shape, dtype, *arguments)` makes, from a key drawn now.

        Within a traced network a tensor is filled at every run, where its values are samples of a common kind.
        """
        kind = {samples.normal_array: "normal", samples.uniform_array: "uniform"}.get(maker)
        if state.tracer is not None and kind is not None and generator is None and not self._requires_grad:
            low, high = arguments
            settings = {"shape": tuple(self.shape), "dtype": self._dtype, "low": float(low), "high": float(high)}
            return self._fill(apply("random_sample", kind=kind, **settings))
        key = samples.next_key() if generator is None else generator.next_key()
        return self._fill(maker(key, tuple(self.shape), self._dtype, *arguments))

    def normal_(self, mean: Any = 0.0, std: Any = 1.0) -> Self:
        """Overwrite with samples of the normal distribution.

        Raises:
            ArgumentError: a standard deviation below 0.

        Example:
            >>> import graphnet as gn
            >>> gn.empty(2).normal_(mean=3, std=0)
            tensor([3., 3.])
        """
        return self._sample(samples.normal_array, mean, std)

    def uniform_(self, from_: Any = 0.0, to: Any = 1.0, **kwargs: Any) -> Self:
        """Overwrite with samples of the uniform distribution on [from, to).

        Raises:
            ArgumentError: an interval that ends before it starts.

        Example:
            >>> import graphnet as gn
            >>> bool((gn.empty(9).uniform_(2, 3) >= 2).all())
            True
        """
        low = kwargs.pop("from", kwargs.pop("low", from_))
        high = kwargs.pop("high", to)
        if kwargs:
            raise ArgumentTypeError(f"uniform_: unknown arguments {', '.join(kwargs)}")
        if not low <= high:
            raise ArgumentError(f"uniform_: expects from <= to, got [{low}, {high})")
        return self._sample(samples.uniform_array, low, high)

    def __deepcopy__(self, memo: Any) -> Tensor:
        if self._record is not None:
            raise GradientError("only leaf tensors can be deep-copied; use detach().clone() on a computed one")
        copied: Tensor = make(self._looked_at().copy(), self._dtype)
        copied._requires_grad, copied._buffer = self._requires_grad, self._buffer
        memo[id(self)] = copied
        return copied

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        if self._record is not None:
            raise GradientError("only leaf tensors can be pickled; use detach() on a computed one")
        return _rebuild, (self._looked_at(), self._requires_grad, self._buffer)


def _rebuild(array: Array, requires_grad: Any, buffer: Any = False) -> Tensor:
    tensor = check_tensor("unpickle", array).requires_grad_(requires_grad)
    tensor._buffer = buffer
    return tensor


set_tensor_class(Tensor)
set_tensor_layout(Tensor, Memory)
