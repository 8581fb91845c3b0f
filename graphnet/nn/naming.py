"""What modules are called: paths within a caller, modules in plain lists, lazy layers left behind."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterator
from typing import Any, TypeAlias

from graphnet.errors import UnreachedLazyWarning, UnregisteredModuleWarning
from graphnet.ir import Scope, Where, shortened
from graphnet.nn.changes import structure_version
from graphnet.nn.registry import tree
from graphnet.places import stack_depth

__all__ = [
    "free_name",
    "name_within",
    "parameter_names",
    "unregistered",
    "warn_unreached",
    "warn_unregistered",
]


def name_within(parent: Any, child: Any) -> str:
    """The path of a module below the one that calls it; of a plain list's item, where it is kept there."""
    known = parent.__dict__.get("_names")
    entry = known[1].get(id(child)) if known is not None and known[0] == structure_version() else None
    if entry is None or entry[2] is not child:
        names: dict[int, _Named] = {}
        ways: list[_Named] = []  # from the parent to the module, by depth
        lists: list[tuple[_Named, str, Any]] = []
        for depth, name, module in tree(parent):
            del ways[depth:]
            ways.append((ways[-1] if ways else None, name, module))
            names.setdefault(id(module), ways[-1])
            lists.extend((ways[-1], path, item) for path, item in unregistered(module))
        for owner, path, module in lists:
            names.setdefault(id(module), (owner, path, module))
        parent.__dict__["_names"] = (structure_version(), names)
        entry = names.setdefault(id(child), (None, type(child).__name__, child))
    if entry[0] is None:
        return entry[1]
    parts: list[str] = []
    at: _Named | None = entry
    while at is not None:
        if at[1]:
            parts.append(at[1])
        at = at[0]
    path = ".".join(reversed(parts))
    parent.__dict__["_names"][1][id(child)] = (None, path, child)
    return path


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
            if depth and _is_module(item):
                yield path, item
            elif isinstance(item, (list, tuple)) and depth < 4:
                stack.extend((f"{path}[{i}]", v, depth + 1) for i, v in reversed(list(enumerate(item))))
            elif isinstance(item, dict) and depth < 4:
                stack.extend((f"{path}[{k!r}]", v, depth + 1) for k, v in reversed(list(item.items())))


_PLAIN = frozenset((bool, int, float, str, type(None), Where))
_OWN = frozenset(  # a module's own books
    (
        "_buffers", "_fast", "_forward_hooks", "_forward_pre_hooks", "_given", "_modules", "_names", "_parameters",
        "_transient", "_where",
    )
)  # fmt: skip


def _is_module(item: Any) -> bool:
    return isinstance(getattr(item, "__dict__", {}).get("_modules"), dict)


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
    return any(p is not None and p._lazy is not None and p not in reached for p in module._parameters.values())


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
        for name, parameter in module._parameters.items():
            if parameter is not None and parameter not in names:
                names[parameter] = f"{shortened(path)}.{name}" if path else name
        if _others(module):
            owners.append((path, module))
    for owner_path, owner in owners:
        for path, module in unregistered(owner):
            for name, parameter in module.named_parameters():
                whole = f"{owner_path}.{path}.{name}" if owner_path else f"{path}.{name}"
                names.setdefault(parameter, shortened(whole))
    return names
