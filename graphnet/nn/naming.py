"""What modules are called: paths within a caller, modules in plain lists, lazy layers left behind."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterator
from typing import Any

from graphnet.errors import UnreachedLazyWarning, UnregisteredModuleWarning
from graphnet.ir import Scope, Where
from graphnet.nn.changes import structure_version
from graphnet.nn.registry import Registry, entries
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
    if entry is None or entry[1] is not child:
        names: dict[int, tuple[str, Any]] = {}
        for path, module in parent.named_modules():
            names.setdefault(id(module), (path, module))
        for owner_path, owner in parent.named_modules():
            for path, module in unregistered(owner):
                names.setdefault(id(module), (f"{owner_path}.{path}" if owner_path else path, module))
        parent.__dict__["_names"] = (structure_version(), names)
        entry = names.setdefault(id(child), (type(child).__name__, child))
    return str(entry[0])


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


_PLAIN = frozenset((bool, int, float, str, type(None), Where))
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
    left: dict[str, None] = {}
    for path, m in module.named_modules():
        for p in entries(m, "_parameters").values():
            if p is not None and p._lazy is not None and p not in reached:
                left[f"{path} ({type(m).__name__}, {m._where})"] = None
    if left:
        warnings.warn(
            f"forward of {type(module).__name__} did not reach {', '.join(left)}: "
            "the sizes of these lazy layers are still unknown",
            UnreachedLazyWarning,
            stacklevel=stack_depth(),
        )


def free_name(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken."""
    number, found = 2, name
    while found in taken:
        found, number = f"{name}#{number}", number + 1
    return found


def parameter_names(root: Any) -> dict[Any, str]:
    """Every parameter below a module with its path, those in plain lists too; the first path counts."""
    names: dict[Any, str] = {}
    modules = list(root.named_modules())
    for path, module in modules:
        for name, parameter in entries(module, "_parameters").items():
            if parameter is not None and parameter not in names:
                names[parameter] = f"{path}.{name}" if path else name
    for owner_path, owner in modules:
        for path, module in unregistered(owner):
            for name, parameter in module.named_parameters():
                names.setdefault(parameter, f"{owner_path}.{path}.{name}" if owner_path else f"{path}.{name}")
    return names
