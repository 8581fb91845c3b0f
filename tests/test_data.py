"""Data sets, samplers and loaders: what they give, in which order, and what they say to wrong use."""

from __future__ import annotations

import copy
import pickle
from collections import OrderedDict, namedtuple
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet.utils import data as D  # noqa: N812

Point = namedtuple("Point", "x y")


class Samples(D.Dataset[Any]):
    def __init__(self, samples: Any) -> None:
        self.samples = list(samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]

    def __len__(self) -> int:
        return len(self.samples)


def plain(value: Any) -> Any:
    """Batches as nested lists with dtypes, to compare with PyTorch's."""
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        return str(value.dtype).rpartition(".")[2], value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {k: plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [plain(v) for v in value]
    return value


BATCHES: dict[str, list[Any]] = {
    "floats": [1.5, 2.5],
    "ints": [1, 2],
    "truth": [True, False],
    "NumPy floats": [np.float32(1), np.float32(2)],
    "NumPy ints": [np.int64(1), np.int64(2)],
    "arrays": [np.ones((2, 1), np.float32), np.zeros((2, 1), np.float32)],
    "strings": ["a", "b"],
    "bytes": [b"a", b"b"],
    "dicts": [{"x": 1, "y": np.ones(1)}, {"x": 2, "y": np.ones(1)}],
    "ordered": [OrderedDict(x=1.0), OrderedDict(x=2.0)],
    "tuples": [(1, "a", np.ones(2)), (2, "b", np.zeros(2))],
    "lists": [[1, [2.0]], [3, [4.0]]],
    "named": [Point(1, 2.0), Point(3, 4.0)],
    "one": [(np.float32(3), 1)],
}


@pytest.mark.parametrize("name", BATCHES)
def test_collating_is_pytorchs(name: str) -> None:
    torch_data = pytest.importorskip("torch").utils.data
    assert plain(D.default_collate(BATCHES[name])) == plain(torch_data.default_collate(BATCHES[name]))
    assert plain(D.default_convert(BATCHES[name])) == plain(torch_data.default_convert(BATCHES[name]))


def test_tensors_are_stacked_with_their_history() -> None:
    x = gn.ones(2, requires_grad=True)
    batch = D.default_collate([x, x * 2])
    assert batch.tolist() == [[1, 1], [2, 2]] and batch.requires_grad
    (rows,) = next(iter(D.DataLoader(D.TensorDataset(x), batch_size=2)))
    assert rows.requires_grad


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 4, 20, None])
@pytest.mark.parametrize("kind", ["tensors", "a subset", "samples"])
def test_batches_are_pytorchs(kind: str, batch_size: int | None, drop_last: bool) -> None:
    torch = pytest.importorskip("torch")
    if batch_size is None and drop_last:
        return
    seen = []
    for t, data in ((gn, D), (torch, torch.utils.data)):
        dataset = data.TensorDataset(t.arange(10), t.arange(20.0).reshape(10, 2))
        if kind == "a subset":
            dataset = data.Subset(dataset, [7, 3, 3, 0, 9])
        elif kind == "samples":
            dataset = Samples([{"x": i, "y": (float(i), "s")} for i in range(10)])
        loader = data.DataLoader(dataset, batch_size, drop_last=drop_last)
        seen.append(([plain(batch) for batch in loader], len(loader)))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("kind", ["tensors", "samples"])
def test_shuffled_batches_have_every_sample_once_and_come_again_with_the_seed(kind: str) -> None:
    dataset: Any = D.TensorDataset(gn.arange(50)) if kind == "tensors" else Samples((i,) for i in range(50))

    def passes(**settings: Any) -> list[list[int]]:
        loader = D.DataLoader(dataset, batch_size=8, shuffle=True, **settings)
        return [[i for (batch,) in loader for i in batch.tolist()] for _ in range(3)]

    gn.manual_seed(5)
    first = passes()
    assert all(sorted(p) == list(range(50)) for p in first) and first[0] != first[1] != list(range(50))
    gn.manual_seed(5)
    assert passes() == first
    assert passes() != first
    assert passes(seed=3) == passes(seed=3) == passes(generator=gn.Generator().manual_seed(3)) != passes(seed=4)


def test_the_fast_way_gives_what_the_slow_one_gives() -> None:
    x, y = np.random.default_rng(0).normal(size=(23, 2, 3)), np.arange(23)
    dataset = D.TensorDataset(x, y)
    slow = D.DataLoader(dataset, 5, shuffle=True, seed=1, collate_fn=lambda batch: D.default_collate(batch))
    for a, b in zip(D.DataLoader(dataset, 5, shuffle=True, seed=1), slow):
        assert plain(a) == plain(b) and type(a) is type(b)


