"""What modules are called: paths within a caller, modules in plain lists, lazy layers left behind."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Container, Iterator
from types import CodeType
from typing import Any, TypeAlias

from graphnet.errors import DepthError, UnreachedLazyWarning, UnregisteredModuleWarning
from graphnet.ir import Scope, Symbol, Where, shortened
from graphnet.nn.changes import structure_version
from graphnet.nn.registry import Registry, entries, tree
from graphnet.places import stack_depth

__all__ = [
    "free_name",
    "name_within",
    "parameter_names",
    "renamed",
    "too_deep",
    "unregistered",
    "warn_unreached",
    "warn_unregistered",
]


def name_within(parent: Any, child: Any) -> str:
    """The path of a module below the one that calls it; of a plain list's item, where it is kept there."""
    version = structure_version()
    known = parent.__dict__.get("_names")
    entry = known[1].get(id(child)) if known is not None and known[0] == version else None
    if entry is None or entry[2] is not child or entry[0] is not None:
        with _walking:
            entry = _found(known[1], known[2], child) if known is not None and known[0] == version else None
            if entry is None:
                known = parent.__dict__["_names"] = (version, {}, _ways(parent))
                entry = _found(known[1], known[2], child) or (None, type(child).__name__, child)
            parts: list[str] = []
            at: _Named | None = entry
            while at is not None:
                if at[1]:
                    parts.append(at[1])
                at = at[0]
            entry = known[1][id(child)] = (None, ".".join(reversed(parts)), child)
    return entry[1]


_walking = threading.Lock()  # threads may call one network


def _found(names: dict[int, _Named], ways: Iterator[_Named], child: Any) -> _Named | None:
    """The first way to a module; it is walked no further than to there, as below may be a deep nest."""
    known = names.get(id(child))
    if known is not None and known[2] is child:
        return known
    for way in ways:
        if names.setdefault(id(way[2]), way) is way and way[2] is child:
            return way
    return None


def _ways(root: Any) -> Iterator[_Named]:
    """All modules below one with the ways there, then those in plain lists."""
    ways: list[_Named] = []  # to the module and to those around it, by depth
    lists: list[_Named] = []
    for depth, name, module in tree(root):
        del ways[depth:]
        ways.append((ways[-1] if ways else None, name, module))
        yield ways[-1]
        lists += [(ways[-1], path, item) for path, item in unregistered(module)]
    yield from lists


_Named: TypeAlias = "tuple[_Named | None, str, Any]"  # the one around it, the name there, the module


def _others(module: Any) -> list[tuple[str, Any]]:
    """The attributes that may hold modules or graphs that are not registered."""
    return [(n, v) for n, v in module.__dict__.items() if type(v) not in _PLAIN and n not in _OWN]


def unregistered(module: Any) -> Iterator[tuple[str, Any]]:
    """Modules in plain lists, tuples and dicts among the attributes, with what one writes to get at them."""
    for attribute, value in _others(module):
        if not isinstance(value, (list, tuple, dict)):
            continue
        stack = [(attribute, value, 0)]
        while stack:
            path, item, depth = stack.pop()
            if depth and isinstance(item, Registry):
                yield path, item
            elif isinstance(item, (list, tuple)) and depth < 4:
                stack.extend((f"{path}[{i}]", v, depth + 1) for i, v in reversed(list(enumerate(item))))
            elif isinstance(item, dict) and depth < 4:
                stack.extend((f"{path}[{k!r}]", v, depth + 1) for k, v in reversed(list(item.items())))


_PLAIN = frozenset((bool, int, float, str, type(None), Where, Symbol))
_OWN = frozenset(  # a module's own books
    (
        "_buffers", "_fast", "_forward_hooks", "_forward_pre_hooks", "_given", "_modules", "_names", "_parameters",
        "_transient", "_where",
    )
)  # fmt: skip


def warn_unregistered(module: Any, scope: Scope) -> None:
    """Warn of modules in plain lists and of graphs, where parameters are not found."""
    if not _others(module):
        return
    _warn_graph(module, scope)
    registered: set[int] | None = None
    found: dict[str, list[Any]] = {}
    for path, item in unregistered(module):
        if registered is None:
            registered = {id(m) for m in module.modules()}
        if id(item) not in registered:
            found.setdefault(path.partition("[")[0], []).append(item)
    for attribute, items in found.items():
        container = "ModuleDict" if isinstance(module.__dict__[attribute], dict) else "ModuleList"
        path = f"{scope.path}.{attribute}" if scope.path else attribute
        classes = ", ".join(dict.fromkeys(type(i).__name__ for i in items))
        warnings.warn(
            f"{path} of {type(module).__name__} ({module._where}) is a plain "
            f"{type(module.__dict__[attribute]).__name__} with {len(items)} modules ({classes}): their parameters are "
            f"not registered, so parameters(), state_dict() and optimizers do not see them; "
            f"use graphnet.nn.{container}",
            UnregisteredModuleWarning,
            stacklevel=stack_depth(),
        )


