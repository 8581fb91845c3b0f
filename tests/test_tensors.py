"""Tensors beside NumPy: arrays are taken wherever tensors are, memory is shared where it can be; random numbers."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn
from graphnet.nn import functional as F  # noqa: N812

A = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)

TAKES_ARRAYS: dict[str, Callable[[Any], Any]] = {
    "tensor + array": lambda a: gn.ones(2, 2) + a,
    "array + tensor": lambda a: a + gn.ones(2, 2),
    "array - tensor": lambda a: a - gn.ones(2, 2),
    "array / tensor": lambda a: a / gn.full((2, 2), 2.0),
    "array ** tensor": lambda a: a ** gn.full((2, 2), 2.0),
    "array @ tensor": lambda a: a @ gn.ones(2, 3),
    "tensor @ array": lambda a: gn.ones(3, 2) @ a,
    "array < tensor": lambda a: a < gn.full((2, 2), 2.0),
    "array == tensor": lambda a: a == gn.ones(2, 2),
    "in place": lambda a: gn.ones(2, 2).__iadd__(a),
    "function": lambda a: gn.exp(a),
    "method": lambda a: gn.ones(2, 2).matmul(a),
    "cat": lambda a: gn.cat([a, gn.ones(1, 2), a]),
    "stack": lambda a: gn.stack([a, a]),
    "where": lambda a: gn.where(a > 2, a, 0.0),
    "reshape": lambda a: gn.reshape(a, (4,)),
    "softmax": lambda a: gn.softmax(a, dim=1),
    "relu": lambda a: F.relu(a),
    "linear": lambda a: F.linear(a, np.ones((3, 2), np.float32), np.ones(3, np.float32)),
    "mse_loss": lambda a: F.mse_loss(a, np.zeros((2, 2), np.float32)),
    "cross_entropy": lambda a: F.cross_entropy(a, np.array([0, 1])),
    "cross_entropy with int32 classes": lambda a: F.cross_entropy(a, np.array([0, 1], np.int32)),
    "loss module": lambda a: nn.MSELoss()(a, a * 2),
    "activation": lambda a: nn.Tanh()(a),
    "parameter": lambda a: nn.Parameter(a).detach(),
    "assignment": lambda a: (lambda t: (t.__setitem__(0, a[1]), t)[1])(gn.zeros(2, 2)),
    "index": lambda a: gn.tensor(a)[np.array([1, 0])],
    "mask": lambda a: gn.tensor(a)[a > 1],
    "numpy scalar": lambda a: gn.tensor(a) * np.float32(2),
    "numpy int": lambda a: gn.tensor(a) * np.int64(2),
    "numpy double": lambda a: gn.tensor(a) * np.float64(2),
}


@pytest.mark.parametrize("name", TAKES_ARRAYS)
def test_arrays_are_taken_where_tensors_are(name: str) -> None:
    from_array, from_tensor = TAKES_ARRAYS[name](A), None
    assert isinstance(from_array, gn.Tensor)
    assert from_array.dtype in (gn.float32, gn.bool)
    if name not in ("mask", "assignment", "where", "loss module", "parameter"):
        from_tensor = TAKES_ARRAYS[name](gn.tensor(A))
        assert from_array.tolist() == from_tensor.tolist()


def test_gradients_flow_beside_arrays() -> None:
    x = gn.tensor(A, requires_grad=True)
    (A * x + A @ x).sum().backward()
    np.testing.assert_array_equal(x.grad.numpy(), A + A.sum(0)[:, None])


def test_memory_is_shared_where_it_can_be() -> None:
    array = A.copy()
    tensor = gn.from_numpy(array)
    assert np.shares_memory(np.asarray(tensor), array)
    assert np.shares_memory(tensor.numpy(), array)
    assert np.shares_memory(np.asarray(tensor.T), array) and np.shares_memory(np.asarray(tensor[0]), array)
    tensor += 1
    assert array[0, 0] == 2
    array[0, 0] = 9
    assert tensor[0, 0].item() == 9
    assert np.shares_memory(np.asarray(gn.as_tensor(array)), array)
    assert not np.shares_memory(np.asarray(gn.tensor(array)), array)
    assert not np.shares_memory(np.array(tensor), array)
    assert np.asarray(tensor, np.float64).dtype == np.float64
    assert np.shares_memory(np.from_dlpack(tensor), array)


@pytest.mark.parametrize(
    "array", [A[::-1], A.T, A[:, ::2], np.asfortranarray(A), A[0, 0:0], np.broadcast_to(A, (3, 2, 2))]
)
def test_any_strides_are_taken(array: Any) -> None:
    tensor = gn.from_numpy(array)
    np.testing.assert_array_equal(np.asarray(tensor), array)
    np.testing.assert_array_equal((tensor * 2).numpy(), array * 2)


def test_what_numpy_has_and_graphnet_lacks_is_copied_or_refused() -> None:
    big = A.astype(">f4")
    assert gn.from_numpy(big).tolist() == A.tolist()
    odd = np.frombuffer(b"\0" + A.tobytes(), np.uint8)[1:].view(np.float32)
    assert gn.from_numpy(odd).tolist() == A.ravel().tolist()
    part = np.zeros(3, [("a", np.int8), ("b", np.float32)])["b"]
    assert gn.from_numpy(part).tolist() == [0.0] * 3
    for dtype in (np.float16, np.uint8, np.int8, np.complex64, "U1", "M8[s]", object):
        with pytest.raises(gn.DTypeError):
            gn.from_numpy(np.zeros(2, dtype))


def test_an_array_of_a_tensor_that_requires_a_gradient_is_read_only() -> None:
    x = gn.tensor(A, requires_grad=True)
    assert not np.asarray(x).flags.writeable
    with pytest.raises(gn.GradientError):
        x.numpy()
    assert x.detach().numpy().flags.writeable


def test_python_sees_numbers() -> None:
    t = gn.tensor(2.5)
    assert float(t) == 2.5 and int(t) == 2 and bool(t) and t.item() == 2.5
    assert [10, 20, 30][gn.tensor(1)] == 20 and list(range(gn.tensor(3))) == [0, 1, 2]
    assert [v.item() for v in gn.arange(3)] == [0, 1, 2] and len(gn.zeros(4, 2)) == 4
    assert 2.0 in gn.tensor([1.0, 2.0]) and 3.0 not in gn.tensor([1.0, 2.0])
    assert gn.tensor([[1, 2]]).tolist() == [[1, 2]]
    a, b = gn.tensor([1.0, 2.0])
    assert (a.item(), b.item()) == (1.0, 2.0)
    assert len({t, t, gn.tensor(2.5)}) == 2  # by identity


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda t: pickle.loads(pickle.dumps(t))], ids=["copy", "deepcopy", "pickle"]
)
@pytest.mark.parametrize("dtype", ["bool", "int32", "int64", "float32", "float64"])
def test_copies_keep_everything(copied: Callable[[Any], Any], dtype: str) -> None:
    t = gn.tensor(A.astype(dtype)).T
    twin = copied(t)
    assert twin.dtype is t.dtype and twin.tolist() == t.tolist() and type(twin) is gn.Tensor
    if dtype.startswith("float"):
        assert copied(gn.ones(2, requires_grad=True)).requires_grad
        parameter = copied(nn.Parameter(gn.ones(2), requires_grad=False))
        assert type(parameter) is nn.Parameter and not parameter.requires_grad


def test_dtypes_are_one_object_each_and_understood_by_numpy() -> None:
    for dtype in (gn.float32, gn.float64, gn.int32, gn.int64, gn.bool):
        assert pickle.loads(pickle.dumps(dtype)) is copy.deepcopy(dtype) is dtype
        assert np.zeros(1, dtype).dtype == dtype.dtype
        assert gn.zeros(1, dtype=dtype.name).dtype is gn.zeros(1, dtype=dtype.dtype).dtype is dtype
    assert gn.float is gn.float32 and gn.double is gn.float64 and gn.long is gn.int64


# -- random numbers ---------------------------------------------------------------------------------------

DRAWS: dict[str, Callable[[], Any]] = {
    "rand": lambda: gn.rand(1000),
    "randn": lambda: gn.randn(1000),
    "rand in float64": lambda: gn.rand(1000, dtype=gn.float64),
    "randint": lambda: gn.randint(0, 10, (1000,)),
    "randperm": lambda: gn.randperm(1000),
    "rand_like": lambda: gn.rand_like(gn.zeros(1000)),
    "normal_": lambda: gn.zeros(1000).normal_(1, 2),
    "uniform_": lambda: gn.zeros(1000).uniform_(-1, 1),
    "Linear": lambda: nn.Linear(100, 10).weight.detach(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_a_seed_repeats_the_draws(name: str) -> None:
    gn.manual_seed(7)
    first, second = DRAWS[name](), DRAWS[name]()
    gn.manual_seed(7)
    assert DRAWS[name]().tolist() == first.tolist() and DRAWS[name]().tolist() == second.tolist()
    assert first.tolist() != second.tolist()
    gn.manual_seed(8)
    assert DRAWS[name]().tolist() != first.tolist()


def test_samples_have_the_distribution_they_are_said_to_have() -> None:
    n = 100_000
    error = 5 / np.sqrt(n)  # five standard errors
    u, z, k = gn.rand(n).numpy(), gn.randn(n).numpy(), gn.randint(0, 4, (n,)).numpy()
    assert u.min() >= 0 and u.max() < 1
    assert abs(u.mean() - 0.5) < error * np.sqrt(1 / 12) and abs(z.mean()) < error
    assert abs(z.var() - 1) < error * np.sqrt(2)
    assert set(k.tolist()) == {0, 1, 2, 3} and abs((k == 0).mean() - 0.25) < error * np.sqrt(3) / 4
    assert sorted(gn.randperm(50).tolist()) == list(range(50))


def test_numpys_own_random_numbers_are_left_alone() -> None:
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    gn.manual_seed(1)
    gn.rand(5)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_threads_never_draw_the_same_numbers() -> None:
    drawn: list[float] = []
    threads = [threading.Thread(target=lambda: drawn.extend(gn.rand(1).item() for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drawn) == 800 and len(set(drawn)) > 790  # of 2²⁴ values, two may be equal by chance


@pytest.mark.parametrize("name", ["sum", "mean", "prod", "amax", "amin", "argmax", "argmin", "var", "std"])
def test_numpys_names_of_axes_are_taken(name: str) -> None:
    x = gn.rand(2, 3)
    assert getattr(x, name)(axis=1, keepdims=True).tolist() == getattr(x, name)(dim=1, keepdim=True).tolist()
    assert getattr(gn, name)(x, axis=0).tolist() == getattr(x, name)(0).tolist()
    with pytest.raises(TypeError, match=f"{name}: dim and axis are the same"):
        getattr(x, name)(dim=1, axis=1)


def test_joining_and_softmax_take_axis() -> None:
    x = gn.rand(2, 3)
    assert gn.cat([x, x], axis=1).shape == (2, 6)
    assert gn.stack([x, x], axis=1).shape == (2, 2, 3)
    assert x.softmax(axis=0).tolist() == x.softmax(0).tolist()
    assert gn.max(x, axis=1).values.tolist() == x.max(1).values.tolist()
