"""Batches of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from graphnet.errors import ArgumentError, ArgumentTypeError, kind_of
from graphnet.keys import Generator
from graphnet.utils.data.collate import default_collate, default_convert
from graphnet.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    SequentialSampler,
    check_batch_size,
    check_generator,
)

__all__ = ["DataLoader"]


class DataLoader:
    """Batches of a data set, as torch.utils.data.DataLoader without worker processes.

    Batches of a `TensorDataset`, or a `Subset` of one, are taken from its arrays at once.

    Args:
        dataset: what has a length and gives a sample for an index.
        batch_size: how many samples go into a batch; None gives samples.
        shuffle: another random order in each pass; `gn.manual_seed` makes it reproducible.
        sampler: gives the indices instead.
        batch_sampler: gives lists of indices instead.
        num_workers: 0; batches are made in this process.
        collate_fn: makes a batch of a list of samples; `default_collate` by default.
        drop_last: leave out a last batch that is smaller.
        generator: where the random order comes from.
        seed: the seed of a generator of its own, in place of `generator`.
        pin_memory, timeout, worker_init_fn, multiprocessing_context, prefetch_factor, persistent_workers,
            pin_memory_device, in_order: for worker processes and devices; at their defaults.

    Raises:
        ArgumentError, ArgumentTypeError: settings that make no sense, or not together, or ask for workers.

    Example:
        >>> import graphnet as gn
        >>> data = gn.utils.data.TensorDataset(gn.arange(5), gn.arange(5) * 2)
        >>> for x, y in gn.utils.data.DataLoader(data, batch_size=2):
        ...     print(x, y)
        tensor([0, 1]) tensor([0, 2])
        tensor([2, 3]) tensor([4, 6])
        tensor([4]) tensor([8])
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Any = None,
        batch_sampler: Any = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Any = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        seed: int | None = None,
    ) -> None:
        if num_workers != 0:
            raise ArgumentError(
                f"DataLoader: batches are made in this process, num_workers is 0, got {num_workers!r}: leave it out"
            )
        if prefetch_factor is not None or persistent_workers or timeout:
            raise ArgumentError("DataLoader: prefetch_factor, persistent_workers and timeout are for worker processes")
        if not hasattr(dataset, "__getitem__"):
            raise ArgumentTypeError(f"DataLoader: a data set has __len__ and __getitem__, {kind_of(dataset)} has not")
        for name, flag in (("shuffle", shuffle), ("drop_last", drop_last)):
            if not isinstance(flag, bool) and not (name == "shuffle" and flag is None):
                raise ArgumentTypeError(f"DataLoader: {name} is True or False, got {flag!r}")
        if collate_fn is not None and not callable(collate_fn):
            raise ArgumentTypeError(f"DataLoader: collate_fn is a function of samples, got {collate_fn!r:.60}")
        if sampler is not None and shuffle:
            raise ArgumentError("DataLoader: a sampler says the order; shuffle goes without one")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ArgumentError(
                "DataLoader: a batch_sampler goes without batch_size, shuffle, sampler and drop_last, which it decides"
            )
        if batch_size is None and drop_last:
            raise ArgumentError("DataLoader: drop_last needs a batch_size")
        if seed is not None and generator is not None:
            raise ArgumentError("DataLoader: takes a generator or a seed, got both")
        self.generator = check_generator("DataLoader", generator) if seed is None else Generator().manual_seed(seed)
        self.dataset, self.num_workers, self.pin_memory, self.timeout = dataset, 0, pin_memory, timeout
        self.drop_last = drop_last
        self.batch_size = batch_size if batch_size is None else check_batch_size("DataLoader", batch_size)
        if sampler is None and batch_sampler is None:
            sampler = RandomSampler(dataset, generator=self.generator) if shuffle else SequentialSampler(dataset)
        self.sampler = sampler
        if batch_sampler is not None:
            self.batch_size = None
        elif self.batch_size is not None:
            batch_sampler = BatchSampler(sampler, self.batch_size, drop_last)
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)

    def __iter__(self) -> Iterator[Any]:
        if self.batch_sampler is None:
            return (self.collate_fn(self.dataset[index]) for index in self.sampler)
        fast = getattr(self.dataset, "_batch", None) if self.collate_fn is default_collate else None
        order = getattr(self.sampler, "order", None) if type(self.batch_sampler) is BatchSampler else None
        if fast is None or order is None or self.batch_size is None:
            return map(self._collated, self.batch_sampler)
        return self._sliced(fast, order(), self.batch_size)

    def _sliced(self, fast: Any, order: Any, size: int) -> Iterator[Any]:
        end = len(order) - len(order) % size if self.drop_last else len(order)
        for start in range(0, end, size):
            indices = order[start : start + size]
            batch = fast(indices)
            yield self._collated(indices.tolist()) if batch is None else batch

    def _collated(self, indices: list[int]) -> Any:
        several = getattr(self.dataset, "__getitems__", None)
        samples = several(indices) if several is not None else [self.dataset[index] for index in indices]
        return self.collate_fn(samples)

    def __len__(self) -> int:
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)