def test_a_batch_has_memory_of_its_own() -> None:
    x = gn.zeros(4, 2)
    for (batch,) in D.DataLoader(D.TensorDataset(x), batch_size=2):
        batch.fill_(1)
    assert x.sum().item() == 0


def test_samplers() -> None:
    gn.manual_seed(0)
    assert list(D.SequentialSampler("abc")) == [0, 1, 2]
    assert sorted(D.RandomSampler("abcd")) == [0, 1, 2, 3]
    assert sorted(D.RandomSampler("ab", num_samples=4)) == [0, 0, 1, 1]
    assert set(D.RandomSampler("ab", replacement=True, num_samples=50)) == {0, 1}
    assert sorted(D.SubsetRandomSampler([4, 2, 9])) == [2, 4, 9]
    assert set(D.WeightedRandomSampler([0, 1, 3], 100)) == {1, 2}
    assert sorted(D.WeightedRandomSampler([5, 0, 1], 2, replacement=False)) == [0, 2]
    assert list(D.BatchSampler([5, 6, 7], 2, True)) == [[5, 6]]
    data = D.TensorDataset(gn.arange(10) * 10)
    assert [b.tolist() for (b,) in D.DataLoader(data, 2, sampler=[3, 1, 4])] == [[30, 10], [40]]
    assert [b.tolist() for (b,) in D.DataLoader(data, batch_sampler=[[1], [2, 3]])] == [[10], [20, 30]]
    weighted = D.DataLoader(data, 4, sampler=D.WeightedRandomSampler([0] * 9 + [1], 6))
    assert [b.tolist() for (b,) in weighted] == [[90] * 4, [90] * 2]


def test_several_samples_may_be_fetched_at_once() -> None:
    class Fetching(Samples):
        def __getitems__(self, indices: list[int]) -> list[Any]:
            return [self.samples[i] * 100 for i in indices]

    assert [b.tolist() for b in D.DataLoader(Fetching(range(3)), 2)] == [[0, 100], [200]]


def test_splitting() -> None:
    torch = pytest.importorskip("torch")
    for lengths in ([7, 3], [0.7, 0.3], [0.5, 0.25, 0.25], [1 / 3, 1 / 3, 1 / 3], [10], [0, 10]):
        ours = D.random_split(range(10), lengths)
        theirs = torch.utils.data.random_split(range(10), lengths)
        assert [len(part) for part in ours] == [len(part) for part in theirs]
        assert sorted(i for part in ours for i in part) == list(range(10))
    parts = [D.random_split(range(20), [0.5, 0.5], gn.Generator().manual_seed(s))[0].indices for s in (1, 1, 2)]
    assert parts[0] == parts[1] != parts[2]
    with pytest.warns(gn.GraphnetWarning, match="part 1 of 1 samples is empty"):
        D.random_split(range(1), [0.5, 0.5])


def test_sets_one_after_the_other() -> None:
    both = D.TensorDataset(gn.arange(2)) + D.TensorDataset(gn.arange(3))
    assert [both[i][0].item() for i in (0, 1, 2, 4, -1, -5)] == [0, 1, 0, 2, 2, 0] and len(both) == 5
    with pytest.raises(IndexError, match="index 5 is out of range for 5 samples"):
        both[5]
    assert len(list(D.DataLoader(both, 2))) == 3


def test_generators() -> None:
    a, b = gn.Generator().manual_seed(3), gn.Generator("cpu")
    b.set_state(a.get_state())
    assert a.initial_seed() == b.initial_seed() == 3
    assert list(D.RandomSampler(range(9), generator=a)) == list(D.RandomSampler(range(9), generator=b))
    c, d = copy.deepcopy(a), pickle.loads(pickle.dumps(a))
    a.next_key()
    assert c.get_state() == d.get_state() == (3, 1) != a.get_state()
    assert b.seed() == b.initial_seed() != 3
    state = gn.get_rng_state()
    values = gn.rand(3).tolist()
    gn.set_rng_state(state)
    assert gn.rand(3).tolist() == values
    gn.default_generator.manual_seed(11)
    assert gn.initial_seed() == 11


