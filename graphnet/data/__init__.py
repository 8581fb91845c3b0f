"""Small data sets that come with graphnet."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, NamedTuple, TypeAlias

import numpy as np

__all__ = ["Digits", "digits"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"


class Digits(NamedTuple):
    """Images, one row each, and the digit that each one shows."""

    images: Array
    labels: Array


def digits() -> Digits:
    """The UCI handwritten digits: 1,797 grey images of 8×8 pixels.

    From "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak (1998), UCI Machine Learning
    Repository, CC BY 4.0; `graphnet/data/digits.txt` tells where the copy comes from.

    Returns:
        images: float32 of shape (1797, 64) between 0 and 1. labels: int64 of shape (1797,) from 0 to 9.

    Example:
        >>> from graphnet.data import digits
        >>> images, labels = digits()
        >>> images.shape, images.dtype, labels[:5].tolist()
        ((1797, 64), dtype('float32'), [0, 1, 2, 3, 4])
    """
    with files("graphnet.data").joinpath("digits.npz").open("rb") as file, np.load(file) as archive:
        images, labels = archive["images"], archive["labels"]
    return Digits(images.astype(np.float32) / np.float32(16), labels.astype(np.int64))
