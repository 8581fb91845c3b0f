"""Methods that tell where a tensor lies and in what type, and convert it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphnet.device import check_device
from graphnet.device import device as Device  # noqa: N812 - tensors have an attribute of that name
from graphnet.dtypes import as_dtype, bool_, float32, float64, int32, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, IndexOutOfRangeError
from graphnet.tensor.axes import axis_of
from graphnet.tensor.core import Base, apply

if TYPE_CHECKING:
    from graphnet.tensor.tensor import Tensor

__all__ = ["Conversions"]

_bool = bool
_TYPE_NAMES = {
    float32: "FloatTensor", float64: "DoubleTensor", int32: "IntTensor", int64: "LongTensor", bool_: "BoolTensor",
}  # fmt: skip


def _names_device(text: str) -> _bool:
    """Whether a string names a device rather than a dtype."""
    return text.partition(":")[0] in ("cpu", "cuda", "mps", "xpu", "meta")


class Conversions(Base):
    """Places, types and memory."""

    __slots__ = ()

    @property
    def device(self) -> Device:
        """Where it lies: the CPU.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2).device
            device(type='cpu')
        """
        return Device("cpu")

    @property
    def is_cuda(self) -> _bool:
        """Whether it lies on a CUDA device: no.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2).is_cuda
            False
        """
        return False

    @property
    def itemsize(self) -> Any:
        """Bytes of an element.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2).itemsize
            4
        """
        return self._dtype.itemsize

    @property
    def nbytes(self) -> Any:
        """Bytes of all elements.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2).nbytes
            8
        """
        return self.shape.numel() * self._dtype.itemsize

    def element_size(self) -> Any:
        """Bytes of an element.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2).element_size()
            4
        """
        return self._dtype.itemsize

    def stride(self, dim: Any = None) -> Any:
        """How many elements lie between neighbours along each axis, or along one.

        Example:
            >>> import graphnet as gn
            >>> gn.zeros(2, 3).stride()
            (3, 1)
        """
        steps = tuple(step // self._dtype.itemsize for step in self._values().strides)
        if dim is None:
            return steps
        if not self.ndim:
            raise IndexOutOfRangeError("stride: a 0-d tensor has no axes")
        return steps[axis_of("stride", dim, self.ndim)]

    def data_ptr(self) -> Any:
        """The address of the first element.

        Example:
            >>> import graphnet as gn
            >>> x = gn.zeros(2)
            >>> x.data_ptr() == x.view(2).data_ptr()
            True
        """
        return self._values().__array_interface__["data"][0]

    def to(self, *args: Any, dtype: Any = None, device: Any = None, copy: Any = False, **kwargs: Any) -> Tensor:
        """The tensor in another dtype; itself where it has it already and no copy is asked for.

        Taken as to(dtype), to(device), to(device, dtype), to(other), each with `copy` and `non_blocking` after it.

        Raises:
            DTypeError: a dtype that graphnet does not have.
            ArgumentError: a device other than the CPU.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([1, 2]).to(gn.float64)
            tensor([1., 2.], dtype=graphnet.float64)
        """
        given = [a for a in args if not isinstance(a, (_bool, type(None)))]
        if set(kwargs) - {"non_blocking", "memory_format"} or len(given) > 2:
            raise ArgumentTypeError("to: takes a dtype, a device, a device and a dtype, or a tensor")
        for argument in given:
            if isinstance(argument, Base):
                dtype = argument._dtype
            elif isinstance(argument, Device) or (isinstance(argument, str) and _names_device(argument)):
                device = argument
            else:
                dtype = argument
        check_device(device)
        wanted = self._dtype if dtype is None else as_dtype(dtype)
        if wanted is self._dtype:
            return (
                apply("copy", self)
                if copy or (any(a is True for a in args[-1:]) and len(args) > len(given) + 1)
                else self  # type: ignore[return-value]
            )
        return apply("cast", self, dtype=wanted)

    def type(self, dtype: Any = None, non_blocking: Any = False) -> Any:
        """The tensor in another dtype; without one, the name of its type as PyTorch has it.

        Example:
            >>> import graphnet as gn
            >>> gn.ones(2).type(), gn.ones(2).type(gn.int64)
            ('graphnet.FloatTensor', tensor([1, 1]))
        """
        if dtype is None:
            return f"graphnet.{_TYPE_NAMES[self._dtype]}"
        names = {f"{module}.{name}": d for d, name in _TYPE_NAMES.items() for module in ("graphnet", "torch")}
        return self.to(names.get(dtype, dtype) if isinstance(dtype, str) else dtype)

    def type_as(self, other: Tensor) -> Tensor:
        """The tensor in the dtype of another.

        Example:
            >>> import graphnet as gn
            >>> gn.arange(2).type_as(gn.ones(1))
            tensor([0., 1.])
        """
        return self.to(other._dtype)

    def cuda(self, *args: Any, **kwargs: Any) -> Tensor:
        """Raises: there is no CUDA device to compute on.

        Example:
            >>> import graphnet as gn
            >>> gn.ones(2).cuda()
            Traceback (most recent call last):
            graphnet.errors.ArgumentError: cuda: graphnet computes on the CPU, there is no other device; leave it out
        """
        raise ArgumentError("cuda: graphnet computes on the CPU, there is no other device; leave it out")

    def cpu(self) -> Tensor:
        """Itself: tensors lie on the CPU.

        Example:
            >>> import graphnet as gn
            >>> x = gn.zeros(2)
            >>> x.cpu() is x
            True
        """
        return self  # type: ignore[return-value]

    def float(self) -> Tensor:
        """As float32.

        Example:
            >>> import graphnet as gn
            >>> gn.arange(2).float()
            tensor([0., 1.])
        """
        return self.to(float32)

    def double(self) -> Tensor:
        """As float64.

        Example:
            >>> import graphnet as gn
            >>> gn.arange(2).double()
            tensor([0., 1.], dtype=graphnet.float64)
        """
        return self.to(float64)

    def int(self) -> Tensor:
        """As int32.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([1.5, -1.5]).int()
            tensor([ 1, -1], dtype=graphnet.int32)
        """
        return self.to(int32)

    def long(self) -> Tensor:
        """As int64.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([1.5, -1.5]).long()
            tensor([ 1, -1])
        """
        return self.to(int64)

    def bool(self) -> Tensor:
        """As truth values: what is not zero is True.

        Example:
            >>> import graphnet as gn
            >>> gn.tensor([0.0, 0.5]).bool()
            tensor([False,  True])
        """
        return self.to(bool_)
