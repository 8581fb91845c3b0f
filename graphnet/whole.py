"""Whole numbers from whatever stands for one."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphnet.errors import ArgumentTypeError, GraphnetError

__all__ = ["is_whole", "whole"]


def whole(what: str, value: Any) -> int:
    """The value as an int: ints, NumPy integers, integer tensors and arrays of no axes. Not truth values.

    Raises:
        ArgumentTypeError: anything else; `what` begins the message.
    """
    if not isinstance(value, (bool, np.bool_)):
        try:
            return operator.index(value)
        except GraphnetError:
            raise  # a tensor or a symbolic size says better why not
        except TypeError:
            pass
    raise ArgumentTypeError(f"{what} is a whole number, got {value!r:.60}")


def is_whole(value: Any) -> bool:
    """Whether `whole` takes the value."""
    if isinstance(value, (bool, np.bool_)):
        return False
    try:
        operator.index(value)
    except (TypeError, GraphnetError):
        return False
    return True