def _warn_graph(module: Any, scope: Scope) -> None:
    """Warn of graphs among the attributes, whose parameters are not found either."""
    for attribute, value in _others(module):
        if not hasattr(value, "to_module"):
            continue
        known = {id(parameter) for parameter in module.parameters()}
        if any(id(parameter) not in known for parameter in value.parameters):
            path = f"{scope.path}.{attribute}" if scope.path else attribute
            warnings.warn(
                f"{path} of {type(module).__name__} ({module._where}) is a graph: its parameters are not registered; "
                f"use its to_module()",
                UnregisteredModuleWarning,
                stacklevel=stack_depth(),
            )


def warn_unreached(module: Any, reached: Container[Any] = ()) -> None:
    """Say which lazy layers a forward pass did not reach; `reached` holds parameters that it did."""
    if any(_unknown(m, reached) for m in module.modules()):
        left = [
            f"{path} ({type(m).__name__}, {m._where})" for path, m in module.named_modules() if _unknown(m, reached)
        ]
        warnings.warn(
            f"forward of {type(module).__name__} did not reach {', '.join(left)}: "
            "the sizes of these lazy layers are still unknown",
            UnreachedLazyWarning,
            stacklevel=stack_depth(),
        )


def _unknown(module: Any, reached: Container[Any]) -> bool:
    return any(
        p is not None and p._lazy is not None and p not in reached for p in entries(module, "_parameters").values()
    )


def too_deep(error: RecursionError, call: CodeType) -> DepthError | None:
    """The error of modules that call one another too deep; None where it is no more than a few.

    Args:
        error: what Python raised.
        call: the code of a module's call.
    """
    if isinstance(error, DepthError):
        return error
    calls = 0
    scope: Scope | None = None
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code is call:
            found = step.tb_frame.f_locals
            module = found["self"]
            calls += 1
            if "name" in found:
                scope = Scope(found["outer"], found["name"], type(module).__name__, module.__dict__.get("_where"))
        step = step.tb_next
    if calls < 20 or scope is None:
        return None
    return DepthError(
        f"{scope}: {calls} modules call one another from forward to forward, and Python's recursion limit of "
        f"{sys.getrecursionlimit()} allows no more: nest them with nn.Sequential, which has no limit, call them in a "
        "loop, or raise the limit with sys.setrecursionlimit"
    )


def free_name(name: str, taken: dict[str, int]) -> str:
    """The name, with a number behind it where it is taken; it is taken then."""
    number, found = taken.get(name, 1), name
    while found in taken:
        number += 1
        found = f"{name}#{number}"
    taken[name], taken[found] = number, 1
    return found


def parameter_names(root: Any) -> dict[Any, str]:
    """Every parameter below a module with its path, those in plain lists too; the first path counts.

    Long paths are shortened, as in a deep nest they would fill the memory.
    """
    names: dict[Any, str] = {}
    owners: list[tuple[str, Any]] = []
    for path, module in root.named_modules():
        held = entries(module, "_parameters")
        lead = f"{shortened(path)}." if held and path else ""
        for name, parameter in held.items():
            if parameter is not None and parameter not in names:
                names[parameter] = lead + name
        if _others(module):
            owners.append((path, module))
    for owner_path, owner in owners:
        for path, module in unregistered(owner):
            for name, parameter in module.named_parameters():
                whole = f"{owner_path}.{path}.{name}" if owner_path else f"{path}.{name}"
                names.setdefault(parameter, shortened(whole))
    return names


def renamed(state_dict: dict[str, Any], root: Any, names: dict[Any, str]) -> dict[str, Any]:
    """A module's state dict under the names of its graph: shortened ones, and none for second names of tied layers."""
    own = set(names.values())
    others = [name for name in state_dict if name not in own]
    if not others:
        return state_dict
    firsts = {tensor: name for name, tensor in (*root.named_buffers(), *root.named_parameters())}
    tensors = dict(root.named_buffers(remove_duplicate=False))
    tensors.update(root.named_parameters(remove_duplicate=False))
    result = dict(state_dict)
    for name in others:
        tensor = tensors.get(name)
        if tensor is not None and tensor in names:
            value = result.pop(name)
            if firsts[tensor] == name:
                result.setdefault(names[tensor], value)
    return result
