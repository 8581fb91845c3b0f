"""The order in which samples come, and how they are put into batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from graphnet.errors import ArgumentError, ArgumentTypeError, kind_of
from graphnet.keys import Generator, default_generator
from graphnet.samples import generator as numpy_generator
from graphnet.whole import whole

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
T = TypeVar("T", covariant=True)


class Sampler(Generic[T]):
    """What samplers of your own are made from: define `__iter__`, which gives indices, and `__len__`."""

    def __iter__(self) -> Iterator[T]:
        raise NotImplementedError(f"{type(self).__name__} has no order: define __iter__(self)")


class _Ordered(Sampler[int]):
    """A sampler that knows its order at once, as an array."""

    def order(self) -> Array:
        """The indices of the next pass."""
        raise NotImplementedError

    def __iter__(self) -> Iterator[int]:
        return iter(self.order().tolist())


class SequentialSampler(_Ordered):
    """Samples in their order.

    Args:
        data_source: what has the samples.
    """

    def __init__(self, data_source: Any) -> None:
        self.data_source = data_source

    def order(self) -> Array:
        """The indices of the next pass."""
        return np.arange(len(self))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(_Ordered):
    """Samples in random order, another one in each pass.

    Args:
        data_source: what has the samples.
        replacement: draw each sample from all of them, so that some come twice.
        num_samples: how many are drawn; all by default.
        generator: where the random numbers come from; `gn.manual_seed` governs it by default.

    Example:
        >>> import graphnet as gn
        >>> sorted(gn.utils.data.RandomSampler("abc"))
        [0, 1, 2]
    """

    def __init__(
        self,
        data_source: Any,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(replacement, bool):
            raise ArgumentTypeError(f"RandomSampler: replacement is True or False, got {replacement!r}")
        if num_samples is not None and whole("RandomSampler: num_samples", num_samples) < 1:
            raise ArgumentError(f"RandomSampler: num_samples is a whole number from 1 up, got {num_samples}")
        self.data_source, self.replacement, self._num_samples = data_source, replacement, num_samples
        self.generator = check_generator("RandomSampler", generator)

    @property
    def num_samples(self) -> int:
        """How many samples a pass has."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self) -> Array:
        """The indices of the next pass."""
        draw, count, wanted = drawing(self.generator), len(self.data_source), self.num_samples
        if self.replacement:
            return draw.integers(0, count, wanted)
        if wanted > count:
            passes = [draw.permutation(count) for _ in range(-(-wanted // count))] if count else []
            return np.concatenate(passes)[:wanted] if passes else np.arange(0)
        return draw.permutation(count)[:wanted]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(_Ordered):
    """Given indices in random order, another one in each pass.

    Args:
        indices: which samples.
        generator: where the random numbers come from.
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = check_generator("SubsetRandomSampler", generator)

    def order(self) -> Array:
        """The indices of the next pass."""
        return np.asarray(self.indices, np.int64)[drawing(self.generator).permutation(len(self))]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(_Ordered):
    """Samples drawn in proportion to weights.

    Args:
        weights: one for each sample, from 0 up; they need not sum to 1.
        num_samples: how many are drawn.
        replacement: whether a sample may come twice.
        generator: where the random numbers come from.

    Raises:
        ArgumentError: weights that are negative or all 0, or too few samples to draw without replacement.
    """

    def __init__(
        self,
        weights: Any,
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        self.weights: Array = np.asarray(weights, np.float64)
        if self.weights.ndim != 1 or not (self.weights >= 0).all() or not 0 < self.weights.sum() < np.inf:
            raise ArgumentError("WeightedRandomSampler: weights are one row of finite numbers from 0 up, not all 0")
        self.num_samples = whole("WeightedRandomSampler: num_samples", num_samples)
        if self.num_samples < 1 or (not replacement and self.num_samples > np.count_nonzero(self.weights)):
            raise ArgumentError(
                f"WeightedRandomSampler: num_samples is at least 1 and, without replacement, at most the number of "
                f"samples with a weight, got {num_samples}"
            )
        self.replacement = replacement
        self.generator = check_generator("WeightedRandomSampler", generator)

    def order(self) -> Array:
        """The indices of the next pass."""
        shares = self.weights / self.weights.sum()
        return drawing(self.generator).choice(len(shares), self.num_samples, self.replacement, shares)

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of indices of another sampler.

    Args:
        sampler: gives indices.
        batch_size: how many go into a list.
        drop_last: leave out a last list that is shorter.

    Example:
        >>> from graphnet.utils.data import BatchSampler
        >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[int], batch_size: int, drop_last: bool) -> None:
        self.sampler, self.batch_size, self.drop_last = sampler, check_batch_size("BatchSampler", batch_size), drop_last
        if not isinstance(drop_last, bool):
            raise ArgumentTypeError(f"BatchSampler: drop_last is True or False, got {drop_last!r}")

    def __iter__(self) -> Iterator[list[int]]:
        batch: list[int] = []
        for index in self.sampler:
            batch.append(index)
            if len(batch) == self.batch_size:
                yield batch
                batch = []
        if batch and not self.drop_last:
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def drawing(generator: Generator | None) -> np.random.Generator:
    """The random numbers of the next draw."""
    return numpy_generator((generator or default_generator).next_key())


def check_generator(name: str, generator: Any) -> Generator | None:
    """The generator, if it is one or None."""
    if generator is not None and not isinstance(generator, Generator):
        raise ArgumentTypeError(f"{name}: a generator is a graphnet.Generator, got {kind_of(generator)}")
    return generator


def check_batch_size(name: str, batch_size: Any) -> int:
    """The size of batches, if it is a whole number from 1 up."""
    size = whole(f"{name}: batch_size", batch_size)
    if size < 1:
        raise ArgumentError(f"{name}: batch_size is a whole number from 1 up, got {batch_size}")
    return size
