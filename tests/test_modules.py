"""Modules: what is registered, in which order it is named, how state goes in and out, what text and errors say."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.scale = nn.Parameter(gn.ones(3))
        self.register_buffer("count", gn.zeros(1))
        self.second = nn.Linear(3, 2, bias=False)

    def forward(self, x: Any) -> Any:
        return self.second(self.first(x) * self.scale)


def both(function: Callable[[Any], Any]) -> None:
    """The same with PyTorch, where it is there."""
    torch = pytest.importorskip("torch")
    assert function(gn) == function(torch)


# -- registration -----------------------------------------------------------------------------------------


def test_modules_and_parameters_set_as_attributes_are_registered() -> None:
    block = Block()
    assert [n for n, _ in block.named_children()] == ["first", "second"]
    assert [n for n, _ in block.named_parameters()] == ["scale", "first.weight", "first.bias", "second.weight"]
    assert [n for n, _ in block.named_buffers()] == ["count"]
    assert [n for n, _ in block.named_modules()] == ["", "first", "second"]
    assert block.scale is block.get_parameter("scale")
    assert block.first is block.get_submodule("first") and block.get_submodule("") is block


def test_plain_tensors_are_not_registered() -> None:
    module = nn.Module()
    module.constant = gn.rand(3)
    assert not list(module.parameters()) and not module.state_dict()


def test_a_name_is_one_thing_at_a_time() -> None:
    module = nn.Module()
    module.x = 5
    module.x = nn.Linear(1, 1)
    assert "x" not in module.__dict__ and dict(module.named_children()) == {"x": module.x}
    module.x = nn.Parameter(gn.ones(1))
    assert not list(module.children()) and len(list(module.parameters())) == 1
    del module.x
    assert not list(module.parameters()) and not hasattr(module, "x")
    module.x = 3
    assert module.x == 3


def test_none_keeps_the_place_of_a_parameter_or_child() -> None:
    layer = nn.Linear(2, 2)
    layer.bias = None
    assert layer.bias is None and list(layer.state_dict()) == ["weight"]
    layer.bias = nn.Parameter(gn.ones(2))
    assert list(layer.state_dict()) == ["weight", "bias"]
    net = nn.Sequential(nn.ReLU())
    net.extra = None
    assert net(gn.ones(1)).item() == 1.0


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "tensor for a parameter": (
        lambda: setattr(nn.Linear(1, 1), "weight", gn.ones(1, 1)),
        TypeError,
        r"weight.*Parameter",
    ),
    "number for a child": (lambda: setattr(Block(), "first", 3), TypeError, "first"),
    "array for a buffer": (lambda: setattr(Block(), "count", "x"), TypeError, "count"),
    "a dot in a name": (lambda: nn.Module().add_module("a.b", nn.ReLU()), ValueError, r"a\.b"),
    "an empty name": (lambda: nn.Module().add_module("", nn.ReLU()), ValueError, "empty"),
    "a name that is no string": (lambda: nn.Module().add_module(1, nn.ReLU()), TypeError, "1"),
    "no module": (lambda: nn.Module().add_module("a", 3), TypeError, "int"),
    "a name that is taken": (lambda: nn.Module().add_module("forward", nn.ReLU()), (ValueError, KeyError), "forward"),
    "no parameter": (lambda: nn.Module().register_parameter("a", gn.ones(1)), TypeError, "Parameter"),
    "a class in a Sequential": (lambda: nn.Sequential(nn.ReLU), TypeError, "ReLU"),
    "a function in a Sequential": (lambda: nn.Sequential(gn.relu), TypeError, "function"),
    "a list in a Sequential": (lambda: nn.Sequential([nn.ReLU()]), TypeError, "list"),
    "index beyond": (lambda: nn.Sequential(nn.ReLU())[1], IndexError, "1"),
    "unknown child": (lambda: nn.Sequential().get_submodule("a.b"), AttributeError, "'a'"),
    "unknown attribute": (lambda: nn.Linear(1, 1).wieght, AttributeError, "'Linear' object has no attribute 'wieght'"),
    "no forward": (lambda: nn.Module()(1), NotImplementedError, "forward"),
    "train with a number": (lambda: nn.Module().train(2), (TypeError, ValueError), "2"),
    "to an integer type": (lambda: nn.Linear(1, 1).to(gn.int64), TypeError, "int64"),
    "negative size": (lambda: nn.Linear(-1, 2), ValueError, "-1"),
    "fractional size": (lambda: nn.Linear(2.5, 2), (TypeError, ValueError), "2.5"),
    "infinite size": (lambda: nn.Linear(float("inf"), 2), (TypeError, ValueError), "inf"),
    "nan size": (lambda: nn.LazyLinear(float("nan")), (TypeError, ValueError), "nan"),
    "size as text": (lambda: nn.Linear("3", 2), (TypeError, ValueError), "'3'"),
    "unknown key of a ModuleDict": (lambda: nn.ModuleDict({"a": nn.ReLU()})["b"], KeyError, "b"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_use_is_refused(name: str) -> None:
    function, kind, text = REFUSED[name]
    with pytest.raises(kind, match=text):
        function()


@pytest.mark.parametrize("value", [nn.Linear(1, 1), nn.Parameter(gn.ones(1))], ids=["module", "parameter"])
def test_forgetting_to_call_the_base_class_is_told(value: Any) -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            self.layer = value

    with pytest.raises(AttributeError, match=r"super\(\).__init__\(\)"):
        Forgetful()


def test_what_a_subclass_misspells_is_named() -> None:
    class Net(nn.Module):
        def forward(self, x: Any) -> Any:
            return self.lyaer(x)

    with pytest.raises(AttributeError, match="'Net' object has no attribute 'lyaer'"):
        Net()(gn.ones(1))


# -- walking ----------------------------------------------------------------------------------------------


def shared_tree(t: Any) -> Any:
    shared = t.nn.Linear(2, 2)
    inner = t.nn.Sequential(shared, t.nn.ReLU())
    return t.nn.Sequential(OrderedDict(a=inner, b=shared, c=t.nn.ModuleDict({"x": inner, "y": t.nn.Tanh()})))


def test_orders_and_shared_parts_as_in_torch() -> None:
    both(lambda t: [n for n, _ in shared_tree(t).named_modules()])
    both(lambda t: [n for n, _ in shared_tree(t).named_modules(remove_duplicate=False)])
    both(lambda t: [n for n, _ in shared_tree(t).named_modules(prefix="p")])
    both(lambda t: [n for n, _ in shared_tree(t).named_children()])
    both(lambda t: [type(m).__name__ for m in shared_tree(t).modules()])
    both(lambda t: [n for n, _ in shared_tree(t).named_parameters()])
    both(lambda t: [n for n, _ in shared_tree(t).named_parameters(prefix="p", recurse=True)])
    both(lambda t: [n for n, _ in shared_tree(t).named_parameters(remove_duplicate=False)])
    both(lambda t: [n for n, _ in shared_tree(t).named_parameters(recurse=False)])
    both(lambda t: list(shared_tree(t).state_dict()))
    both(lambda t: list(shared_tree(t).state_dict(prefix="p.")))
    both(lambda t: len(list(t.nn.Sequential(*[t.nn.ReLU()] * 3).children())))


def test_apply_visits_children_first() -> None:
    def order(t: Any) -> list[str]:
        seen: list[str] = []
        net = t.nn.Sequential(t.nn.Sequential(t.nn.Linear(1, 1), t.nn.ReLU()), t.nn.Tanh())
        assert net.apply(lambda m: seen.append(type(m).__name__)) is net
        return seen

    both(order)


def test_train_and_eval_reach_the_whole_tree() -> None:
    net = nn.Sequential(Block(), nn.ReLU())
    assert all(m.training for m in net.modules())
    assert net.eval() is net and not any(m.training for m in net.modules())
    assert net.train() is net and all(m.training for m in net.modules())


def test_requires_grad_and_zero_grad_reach_all_parameters() -> None:
    block = Block()
    block(gn.ones(1, 2)).sum().backward()
    assert all(p.grad is not None for p in block.parameters())
    block.zero_grad(set_to_none=False)
    assert all(p.grad.abs().sum().item() == 0 for p in block.parameters())
    block.zero_grad()
    assert all(p.grad is None for p in block.parameters())
    assert block.requires_grad_(False) is block
    assert not block(gn.ones(1, 2)).requires_grad


def test_float_and_double_convert_in_place() -> None:
    block = Block()
    before = list(block.parameters())
    block(gn.ones(1, 2)).sum().backward()
    assert block.double() is block
    assert all(
        a is b and b.dtype is gn.float64 and b.grad.dtype is gn.float64 for a, b in zip(before, block.parameters())
    )
    assert block.count.dtype is gn.float64
    assert block(gn.ones(1, 2).double()).dtype is gn.float64
    assert block.float()(np.ones((1, 2))).dtype is gn.float32


# -- state ------------------------------------------------------------------------------------------------


def test_state_dict_shares_memory_and_has_tied_ones_under_every_path() -> None:
    net = shared_tree(gn)
    state = net.state_dict()
    assert isinstance(state, OrderedDict)
    assert [k for k in state if k.endswith("weight")] == ["a.0.weight", "b.weight", "c.x.0.weight"]
    state["b.weight"][0, 0] = 5
    assert net.a[0].weight[0, 0].item() == 5
    assert not any(v.requires_grad for v in state.values())


def test_buffers_are_saved_unless_transient() -> None:
    block = Block()
    block.register_buffer("cache", gn.ones(1), persistent=False)
    assert "count" in block.state_dict() and "cache" not in block.state_dict()
    block.load_state_dict({**block.state_dict(), "count": np.array([4.0], np.float32)})
    assert block.count.item() == 4


def test_strict_loading_names_every_key() -> None:
    block = Block()
    before = {k: v.numpy().copy() for k, v in block.state_dict().items()}
    state = {k: v * 2 for k, v in before.items()}
    state["extra.weight"] = state.pop("first.bias")
    state["scale"] = np.ones(4, np.float32)
    with pytest.raises(gn.StateDictError) as caught:
        block.load_state_dict(state)
    text = str(caught.value)
    for part in ("Block", "missing", "'first.bias'", "unexpected", "'extra.weight'", "'scale'", "(3,)", "(4,)"):
        assert part in text, part
    assert isinstance(caught.value, RuntimeError)
    for key, value in block.state_dict().items():
        np.testing.assert_array_equal(value.numpy(), before[key], "a failed load changed something")


def test_loose_loading_takes_what_fits_and_reports_the_rest() -> None:
    block = Block()
    result = block.load_state_dict({"scale": np.full(3, 7, np.float32), "other": np.ones(1)}, strict=False)
    assert block.scale.tolist() == [7.0] * 3
    missing, unexpected = result
    assert missing == result.missing_keys == ["count", "first.weight", "first.bias", "second.weight"]
    assert unexpected == result.unexpected_keys == ["other"]
    assert repr(block.load_state_dict(block.state_dict())) == "<All keys matched successfully>"


def test_loading_copies_and_casts() -> None:
    layer, array = nn.Linear(2, 1), np.array([[1.0, 2.0]])
    layer.load_state_dict({"weight": array, "bias": gn.zeros(1)})
    array[:] = 9
    assert layer.weight.tolist() == [[1.0, 2.0]] and layer.weight.dtype is gn.float32


@pytest.mark.parametrize("state", [None, 3, [("weight", 1)], nn.Linear(1, 1)], ids=lambda s: type(s).__name__)
def test_only_dicts_are_loaded(state: Any) -> None:
    with pytest.raises(TypeError, match="load_state_dict"):
        nn.Linear(1, 1).load_state_dict(state)


def test_lists_are_no_values_of_a_state_dict() -> None:
    with pytest.raises(gn.StateDictError, match=r"'bias'.*list"):
        nn.Linear(1, 1).load_state_dict({"weight": gn.ones(1, 1), "bias": [1.0]})


# -- containers -------------------------------------------------------------------------------------------


def test_sequential_is_a_list_of_layers() -> None:
    a, b, c = nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 1)
    net = nn.Sequential(a, b)
    assert net.append(c) is net and len(net) == 3 and list(net) == [a, b, c]
    assert net[0] is a and net[-1] is c and c in net
    assert isinstance(net[:2], nn.Sequential) and list(net[:2]) == [a, b]
    assert net[:2][0].weight is a.weight
    net[1] = nn.Tanh()
    assert [n for n, _ in net.named_children()] == ["0", "1", "2"]
    del net[1]
    assert [n for n, _ in net.named_children()] == ["0", "1"]
    net.insert(1, b)
    assert list(net) == [a, b, c] and [n for n, _ in net.named_children()] == ["0", "1", "2"]
    net.extend([nn.Tanh()])
    assert len(net) == 4


def test_sequential_of_names() -> None:
    net = nn.Sequential(OrderedDict([("fc", nn.Linear(1, 2)), ("act", nn.ReLU())]))
    assert net.fc is net[0] and list(net.state_dict()) == ["fc.weight", "fc.bias"]


def test_an_empty_sequential_gives_its_input() -> None:
    x = gn.ones(2)
    assert nn.Sequential()(x) is x


def test_module_list() -> None:
    layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    assert len(layers) == 3 and list(layers.state_dict())[:2] == ["0.weight", "0.bias"]
    layers.append(nn.ReLU())
    layers.extend(nn.ModuleList([nn.Tanh()]))
    layers.insert(0, nn.Identity())
    assert [type(m).__name__ for m in layers] == ["Identity", "Linear", "Linear", "Linear", "ReLU", "Tanh"]
    assert isinstance(layers[1:3], nn.ModuleList) and len(layers[1:3]) == 2
    assert layers[-1] is layers[5]
    with pytest.raises(NotImplementedError):
        layers(gn.ones(1))


def test_module_dict() -> None:
    table = nn.ModuleDict({"a": nn.Linear(1, 1), "b": nn.ReLU()})
    assert list(table) == list(table.keys()) == ["a", "b"] and "a" in table and len(table) == 2
    assert table["a"] is table.a and [k for k, _ in table.items()] == ["a", "b"]
    table["c"] = nn.Tanh()
    table.update({"d": nn.Tanh()})
    del table["b"]
    assert list(table) == ["a", "c", "d"] and list(table.state_dict()) == ["a.weight", "a.bias"]
    assert len(list(table.values())) == 3
    popped = table.pop("a")
    assert isinstance(popped, nn.Linear) and "a" not in table


# -- modules in plain containers --------------------------------------------------------------------------


class Listed(nn.Module):
    def __init__(self, kept: Any) -> None:
        super().__init__()
        self.layers = kept

    def forward(self, x: Any) -> Any:
        return self.first()(x)

    def first(self) -> Any:
        kept = self.layers
        while not isinstance(kept, nn.Linear):
            kept = next(iter(kept.values() if isinstance(kept, (dict, nn.ModuleDict)) else kept))
        return kept


KEPT: dict[str, tuple[Callable[[], Any], str]] = {
    "list": (lambda: [nn.Linear(2, 2), nn.Linear(2, 2)], "ModuleList"),
    "tuple": (lambda: (nn.Linear(2, 2),), "ModuleList"),
    "dict": (lambda: {"a": nn.Linear(2, 2)}, "ModuleDict"),
    "nested list": (lambda: [[nn.Linear(2, 2)], []], "ModuleList"),
}


@pytest.mark.parametrize("kind", KEPT)
def test_modules_in_a_plain_container_are_told_once_with_path_and_cure(kind: str) -> None:
    make, cure = KEPT[kind]
    inner = Listed(make())
    net = nn.Sequential(nn.Identity(), inner)
    assert not net.state_dict() and not list(net.parameters())
    with pytest.warns(gn.UnregisteredModuleWarning, match=rf"1\.layers.*Listed.*{cure}") as caught:
        net(gn.ones(1, 2))
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net(gn.ones(1, 2))


def test_each_module_with_a_plain_list_is_told() -> None:
    for _ in range(2):
        with pytest.warns(gn.UnregisteredModuleWarning, match="^layers of Listed"):
            Listed([nn.Linear(2, 2)])(gn.ones(1, 2))


def test_registered_modules_kept_in_a_list_as_well_are_fine() -> None:
    class Fine(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Linear(2, 2)
            self.order = [self.a]
            self.sizes = [1, 2, 3]
            self.names = {"a": "b"}

        def forward(self, x: Any) -> Any:
            return self.order[0](x)

    Fine()(gn.ones(1, 2))


def test_module_list_needs_no_warning() -> None:
    Listed(nn.ModuleList([nn.Linear(2, 2)]))(gn.ones(1, 2))
    Listed(nn.ModuleDict({"a": nn.Linear(2, 2)}))(gn.ones(1, 2))


# -- calling ----------------------------------------------------------------------------------------------


def test_arrays_are_taken_in_the_modules_float_type() -> None:
    layer = nn.Linear(2, 1)
    for dtype in (np.float16, np.float32, np.float64):
        assert layer(np.ones((3, 2), dtype)).dtype is gn.float32
    assert layer.double()(np.ones((3, 2), np.float32)).dtype is gn.float64
    with pytest.raises(gn.DTypeError):
        nn.Linear(2, 1)(gn.ones(3, 2).double())  # between tensors nothing is converted


def test_any_arguments_reach_forward() -> None:
    class Any_(nn.Module):  # noqa: N801
        def forward(self, x: Any, *, twice: bool = False, **rest: Any) -> Any:
            return (x * 2 if twice else x), rest

    y, rest = Any_()(gn.ones(1), twice=True, tag="t")
    assert y.item() == 2 and rest == {"tag": "t"}
