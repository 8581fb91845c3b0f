"""Who may import whom: one way through the house, no circles, no import inside a function, no drawer for leftovers."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from heavy import HEAVY

import graphnet as gn

ROOT = Path(gn.__file__).parent
FILES = sorted(p for p in ROOT.rglob("*.py"))
LIMIT = 500
LATE = HEAVY | {"subprocess"}  # imported where they are used

# From the ground up. A part may import those before it that are named here, and nothing else of graphnet.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "extension": set(),
    "later": set(),
    "whole": {"errors"},
    "keys": {"errors", "whole"},
    "dtypes": {"errors"},
    "samples": {"errors", "keys", "dtypes"},
    "device": {"errors"},
    "cuda": set(),
    "ir": {"errors", "dtypes", "whole", "_core"},
    "places": {"ir"},
    "ops": {"errors", "keys", "dtypes", "samples", "ir", "_core"},
    "collector": set(),
    "passes": {"collector", "errors", "dtypes", "ir", "ops", "_core"},
    "liveness": {"ir", "ops", "passes", "_core"},
    "program": {"collector", "errors", "dtypes", "ir", "ops", "passes", "liveness", "_core"},
    "tensor": {"errors", "whole", "keys", "dtypes", "samples", "ir", "ops", "places", "program", "device", "_core"},
    "autograd": {"tensor"},
    "nn": {"errors", "whole", "device", "dtypes", "samples", "ir", "ops", "places", "program", "tensor"},
    "optim": {"later", "errors", "whole", "dtypes", "ir", "places", "program", "tensor", "nn"},
    "utils": {
        "errors",
        "whole",
        "keys",
        "dtypes",
        "samples",
        "places",
        "tensor",
    },  # PyTorch's name; it holds utils.data alone
    "export": {"later", "errors", "dtypes", "ir", "ops"},
    "replay": {"errors", "ir", "passes", "tensor"},
    "nesting": set(),
    "explain": {"errors", "ir", "liveness", "ops", "passes"},
    "graph": {
        "collector",
        "explain",
        "nesting",
        "errors",
        "dtypes",
        "ir",
        "ops",
        "places",
        "passes",
        "program",
        "replay",
        "tensor",
        "nn",
        "export",
    },
    "trace": {"collector", "errors", "dtypes", "ir", "places", "tensor", "nn", "export", "graph"},
    "notebook": {"export", "keys", "tensor", "nn", "graph", "trace"},
    "shortcut": {"errors", "ir", "ops", "places", "tensor", "nn", "compile"},
    "reads": {"nn", "places", "tensor"},
    "specialize": {"program", "reads", "errors", "ir", "passes", "tensor", "nn", "graph", "trace"},
    "compile": {
        "collector",
        "explain",
        "nesting",
        "specialize",
        "errors",
        "ir",
        "passes",
        "program",
        "tensor",
        "nn",
        "optim",
        "graph",
        "trace",
    },
    "drawing": {"errors", "ir", "passes", "export", "trace", "compile"},
    "serialization": {"errors", "dtypes", "tensor", "nn", "optim"},
    "training": {"errors", "whole", "keys", "places", "tensor", "nn", "optim", "utils", "compile", "serialization"},
    "recorded": {"errors", "ir", "tensor", "graph"},
    "interchange": {"graph"},
    "pytorch": {"errors", "dtypes", "tensor", "nn"},
    "onnx": {"errors", "dtypes", "ir", "ops", "tensor", "nn", "graph", "trace"},
    "inspection": {
        *("errors", "ir", "passes", "keys", "tensor", "nn", "export", "replay", "graph", "trace", "recorded", "drawing")
    },
    "kernels": {"errors", "program"},
    "data": {"errors", "dtypes", "tensor"},
}
# What runs kernels, and what is done for each of tens of thousands of nodes.
EXTENSION = {
    "program",
    *("ir.nodes", "ir.graph", "ir.rewriter", "ops.table", "ops.emit", "tensor.symbolic", "liveness"),
    *("passes.dead", "passes.fusion", "passes.gradient", "passes.memory", "passes.sizes"),
}
ON_TOP = {"cli", "__init__", "__main__"}


def name_of(path: Path) -> str:
    parts = ("graphnet", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in FILES}


def part_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(path: Path) -> list[tuple[str, int, bool]]:
    """What a file imports: module, line, and whether only for the type checker."""
    found: list[tuple[str, int, bool]] = []

    def visit(node: ast.AST, for_types: bool) -> None:
        if isinstance(node, ast.Import):
            found.extend((alias.name, node.lineno, for_types) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            base = node.module or ""
            for alias in node.names:
                full = f"{base}.{alias.name}"
                known = full in MODULES or full == "graphnet._core"
                found.append((full if known else base, node.lineno, for_types))
        for child in ast.iter_child_nodes(node):
            visit(child, for_types or (type_checking(node) and child in node.body))

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


def inside(path: Path) -> list[tuple[str, int, bool]]:
    return [i for i in imports(path) if i[0].split(".")[0] == "graphnet"]


files = pytest.mark.parametrize("path", FILES, ids=name_of)


def test_every_part_has_its_place() -> None:
    parts = {part_of(m) for m in MODULES}
    assert parts <= set(MAY_IMPORT) | ON_TOP, "say in MAY_IMPORT what the new part may import"


@files
def test_arrows_point_one_way(path: Path) -> None:
    part = part_of(name_of(path))
    if part in ON_TOP:
        return
    for module, line, _ in inside(path):
        target = part_of(module) if module != "graphnet" else "graphnet"
        assert target == part or target in MAY_IMPORT[part], f"{path}:{line}: {part} does not import {module}"


def test_the_parts_themselves_form_no_circle() -> None:
    for part, below in MAY_IMPORT.items():
        order = list(MAY_IMPORT)
        for other in below - {"_core"}:
            assert part not in MAY_IMPORT[other] and order.index(other) != order.index(part)


def test_files_form_no_circle() -> None:
    """Following imports from any file never leads back to it."""
    edges = {
        name: {m for m, _, for_types in inside(path) if not for_types and m in MODULES and m != name}
        for name, path in MODULES.items()
    }
    done: set[str] = set()
    trail: list[str] = []

    def visit(name: str) -> None:
        assert name not in trail, " -> ".join([*trail[trail.index(name) :], name])
        if name in done:
            return
        trail.append(name)
        for other in sorted(edges[name]):
            # a package's __init__ only gathers its own files; they may be imported by each other directly
            if not name.startswith(f"{other}.") and other != "graphnet":
                visit(other)
        trail.pop()
        done.add(name)

    for name in MODULES:
        visit(name)


@files
def test_few_files_know_the_extension(path: Path) -> None:
    knows = any(module == "graphnet._core" for module, _, _ in imports(path))
    assert knows == (name_of(path).removeprefix("graphnet.") in EXTENSION)


@files
def test_passes_do_not_import_each_other(path: Path) -> None:
    if part_of(name_of(path)) == "passes" and path.name != "__init__.py":
        assert not [m for m, _, _ in inside(path) if part_of(m) == "passes"]


@files
def test_imports_stand_at_the_top_of_the_file(path: Path) -> None:
    """Apart from heavy packages, which are imported only where they are used."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for function in ast.walk(tree):
        if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            continue
        for node in ast.walk(function):
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                assert {n.split(".")[0] for n in names} <= LATE, f"{path}:{node.lineno}: import at the top of the file"
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "attr", getattr(call.func, "id", "")) in (
            "import_module",
            "__import__",
        ):
            assert "graphnet" not in ast.unparse(call), f"{path}:{call.lineno}: import at the top of the file"


@files
def test_nothing_but_numpy_and_the_standard_library_is_imported_at_once(path: Path) -> None:
    if part_of(name_of(path)) == "cli" or name_of(path) == "graphnet.onnx.backend":  # which is imported by name
        return
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            assert not {n.split(".")[0] for n in names} & LATE, f"{path}:{node.lineno}"


@files
def test_files_are_short_and_say_what_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= LIMIT
    assert ast.get_docstring(ast.parse(text)), "no docstring"
    assert path.stem not in ("utils", "util", "helpers", "misc", "common")


@files
def test_public_functions_and_classes_are_documented(path: Path) -> None:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}:{node.lineno}: {node.name}"


def test_numpy_computes_nothing_between_ops() -> None:
    """References are NumPy's, kernels are not: the table's rows name a kernel or a view, or make an input."""
    for row in gn.ops.TABLE.values():
        assert (row.kernel is not None) + (row.view is not None) + (row.source is not None) == 1, row.name
