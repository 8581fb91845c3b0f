"""Tensors, sizes and modules print as PyTorch's do, but for the package's name and the name after grad_fn."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn

torch = pytest.importorskip("torch")


def plain(text: str) -> str:
    """The text without what may differ."""
    text = re.sub(r"grad_fn=<\w+>", "grad_fn=<Backward>", text)
    return text.replace("graphnet.", "torch.")


def rng(*seed: int) -> Any:
    return np.random.default_rng(seed)


ARRAYS: dict[str, Any] = {
    "a number": np.float32(2.5),
    "a whole number": np.float32(3),
    "a small number": np.float32(1e-7),
    "an int": np.int64(-7),
    "a bool": np.bool_(True),
    "nothing": np.zeros(0, np.float32),
    "nothing in a matrix": np.zeros((2, 0), np.float32),
    "no ints": np.zeros(0, np.int64),
    "no ints in a cube": np.zeros((0, 2, 3), np.int64),
    "no float64": np.zeros((0, 3), np.float64),
    "no bools": np.zeros(0, np.bool_),
    "whole floats": np.arange(6, dtype=np.float32),
    "negative whole floats": -np.arange(6, dtype=np.float32).reshape(2, 3),
    "large whole floats": np.array([1e5, 2e6, 3], np.float32),
    "huge whole floats": np.array([1e9, 2], np.float32),
    "fractions": rng(1).normal(size=(3, 4)).astype(np.float32),
    "wide range": np.array([1e-5, 1.0, 1e4], np.float32),
    "range of a thousand": np.array([0.001, 1.0], np.float32),
    "beyond a thousand": np.array([0.0009, 1.0], np.float32),
    "small": np.array([1e-5, 2e-5], np.float32),
    "tiny": np.array([1e-40], np.float32),
    "large": np.array([123456.78, 2.5], np.float32),
    "zeros": np.zeros((2, 2), np.float32),
    "with zeros": np.array([0.0, 1e-6, 2e-6], np.float32),
    "infinite": np.array([np.inf, -np.inf, np.nan], np.float32),
    "partly infinite": np.array([np.inf, 1.0, 2.5], np.float32),
    "nan and whole": np.array([np.nan, 1.0, 2.0], np.float32),
    "negative zero": np.array([-0.0, 0.0], np.float32),
    "float64": np.array([[1.5, -2.25]], np.float64),
    "float64 whole": np.arange(3, dtype=np.float64),
    "ints": np.array([[1, -20], [300, 4]], np.int64),
    "int32": np.arange(5, dtype=np.int32),
    "bools": rng(2).random((2, 3)) < 0.5,
    "a long row": rng(3).normal(size=50).astype(np.float32),
    "a long row of ints": np.arange(100),
    "a thousand": np.arange(1000, dtype=np.float32),
    "a thousand and one": np.arange(1001, dtype=np.float32),
    "a long matrix": rng(4).normal(size=(200, 30)).astype(np.float32),
    "a wide matrix": rng(5).normal(size=(2, 600)).astype(np.float32),
    "a cube": rng(6).normal(size=(2, 3, 4)).astype(np.float32),
    "a long cube": rng(7).normal(size=(12, 13, 14)).astype(np.float32),
    "four axes": rng(8).normal(size=(2, 2, 2, 2)).astype(np.float32),
    "long and float64": np.linspace(0, 1, 2000),
    "a wide row of bools": rng(9).random(40) < 0.5,
    "bools summarised": rng(9).random(2000) < 0.5,
    "a row of 19": rng(10).normal(size=(2, 19)).astype(np.float64),
    "one element": np.array([[[1.25]]], np.float32),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_tensor(name: str) -> None:
    array = np.array(ARRAYS[name])
    assert plain(repr(gn.tensor(array))) == repr(torch.tensor(array))
    assert plain(str(gn.tensor(array))) == str(torch.tensor(array))


@pytest.mark.parametrize("name", [n for n, a in ARRAYS.items() if np.asarray(a).dtype.kind == "f"])
def test_a_tensor_with_a_gradient(name: str) -> None:
    array = np.array(ARRAYS[name])
    ours, theirs = gn.tensor(array, requires_grad=True), torch.tensor(array, requires_grad=True)
    if array.dtype == np.float32:  # "graphnet.float64" is longer than "torch.float64", so lines break elsewhere
        assert plain(repr(ours)) == repr(theirs)
    # graphnet's and torch's names for an op differ in length: compare on one line, where both fit
    squeezed = [re.sub(r"\s+", " ", plain(repr(2 * t.exp()))) for t in (ours, theirs)]
    with np.errstate(all="ignore"):
        assert re.sub(r"grad_fn=<\w+>", "grad_fn=<Backward>", squeezed[1]) == squeezed[0]


@pytest.mark.parametrize("size", range(1, 16))
def test_where_the_line_breaks_before_requires_grad(size: int) -> None:
    values = [i / 8 for i in range(size)]
    assert repr(gn.tensor(values, requires_grad=True)) == repr(torch.tensor(values, requires_grad=True))
    assert repr(gn.tensor([values], requires_grad=True)) == repr(torch.tensor([values], requires_grad=True))
    whole = [float(i) for i in range(size)]
    assert repr(gn.tensor(whole, requires_grad=True)) == repr(torch.tensor(whole, requires_grad=True))


@pytest.mark.parametrize("name", ["fractions", "a number", "nothing", "a long row", "float64"])
def test_a_parameter(name: str) -> None:
    array = np.array(ARRAYS[name])
    ours, theirs = gn.nn.Parameter(gn.tensor(array)), torch.nn.Parameter(torch.tensor(array))
    assert plain(repr(ours)) == repr(theirs)
    frozen = gn.nn.Parameter(gn.tensor(array), requires_grad=False)
    assert plain(repr(frozen)) == repr(torch.nn.Parameter(torch.tensor(array), requires_grad=False))


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 1)], ids=str)
def test_a_size(shape: tuple[int, ...]) -> None:
    ours, theirs = gn.zeros(shape).shape, torch.zeros(shape).shape
    assert plain(repr(ours)) == repr(theirs)
    assert ours == theirs == shape and isinstance(ours, tuple)
    assert ours.numel() == theirs.numel()
    assert plain(repr(ours[:1])) == repr(theirs[:1])
    assert plain(repr([("w", ours)])) == repr([("w", theirs)])


def test_a_format() -> None:
    for spec in ("", ".2f", "8.3f"):
        assert format(gn.tensor(1.23456), spec) == format(torch.tensor(1.23456), spec)
    assert f"{gn.tensor([1.0, 2.0])}" == f"{torch.tensor([1.0, 2.0])}"


def nested(t: Any) -> Any:
    class Block(t.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = t.nn.Sequential(t.nn.Linear(2, 3), t.nn.ReLU())
            self.out = t.nn.Linear(3, 1, bias=False)

    return t.nn.Sequential(Block(), t.nn.ModuleList([t.nn.Linear(1, 1), Block()]))


def described(t: Any) -> Any:
    class Described(t.nn.Module):
        def extra_repr(self) -> str:
            return "a=1\nb=2"

    return t.nn.Sequential(Described())


MODULES: dict[str, Callable[[Any], Any]] = {
    "Linear": lambda t: t.nn.Linear(3, 4),
    "Linear without bias": lambda t: t.nn.Linear(3, 4, bias=False),
    "LazyLinear": lambda t: t.nn.LazyLinear(4),
    "LazyLinear without bias": lambda t: t.nn.LazyLinear(4, bias=False),
    "ReLU": lambda t: t.nn.ReLU(),
    "ReLU in place": lambda t: t.nn.ReLU(inplace=True),
    "Sigmoid": lambda t: t.nn.Sigmoid(),
    "Tanh": lambda t: t.nn.Tanh(),
    "Softmax": lambda t: t.nn.Softmax(dim=1),
    "LogSoftmax": lambda t: t.nn.LogSoftmax(dim=-1),
    "Flatten": lambda t: t.nn.Flatten(),
    "Identity": lambda t: t.nn.Identity(54, unused=1),
    "MSELoss": lambda t: t.nn.MSELoss(),
    "CrossEntropyLoss": lambda t: t.nn.CrossEntropyLoss(),
    "Module": lambda t: t.nn.Module(),
    "Sequential": lambda t: t.nn.Sequential(t.nn.Linear(2, 2), t.nn.ReLU()),
    "empty Sequential": lambda t: t.nn.Sequential(),
    "named Sequential": lambda t: t.nn.Sequential(OrderedDict(fc=t.nn.Linear(1, 2), act=t.nn.Tanh())),
    "ModuleList": lambda t: t.nn.ModuleList([t.nn.Linear(2, 2), t.nn.ReLU(), t.nn.Linear(2, 3)]),
    "alike in a ModuleList": lambda t: t.nn.ModuleList([t.nn.Linear(2, 2) for _ in range(4)]),
    "two runs in a ModuleList": lambda t: t.nn.ModuleList(
        [t.nn.ReLU(), *(t.nn.Linear(2, 2) for _ in range(3)), t.nn.ReLU()]
    ),
    "alike blocks": lambda t: t.nn.ModuleList([t.nn.Sequential(t.nn.ReLU(), t.nn.Linear(1, 1)) for _ in range(2)]),
    "empty ModuleList": lambda t: t.nn.ModuleList(),
    "ModuleDict": lambda t: t.nn.ModuleDict({"a": t.nn.ReLU(), "b": t.nn.Linear(1, 2)}),
    "empty ModuleDict": lambda t: t.nn.ModuleDict(),
    "nested": nested,
    "several lines of its own": described,
}


@pytest.mark.parametrize("name", MODULES)
def test_a_module(name: str) -> None:
    assert repr(MODULES[name](gn)) == repr(MODULES[name](torch))


OPTIMIZERS: dict[str, Callable[[Any, Any], Any]] = {
    "SGD": lambda t, p: t.optim.SGD([p], lr=0.1),
    "Adam": lambda t, p: t.optim.Adam([p], lr=0.1),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_shows_its_settings_as_torch_does(name: str) -> None:
    ours = repr(OPTIMIZERS[name](gn, gn.nn.Parameter(gn.ones(1)))).splitlines()
    theirs = repr(OPTIMIZERS[name](torch, torch.nn.Parameter(torch.ones(1)))).splitlines()
    assert ours[:2] == theirs[:2]
    assert set(ours) <= set(theirs)


def test_a_state_dict_prints_as_torchs() -> None:
    ours, theirs = gn.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    values = {"weight": np.array([[0.5, -0.25]], np.float32), "bias": np.array([1.0], np.float32)}
    ours.load_state_dict(values)
    theirs.load_state_dict({k: torch.tensor(v) for k, v in values.items()})
    assert repr(ours.state_dict()) == repr(theirs.state_dict())
