"""Tensors as text, in PyTorch's layout: 4 digits, 80 columns, long tensors summarised."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from graphnet.dtypes import bool_, float32, int64
from graphnet.ir import render_shape

__all__ = ["tensor_text"]

_GRAD_FN = {  # PyTorch's names of what computed a tensor, where they are not the operation's
    "matmul": "MmBackward0",
    "linear": "AddmmBackward0",
    "reshape": "ViewBackward0",
    "cast": "ToCopyBackward0",
    "copy": "CloneBackward0",
    "take": "IndexBackward0",
    "cross_entropy": "NllLossBackward0",
    "set_slice": "CopySlices",
    "set_at": "CopySlices",
    "clamp_max": "ClampBackward1",
    "clamp_min": "ClampBackward1",
}

DIGITS, THRESHOLD, EDGE, COLUMNS = 4, 1000, 3, 80


def tensor_text(tensor: Any, prefix: str = "tensor(") -> str:
    """A tensor as `repr` shows it."""
    suffixes = []
    if tensor._array is None and tensor._source is not None and tensor._source._array is None:
        return f"<uninitialized {tensor.dtype.name}{render_shape(tensor.shape)}>"
    values = tensor._looked_at()
    if tensor.dtype not in (float32, int64, bool_) or (not values.size and tensor.dtype is not float32):
        suffixes.append(f"dtype={tensor.dtype!r}")
    if tensor._record is not None:
        name = _grad_fn(tensor._record)
        suffixes.append(f"grad_fn=<{name}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    if not values.size:
        body = "[]"
        if values.ndim != 1:
            suffixes.insert(0, f"size={values.shape}")
    else:
        summary = values.size > THRESHOLD
        body = _body(values, len(prefix), summary, *_formatter(_shown(values) if summary else values))
    text = prefix + body
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > COLUMNS:
            text += ",\n" + " " * len(prefix) + suffix
            column = len(prefix) + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def _grad_fn(record: Any) -> str:
    """PyTorch's name of what computed a tensor."""
    op, attrs = record.op.name, record.attrs
    if op == "slice":
        index = attrs["index"]
        taken = any(isinstance(entry, int) for entry in index)
        return "SelectBackward0" if taken else "UnsqueezeBackward0" if None in index else "SliceBackward0"
    if op in ("max", "min"):
        return f"{op.capitalize()}Backward{0 if attrs.get('first') else 1}"
    return _GRAD_FN.get(op) or "".join(part.capitalize() for part in op.split("_")) + "Backward0"


def _shown(values: Any) -> Any:
    """The elements that a summary shows."""
    for axis in range(values.ndim):
        if values.shape[axis] > 2 * EDGE:
            size = values.shape[axis]
            values = np.take(values, [*range(EDGE), *range(size - EDGE, size)], axis)
    return values


def _formatter(values: Any) -> tuple[Callable[..., str], int]:
    """How to write one element, and how wide elements are."""
    if values.dtype.kind != "f":
        width = max(len(str(v)) for v in values.ravel().tolist())
        return (lambda v: str(v).rjust(width)), width
    finite = values[np.isfinite(values) & (values != 0)].astype(np.float64)
    if not finite.size:
        return _pad(_whole, 1), 1
    small, large = np.abs(finite).min(), np.abs(finite).max()
    whole = bool((finite == np.ceil(finite)).all())
    if large / small > 1000 or large > 1e8 or (not whole and small < 1e-4):
        write: Callable[[Any], str] = f"{{:.{DIGITS}e}}".format
    else:
        write = _whole if whole else f"{{:.{DIGITS}f}}".format
    width = max(1, *(len(write(v)) for v in finite.tolist()))
    return _pad(write, width), width


def _whole(value: float) -> str:
    return f"{value:.0f}." if math.isfinite(value) else f"{value:.0f}"


def _pad(write: Callable[[Any], str], width: int) -> Callable[[Any], str]:
    return lambda value: write(value).rjust(width)


def _body(values: Any, indent: int, summary: bool, write: Callable[..., str], width: int) -> str:
    if values.ndim == 0:
        text: str = write(values.item())
        return text
    cut = summary and len(values) > 2 * EDGE
    if values.ndim == 1:
        items = values.tolist()
        texts = [write(v) for v in (items[:EDGE] + items[-EDGE:] if cut else items)]
        if cut:
            texts.insert(EDGE, " ...")
        per_line = max(1, (COLUMNS - indent) // (width + 2))
        lines = [", ".join(texts[i : i + per_line]) for i in range(0, len(texts), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    parts = [*values[:EDGE], *values[-EDGE:]] if cut else list(values)
    blocks = [_body(part, indent + 1, summary, write, width) for part in parts]
    if cut:
        blocks.insert(EDGE, "...")
    return "[" + ("," + "\n" * int(values.ndim - 1) + " " * (indent + 1)).join(blocks) + "]"