WRONG: dict[str, tuple[Callable[[], Any], Any, str]] = {
    "workers": (lambda: D.DataLoader([1], num_workers=2), ValueError, "num_workers is 0, got 2"),
    "prefetching": (lambda: D.DataLoader([1], prefetch_factor=2), ValueError, "for worker processes"),
    "no size": (lambda: D.DataLoader([1], 0), ValueError, "batch_size is a whole number from 1 up, got 0"),
    "half a size": (lambda: D.DataLoader([1], 1.5), TypeError, "batch_size is a whole number, got 1.5"),  # type: ignore[arg-type]
    "no data set": (lambda: D.DataLoader(iter([1])), TypeError, "has __len__ and __getitem__"),
    "a flag": (lambda: D.DataLoader([1], shuffle="yes"), TypeError, "shuffle is True or False"),  # type: ignore[arg-type]
    "sampler and shuffle": (lambda: D.DataLoader([1], shuffle=True, sampler=[0]), ValueError, "without one"),
    "batch_sampler and size": (lambda: D.DataLoader([1], 2, batch_sampler=[[0]]), ValueError, "batch_sampler goes"),
    "drop_last alone": (lambda: D.DataLoader([1], None, drop_last=True), ValueError, "drop_last needs a batch_size"),
    "seed and generator": (lambda: D.DataLoader([1], generator=gn.Generator(), seed=1), ValueError, "got both"),
    "a NumPy generator": (
        lambda: D.DataLoader([1], generator=np.random.default_rng()),  # type: ignore[arg-type]
        TypeError,
        "graphnet.Generator, got a Generator",
    ),
    "collate": (lambda: D.DataLoader([1], collate_fn=3), TypeError, "collate_fn is a function"),  # type: ignore[arg-type]
    "no tensors": (lambda: D.TensorDataset(), ValueError, "at least one tensor"),
    "rows": (lambda: D.TensorDataset(gn.ones(2), gn.ones(3)), gn.ShapeError, r"got shapes \(2,\), \(3,\)"),
    "no rows": (lambda: D.TensorDataset(gn.tensor(1)), gn.ShapeError, r"got shapes \(\)"),
    "a list": (lambda: D.TensorDataset([1, 2]), TypeError, "got a list; make one with graphnet.tensor"),
    "lengths": (lambda: D.random_split(range(5), [3, 3]), ValueError, "lengths of 5 samples in all"),
    "fractions": (lambda: D.random_split(range(5), [0.5, 0.6]), ValueError, "fractions of 1 in all"),
    "a seed": (lambda: D.random_split([1], [1], 5), TypeError, "graphnet.Generator, got an int"),  # type: ignore[arg-type]
    "negative": (lambda: D.random_split(range(5), [6, -1]), ValueError, "lengths are not negative"),
    "objects": (lambda: D.default_collate([object()]), TypeError, "got an object; pass a collate_fn"),
    "None": (lambda: D.default_collate([None]), TypeError, "got None"),
    "shapes": (lambda: D.default_collate([gn.ones(2), gn.ones(3)]), gn.ShapeError, r"one shape, got \(2,\), \(3,\)"),
    "lists of unequal lengths": (lambda: D.default_collate([[1], [1, 2]]), ValueError, r"got lengths \[1, 2\]"),
    "an empty batch": (lambda: D.default_collate([]), ValueError, "at least one sample"),
    "no samples": (lambda: D.Dataset[Any]()[0], NotImplementedError, "define __getitem__"),
    "weights": (lambda: D.WeightedRandomSampler([0, 0], 1), ValueError, "not all 0"),
    "too many": (lambda: D.WeightedRandomSampler([1, 0], 2, False), ValueError, "at most the number of samples"),
    "device": (lambda: gn.Generator("cuda"), ValueError, "drawn on the CPU, got device 'cuda'"),
    "state": (lambda: gn.set_rng_state(3), TypeError, "what get_state gave, got 3"),  # type: ignore[arg-type]
    "a row too far": (
        lambda: list(D.DataLoader(D.TensorDataset(gn.ones(2)), sampler=D.SubsetRandomSampler([5]))),
        IndexError,
        "out of bounds",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused(name: str) -> None:
    function, error, text = WRONG[name]
    with pytest.raises(error, match=text) as caught:
        function()
    assert isinstance(caught.value, (gn.GraphnetError, NotImplementedError))


def test_signatures_are_pytorchs() -> None:
    import inspect

    torch_data = pytest.importorskip("torch").utils.data
    for name in D.__all__:
        ours, theirs = (list(inspect.signature(getattr(d, name)).parameters) for d in (D, torch_data))
        extra = ["seed"] if name == "DataLoader" else []
        assert ours == theirs + extra, name
