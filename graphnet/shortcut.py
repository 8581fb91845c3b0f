"""Eager calls of the library's own networks, through a compiled program after the first few.

Only where it makes no difference but of speed: no gradient is recorded, every module is one of the library's classes as
it stands, without hooks, nothing random and no state to write, and the program gave the very bits of the eager call.
For networks so small that most of an eager call is Python.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from graphnet.compile import Compiled, renew
from graphnet.errors import GraphnetError
from graphnet.ir import Graph, Value
from graphnet.nn import Module
from graphnet.nn.changes import structure_version
from graphnet.nn.registry import entries
from graphnet.ops import TABLE
from graphnet.places import warnings_given
from graphnet.tensor import Tensor

__all__ = ["Shortcut"]

PATIENCE = 8  # eager calls before a program is made, which takes as long as some hundred of them
PROGRAMS = 16  # made for one network; whose inputs are of more types stays eager
LIGHT = 1 << 20  # bytes of values: beyond, Python is a small part of a call


class Shortcut:
    """What a module keeps of its own: the program, once there is one."""

    __slots__ = ("_calls", "_classes", "_compiled", "_made", "_origin", "_refused", "_version")

    def __init__(self) -> None:
        self._version = -1
        self._begin(0)

    def _begin(self, version: int) -> None:
        self._version, self._calls, self._made = version, 0, 0
        self._refused = False
        self._compiled: Compiled | None = None
        self._classes: tuple[tuple[Any, Any], ...] = ()
        self._origin: Any = None

    def __call__(self, module: Module, args: tuple[Any, ...]) -> Any:
        """The result, or NotImplemented where the call is to be made as ever."""
        if sys.getprofile() is not None or sys.gettrace() is not None:  # which sees what is called
            return NotImplemented
        version = structure_version()
        if self._compiled is not None:
            for cls, forward in self._classes:
                if cls.forward is not forward:
                    return NotImplemented
            if version != self._version:
                renew(self._compiled._caller)  # it may have been another module that changed
                self._version = version
            try:
                result = self._compiled._call(args)
            except GraphnetError:  # the eager call tells it in its own words
                return NotImplemented
            if result is not NotImplemented:
                result._origin = self._origin
                return result
            if not any(plan.valid() for plan in self._compiled._caller.plans):
                self._begin(version)
        elif version != self._version:
            self._begin(version)
        self._calls += 1
        if self._refused or self._calls < PATIENCE:
            return NotImplemented
        self._calls = 0
        return self._make(module, args)

    def _make(self, module: Module, args: tuple[Any, ...]) -> Any:
        """Let a program of its own do this call and those like it, if that can be."""
        self._refused = True  # unless it is not; so also while the eager call below runs
        classes = _library_classes(module)
        if classes is None or len(args) != 1 or type(args[0]) is not Tensor or self._made == PROGRAMS:
            return NotImplemented
        warned = warnings_given()
        eager = module(*args)
        if warnings_given() != warned:  # it may do so every time
            return eager
        compiled = Compiled(module) if self._compiled is None else self._compiled
        try:
            result = compiled._prepare(args)
        except GraphnetError:
            return eager
        info = compiled._caller.plans[0].info
        if type(eager) is Tensor and _pure(info.source) and info.program.plan.size <= LIGHT and _same(eager, result):
            self._compiled, self._classes, self._origin = compiled, classes, eager._origin
            self._made += 1
            self._refused, self._version = False, structure_version()
        return eager


def _library_classes(module: Module) -> tuple[tuple[Any, Any], ...] | None:
    """The classes in the tree with their forwards; None where one is not the library's, or not as it came."""
    found: dict[Any, Any] = {}
    for part in module.modules():
        cls = type(part)
        if cls.__module__.partition(".")[0] != "graphnet" or "forward" in part.__dict__:
            return None
        if entries(part, "_forward_hooks") or entries(part, "_forward_pre_hooks"):
            return None
        found[cls] = cls.forward
    return tuple(found.items())


def _pure(graph: Graph) -> bool:
    """Whether a run only computes one new value."""
    if graph.updates or len(graph.outputs) != 1:
        return False
    output = graph.outputs[0]
    if not isinstance(output, Value) or output.node.op == "input":
        return False
    ops = [TABLE.get(node.op) for node in graph.nodes if node.op != "input"]
    if any(op is None or op.source is not None for op in ops):
        return False
    return TABLE[output.node.op].view is None  # a view of an input would share its memory


def _same(eager: Tensor, compiled: Tensor) -> bool:
    a, b = eager._values(), compiled._values()
    return a.dtype == b.dtype and a.shape == b.shape and np.ascontiguousarray(a).tobytes() == b.tobytes()


def _shortcut(module: Module, args: tuple[Any, ...]) -> Any:
    fields = module.__dict__
    fast = fields.get("_fast")
    if fast is None:
        fast = fields["_fast"] = Shortcut()
    return fast(module, args)


Module._shortcut = staticmethod(_shortcut)
