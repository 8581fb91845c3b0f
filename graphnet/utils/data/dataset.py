"""Data sets: what has a length and gives a sample for an index."""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from graphnet.errors import ArgumentError, ArgumentTypeError, GraphnetWarning, IndexOutOfRangeError, ShapeError, kind_of
from graphnet.keys import Generator, default_generator
from graphnet.places import stack_depth
from graphnet.samples import generator as numpy_generator
from graphnet.tensor.core import check_tensor, make
from graphnet.tensor.tensor import Tensor
from graphnet.whole import is_whole

__all__ = ["ConcatDataset", "Dataset", "Subset", "TensorDataset", "random_split"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"
T = TypeVar("T", covariant=True)


class Dataset(Generic[T]):
    """What data sets of your own are made from: define `__getitem__` and `__len__`.

    Example:
        >>> from graphnet.utils.data import DataLoader, Dataset
        >>> class Squares(Dataset):
        ...     def __len__(self):
        ...         return 4
        ...     def __getitem__(self, index):
        ...         return index, index**2
        >>> for x, y in DataLoader(Squares(), batch_size=2):
        ...     print(x, y)
        tensor([0, 1]) tensor([0, 1])
        tensor([2, 3]) tensor([4, 9])
    """

    def __getitem__(self, index: Any) -> T:
        raise NotImplementedError(f"{type(self).__name__} has no samples: define __getitem__(self, index)")

    def __add__(self, other: Any) -> ConcatDataset:
        return ConcatDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Tensors whose first axes run over the samples; a sample is a tuple with a row of each.

    Args:
        tensors: tensors or arrays of shapes (n, ...).

    Raises:
        ShapeError: not all have the same number of rows.

    Example:
        >>> import graphnet as gn
        >>> data = gn.utils.data.TensorDataset(gn.zeros(3, 2), gn.arange(3))
        >>> len(data), data[2]
        (3, (tensor([0., 0.]), tensor(2)))
    """

    def __init__(self, *tensors: Any) -> None:
        if not tensors:
            raise ArgumentError("TensorDataset: expects at least one tensor")
        self.tensors = tuple(check_tensor("TensorDataset", t) for t in tensors)
        shapes = [tuple(t.shape) for t in self.tensors]
        if not all(shapes) or len({shape[0] for shape in shapes}) != 1:
            raise ShapeError(
                "TensorDataset: expects tensors with one number of rows, got shapes " + ", ".join(map(str, shapes)),
                expected="one number of rows",
                got=shapes,
            )

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return len(self.tensors[0])

    def _batch(self, indices: Array) -> list[Tensor] | None:
        """What collating the samples gives, without making them; None where history would be lost."""
        if any(tensor.requires_grad for tensor in self.tensors):
            return None
        try:
            return [make(tensor._values().take(indices, 0), tensor._dtype) for tensor in self.tensors]
        except IndexError as error:
            raise IndexOutOfRangeError(f"TensorDataset: {error}") from None


class Subset(Dataset[Any]):
    """Some samples of a data set.

    Args:
        dataset: what has them.
        indices: which, in order.
    """

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __len__(self) -> int:
        return len(self.indices)

    def _batch(self, indices: Array) -> list[Tensor] | None:
        inner = getattr(self.dataset, "_batch", None)
        return None if inner is None else inner(np.array([self.indices[i] for i in indices.tolist()], np.int64))


class ConcatDataset(Dataset[Any]):
    """Data sets one after the other.

    Args:
        datasets: at least one, each with a length.
    """

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ArgumentError("ConcatDataset: expects at least one data set")
        self.cumulative_sizes = list(accumulate(len(d) for d in self.datasets))

    def __getitem__(self, index: int) -> Any:
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexOutOfRangeError(f"ConcatDataset: index {index} is out of range for {len(self)} samples")
        which = bisect_right(self.cumulative_sizes, place)
        return self.datasets[which][place - (self.cumulative_sizes[which - 1] if which else 0)]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


def random_split(
    dataset: Any, lengths: Sequence[float], generator: Generator | None = default_generator
) -> list[Subset]:
    """Parts of a data set, drawn at random, each sample in one of them.

    Args:
        dataset: with n samples.
        lengths: of the parts, n in all; or fractions, 1 in all: what rounding down leaves goes to the first parts,
            one each.
        generator: where the random numbers come from.

    Raises:
        ArgumentError: lengths that are not those of the whole.

    Example:
        >>> import graphnet as gn
        >>> train, held_out = gn.utils.data.random_split(range(10), [0.8, 0.2])
        >>> len(train), len(held_out)
        (8, 2)
    """
    count = len(dataset)
    given = list(lengths)
    if generator is not None and not isinstance(generator, Generator):
        raise ArgumentTypeError(f"random_split: a generator is a graphnet.Generator, got {kind_of(generator)}")
    if not all(isinstance(length, (int, float)) or is_whole(length) for length in given):
        raise ArgumentTypeError(f"random_split: lengths are numbers, got {lengths!r:.80}")
    if any(length < 0 for length in given):
        raise ArgumentError(f"random_split: lengths are not negative, got {lengths!r:.80}")
    if math.isclose(sum(given), 1) and sum(given) <= 1:
        sizes = [math.floor(count * fraction) for fraction in given]
        for number in range(count - sum(sizes)):
            sizes[number % len(sizes)] += 1
        for number, size in enumerate(sizes):
            if size == 0:
                warnings.warn(
                    f"random_split: part {number} of {count} samples is empty",
                    GraphnetWarning,
                    stacklevel=stack_depth(),
                )
    elif all(is_whole(length) for length in given) and sum(given) == count:
        sizes = [int(length) for length in given]
    else:
        raise ArgumentError(
            f"random_split: expects lengths of {count} samples in all, or fractions of 1 in all, got {lengths!r:.80}"
        )
    order = numpy_generator((generator or default_generator).next_key()).permutation(count).tolist()
    return [Subset(dataset, order[end - size : end]) for end, size in zip(accumulate(sizes), sizes)]
