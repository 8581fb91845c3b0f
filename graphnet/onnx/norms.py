"""ONNX's normalisations as compositions of rows."""

from __future__ import annotations

from typing import Any

from graphnet.ir import Shape, product
from graphnet.onnx.registry import operator
from graphnet.ops.onnx import Reader
from graphnet.ops.onnx_layers import RMS_NORM
from graphnet.ops.onnx_shaping import axis_in

__all__: list[str] = []


def _standardized(n: Reader, x: Any, axes: tuple[int, ...]) -> Any:
    return n("normalize", x, axes=axes, eps=n.attr("epsilon", 1e-5), center=True, least=1)


def _channels(n: Reader, value: Any, rank: int) -> Any:
    """A value for each channel, to broadcast over axis 1."""
    return n("reshape", value, shape=(-1, *[1] * (rank - 2)))


@operator("BatchNormalization")
def _batch_norm(n: Reader) -> Any:
    x = n.x(0)
    rank = len(n.shape(x))
    scale, bias, mean, variance = (n.x(i) for i in range(1, 5))
    epsilon, momentum = n.attr("epsilon", 1e-5), n.attr("momentum", 0.9)
    n.attr("is_test")
    n.attr("spatial")
    n.attr("consumed_inputs")
    training = n.attr("training_mode", 0)
    running: tuple[Any, ...] = ()
    if training:
        axes = tuple(a for a in range(rank) if a != 1)
        mean_now = n("mean", x, axes=axes, keepdims=False)
        off = n("sub", x, _channels(n, mean_now, rank))
        variance_now = n("mean", n("mul", off, off), axes=axes, keepdims=False)

        def moved(before: Any, now: Any) -> Any:
            kept = n("mul", before, n.number(momentum, before))
            return n("add", kept, n("mul", now, n.number(1 - momentum, now)))

        running = moved(mean, mean_now), moved(variance, variance_now)
        mean, variance = mean_now, variance_now
    spread = n("sqrt", n("add", variance, n.number(epsilon, variance)))
    centred = n("sub", x, _channels(n, mean, rank))
    factor = n("div", scale, spread)
    result = n("add", n("mul", centred, _channels(n, factor, rank)), _channels(n, bias, rank))
    return (result, *running) if running else result


@operator("InstanceNormalization")
def _instance_norm(n: Reader) -> Any:
    x = n.x(0)
    rank = len(n.shape(x))
    result = _standardized(n, x, tuple(range(2, rank)))
    return n("add", n("mul", result, _channels(n, n.x(1), rank)), _channels(n, n.x(2), rank))


@operator("GroupNormalization")
def _group_norm(n: Reader) -> Any:
    x, groups = n.x(0), n.attr("num_groups")
    n.attr("stash_type", 1)
    shape: Shape = n.shape(x)
    rank = len(shape)
    split = n("reshape", x, shape=(shape[0], groups, product(shape[1:]) // groups))
    result = _standardized(n, split, (2,))
    scale, bias = n.x(1), n.x(2)
    if n.version < 21:  # one for each group
        result = n("add", n("mul", result, _channels(n, scale, 3)), _channels(n, bias, 3))
        return n("reshape", result, shape=shape)
    result = n("reshape", result, shape=shape)
    return n("add", n("mul", result, _channels(n, scale, rank)), _channels(n, bias, rank))


operator("RMSNormalization")(RMS_NORM)


@operator("MeanVarianceNormalization")
def _mean_variance_norm(n: Reader) -> Any:
    x = n.x(0)
    rank = len(n.shape(x))
    axes = tuple(axis_in(n, a, rank) for a in n.attr("axes", [0, 2, 3]))
    mean = n("mean", x, axes=axes, keepdims=True)
    off = n("sub", x, mean)
    spread = n("sqrt", n("mean", n("mul", off, off), axes=axes, keepdims=True))
    return n("div", off, n("add", spread, n.number(1e-9, x)))


@operator("LpNormalization")
def _lp_norm(n: Reader) -> Any:
    x, p = n.x(0), n.attr("p", 2)
    axis = axis_in(n, n.attr("axis", -1), len(n.shape(x)))
    if p == 1:
        size = n("sum", n("abs", x), axes=(axis,), keepdims=True)
    else:
        size = n("sqrt", n("sum", n("mul", x, x), axes=(axis,), keepdims=True))
    none = n("eq", size, n.number(0, x))
    return n("where", none, n.number(0, x), n("div", x, n("where", none, n.number(1, x), size)))


@operator("LRN")
def _local_response_norm(n: Reader) -> Any:
    """x / (bias + alpha / size * sum of squares over neighbouring channels) ^ beta."""
    x, size = n.x(0), n.attr("size")
    shape = n.shape(x)
    rank, channels = len(shape), shape[1]
    before, after = (size - 1) // 2, size - 1 - (size - 1) // 2
    squares = n("mul", x, x)

    def rim(count: int) -> Any:
        return n("expand", n.number(0, x), shape=(shape[0], count, *shape[2:]))

    padded = n("cat", *([rim(before)] if before else []), squares, *([rim(after)] if after else []), axis=1)
    total = None
    for start in range(size):
        index = tuple((start, start + channels, None) if a == 1 else (None, None, None) for a in range(rank))
        part = n("slice", padded, index=index)
        total = part if total is None else n("add", total, part)
    scale = n.number(n.attr("alpha", 1e-4) / size, x)
    base = n("add", n("mul", total, scale), n.number(n.attr("bias", 1.0), x))
    return n("div", x, n("pow", base, n.number(n.attr("beta", 0.75), x)))
