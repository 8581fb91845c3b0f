"""PyTorch's name for the package that holds `graphnet.utils.data`."""

from graphnet.utils import data

__all__ = ["data"]
