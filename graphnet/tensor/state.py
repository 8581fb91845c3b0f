"""What each thread keeps: whether gradients are recorded, which module call is running."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from graphnet.errors import ArgumentTypeError
from graphnet.ir import Scope, Where

__all__ = ["enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled", "state"]

F = TypeVar("F", bound=Callable[..., Any])


class _State(threading.local):
    grad: bool = True
    scope: Scope | None = None  # the module call that is running, innermost
    module: Any = None  # its module
    hint: tuple[Any, str] | None = None  # the child that a container calls next, and its name there
    tracer: Any = None  # what records operations on parameters, while a graph is being made
    witness: Any = None  # what keeps the values that code saw, while a graph is made that runs more than once
    max_trips: int | None = None  # of the loops that are captured from Python's
    replayed: tuple[Scope | None, Where | None] | None = None  # the place of the node that a graph runs again


state = _State()
adapters: list[Callable[[Any], Any]] = []  # what rewrites a function while a graph is traced, once it is there


def is_grad_enabled() -> bool:
    """Whether operations on tensors that require a gradient are recorded.

    Example:
        >>> import graphnet as gn
        >>> gn.is_grad_enabled()
        True
    """
    return state.grad


class _GradMode:
    """A context manager that is a decorator too, as torch.no_grad is."""

    _mode: bool

    def __new__(cls, function: Any = None) -> Any:
        if function is None or isinstance(function, bool):
            return super().__new__(cls)
        return cls()(function)  # as a decorator without brackets

    def __init__(self, function: Any = None) -> None:
        self._before: list[bool] = []

    def __enter__(self) -> None:
        self._before.append(state.grad)
        state.grad = self._mode

    def __exit__(self, *exception: object) -> None:
        state.grad = self._before.pop()

    def __call__(self, function: F) -> F:
        if not callable(function):
            raise ArgumentTypeError(f"{type(self).__name__}() decorates functions, got {type(function).__name__}")

        @functools.wraps(function)
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            with type(self)._again(self):
                called = adapters[0](function) if adapters and state.tracer is not None else function
                return called(*args, **kwargs)

        return wrapped  # type: ignore[return-value]

    def _again(self) -> _GradMode:
        again: _GradMode = object.__new__(type(self))
        again._before, again._mode = [], self._mode
        return again


class no_grad(_GradMode):  # noqa: N801 - PyTorch's name
    """Within it nothing is recorded for gradients; as `with no_grad():` or `@no_grad()`.

    Example:
        >>> import graphnet as gn
        >>> w = gn.ones(2, requires_grad=True)
        >>> with gn.no_grad():
        ...     (w * 2).requires_grad
        False
    """

    _mode = False


class enable_grad(_GradMode):  # noqa: N801 - PyTorch's name
    """Within it gradients are recorded again, also inside `no_grad`.

    Example:
        >>> import graphnet as gn
        >>> with gn.no_grad(), gn.enable_grad():
        ...     gn.is_grad_enabled()
        True
    """

    _mode = True


class set_grad_enabled(_GradMode):  # noqa: N801 - PyTorch's name
    """Record gradients or not, from here on or, as a context manager, until its end.

    Example:
        >>> import graphnet as gn
        >>> with gn.set_grad_enabled(False):
        ...     gn.is_grad_enabled()
        False
    """

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self._mode = bool(mode)
        self._outer = state.grad
        state.grad = self._mode

    def __enter__(self) -> None:
        self._before.append(self._outer)
        state.grad = self._mode
