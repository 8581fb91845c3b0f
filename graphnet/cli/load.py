"""What commands are given: networks in files, and the shapes of their inputs."""

from __future__ import annotations

import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import graphnet as gn
from graphnet.errors import ArgumentError, GraphnetError, kind_of
from graphnet.places import raised_at
from graphnet.trace import graph_for

__all__ = ["LoadError", "applied", "graph_of_target", "input_spec", "network"]

_IMPORTERS = {".onnx": "from_onnx", ".json": "from_json"}  # files that hold a graph, and what reads them


class LoadError(GraphnetError):
    """A file that a command was given has no network where it was looked for."""


def graph_of_target(target: str, inputs: list[str]) -> gn.Graph:
    """The graph of a network in a file.

    Args:
        target: FILE.py:NAME, or a file that holds a graph.
        inputs: the shape of each input, as text.

    Raises:
        LoadError: there is no such file, no such name, or it is no network. GraphnetError: it cannot be traced.
    """
    graph: gn.Graph = applied(target, inputs, lambda found, *specs: graph_for("trace", found, *specs))
    return graph


def applied(target: str, inputs: list[str], function: Callable[..., Any]) -> Any:
    """What a function gives for the network in a file and the shapes of its inputs.

    Raises:
        LoadError: there is no network, or its code failed. GraphnetError: what the function found.
    """
    found = network(target)
    specs = [input_spec(text) for text in inputs]
    if not specs and not isinstance(found, gn.Graph):
        raise ArgumentError(f"give the shape of each input of {target}, such as --input N,20")
    try:
        with redirect_stdout(sys.stderr):
            return function(found, *specs)
    except (GraphnetError, ImportError, OSError):
        raise
    except Exception as error:
        raise LoadError(f"{raised_at(error) or target}: {type(error).__name__}: {_one_line(error)}") from error


def network(target: str) -> Any:
    """The network in a file: a module, a graph, or a function on tensors.

    A class, and a function without arguments, are called to make one.

    Raises:
        LoadError: with the file, and its line where it failed.
    """
    if Path(target).suffix.lower() in _IMPORTERS:
        return _graph_file(Path(target))
    file, _, name = target.rpartition(":")
    if not file or not name or not file.endswith(".py"):
        if target.endswith(".py"):
            raise LoadError(f"{target}: say which network of the file, such as {target}:net{_hint(target)}")
        raise LoadError(f"expects FILE.py:NAME, such as net.py:net, got {target!r}")
    module = _executed(Path(file))
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise LoadError(f"{file} has no {name!r}{_told(module)}")
        found = getattr(found, part)
    return _as_network(f"{file}:{name}", found)


def _graph_file(path: Path) -> Any:
    if not path.is_file():
        raise LoadError(f"{path}: there is no such file")
    name = _IMPORTERS[path.suffix.lower()]
    read = getattr(gn, name, None) or getattr(gn.Graph, name, None)
    if read is None:
        raise LoadError(f"{path}: this graphnet cannot read {path.suffix} files")
    return read(path.read_text(encoding="utf-8") if path.suffix.lower() == ".json" else str(path))


def _executed(path: Path) -> Any:
    """The module that a file defines."""
    if not path.exists():
        raise LoadError(f"{path}: there is no such file")
    if not path.is_file():
        raise LoadError(f"{path}: is not a file")
    name = re.sub(r"\W", "_", path.stem)
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if name not in sys.modules:
        sys.modules[name] = module  # pickle and dataclasses look it up there
    sys.path.insert(0, str(path.resolve().parent))
    try:
        with redirect_stdout(sys.stderr):  # what it prints is not the command's result
            spec.loader.exec_module(module)
    except SyntaxError as error:
        raise LoadError(f"{path}:{error.lineno}: {type(error).__name__}: {error.msg}") from error
    except SystemExit as error:
        raise LoadError(
            f'{path}: it exits ({error.code!r}) when it is loaded; put what it runs below if __name__ == "__main__":'
        ) from error
    except Exception as error:
        where = raised_at(error)
        place = where if where is not None and where.file == str(path.resolve()) else path
        raise LoadError(f"{place}: {type(error).__name__}: {_one_line(error)}") from error
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _as_network(what: str, found: Any) -> Any:
    if isinstance(found, (gn.nn.Module, gn.Graph)):
        return found
    makes = isinstance(found, type) and issubclass(found, gn.nn.Module)
    if not makes and (isinstance(found, type) or not callable(found)):
        raise LoadError(f"{what} is {kind_of(found)}, not a network: a module, a graph or a function on tensors")
    try:
        needed = [p for p in inspect.signature(found).parameters.values() if p.kind < 2 and p.default is p.empty]
    except (TypeError, ValueError):
        needed = []
    if makes and needed:
        names = ", ".join(p.name for p in needed)
        raise LoadError(f"{what} is a class that needs {names}: make a network of it in the file, and name that")
    if not makes and needed:
        return found
    try:
        made = found()
    except Exception as error:
        raise LoadError(f"{raised_at(error) or what}: {type(error).__name__}: {_one_line(error)}") from error
    if not isinstance(made, (gn.nn.Module, gn.Graph)):
        raise LoadError(f"{what}() gives {kind_of(made)}, not a network")
    return made


def _hint(file: str) -> str:
    try:
        return _told(_executed(Path(file)))
    except LoadError:
        return ""


def _told(module: Any) -> str:
    names = [name for name, value in vars(module).items() if isinstance(value, (gn.nn.Module, gn.Graph))]
    if not names:
        own = [n for n, v in vars(module).items() if isinstance(v, type) and issubclass(v, gn.nn.Module)]
        names = [n for n in own if getattr(module, n).__module__ == module.__name__]
    return f"; it has {', '.join(names[:8])}" if names else "; it has no networks"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def input_spec(text: str) -> Any:
    """The shape of an input: "N,20", or with a dtype "N,20:int64"; nothing for a single number.

    Raises:
        ArgumentError: it is not sizes and names.

    Example:
        >>> input_spec("N,20"), input_spec("3")
        (('N', 20), (3,))
        >>> input_spec("N:int64")
        Spec(shape=('N',), dtype='int64')
    """
    sizes, _, kind = text.strip().partition(":")
    dims: list[int | str] = []
    for part in [p.strip() for p in sizes.strip("()[] ").split(",") if p.strip()]:
        if part.isdigit():
            dims.append(int(part))
        elif part.isidentifier():
            dims.append(part)
        else:
            raise ArgumentError(f"--input takes sizes and names such as N,20 or N,20:int64, got {text!r}")
    if not kind:
        return tuple(dims)
    known = ("float32", "float64", "int32", "int64", "bool")
    if kind.strip() not in known:
        raise ArgumentError(f"--input: the dtype is one of {', '.join(known)}, got {kind!r} in {text!r}")
    return gn.Spec(tuple(dims), kind.strip())
