"""Initialisation in place, under the names of torch.nn.init.

All of these take lazy parameters too: the values are made once the sizes are known.
"""

from __future__ import annotations

from typing import Any

from graphnet.tensor.state import no_grad

__all__ = ["constant_", "normal_", "ones_", "uniform_", "zeros_"]


@no_grad()
def uniform_(tensor: Any, a: float = 0.0, b: float = 1.0) -> Any:
    """Overwrite with samples of U(a, b)."""
    return tensor.uniform_(a, b)


@no_grad()
def normal_(tensor: Any, mean: float = 0.0, std: float = 1.0) -> Any:
    """Overwrite with samples of the normal distribution."""
    return tensor.normal_(mean, std)


@no_grad()
def constant_(tensor: Any, val: float) -> Any:
    """Overwrite with one number."""
    return tensor.fill_(val)


def zeros_(tensor: Any) -> Any:
    """Overwrite with zeros."""
    return constant_(tensor, 0.0)


def ones_(tensor: Any) -> Any:
    """Overwrite with ones."""
    return constant_(tensor, 1.0)
