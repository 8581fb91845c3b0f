"""Lazy layers can be used before the first forward, and what was done then holds afterwards."""

from __future__ import annotations

import copy
import io
import itertools
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

SIZES = (5, 8, 3)


def lazy() -> Any:
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))


def explicit() -> Any:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))


def tied() -> Any:
    shared = nn.LazyLinear(8)
    return nn.Sequential(nn.LazyLinear(8), shared, nn.ReLU(), shared)


def values(net: Any) -> list[Any]:
    return [p.detach().numpy().copy() for p in net.parameters()]


def assert_same(a: Any, b: Any) -> None:
    assert [n for n, _ in a.named_parameters()] == [n for n, _ in b.named_parameters()]
    for x, y in zip(values(a), values(b)):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)


# -- every way in which sizes become known ------------------------------------------------------------------


def by_data(net: Any) -> None:
    net(gn.ones(2, 5))


def by_array(net: Any) -> None:
    net(np.ones((2, 5), np.float32))


def by_tracing(net: Any) -> None:
    gn.trace(net, ("N", 5))


def by_layers_from_the_back(net: Any) -> None:
    net[2](gn.ones(1, 8))
    net[0](gn.ones(1, 5))


def by_state_dict(net: Any) -> None:
    gn.manual_seed(1)
    net.load_state_dict(explicit().state_dict())


def by_no_grad(net: Any) -> None:
    with gn.no_grad():
        net(gn.ones(2, 5))


def by_copy_of_a_copy(net: Any) -> None:
    by_data(copy.deepcopy(net))
    by_data(net)


WAYS = [by_data, by_array, by_tracing, by_layers_from_the_back, by_state_dict, by_no_grad, by_copy_of_a_copy]
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)


@ways
def test_a_lazy_network_is_bit_identical_to_the_explicit_one(way: Callable[[Any], None]) -> None:
    gn.manual_seed(1)
    net = lazy()
    gn.manual_seed(1)
    same = explicit()
    way(net)
    assert_same(net, same)
    assert repr(net) == repr(same)
    x = gn.ones(4, 5)
    np.testing.assert_array_equal(net(x).detach().numpy(), same(x).detach().numpy())
    after = gn.rand(3).tolist()
    if way is not by_state_dict:
        gn.manual_seed(1)
        explicit()
        assert after == gn.rand(3).tolist(), "resolving drew random numbers"


@ways
def test_the_same_parameter_object_is_filled_in_place(way: Callable[[Any], None]) -> None:
    net = lazy()
    before = list(net.parameters())
    way(net)
    assert all(a is b for a, b in zip(before, net.parameters(), strict=True))
    assert [tuple(p.shape) for p in before] == [(8, 5), (8,), (3, 8), (3,)]
    assert type(net[0]) is nn.Linear and net[0].in_features == 5


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_resolving_does_not_matter(order: tuple[int, ...]) -> None:
    def make() -> Any:
        return nn.ModuleList([nn.LazyLinear(4), nn.LazyLinear(6, bias=False), nn.LazyLinear(2)])

    gn.manual_seed(3)
    plain = nn.ModuleList([nn.Linear(5, 4), nn.Linear(6, 6, bias=False), nn.Linear(7, 2)])
    gn.manual_seed(3)
    net = make()
    for i in order:
        gn.rand(i + 1)  # other draws between do not matter either
        net[i](gn.ones(1, 5 + i))
    assert_same(net, plain)


@ways
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_an_optimizer_made_before_trains_what_comes(way: Callable[[Any], None], kind: str) -> None:
    gn.manual_seed(1)
    net = lazy()
    early = getattr(gn.optim, kind)(net.parameters(), lr=0.1)
    gn.manual_seed(1)
    same = explicit()
    late = getattr(gn.optim, kind)(same.parameters(), lr=0.1)
    early.zero_grad()
    early.step()  # nothing to do yet
    way(net)
    for _ in range(2):
        for network, optimizer in ((net, early), (same, late)):
            optimizer.zero_grad()
            network(gn.ones(2, 5)).sum().backward()
            optimizer.step()
    assert_same(net, same)


def pickled(net: Any) -> Any:
    return pickle.loads(pickle.dumps(net))


def through_a_file(net: Any) -> Any:
    buffer = io.BytesIO()
    pickle.dump(net, buffer, protocol=2)
    buffer.seek(0)
    return pickle.load(buffer)


