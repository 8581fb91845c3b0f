"""What Jupyter shows of modules and graphs: a picture where one can be had, their text else, and never an error."""

from __future__ import annotations

import io
import warnings
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from graphnet import export
from graphnet.graph import Graph
from graphnet.keys import get_rng_state, set_rng_state
from graphnet.nn import Linear, Module
from graphnet.nn.registry import entries
from graphnet.tensor import enable_grad
from graphnet.trace import Spec, trace

__all__ = ["bundle"]

_OPEN = 150  # nodes up to which a picture shows all modules open
_MOST = 2000  # modules or nodes beyond which there is none: a cell should not take seconds


def bundle(shown: Module | Graph) -> dict[str, str]:
    """The forms in which a module or graph is shown, by MIME type."""
    forms = {}
    try:
        forms["text/plain"] = repr(shown)
        graph = shown if isinstance(shown, Graph) else _traced(shown)
        if graph is not None and graph._tracer is None and len(graph.nodes) <= _MOST:
            picture = export.render.svg(graph.to_dot(None if len(graph.nodes) <= _OPEN else 1))
            if picture is not None:
                forms["image/svg+xml"] = picture
    except Exception:  # a notebook shows what there is, whatever goes wrong in the user's code
        forms.setdefault("text/plain", f"<{type(shown).__name__}>")
    return forms


def _traced(module: Module) -> Graph | None:
    """The graph of a module, where it can be had without changing anything or guessing."""
    parts = list(module.modules())
    if len(parts) > _MOST or any(p._lazy is not None for p in module.parameters()):
        return None  # tracing would fill lazy parameters
    if any(entries(part, "_forward_hooks") or entries(part, "_forward_pre_hooks") for part in parts):
        return None  # hooks are the user's code, with effects of its own
    given = [
        ([size if isinstance(size, int) else str(size) for size in shape], dtype)
        for shape, dtype in module.__dict__.get("_given") or _guessed(module, parts)
    ]
    if not given:
        return None
    seed = get_rng_state()
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), enable_grad():
            warnings.simplefilter("ignore")
            try:
                return trace(module, *[Spec(["N", *shape[1:]] if shape else shape, dtype) for shape, dtype in given])
            except Exception:  # code that counts on a number for the size of a batch
                return trace(module, *[Spec(shape, dtype) for shape, dtype in given])
    finally:
        set_rng_state(seed)


def _guessed(module: Module, parts: list[Module]) -> list[tuple[Any, Any]]:
    """The input of a network of graphnet's own modules that begins with a linear layer."""
    if not all(part._library for part in parts):
        return []
    first = next((part for part in parts if entries(part, "_parameters")), None)
    return [(("N", first.in_features), first.weight.dtype)] if isinstance(first, Linear) else []


Module._bundle = staticmethod(bundle)
Graph._bundle = staticmethod(bundle)
