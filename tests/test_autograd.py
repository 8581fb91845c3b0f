"""Gradients of eager calls: what is recorded, what is kept, what may be overwritten, and what errors say."""

from __future__ import annotations

import copy
import pickle
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn


def leaf(*values: float) -> Any:
    return gn.tensor(values or (1.0, 2.0, 3.0), requires_grad=True)


# -- leaves -----------------------------------------------------------------------------------------------


def test_grad_is_none_before_and_summed_after() -> None:
    x = leaf()
    assert x.grad is None and x.is_leaf and x.requires_grad
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0] * 3 and not x.grad.requires_grad
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5.0] * 3
    x.grad = None
    x.sum().backward()
    assert x.grad.tolist() == [1.0] * 3


def test_a_leaf_used_many_times_gets_the_sum_over_its_uses() -> None:
    x = leaf()
    (x + x * x + x * x * x).sum().backward()
    assert x.grad.tolist() == [1 + 2 * v + 3 * v * v for v in (1.0, 2.0, 3.0)]


def test_gradients_are_memory_of_their_own() -> None:
    x, y = leaf(), leaf()
    upstream = gn.ones(3)
    (x + y).backward(upstream)
    x.grad.zero_()
    assert y.grad.tolist() == [1.0] * 3 and upstream.tolist() == [1.0] * 3
    z = leaf()
    z.backward(upstream)
    z.grad.zero_()
    assert upstream.tolist() == [1.0] * 3


def test_a_gradient_that_was_kept_does_not_change_later() -> None:
    x = leaf()
    x.sum().backward()
    kept = x.grad
    before = kept.tolist()
    x.grad = None
    (x * 5).sum().backward()
    assert kept.tolist() == before


def test_constants_take_no_gradient() -> None:
    x, c = leaf(), gn.ones(3)
    y = (x * c).sum()
    y.backward()
    assert c.grad is None and not c.requires_grad
    assert not (c * 2).requires_grad


def test_results_are_not_leaves() -> None:
    x = leaf()
    y = x * 2
    assert not y.is_leaf and y.requires_grad and y.grad is None
    y.sum().backward()
    assert y.grad is None


def test_retain_grad_keeps_a_results_gradient() -> None:
    x = leaf()
    y = x * 2
    y.retain_grad()
    (y * y).sum().backward()
    assert y.grad.tolist() == [4.0, 8.0, 12.0]


def test_integers_stop_gradients() -> None:
    x = leaf()
    assert not (x > 1).requires_grad and not x.long().requires_grad and not x.argmax().requires_grad


def test_backward_takes_a_gradient_of_the_results_shape() -> None:
    x = leaf()
    (x * x).backward(gn.tensor([1.0, 0.0, 2.0]))
    assert x.grad.tolist() == [2.0, 0.0, 12.0]
    y = leaf(4.0)
    (y * y).backward()  # one element of any rank starts from 1
    assert y.grad.tolist() == [8.0]
    z = leaf()
    (z * 1).backward(np.ones(3, np.float32))
    assert z.grad.tolist() == [1.0] * 3


# -- graphs are freed --------------------------------------------------------------------------------------


def test_a_second_backward_needs_retain_graph() -> None:
    x = leaf()
    y = (x * x).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0, 12.0]
    with pytest.raises(gn.GradientError, match=r"freed.*retain_graph=True") as caught:
        y.backward()
    assert isinstance(caught.value, RuntimeError)


def test_what_was_computed_from_a_freed_graph_cannot_be_differentiated() -> None:
    x = leaf()
    middle = x * x
    middle.sum().backward()
    before = x.grad.tolist()
    with pytest.raises(gn.GradientError, match=r"mul \(.*test_autograd\.py:\d+\).*freed"):
        (middle * 2).sum().backward()
    assert x.grad.tolist() == before, "a failed pass left gradients behind"


def test_values_survive_the_graph() -> None:
    x = leaf()
    y = x * x
    y.sum().backward()
    assert y.tolist() == [1.0, 4.0, 9.0]
    assert (y.detach() * 2).tolist() == [2.0, 8.0, 18.0]


