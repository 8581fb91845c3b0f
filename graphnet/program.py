"""Runs operations on arrays: the only Python file that knows the C++ extension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from graphnet.errors import ArgumentError, DTypeError, IndexOutOfRangeError
from graphnet.ir import TensorType
from graphnet.ops import Op

try:
    from graphnet import _core
except ImportError as error:
    if "cannot import name '_core'" not in str(error):
        raise
    raise ImportError(
        "graphnet's C++ extension is not built for this Python: run \"pip install .\" in the repository's root"
    ) from None

__all__ = ["config", "execute", "get_num_threads", "run_kernel", "set_num_threads"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_KERNELS = _core.kernel_ids()
_run = _core.run


def run_kernel(
    name: str, inputs: tuple[Array, ...], outputs: tuple[Array, ...], params: tuple[float, ...] = ()
) -> None:
    """Run a kernel of the table on arrays.

    Raises:
        ArgumentError, DTypeError, IndexOutOfRangeError: what the kernel found wrong with its operands.
    """
    try:
        _run(_KERNELS[name], inputs, outputs, params)
    except IndexError as error:
        raise IndexOutOfRangeError(str(error)) from None
    except ValueError as error:
        raise ArgumentError(str(error)) from None
    except TypeError as error:
        raise DTypeError(str(error)) from None


def execute(op: Op, arrays: Sequence[Array], attrs: Mapping[str, Any], result: TensorType) -> Array:
    """Compute one op's result, whose type is known already."""
    if op.source is not None:
        return op.source(attrs)
    if op.view is not None:
        array = arrays[0]
        if op.packed and not array.flags.c_contiguous:
            packed: Array = np.empty(array.shape, array.dtype)
            run_kernel("copy", (array,), (packed,))
            array = packed
        return op.view(array, attrs)
    make = np.zeros if op.zeroed else np.empty
    out: Array = make(result.shape, result.dtype.dtype)
    target = out
    shapes = [a.shape for a in arrays]
    if op.window is not None:
        target = op.window(out, attrs)
    elif op.kernel_shape is not None:
        target = out.reshape(op.kernel_shape(attrs, shapes))
    assert op.kernel is not None
    run_kernel(op.kernel, tuple(arrays), (target,), op.params(attrs, shapes) if op.params is not None else ())
    return out


def set_num_threads(count: int) -> None:
    """Let kernels use at most `count` threads.

    Raises:
        ArgumentError: count is not a positive whole number.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"set_num_threads: expects a whole number from 1 up, got {count!r}")
    _core.set_num_threads(count)


def get_num_threads() -> int:
    """How many threads kernels use at most."""
    return int(_core.get_num_threads())


def config() -> dict[str, Any]:
    """Target, threads, compiler and version of the C++ extension."""
    return dict(_core.config())