def dumped_twice(net: Any) -> Any:
    return pickled(copy.deepcopy(pickled(net)))


COPIES = {"deepcopy": copy.deepcopy, "pickle": pickled, "file": through_a_file, "both": dumped_twice}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("make", [lazy, explicit])
def test_a_copy_is_its_own_network_with_the_same_values(make: Callable[[], Any], how: str) -> None:
    net = make()
    twin = COPIES[how](net)
    assert not {id(p) for p in net.parameters()} & {id(p) for p in twin.parameters()}
    twin(gn.ones(2, 5))
    assert make is explicit or net[0].weight.is_lazy
    net(gn.ones(2, 5))
    assert_same(net, twin)
    with gn.no_grad():
        twin[0].weight.zero_()
    assert net[0].weight.abs().sum().item() > 0


@pytest.mark.parametrize("how", COPIES)
def test_a_copied_lazy_network_can_learn_other_sizes(how: str) -> None:
    net = lazy()
    twin = COPIES[how](net)
    net(gn.ones(2, 5))
    twin(gn.ones(2, 9))
    assert tuple(net[0].weight.shape) == (8, 5) and tuple(twin[0].weight.shape) == (8, 9)


@pytest.mark.parametrize("how", COPIES)
def test_a_copy_of_a_tied_network_is_tied(how: str) -> None:
    twin = COPIES[how](tied())
    assert twin[1] is twin[3] and len(list(twin.parameters())) == 4
    twin(gn.ones(2, 8))
    assert twin[1].weight is twin[3].weight
    twin[1].weight.data[0, 0] = 7
    assert twin[3].weight[0, 0].item() == 7


def test_pickled_lazy_weights_tied_across_layers_stay_tied() -> None:
    net = nn.ModuleList([nn.LazyLinear(4), nn.LazyLinear(4)])
    net[1].weight = net[0].weight
    twin = pickled(net)
    twin[0](gn.ones(1, 3))
    assert twin[1].weight is twin[0].weight and tuple(twin[1].weight.shape) == (4, 3)
    assert twin[1](gn.ones(1, 3)).shape == (1, 4)


def test_iteration_and_names_do_not_need_sizes() -> None:
    net = lazy()
    assert [n for n, _ in net.named_parameters()] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert len(list(net.parameters())) == 4
    assert all(p.requires_grad and p.grad is None and p.dtype is gn.float32 for p in net.parameters())
    assert repr(net) == repr(lazy())
    assert "LazyLinear(in_features=0, out_features=8, bias=True)" in repr(net)
    for p in net.parameters():
        assert "Parameter" in repr(p)
        assert len(p.shape) in (1, 2)
    assert tuple(net[0].bias.shape) == (8,)
    net.zero_grad()
    net.train().eval()


def test_a_lazy_state_dict_goes_into_a_lazy_and_an_explicit_network() -> None:
    state = lazy().state_dict()
    assert list(state) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert repr(state)
    lazy().load_state_dict(state)
    assert lazy()[0].weight.is_lazy


def test_load_state_dict_resolves_and_checks_like_any_other() -> None:
    net = lazy()
    result = net.load_state_dict({"0.weight": np.ones((8, 5), np.float32)}, strict=False)
    assert result.missing_keys == ["0.bias", "2.weight", "2.bias"]
    assert type(net[0]) is nn.Linear and net[2].weight.is_lazy
    assert net[0].weight.tolist() == [[1.0] * 5] * 8
    with pytest.raises(gn.StateDictError, match=r"2\.weight.*\(3, in_features\).*\(4, 8\)"):
        net.load_state_dict({"2.weight": np.ones((4, 8), np.float32)}, strict=False)
    assert net[2].weight.is_lazy
    net(gn.ones(1, 5))
    gn.manual_seed(0)
    assert tuple(net[2].weight.shape) == (3, 8)


def test_a_state_dict_saved_before_resolves_what_was_made_after() -> None:
    trained = lazy()
    trained(gn.ones(1, 5))
    net = lazy()
    net.load_state_dict(pickled(trained.state_dict()))
    assert_same(net, trained)


