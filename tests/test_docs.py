"""Every code block of the README and the documentation runs, and so does every example in a docstring."""

from __future__ import annotations

import doctest
import importlib
import linecache
import pkgutil
import re
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphnet as gn

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"(?:<!-- (?P<file>\S+) -->\n)?```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
FLAGS = doctest.ELLIPSIS


def modules() -> Iterator[str]:
    yield "graphnet"
    for found in pkgutil.walk_packages(gn.__path__, "graphnet."):
        if not found.name.endswith(("._core", ".__main__")):
            yield found.name


@pytest.mark.parametrize("name", sorted(set(modules())))
def test_docstrings(name: str) -> None:
    if name.startswith("graphnet.onnx"):
        pytest.importorskip("onnx")
    result = doctest.testmod(importlib.import_module(name), optionflags=FLAGS, raise_on_error=False)
    assert result.failed == 0


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_blocks(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": page.stem}
    text = page.read_text(encoding="utf-8")
    monkeypatch.setitem(linecache.cache, page.name, (len(text), None, text.splitlines(True), page.name))
    for block in BLOCK.finditer(text):
        code, line = block["code"], text.count("\n", 0, block.start("code")) + 1
        if block["language"] == "python":
            # The lines before it keep the page's line numbers in tracebacks.
            exec(compile("\n" * (line - 1) + code, page.name, "exec"), names)
        elif block["language"] == "pycon":
            test = doctest.DocTestParser().get_doctest(code, names, page.name, page.name, line - 1)
            test.globs = names
            assert doctest.DocTestRunner(optionflags=FLAGS).run(test, clear_globs=False).failed == 0
        else:
            assert block["language"] in ("bash", "text", "console"), f"{page.name}:{line}: what language is this?"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_code_shown_from_a_file_is_in_that_file(page: Path) -> None:
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["file"]:
            assert block["code"] in (ROOT / block["file"]).read_text(encoding="utf-8"), block["file"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", BLOCK.sub("", page.read_text(encoding="utf-8"))):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_the_python_blocks_are_all_fenced() -> None:
    for page in PAGES:
        assert page.read_text(encoding="utf-8").count("```") % 2 == 0, page.name


def test_contributing_fits_on_a_page() -> None:
    assert len((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").splitlines()) <= 60


def test_the_tables_are_the_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    tables = importlib.import_module("tables")
    found = tables.reports()
    for page in (ROOT / "README.md", ROOT / "docs" / "benchmarks.md"):
        text = page.read_text(encoding="utf-8")
        assert "<!-- bench: " in text
        assert tables.filled(text, *found) == text
    empty = "<!-- bench: machine -->\n\n<!-- end -->\n\nkept\n\n<!-- bench: memory -->\n\n<!-- end -->\n"
    once = tables.filled(empty, *found)
    assert tables.machine(found[0]) in once and tables.memory(found[2]) in once
    assert "\n\nkept\n\n" in once and once.count("<!-- end -->") == 2
    assert tables.filled(once, *found) == once


def test_every_public_object_has_an_example() -> None:
    """Functions and classes of the package, and what a tensor has; exceptions are told about where they are raised."""

    def shown(obj: object) -> bool:
        return ">>>" in (getattr(obj, "__doc__", None) or "")

    kinds = (type, types.FunctionType)
    public = {name: getattr(gn, name) for name in gn.__all__}
    missing = [n for n, o in public.items() if isinstance(o, kinds) and not shown(o) and not is_exception(o)]
    methods = [n for n in dir(gn.Tensor) if not n.startswith("_") and n != "grad"]
    missing += [f"Tensor.{n}" for n in methods if not shown(getattr(gn.Tensor, n)) and not shown(public.get(n))]
    assert not missing


def is_exception(obj: object) -> bool:
    return isinstance(obj, type) and issubclass(obj, BaseException)