def test_memory_is_released_with_the_last_reference() -> None:
    x = leaf()
    y = x.exp()
    seen = weakref.ref(y)
    z = y.sum()
    del y
    z.backward()
    del z
    assert seen() is None


ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "nothing requires a gradient": (lambda: gn.ones(3).sum().backward(), RuntimeError, "requires a gradient"),
    "a result of several elements": (lambda: (leaf() * 2).backward(), RuntimeError, r"\(3,\)"),
    "a gradient of another shape": (lambda: (leaf() * 2).backward(gn.ones(2)), ValueError, r"\(3,\).*\(2,\)"),
    "a list for a gradient": (lambda: (leaf() * 2).backward([1.0, 1, 1]), TypeError, "list"),
    "requires_grad of integers": (lambda: gn.arange(3).requires_grad_(), RuntimeError, "int64"),
    "requires_grad of a result taken away": (lambda: (leaf() * 2).requires_grad_(False), RuntimeError, "detach"),
    "numpy of a result": (lambda: (leaf() * 2).numpy(), RuntimeError, "detach"),
    "deepcopy of a result": (lambda: copy.deepcopy(leaf() * 2), RuntimeError, "detach"),
    "pickle of a result": (lambda: pickle.dumps(leaf() * 2), RuntimeError, "detach"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_wrong_use_is_refused(name: str) -> None:
    function, kind, text = ERRORS[name]
    with pytest.raises(kind, match=text) as caught:
        function()
    assert isinstance(caught.value, gn.GraphnetError)


# -- in place ---------------------------------------------------------------------------------------------


def test_in_place_forms_are_differentiated() -> None:
    x = leaf()
    y = x * 2
    same = y
    y += 1
    y *= 3
    y -= x.detach()
    y /= 2
    assert y is same
    y.sum().backward()
    assert x.grad.tolist() == [3.0] * 3


OVERWRITTEN: dict[str, Callable[[Any], Any]] = {  # the value that a gradient reads is overwritten after it was read
    "operand of mul": lambda x: (lambda y: (y * y, y.__iadd__(1))[0])(x * 2),
    "result of exp": lambda x: (lambda y: y.__iadd__(1))(x.exp()),
    "result of relu": lambda x: (lambda y: y.__iadd__(1))(gn.relu(x)),
    "a constant": lambda x: (lambda c: (x * c, c.zero_())[0])(gn.ones(3)),
    "through a view": lambda x: (lambda c: (x * c, c[0:2].zero_())[0])(gn.ones(3)),
    "by assignment": lambda x: (lambda c: (x * c, c.__setitem__(0, 5.0))[0])(gn.ones(3)),
    "through detach": lambda x: (lambda y: (y * y, y.detach().zero_())[0])(x * 2),
}


@pytest.mark.parametrize("name", OVERWRITTEN)
def test_a_value_that_a_gradient_needs_may_not_be_overwritten(name: str) -> None:
    result = OVERWRITTEN[name](leaf())
    with pytest.raises(gn.GradientError, match=r"\(.*test_autograd\.py:\d+\).*overwritten in place"):
        result.sum().backward()


def test_a_value_that_no_gradient_needs_may_be_overwritten() -> None:
    x = leaf()
    y = x.sin()
    y *= 2  # the gradient of sin reads its operand
    c = gn.ones(3)
    z = y + c
    c.zero_()  # that of a sum reads nothing
    z.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.cos(x.detach().numpy()), rtol=4 * np.finfo(np.float32).eps)


def test_a_leaf_is_not_overwritten_while_gradients_are_recorded() -> None:
    x = leaf()
    for write in (lambda: x.__iadd__(1), lambda: x.zero_(), lambda: x.__setitem__(0, 1.0), lambda: x.copy_(gn.ones(3))):
        with pytest.raises(gn.GradientError, match="no_grad"):
            write()
    with gn.no_grad():
        x += 1
        x[0] = 9
    assert x.tolist() == [9.0, 3.0, 4.0] and x.is_leaf and x.requires_grad
    x.data.zero_()
    assert x.tolist() == [0.0] * 3


def test_an_optimizer_step_counts_as_an_overwrite() -> None:
    w = nn.Parameter(gn.ones(3))
    loss = (w * w).sum()
    loss.backward(retain_graph=True)
    gn.optim.SGD([w], lr=0.1).step()
    with pytest.raises(gn.GradientError, match="overwritten"):
        loss.backward()


def test_views_show_what_is_written() -> None:
    base = gn.zeros(2, 3)
    for view in (base[0], base.T, base.reshape(3, 2), base[:, 1:], base.unsqueeze(0), base.detach(), base.view(-1)):
        base += 1
        assert view.reshape(-1)[0].item() == base[0, 0].item()
    copied = base.T.reshape(6)
    base.zero_()
    assert copied[0].item() == 7


OVERLAPS: dict[str, Callable[[Any], Any]] = {
    "forwards": lambda x: x.__setitem__(slice(1, None), x[:-1]),
    "backwards": lambda x: x.__setitem__(slice(None, -1), x[1:]),
    "transposed": lambda x: x.__setitem__(slice(None), x.T),
    "columns": lambda x: x.__setitem__((slice(None), slice(1, None)), x[:, :-1]),
    "a row over all": lambda x: x.__setitem__(slice(None), x[1]),
    "rows by index": lambda x: x.__setitem__([0, 1], x[1:3]),
    "added transposed": lambda x: x.__iadd__(x.T),
    "added to a part": lambda x: x[1:].__iadd__(x[:-1]),
}