# -- writes ---------------------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[Any], Any]] = {
    "data.fill_": lambda p: p.data.fill_(0.5),
    "data.zero_": lambda p: p.data.zero_(),
    "data.normal_": lambda p: p.data.normal_(0, 0.01),
    "data.uniform_": lambda p: p.data.uniform_(-1, 1),
    "data[:] =": lambda p: p.data.__setitem__(slice(None), 3.0),
    "data[0] =": lambda p: p.data.__setitem__(0, 9.0),
    "data.copy_": lambda p: p.data.copy_(gn.tensor(0.25)),
    "data *=": lambda p: setattr(p, "data", p.data.__imul__(2)),
    "data +=": lambda p: setattr(p, "data", p.data.__iadd__(1)),
    "data -= and /=": lambda p: p.data.__isub__(1).__itruediv__(2),
    "data.mul_": lambda p: p.data.mul_(2),
    "data.add_": lambda p: p.data.add_(1),
    "init.normal_": lambda p: nn.init.normal_(p, std=0.1),
    "init.uniform_": lambda p: nn.init.uniform_(p, -0.1, 0.1),
    "init.constant_": lambda p: nn.init.constant_(p, 42),
    "init.zeros_": lambda p: nn.init.zeros_(p),
    "init.ones_": lambda p: nn.init.ones_(p),
    "several": lambda p: [nn.init.normal_(p), p.data.__imul__(2), p.data.__setitem__(0, 1.0)],
}
BY_FAN = {
    name: (lambda p, name=name: getattr(nn.init, name)(p))
    for name in ("xavier_uniform_", "xavier_normal_", "kaiming_uniform_", "kaiming_normal_")
}


@ways
@pytest.mark.parametrize("write", [*WRITES, *BY_FAN])
def test_what_is_written_before_is_there_after(write: str, way: Callable[[Any], None]) -> None:
    if way is by_state_dict:
        pytest.skip("loading overwrites it")
    function = {**WRITES, **BY_FAN}[write]
    nets = []
    for make in (lazy, explicit):
        gn.manual_seed(2)
        net = make()
        for p in net.parameters():
            if p.ndim > 1 or write in WRITES:
                function(p)
        nets.append(net)
    way(nets[0])
    assert_same(*nets)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("write", ["data.normal_", "data *=", "several"])
def test_copies_take_along_what_was_written(write: str, how: str) -> None:
    net = lazy()
    for p in net.parameters():
        WRITES[write](p)
    twin = COPIES[how](net)
    twin(gn.ones(1, 5))
    net(gn.ones(1, 5))
    assert_same(net, twin)


def test_assigning_data_resolves() -> None:
    net = lazy()
    net[0].weight.data = gn.ones(8, 5)
    assert net[0].weight.tolist() == [[1.0] * 5] * 8 and net[0].in_features == 5
    with pytest.raises(gn.ShapeError):
        net[2].weight.data = gn.ones(4, 4)


def test_an_array_written_before_may_change_later() -> None:
    net, array = nn.LazyLinear(2), np.ones(3, np.float32)
    net.weight.data.copy_(array)
    array[:] = 7
    net(gn.ones(1, 3))
    assert net.weight.tolist() == [[1.0] * 3] * 2


def test_init_through_apply() -> None:
    """The usual recipe: net.apply(init)."""

    def init(module: Any) -> None:
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, mean=0, std=0.01)
            nn.init.zeros_(module.bias)

    nets = []
    for make in (lazy, explicit):
        gn.manual_seed(5)
        nets.append(make().apply(init))
    nets[0](gn.ones(2, 5))
    assert_same(*nets)


# -- dtypes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["double", "float"])
def test_double_and_float_before_are_as_after(change: str) -> None:
    nets = []
    for make in (lazy, explicit):
        gn.manual_seed(4)
        net = make()
        nets.append(getattr(net.double(), change)())
    assert all(p.dtype is getattr(gn, change) for p in nets[0].parameters())
    nets[0](gn.ones(2, 5, dtype=getattr(gn, change)))
    assert_same(*nets)


def test_arrays_are_taken_in_the_float_type_of_a_lazy_network() -> None:
    net = lazy().double()
    assert net(np.ones((2, 5), np.float32)).dtype is gn.float64
    net = lazy()
    assert net(np.ones((2, 5))).dtype is gn.float32


def test_frozen_before_is_frozen_after() -> None:
    net = lazy().requires_grad_(False)
    assert not net(gn.ones(2, 5)).requires_grad
    assert not any(p.requires_grad for p in net.parameters())


# -- inference over a graph -----------------------------------------------------------------------------------


