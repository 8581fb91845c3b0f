"""Module: the base of layers and networks, with PyTorch's bookkeeping."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from graphnet.device import check_device
from graphnet.dtypes import DType, as_dtype, float32, float64
from graphnet.errors import ArgumentTypeError, DTypeError, GraphnetError, kind_of
from graphnet.ir import Scope
from graphnet.nn.changes import restructured
from graphnet.nn.hooks import Hook, RemovableHandle, add_hook, run_hooked
from graphnet.nn.naming import name_within, too_deep, warn_unreached, warn_unregistered
from graphnet.nn.parameter import StateTensor
from graphnet.nn.pickling import flattened
from graphnet.nn.registry import Book, Registry, entries, not_initialized
from graphnet.nn.showing import Text, shown
from graphnet.nn.state import LoadResult, load_into
from graphnet.places import constructor_site
from graphnet.tensor.adaptation import adapted
from graphnet.tensor.core import Base, check_tensor
from graphnet.tensor.locating import locate
from graphnet.tensor.state import state
from graphnet.tensor.tensor import Tensor

__all__ = ["Module", "enter"]

_set = object.__setattr__
_DTYPE_NAMES = ("float32", "float64", "float", "double", "int32", "int64", "bool")


class Module(Registry):
    """A layer or a network: parameters, child modules and a `forward` that may hold any Python.

    Modules and parameters set as attributes are registered; calling the module runs `forward`.

    Example:
        >>> import graphnet as gn
        >>> from graphnet import nn
        >>> class MLP(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.hidden = nn.LazyLinear(4)
        ...         self.out = nn.Linear(4, 2)
        ...     def forward(self, x):
        ...         return self.out(self.hidden(x).relu())
        >>> MLP()(gn.ones(3, 5)).shape
        graphnet.Size([3, 2])
    """

    training: bool
    _library: ClassVar[bool] = True
    _bundle: ClassVar[Any] = None  # what notebooks show; `graphnet.notebook` puts it here
    _shortcut: ClassVar[Any] = None  # a faster way of calling; `graphnet.shortcut` puts it here
    _forward_hooks: dict[int, Hook] = Book(dict)  # type: ignore[assignment]
    _forward_pre_hooks: dict[int, Hook] = Book(dict)  # type: ignore[assignment]

    def __init__(self) -> None:
        # Attributes are set one by one, for `__dict__` would make a dict that Python does without until it is used.
        if self._where is not False:
            _forget(self)
        _set(self, "training", True)
        _set(self, "_where", constructor_site(self))

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        cls._library_class = cls.__module__.partition(".")[0] == "graphnet"
        cls._library = (getattr(cls.forward, "__module__", None) or "").partition(".")[0] == "graphnet"

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the module computes; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} has no forward method: define forward(self, ...)")

    # -- calling ------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `forward`, with arrays taken as tensors and the call noted for names, errors and graphs."""
        parent, outer, hint = state.module, state.scope, state.hint
        if parent is None and not state.grad and state.tracer is None and not kwargs and self._shortcut is not None:
            result = self._shortcut(self, args)
            if result is not NotImplemented:
                return result
        if hint is not None and hint[0] is self:
            name, state.hint = hint[1], None
        else:
            name = "" if parent is None else name_within(parent, self)
        first = False
        try:
            first = enter(self, name)
            fields = self.__dict__
            if parent is None:
                if state.tracer is not None:
                    state.tracer.roots.append(self)
                if first and not kwargs:  # what notebooks draw it with
                    fields["_given"] = [(a.shape, a.dtype) for a in args if isinstance(a, Base)]
            for value in (*args, *kwargs.values()) if kwargs else args:
                if isinstance(value, np.ndarray):
                    args, kwargs = self._take_arrays(args, kwargs)
                    break
            if fields.get("_forward_hooks") or fields.get("_forward_pre_hooks"):
                result = run_hooked(self, args, kwargs)
            else:
                forward = self.forward if self._library or state.tracer is None else adapted(self.forward)
                result = forward(*args, **kwargs) if kwargs or len(args) != 1 else forward(args[0])
        except GraphnetError as error:
            locate(error, state.scope, args)
            raise
        except RecursionError as error:
            told = too_deep(error, Module.__call__.__code__) if parent is None else None
            if told is None:
                raise
            raise told from None
        finally:
            state.scope, state.module = outer, parent
        if first and parent is None and state.tracer is None:
            warn_unreached(self)
        return result

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before every forward pass; what it returns, if not None, are the new arguments.

        Args:
            hook: the function.
            prepend: before the hooks that are there, rather than after.
            with_kwargs: call `hook(module, args, kwargs)`, which returns None or (args, kwargs).

        Returns:
            A handle; its `remove()` takes the hook away.

        Example:
            >>> import graphnet as gn
            >>> layer = gn.nn.ReLU()
            >>> handle = layer.register_forward_pre_hook(lambda module, args: args[0] - 1)
            >>> layer(gn.ones(2)), handle.remove()
            (tensor([0., 0.]), None)
        """
        return add_hook(self, self._forward_pre_hooks, hook, prepend, with_kwargs)

    def register_forward_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False, always_call: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after every forward pass; what it returns, if not None, is the new output.

        In a traced network hooks run once, on traced tensors, and what they compute is part of the graph.

        Args:
            hook: the function.
            prepend: before the hooks that are there, rather than after.
            with_kwargs: call `hook(module, args, kwargs, output)`.
            always_call: also where the pass raises an error; the output is None then.

        Returns:
            A handle; its `remove()` takes the hook away.

        Example:
            >>> import graphnet as gn
            >>> layer = gn.nn.ReLU()
            >>> handle = layer.register_forward_hook(lambda module, args, output: output * 2)
            >>> layer(gn.ones(2)), handle.remove(), layer(gn.ones(2))
            (tensor([2., 2.]), None, tensor([1., 1.]))
        """
        return add_hook(self, self._forward_hooks, hook, prepend, with_kwargs, always_call)

    def _shown_as(self) -> str:
        return type(self).__name__

    def _take_arrays(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """NumPy arrays as tensors: floating-point ones in the module's float type."""
        wanted = self._float_type((*args, *kwargs.values()))

        def take(value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return value
            if value.dtype.kind == "f" and (wanted is not None or value.dtype not in (np.float32, np.float64)):
                if state.witness is not None:
                    state.witness.array(value)
                value = value.astype((wanted or float32).dtype, copy=False)
            try:
                tensor = check_tensor("input", value)
                tensor._memory.borrowed = True
                return tensor
            except DTypeError as error:
                error.args = (f"{state.scope}: {error}",)
                raise

        return tuple(map(take, args)), {name: take(value) for name, value in kwargs.items()}

    def _float_type(self, arguments: tuple[Any, ...]) -> DType | None:
        """The dtype of the first floating-point parameter or buffer, else of a tensor passed along."""
        for tensor in itertools.chain(self.parameters(), self.buffers(), arguments):
            if isinstance(tensor, Tensor) and tensor._dtype.is_floating_point:
                return tensor._dtype
        return None

    # -- state --------------------------------------------------------------------------------------------

    def state_dict(
        self, *, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> OrderedDict[str, Any]:
        """All parameters and persistent buffers by path, sharing their memory; tied ones under every path.

        Args:
            destination: a dict to fill, rather than a new one.
            prefix: what all keys start with.
            keep_vars: the parameters themselves, rather than their values.
        """
        result: OrderedDict[str, Any] = OrderedDict() if destination is None else destination
        for path, module in self.named_modules(prefix=prefix.removesuffix("."), remove_duplicate=False):
            transient = entries(module, "_transient")
            found = [*entries(module, "_parameters").items()]
            found += [(n, b) for n, b in entries(module, "_buffers").items() if n not in transient]
            for name, value in found:
                if value is not None:
                    result[f"{path}.{name}" if path else name] = value if keep_vars else value.data
        return result

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> LoadResult:
        """Copy values into the parameters and buffers, in place; lazy ones learn their sizes.

        Args:
            state_dict: tensors or arrays by path, as `state_dict()` gives them.
            strict: whether missing and unexpected keys are errors.
            assign: take over the values' memory and dtype, rather than copy them.

        Raises:
            StateDictError: naming every missing, unexpected and misshapen key at once; nothing was changed.
        """
        if not isinstance(state_dict, Mapping):
            raise ArgumentTypeError(f"load_state_dict: expects a dict of tensors, got {kind_of(state_dict)}")
        return load_into(type(self).__name__, self.state_dict(keep_vars=True), state_dict, strict, assign)

    # -- changing all -------------------------------------------------------------------------------------

    def apply(self, fn: Callable[[Module], Any]) -> Any:
        """Call a function on every module of the tree, children first, then this one."""
        stack: list[tuple[Module, bool]] = [(self, False)]
        while stack:
            module, visited = stack.pop()
            if visited:
                fn(module)
            else:
                stack.append((module, True))
                stack.extend((child, False) for child in reversed(list(module.children())))
        return self

    def to(self, *args: Any, **kwargs: Any) -> Any:
        """Convert floating-point parameters and buffers to a dtype, in place: `to(dtype)`, `to(tensor)`, `to("cpu")`.

        Raises:
            DTypeError: not a floating-point type. ArgumentError: another device than the CPU.
        """
        unknown = kwargs.keys() - {"device", "dtype", "tensor", "non_blocking", "memory_format"}
        if unknown:
            raise ArgumentTypeError(f"to: there is no argument {', '.join(sorted(unknown))}")
        wanted = kwargs.get("dtype")
        for value in (*args, kwargs.get("tensor"), kwargs.get("device")):
            if isinstance(value, Tensor):
                wanted = value.dtype
            elif isinstance(value, (DType, type)) or (isinstance(value, str) and value in _DTYPE_NAMES):
                wanted = value
            elif not isinstance(value, bool):
                check_device(value)
        if wanted is not None:
            self._convert(as_dtype(wanted))
        return self

    def _convert(self, wanted: DType) -> None:
        if not wanted.is_floating_point:
            raise DTypeError(f"to: modules are converted to floating-point types, not {wanted.name}")
        for held in itertools.chain(self.parameters(), self.buffers()):
            if isinstance(held, StateTensor) and held.is_lazy:
                held._dtype = wanted
            elif held._dtype.is_floating_point:
                held.data = held.data.to(wanted)
                if held.grad is not None:
                    held.grad = held.grad.to(wanted)

    def type(self, dst_type: Any) -> Any:
        """Convert floating-point parameters and buffers to a dtype, in place."""
        return self.to(as_dtype(dst_type))

    def cpu(self) -> Any:
        """Itself: everything is on the CPU."""
        return self

    def float(self) -> Any:
        """Convert parameters and buffers to float32, in place."""
        return self.to(float32)

    def double(self) -> Any:
        """Convert parameters and buffers to float64, in place."""
        return self.to(float64)

    def train(self, mode: bool = True) -> Any:
        """Set training mode in the whole tree."""
        if not isinstance(mode, bool):
            raise ArgumentTypeError(f"train: expects True or False, got {mode!r}")
        for module in self.modules():
            module.training = mode  # __setattr__ notes the change
        return self

    def eval(self) -> Any:
        """Set evaluation mode in the whole tree."""
        return self.train(False)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for parameter in self.parameters():
            parameter._forget_gradient(set_to_none)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Freeze or unfreeze all parameters."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        return flattened(self, super().__reduce_ex__(protocol))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_born", "_names", "_fast")}

    # -- text ---------------------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses."""
        return ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return self._bundle(self) if self._bundle is not None else {"text/plain": repr(self)}

    def _shown_with(self, children: list[tuple[str, int]]) -> Text:
        """What `repr` shows of it, given the numbers of its children's texts."""
        name, extra = type(self).__name__, self.extra_repr()
        lines = tuple(extra.split("\n")) if extra else ()
        if len(lines) == 1 and not children:
            return Text(f"{name}({extra})")
        labelled = tuple([(f"({label}): ", number) for label, number in children])
        return Text(f"{name}(", lines, labelled, ")") if lines or children else Text(f"{name}()")

    def __repr__(self) -> str:
        return shown(self, Module.__repr__)


def enter(module: Any, name: str) -> bool:
    """Make a module the one that runs, called by that name from the one that did; whether for the first time.

    Who enters a module puts `state.scope` and `state.module` back when it leaves it.
    """
    fields = module.__dict__
    if "_where" not in fields:
        raise not_initialized(module, "call")
    state.scope = scope = Scope(state.scope, name, module._shown_as(), fields["_where"], module._library)
    state.module = module
    if fields.get("_called"):
        return False
    fields["_called"] = True
    warn_unregistered(module, scope)
    return True


def _forget(module: Any) -> None:
    """Let nothing be registered, for `Module.__init__` is called again."""
    for name in [name for name in module.__dict__ if isinstance(getattr(Module, name, None), Book)]:
        del module.__dict__[name]
    module.__dict__.pop("_called", None)
    restructured(module._born)
