"""What programs ask of `torch.cuda` before they choose a device: there is none."""

from __future__ import annotations

__all__ = ["device_count", "is_available"]


def is_available() -> bool:
    """Whether there is a CUDA device to compute on: no.

    Example:
        >>> import graphnet as gn
        >>> gn.device("cuda" if gn.cuda.is_available() else "cpu")
        device(type='cpu')
    """
    return False


def device_count() -> int:
    """How many CUDA devices there are to compute on: none.

    Example:
        >>> import graphnet as gn
        >>> gn.cuda.device_count()
        0
    """
    return 0