def test_sizes_flow_forwards_and_backwards_through_a_graph() -> None:
    """A lazy layer learns its size from the input, or from a layer of known size that its input goes to as well."""
    first, second = nn.LazyLinear(6), nn.Linear(4, 2)
    graph = gn.trace(lambda x: first(x) @ gn.ones(6, 2) + second(x), ("N", "features"))
    assert tuple(first.weight.shape) == (6, 4)
    (noted,) = graph.types[graph.inputs[0]]
    assert noted.shape[1] == 4


def test_sizes_of_one_name_are_one_size() -> None:
    layer = nn.LazyLinear(3)
    gn.trace(lambda a, b: layer(a) + nn.Linear(7, 3)(b), ("N", "d"), ("N", "d"))
    assert layer.in_features == 7


def test_known_layers_ahead_decide_for_lazy_ones_behind_them() -> None:
    net = nn.Sequential(nn.Linear(4, 9), nn.LazyLinear(2))
    gn.trace(net, ("N", None))
    assert net[1].in_features == 9


def test_a_traced_size_that_stays_open_is_learnt_from_data() -> None:
    net = lazy()
    graph = gn.trace(net, ("N", "d"))
    assert net[0].weight.is_lazy and net[2].in_features == 8
    assert graph(gn.ones(2, 5)).shape == (2, 3)
    assert net[0].in_features == 5
    with pytest.raises(gn.ShapeError):
        graph(gn.ones(2, 6))


def test_the_same_lazy_layer_used_twice_fixes_its_sizes() -> None:
    layer = nn.LazyLinear(4)
    gn.trace(lambda x: layer(layer(x)), ("N", None))
    assert tuple(layer.weight.shape) == (4, 4)


def test_no_features_are_a_size_too() -> None:
    layer = nn.LazyLinear(4)
    assert layer(gn.ones(2, 0)).tolist() == nn.Linear(0, 4)(gn.ones(2, 0)).tolist() == [[0.0] * 4] * 2
    assert tuple(layer.weight.shape) == (4, 0)


# -- what cannot be done yet ----------------------------------------------------------------------------------

NEEDS_VALUES: dict[str, Callable[[Any], Any]] = {
    "adding": lambda p: p + 1,
    "item": lambda p: p.sum().item(),
    "numpy": lambda p: p.detach().numpy(),
    "asarray": np.asarray,
    "tolist": lambda p: p.tolist(),
    "indexing": lambda p: p[0],
    "comparing": lambda p: bool((p == p).all()),
    "clone": lambda p: p.clone(),
}


@pytest.mark.parametrize("name", NEEDS_VALUES)
def test_values_wanted_too_early_say_what_to_do(name: str) -> None:
    with pytest.raises(gn.UninitializedError, match=r"in_features.*load a state dict") as caught:
        NEEDS_VALUES[name](nn.LazyLinear(4).weight)
    assert isinstance(caught.value, RuntimeError)


class Unreached(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.used = nn.LazyLinear(2)
        self.spare = nn.Sequential(nn.ReLU(), nn.LazyLinear(3))

    def forward(self, x: Any) -> Any:
        return self.used(x)


@pytest.mark.parametrize("way", [lambda n: n(gn.ones(1, 4)), lambda n: gn.trace(n, ("N", 4))], ids=["data", "trace"])
def test_a_forward_that_leaves_a_lazy_layer_unreached_says_which(way: Callable[[Any], Any]) -> None:
    net = Unreached()
    with pytest.warns(gn.UnreachedLazyWarning, match=r"spare\.1 \(LazyLinear, .*test_lazy\.py:\d+\)") as caught:
        way(net)
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net(gn.ones(1, 4))  # said once


def test_several_threads_may_make_the_first_call(busy_threads: None) -> None:
    x = gn.ones(2, 5)
    for seed in range(50):
        gn.manual_seed(seed)
        net = lazy()
        gn.manual_seed(seed)
        expected = explicit()(x).tolist()
        results: list[Any] = []
        threads = [threading.Thread(target=lambda n=net, r=results: r.append(n(x).tolist())) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [expected] * 6


def test_a_state_dict_made_before_shows_the_values_after() -> None:
    net = lazy()
    state = net.state_dict()
    net(gn.ones(1, 5))
    assert all(state[name].tolist() == p.tolist() for name, p in net.named_parameters())