@pytest.mark.parametrize("size", [3, 50])
@pytest.mark.parametrize("name", OVERLAPS)
def test_writing_a_part_of_a_tensor_into_another_part(name: str, size: int) -> None:
    """As NumPy does it: what is read is what was there before."""
    expected = np.arange(size * size, dtype=np.float32).reshape(size, size)
    tensor = gn.tensor(expected)
    OVERLAPS[name](expected)
    OVERLAPS[name](tensor)
    assert tensor.tolist() == expected.tolist()


def test_copying_a_tensor_into_its_own_transpose() -> None:
    tensor = gn.arange(2500.0).reshape(50, 50)
    expected = tensor.numpy().T.copy()
    assert tensor.copy_(tensor.T).tolist() == expected.tolist()


def test_an_in_place_result_must_fit() -> None:
    x = gn.ones(3)
    with pytest.raises(gn.ShapeError, match=r"\(2, 3\).*\(3,\)"):
        x += gn.ones(2, 3)
    n = gn.arange(3)
    with pytest.raises(gn.DTypeError, match=r"float32.*int64"):
        n += 0.5
    assert x.tolist() == [1.0] * 3 and n.tolist() == [0, 1, 2]


def test_memory_that_cannot_be_written_is_left_alone() -> None:
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    for tensor in (gn.from_numpy(array), gn.ones(1).expand(3)):
        with pytest.raises(gn.ArgumentError, match="read-only"):
            tensor += 1
    assert array.tolist() == [1.0] * 3


# -- modes ------------------------------------------------------------------------------------------------


def test_no_grad_and_enable_grad() -> None:
    x = leaf()
    with gn.no_grad():
        assert not gn.is_grad_enabled() and not (x * 2).requires_grad
        with gn.enable_grad():
            assert gn.is_grad_enabled() and (x * 2).requires_grad
        assert not gn.is_grad_enabled()
    assert gn.is_grad_enabled()

    @gn.no_grad()
    def decorated() -> Any:
        return x * 2

    assert not decorated().requires_grad and (x * 2).requires_grad
    with gn.set_grad_enabled(False):
        assert not (x * 2).requires_grad
    assert gn.is_grad_enabled()


def test_no_grad_ends_with_an_error_too() -> None:
    with pytest.raises(KeyError), gn.no_grad():
        raise KeyError
    assert gn.is_grad_enabled()


def test_detach_cuts_and_shares_memory() -> None:
    x = leaf()
    y = x.detach()
    assert not y.requires_grad and y.is_leaf
    with gn.no_grad():
        x += 1
    assert y.tolist() == [2.0, 3.0, 4.0]
    z = x * x
    (z.detach() * x).sum().backward()
    assert x.grad.tolist() == [4.0, 9.0, 16.0]


def test_each_thread_has_its_own_mode_and_gradients() -> None:
    weights = [nn.Parameter(gn.full((4,), float(i + 1))) for i in range(8)]
    seen: list[bool] = []

    def work(w: Any) -> None:
        seen.append(gn.is_grad_enabled())
        for _ in range(50):
            (w * w).sum().backward()

    with gn.no_grad():
        threads = [threading.Thread(target=work, args=(w,)) for w in weights]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert seen == [True] * 8
    for i, w in enumerate(weights):
        assert w.grad.tolist() == [100.0 * (i + 1)] * 4


def test_threads_add_to_the_gradient_of_one_leaf(busy_threads: None) -> None:
    w = nn.Parameter(gn.zeros(4))

    def work() -> None:
        for _ in range(200):
            (w * 1).sum().backward()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert w.grad.tolist() == [800.0] * 4


def test_a_network_serves_several_threads() -> None:
    net = nn.Sequential(nn.LazyLinear(16), nn.ReLU(), nn.LazyLinear(4))
    x = gn.rand(8, 5)
    expected = net(x).detach().numpy().copy()
    wrong: list[bool] = []

    def work() -> None:
        wrong.extend(not np.array_equal(net(x).detach().numpy(), expected) for _ in range(30))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 4 * 30 and not any(wrong)


# -- depth ------------------------------------------------------------------------------------------------

DEPTH = 100_000


def test_a_chain_of_100_000_operations() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(DEPTH):
        y = y + 1
    assert y.item() == DEPTH + 1
    y.backward()
    assert x.grad.item() == 1
    del y  # nor does letting go of it recurse


def test_a_deep_chain_is_let_go_without_backward() -> None:
    x = leaf(1.0)
    y = x
    for _ in range(DEPTH):
        y = -y
    del y
    assert x.grad is None


def test_a_deep_chain_with_two_paths_is_visited_once_per_node() -> None:
    x = gn.tensor(1.0, dtype=gn.float64, requires_grad=True)
    y = x
    for _ in range(1000):
        y = y * 0.5 + y * 0.5
    y.backward()
    assert x.grad.item() == 1
