"""What modules are made of: containers that come when they are asked for, memory and first values of parameters."""

from __future__ import annotations

import copy
import gc
import pickle
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn, samples
from graphnet.dtypes import float32, float64
from graphnet.nn.registry import Held
from graphnet.program import aligned_empty, fill_uniform

BOOKS = ("_parameters", "_buffers", "_modules", "_forward_hooks", "_forward_pre_hooks")
SHAPES = [(), (0,), (1,), (3,), (8, 8), (1, 5), (7, 5, 3), (2, 0, 3), (300, 257)]


@pytest.mark.parametrize("dtype", [float32, float64], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_first_values_are_those_of_numpys_philox(shape: tuple[int, ...], dtype: Any) -> None:
    for key in ((0, 1), (2**64 - 1, 7), (123456789, 2**63 + 5)):
        for low, high in ((0.0, 1.0), (-0.3, 0.7), (-1 / 3, 1 / 3)):
            array = aligned_empty(shape, dtype.dtype)
            fill_uniform(array, key, low, high)
            assert array.tobytes() == samples.uniform_array(key, shape, dtype, low, high).tobytes()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_aligned_arrays_are_as_numpys(shape: tuple[int, ...]) -> None:
    array, like = aligned_empty(shape, np.dtype(np.float64)), np.empty(shape)
    assert array.ctypes.data % 64 == 0 and array.shape == like.shape
    assert array.strides == like.strides or array.size == 0
    for flag in ("C_CONTIGUOUS", "F_CONTIGUOUS", "ALIGNED", "WRITEABLE"):
        assert array.flags[flag] == like.flags[flag], flag


BAD: list[Any] = [
    (aligned_empty, ((-1,), np.dtype("f4")), ValueError),
    (aligned_empty, ((2**40, 2**40), np.dtype("f4")), ValueError),
    (aligned_empty, ([2], np.dtype("f4")), TypeError),
    (aligned_empty, ((2,), "f4"), TypeError),
    (aligned_empty, (("2",), np.dtype("f4")), TypeError),
    (fill_uniform, (np.zeros(3, np.int64), (1, 2), 0.0, 1.0), TypeError),
    (fill_uniform, (np.zeros((3, 4)).T, (1, 2), 0.0, 1.0), ValueError),
    (fill_uniform, (np.zeros(3), (1, -2), 0.0, 1.0), OverflowError),
    (fill_uniform, (np.zeros(3), 1, 0.0, 1.0), TypeError),
    (fill_uniform, (np.zeros(3), (1, 2), "0", 1.0), TypeError),
    (fill_uniform, (np.broadcast_to(np.zeros(1), (3,)), (1, 2), 0.0, 1.0), ValueError),
]


@pytest.mark.parametrize(("function", "arguments", "error"), BAD)
def test_bad_arguments_are_errors(function: Any, arguments: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        function(*arguments)


def test_a_layer_has_few_objects_for_the_collector() -> None:
    """The collector looks at all of them again and again, which took longer than making them."""
    gc.collect()
    before = len(gc.get_objects())
    net = nn.Sequential(*[layer for _ in range(100) for layer in (nn.Linear(2, 2), nn.ReLU())])
    assert (len(gc.get_objects()) - before) / 100 < 5.5, "two layers, a dict of parameters, two parameters"
    assert len(net) == 200


@pytest.mark.parametrize("name", BOOKS)
def test_containers_come_when_they_are_asked_for_and_stay(name: str) -> None:
    layer = nn.ReLU()
    assert name not in layer.__dict__
    held = getattr(layer, name)
    assert len(held) == 0 and getattr(layer, name) is held is layer.__dict__[name]


def test_walking_printing_and_calling_make_none() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net(gn.ones(1, 2))
    assert len(net.state_dict()) == 2 and len(list(net.buffers())) == 0 and "ReLU" in repr(net)
    gn.trace(net, ("N", 2))
    assert not set(BOOKS) & net[1].__dict__.keys()


def test_what_is_written_into_a_container_counts() -> None:
    layer = nn.ReLU()
    layer._parameters["scale"] = nn.Parameter(gn.ones(2))
    layer._buffers["mean"] = gn.zeros(2)
    layer._modules["child"] = nn.Linear(2, 2)
    assert list(layer.state_dict()) == ["scale", "mean", "child.weight", "child.bias"]
    assert layer.scale is layer._parameters["scale"] and layer.child is layer._modules["child"]


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), copy.copy])
def test_copies_have_what_was_registered(copied: Any) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU())
    again = copied(net)
    assert repr(again) == repr(net) and list(again.state_dict()) == list(net.state_dict())
    again[2].register_buffer("mean", gn.zeros(1), persistent=False)
    assert list(again.state_dict()) == list(net.state_dict()) and len(list(again.buffers())) == 4


def test_modules_pickled_with_all_containers_are_taken() -> None:
    """As they were before containers came when asked for."""
    layer = nn.Linear(2, 2)
    state = {"_parameters": Held(layer._parameters), "_buffers": Held(), "_modules": Held(), "_transient": set()}
    state |= {"training": True, "_forward_hooks": {}, "_forward_pre_hooks": {}, "_where": None, "_called": False}
    old = nn.Linear.__new__(nn.Linear)
    old.__dict__.update(state, in_features=2, out_features=2)
    np.testing.assert_array_equal(old(gn.ones(1, 2)).detach().numpy(), layer(gn.ones(1, 2)).detach().numpy())
    assert "_called" in old.__dict__ and old.__dict__["_called"] is True


def test_a_second_init_begins_again() -> None:
    layer = nn.Linear(2, 3)
    nn.Module.__init__(layer)
    assert not list(layer.parameters()) and not layer._modules
    layer.__init__(4, 5)  # type: ignore[misc]
    assert layer.weight.shape == (5, 4)


def test_without_init_nothing_is_registered() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.size = 3

    net = Forgetful()
    for name in BOOKS:
        with pytest.raises(AttributeError, match=r"before Module.__init__\(\)"):
            getattr(net, name)


def test_subclasses_keep_their_own_names() -> None:
    class Taken(nn.Linear):
        @property
        def bias(self) -> Any:  # type: ignore[override]
            return None

    with pytest.raises(gn.errors.RegistrationError, match="has an attribute 'bias' already"):
        Taken(2, 2)


def test_layers_made_in_one_place_share_it_and_others_do_not() -> None:
    first, second = (nn.ReLU() for _ in range(2))
    other = nn.ReLU()
    assert first._where is second._where and other._where.line == first._where.line + 1


@pytest.mark.parametrize("kind", [nn.Sequential, lambda *m: nn.ModuleList(m)])
def test_children_are_numbered_on(kind: Any) -> None:
    net = kind(nn.ReLU(), nn.Tanh())
    net.extend([nn.ReLU(), nn.Tanh()]).extend(nn.Linear(len(net), 1) for _ in range(2)).append(nn.ReLU())
    assert list(net._modules) == [str(i) for i in range(7)] and [net[i].in_features for i in (4, 5)] == [4, 5]
    with pytest.raises(gn.errors.ArgumentTypeError, match="at position 8"):
        net.extend([nn.ReLU(), 3])
    net.register_buffer(str(len(net)), gn.zeros(1))
    with pytest.raises(gn.errors.RegistrationError, match="already"):
        net.append(nn.ReLU())
