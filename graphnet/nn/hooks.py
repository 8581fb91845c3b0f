"""Hooks: functions that are called before and after a module's forward pass."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

from graphnet.errors import ArgumentTypeError, GraphnetWarning
from graphnet.nn.changes import restructured
from graphnet.nn.registry import entries
from graphnet.places import warn
from graphnet.tensor.adaptation import adapted

__all__ = ["Hook", "RemovableHandle", "add_hook", "run_hooked"]

_ids = itertools.count()


class Hook(NamedTuple):
    """A function, and how it is called."""

    function: Callable[..., Any]
    with_kwargs: bool = False
    always_call: bool = False


class RemovableHandle:
    """Takes a hook away: by `remove()`, or at the end of a with block."""

    def __init__(self, hooks: dict[int, Hook], id: int, born: int) -> None:
        self._hooks, self.id, self._born = hooks, id, born

    def remove(self) -> None:
        """Take the hook away; a second time does nothing."""
        if self._hooks.pop(self.id, None) is not None:
            restructured(self._born)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def add_hook(
    module: Any, hooks: dict[int, Hook], function: Any, prepend: bool, with_kwargs: bool, always_call: bool = False
) -> RemovableHandle:
    """Enter a hook, behind the others or before them.

    Raises:
        ArgumentTypeError: not a function.
    """
    if not callable(function):
        raise ArgumentTypeError(f"a hook is a function, got {function!r:.60}")
    key = next(_ids)
    hook = Hook(function, with_kwargs, always_call)
    if prepend:
        others = dict(hooks)
        hooks.clear()
        hooks[key] = hook
        hooks.update(others)
    else:
        hooks[key] = hook
    born = module.__dict__.get("_born", 0)
    restructured(born)
    return RemovableHandle(hooks, key, born)


def run_hooked(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A forward pass with its hooks."""
    called: set[int] = set()
    result: Any = None
    try:
        args, kwargs = _before(module, args, kwargs)
        result = adapted(module.forward)(*args, **kwargs)
        for key, hook in list(entries(module, "_forward_hooks").items()):
            called.add(key)
            result = _after(module, hook, args, kwargs, result)
    except Exception:
        for key, hook in list(entries(module, "_forward_hooks").items()):
            if hook.always_call and key not in called:
                try:
                    result = _after(module, hook, args, kwargs, result)
                except Exception as error:  # the first error is the one to tell
                    warn(f"a forward hook with always_call=True raised an error: {error}", GraphnetWarning)
        raise
    return result


def _before(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    for hook in list(entries(module, "_forward_pre_hooks").values()):
        if not hook.with_kwargs:
            found = hook.function(module, args)
            if found is not None:
                args = found if isinstance(found, tuple) else (found,)
            continue
        found = hook.function(module, args, kwargs)
        if found is None:
            continue
        if not isinstance(found, tuple) or len(found) != 2:
            raise ArgumentTypeError(
                f"a forward pre-hook with with_kwargs=True returns None or (args, kwargs), got {found!r:.60}"
            )
        args, kwargs = found
    return args, kwargs


def _after(module: Any, hook: Hook, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> Any:
    found = hook.function(module, args, kwargs, result) if hook.with_kwargs else hook.function(module, args, result)
    return result if found is None else found
