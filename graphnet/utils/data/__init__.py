"""Data sets and batches of them, as torch.utils.data."""

from graphnet.utils.data.collate import default_collate, default_convert
from graphnet.utils.data.dataset import ConcatDataset, Dataset, Subset, TensorDataset, random_split
from graphnet.utils.data.loader import DataLoader
from graphnet.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler",
    "ConcatDataset",
    "DataLoader",
    "Dataset",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "Subset",
    "SubsetRandomSampler",
    "TensorDataset",
    "WeightedRandomSampler",
    "default_collate",
    "default_convert",
    "random_split",
]
