"""Parameters, and lazy ones: parameters whose sizes become known later, filled in place."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphnet import ir, samples
from graphnet.dtypes import DType
from graphnet.errors import ArgumentTypeError, GraphnetError, ShapeError, UninitializedError
from graphnet.ir import Shape, Symbol, TensorType, Unifier, render_shape
from graphnet.nn.changes import birth, noted
from graphnet.program import aligned_empty, tensor_maker
from graphnet.tensor import printing
from graphnet.tensor.core import Array, check_tensor, initialize
from graphnet.tensor.indexing import put
from graphnet.tensor.tensor import Tensor

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Buffer", "Lazy", "LazyData", "Parameter", "StateTensor", "settle_layer"]


_makers: dict[tuple[type, DType], Callable[[Array], Any]] = {}  # of parameters and buffers of known size
_settling = threading.RLock()  # held while lazy parameters are filled


class Lazy:
    """What is known of a parameter before its sizes are: shape with unknowns, and how it will be filled.

    `fill` makes the first values; `writes` are what users did to `.data` since, done again in order.
    """

    __slots__ = ("depends", "dtype", "fill", "owner", "shape", "writes")

    def __init__(self, shape: Shape, dtype: DType, fill: Any, owner: Any, depends: Shape = ()) -> None:
        self.shape = shape
        self.depends = depends  # further sizes that `fill` needs, such as the inputs of a bias' layer
        self.dtype = dtype  # in which it is filled; a later .double() converts, as it does for known sizes
        self.fill = fill
        self.owner = owner
        self.writes: list[Callable[[Tensor], Any]] = []


class StateTensor(Tensor):
    """A tensor that is part of a module's state; its sizes may become known later."""

    __slots__ = ("_born", "_lazy")

    _born: int
    _lazy: Lazy | None

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Note when it was born."""
        new = object.__new__(cls)
        new._born = birth()
        return new

    def _take(self, what: str, data: Any) -> None:
        """Become a tensor over the memory of the data."""
        if data is None or isinstance(data, (list, tuple)):
            raise ArgumentTypeError(f"{what}: expects a tensor, got {data!r:.40}; make one with graphnet.tensor(...)")
        source = check_tensor(what, data)
        initialize(self, source._values(), source._dtype)
        self._lazy = None

    @classmethod
    def over(cls, array: Array, dtype: DType) -> Self:
        """One over an array of that dtype."""
        maker = _makers.get((cls, dtype))
        if maker is None:
            like = cls.__new__(cls)
            initialize(like, None, dtype)
            like._lazy = None
            like._begin()
            maker = _makers[cls, dtype] = tensor_maker(like)
        made: Self = maker(array)
        made._born = birth()
        return made

    @classmethod
    def lazy(cls, shape: Shape, dtype: DType, fill: Any, owner: Any, depends: Shape = ()) -> Self:
        """One whose shape holds symbols; `fill(array, sizes)` will make its values."""
        self = cls.__new__(cls)
        initialize(self, None, dtype)
        self._lazy = Lazy(shape, dtype, fill, owner, depends)
        self._begin()
        return self

    def _begin(self) -> None:
        """Set what a new one has besides its memory."""

    @property
    def is_lazy(self) -> bool:
        """Whether its sizes are still unknown."""
        return self._lazy is not None

    def _type(self) -> TensorType:
        if self._lazy is not None:
            return TensorType(self._lazy.shape, self._dtype)
        array = self._array
        return TensorType((array if array is not None else self._values()).shape, self._dtype)

    def _fits(self, shape: Shape) -> bool:
        # The sizes of a lazy one are learnt from what a traced graph writes into it.
        return len(shape) == len(self._lazy.shape) if self._lazy is not None else super()._fits(shape)

    def _missing(self) -> GraphnetError:
        return UninitializedError(
            f"a lazy {type(self).__name__.lower()} of shape {render_shape(self.shape)} "
            "has no values before its sizes are known: call the module on data, trace it, or load a state dict first"
        )

    def settle(self, sizes: Mapping[Symbol, int]) -> None:
        """Make the values, in place, now that the sizes are known."""
        with _settling:
            self._settle(sizes)

    def _settle(self, sizes: Mapping[Symbol, int]) -> None:
        lazy = self._lazy
        if lazy is None:
            return
        shape: Any = tuple([d if type(d) is int else ir.substitute(d, sizes) for d in lazy.shape])
        for dim in (*shape, *lazy.depends):
            if type(dim) is not int and not isinstance(ir.substitute(dim, sizes), int):
                return
        array = aligned_empty(shape, lazy.dtype.dtype)
        lazy.fill(array, sizes)
        wanted, self._array, self._dtype = self._dtype, array, lazy.dtype
        self._lazy = None
        for write in lazy.writes:
            write(self.data)
        if wanted is not lazy.dtype:
            self.data = self.data.to(wanted)

    def settle_all(self, sizes: Mapping[Symbol, Any]) -> None:
        """Make the values, and those of what its layer has besides, where sizes of these tell the shape."""
        lazy = self._lazy
        if lazy is None or not all(isinstance(ir.substitute(d, sizes), int) for d in lazy.shape):
            return
        if lazy.owner is not None:
            lazy.owner.settle(sizes)
        if self._lazy is not None:
            self.settle(sizes)

    def settle_as(self, shape: tuple[int, ...]) -> None:
        """Learn the sizes from a shape that the values are to have.

        Raises:
            ShapeError: it does not fit what is known.
        """
        if self._lazy is None:
            return
        unifier = Unifier()
        if len(shape) != len(self._lazy.shape) or not all(map(unifier.unify, self._lazy.shape, shape)):
            raise ShapeError(
                f"expects a value of shape {render_shape(self._lazy.shape)}, got {render_shape(shape)}",
                expected=tuple(self._lazy.shape),
                got=shape,
            )
        sizes = {symbol: size for symbol, size in unifier.values.items() if isinstance(size, int)}
        owner = self._lazy.owner
        (owner.settle if owner is not None else self.settle)(sizes)
        self.settle(sizes)

    def _get_data(self) -> Tensor:
        # A lazy parameter's data can be written to as well (normal_, fill_, zero_, copy_, assignment): that is
        # done once its sizes are known.
        return LazyData.of(self) if self._lazy is not None else super()._get_data()

    def _set_data(self, new: Tensor) -> None:
        if self._lazy is not None:
            if isinstance(new, LazyData) and new._source is self:
                return  # `p.data += 1` hands back what was written to
            self.settle_as(tuple(new._values().shape))
        super()._set_data(new)

    def _fill(self, values: Any) -> Self:
        if self._lazy is not None:
            self.data._fill(values)
            return self
        return super()._fill(values)

    def _sample(self, maker: Callable[..., Array], *arguments: Any, generator: Any = None) -> Self:
        if self._lazy is not None:
            self.data._sample(maker, *arguments, generator=generator)
            return self
        return super()._sample(maker, *arguments, generator=generator)

    def __repr__(self) -> str:
        if self._lazy is not None:
            return f"{type(self).__name__} of unknown size: {self._dtype.name}{render_shape(self._lazy.shape)}"
        return printing.tensor_text(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> StateTensor:
        copied = type(self).__new__(type(self))
        memo[id(self)] = copied
        copied.__setstate__(_copy_state(self.__getstate__(), memo))
        return copied

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _blank, (type(self),), self.__getstate__()

    def __getstate__(self) -> dict[str, Any]:
        lazy = self._lazy
        return {
            "array": self._array,
            "dtype": self._dtype,
            "requires_grad": self._requires_grad,
            "buffer": self._buffer,
            "lazy": None if lazy is None else {name: getattr(lazy, name) for name in Lazy.__slots__},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        initialize(self, state["array"], state["dtype"])
        self._requires_grad, self._buffer = state["requires_grad"], state["buffer"]
        self._lazy = None
        if state["lazy"] is not None:
            self._lazy = Lazy.__new__(Lazy)
            for name, value in state["lazy"].items():
                setattr(self._lazy, name, value)


class Parameter(StateTensor, ir.Parameter):
    """A tensor that is trained: a module that has one as an attribute lists it among its parameters.

    Args:
        data: a tensor or array, whose memory it shares.
        requires_grad: whether gradients are computed for it.

    Example:
        >>> from graphnet import nn, ones
        >>> nn.Parameter(ones(2))
        Parameter containing:
        tensor([1., 1.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True) -> None:
        self._take("Parameter", data)
        super().requires_grad_(requires_grad)

    def _begin(self) -> None:
        self._requires_grad = True

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze or unfreeze it; compiled steps take notice."""
        old = self._requires_grad
        super().requires_grad_(requires_grad)
        noted(self, "requires_grad", old, self._requires_grad)
        return self

    def __repr__(self) -> str:
        return super().__repr__() if self._lazy is not None else "Parameter containing:\n" + printing.tensor_text(self)


class Buffer(StateTensor):
    """A tensor that is part of a module's state and not trained; as an attribute of a module it is registered.

    Args:
        data: a tensor or array, whose memory it shares.
        persistent: whether state dicts hold it.

    Example:
        >>> from graphnet import nn, zeros
        >>> net = nn.Module()
        >>> net.mean = nn.Buffer(zeros(2))
        >>> dict(net.state_dict())
        {'mean': tensor([0., 0.])}
    """

    __slots__ = ("persistent",)

    persistent: bool

    def __init__(self, data: Any, *, persistent: bool = True) -> None:
        self._take("Buffer", data)
        self._buffer, self.persistent = True, persistent

    def _begin(self) -> None:
        self._buffer = self.persistent = True

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "persistent": self.persistent}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self.persistent = state["persistent"]


def _blank(cls: type[StateTensor]) -> StateTensor:
    return cls.__new__(cls)


def _copy_state(state: dict[str, Any], memo: dict[int, Any]) -> dict[str, Any]:
    return {name: copy.deepcopy(value, memo) for name, value in state.items()}


def _later_operator(name: str) -> Any:
    def operator(self: LazyData, other: Any) -> LazyData:
        return self._later(_Write(name, (_frozen(other),)))

    return operator


class LazyData(Tensor):
    """The data of a lazy parameter: what is written to it is kept and done once there is memory."""

    __slots__ = ()

    @classmethod
    def of(cls, parameter: StateTensor) -> LazyData:
        """The data of this parameter."""
        self = cls.__new__(cls)
        initialize(self, None, parameter._dtype)
        self._source = parameter
        return self

    def _type(self) -> TensorType:
        assert self._source is not None
        return self._source._type()

    def _later(self, write: Callable[[Tensor], Any]) -> Self:
        assert isinstance(self._source, StateTensor)
        if self._source._lazy is None:
            write(self._source.data)
        else:
            self._source._lazy.writes.append(write)
        return self

    def _fill(self, values: Any) -> Self:
        return self._later(_Write("_fill", (_frozen(values),)))

    def _sample(self, maker: Callable[..., Array], *arguments: Any, generator: Any = None) -> Self:
        key = samples.next_key() if generator is None else generator.next_key()
        return self._later(_Sample(maker, key, arguments))

    def __setitem__(self, index: Any, value: Any) -> None:
        self._later(_Write("__setitem__", (index, _frozen(value))))

    # p.data += 1 and the like: done once there are values to add to.
    __iadd__ = _later_operator("__iadd__")
    __isub__ = _later_operator("__isub__")
    __imul__ = _later_operator("__imul__")
    __itruediv__ = _later_operator("__itruediv__")
    add_, sub_, mul_, div_ = __iadd__, __isub__, __imul__, __itruediv__

    def detach(self) -> Tensor:
        """Itself: it has no history."""
        return self

    def __repr__(self) -> str:
        return f"tensor of unknown size: {self._dtype.name}{render_shape(self.shape)}"


def _frozen(value: Any) -> Any:
    """A value as it is now: an array that changes later must not change what was written."""
    return check_tensor("assignment", value).detach().clone()


class _Write:
    """A method call to be made later; picklable."""

    def __init__(self, method: str, arguments: tuple[Any, ...]) -> None:
        self.method, self.arguments = method, arguments

    def __call__(self, data: Tensor) -> None:
        getattr(data, self.method)(*self.arguments)


class _Sample:
    """Random samples to be written later, from a key that was drawn when they were asked for; picklable."""

    def __init__(self, maker: Callable[..., Array], key: samples.Key, arguments: tuple[Any, ...]) -> None:
        self.maker, self.key, self.arguments = maker, key, arguments

    def __call__(self, data: Tensor) -> None:
        put(data, Ellipsis, self.maker(self.key, tuple(data.shape), data._dtype, *self.arguments))


def settle_layer(layer: Any, attribute: str, sizes: Mapping[Symbol, Any], lazy: type, known: type) -> None:
    """Make a lazy layer the class that knows its size and fill what it holds, if that size is among those known now."""
    with _settling:  # threads may make the first call together
        symbol = getattr(layer, attribute)
        size = ir.substitute(symbol, sizes)
        if not isinstance(symbol, Symbol) or not isinstance(size, int):
            return
        for kind in ("_parameters", "_buffers"):
            for held in layer.__dict__.get(kind, {}).values():
                if isinstance(held, StateTensor):
                    held.settle({symbol: size})
        setattr(layer, attribute, size)
        if type(layer) is lazy:  # a subclass of the user's stays what it is
            layer.__class__ = known
