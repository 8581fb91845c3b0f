"""Linear maps, embeddings, dropout and normalisation as functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphnet.dtypes import float32, int64
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, IndexOutOfRangeError, ShapeError
from graphnet.ir import render_shape
from graphnet.nn.functional.activations import number
from graphnet.ops import TABLE
from graphnet.tensor.axes import sizes_of
from graphnet.tensor.core import apply, check_tensor
from graphnet.tensor.state import no_grad, state
from graphnet.tensor.tensor import Tensor
from graphnet.whole import whole

__all__ = ["batch_norm", "bilinear", "dropout", "embedding", "layer_norm", "linear", "probability", "rms_norm"]


def linear(input: Any, weight: Any, bias: Any = None) -> Tensor:
    """y = x Aᵀ + b.

    Args:
        input: x, (*, in_features).
        weight: A, (out_features, in_features).
        bias: b, (out_features), or None.

    Raises:
        ShapeError: the input's last size is not in_features.
        DTypeError: the input is not floating-point, or of another dtype than the weight.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.linear(gn.ones(1, 2), gn.ones(3, 2))
        tensor([[2., 2., 2.]])
    """
    return apply("linear", input, weight) if bias is None else apply("linear", input, weight, bias)


def bilinear(input1: Any, input2: Any, weight: Any, bias: Any = None) -> Tensor:
    """y_k = xᵀ A_k z + b_k.

    Args:
        input1: x, (*, in1_features).
        input2: z, (*, in2_features).
        weight: A, (out_features, in1_features, in2_features).
        bias: b, (out_features), or None.

    Raises:
        ShapeError: the shapes do not fit.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.bilinear(gn.ones(1, 2), gn.ones(1, 3), gn.ones(4, 2, 3))
        tensor([[6., 6., 6., 6.]])
    """
    x, z, weight = (check_tensor("bilinear", t) for t in (input1, input2, weight))
    if weight.ndim != 3 or not x.ndim or not z.ndim:
        shapes = f"{render_shape(x.shape)}, {render_shape(z.shape)} and {render_shape(weight.shape)}"
        raise ShapeError(
            "bilinear: expects inputs (*, in1_features) and (*, in2_features) and a weight "
            f"(out_features, in1_features, in2_features), got {shapes}"
        )
    out, first, second = weight.shape
    lead = tuple(x.shape[:-1])
    if len(lead) != z.ndim - 1:
        raise ShapeError(
            f"bilinear: all axes of the inputs but the last are of one size, got {render_shape(x.shape)} and "
            f"{render_shape(z.shape)}"
        )
    # (*, out·in2) = x @ (in1, out·in2), then the product with z for each output
    flat = weight.permute(1, 0, 2).reshape(first, out * second)
    left = apply("matmul", x.reshape(-1, x.shape[-1]), flat).reshape(-1, out, second)
    result = apply("matmul", left, z.reshape(-1, z.shape[-1], 1)).reshape(*lead, out)
    return result if bias is None else result + bias


def embedding(
    input: Any,
    weight: Any,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of a table at whole numbers.

    Args:
        input: whole numbers from 0 to num_embeddings - 1, of any shape (*).
        weight: the table, (num_embeddings, embedding_dim).
        padding_idx: an entry that gets no gradient; negative ones count from the end.
        max_norm: rows used that are longer are shortened to it first, in the table.
        norm_type: of which norm that is.
        scale_grad_by_freq: divide an entry's gradient by how often it comes in the input.
        sparse: taken for PyTorch's sake; gradients are dense here.

    Returns:
        (*, embedding_dim).

    Raises:
        IndexOutOfRangeError: a number or padding_idx outside its range. DTypeError: an input of fractions.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.embedding(gn.tensor([1, 0]), gn.tensor([[1.0, 2.0], [3.0, 4.0]]))
        tensor([[3., 4.],
                [1., 2.]])
    """
    index, table = check_tensor("embedding", input), check_tensor("embedding: the table", weight)
    if index.dtype.category != 1:
        raise DTypeError(f"embedding: expects whole numbers, got {index.dtype.name}; convert with .long()")
    if padding_idx is not None:
        padding_idx, entries = whole("embedding: padding_idx", padding_idx), table.shape[0]
        if not -entries <= padding_idx < entries:
            raise IndexOutOfRangeError(f"embedding: padding_idx {padding_idx} is out of range for {entries} entries")
        padding_idx %= entries
    if max_norm is not None:
        _shorten(table, index, number("embedding: max_norm", max_norm), number("embedding: norm_type", norm_type))
    return apply(
        "embedding", table, index.to(int64), padding_idx=padding_idx, scale_grad_by_freq=bool(scale_grad_by_freq)
    )


def _shorten(table: Tensor, index: Tensor, longest: float, kind: float) -> None:
    """Shorten the rows of a table that are used and longer, in place (torch.embedding_renorm_)."""
    used, values = np.unique(index._values()), table.detach()._values()
    if used.size and not 0 <= used[0] <= used[-1] < len(values):
        return  # the look-up says what is wrong
    norms = np.linalg.norm(values[used], kind, axis=1)
    over = norms > longest
    values[used[over]] *= (longest / (norms[over] + 1e-7))[:, None].astype(values.dtype)
    table._memory.version += 1


def probability(what: str, p: Any) -> float:
    """The probability p of dropout.

    Raises:
        ArgumentError: it is not from 0 to 1.
    """
    if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
        raise ArgumentError(f"{what}: the probability p is from 0 to 1, got {p!r}")
    return float(p)


def dropout(input: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Elements set to 0 with probability p in training, the others multiplied by 1 / (1 - p).

    After Srivastava et al. 2014. Each call draws a new mask; in a compiled network each run does, with the same numbers
    as eagerly for one seed.

    Args:
        input: a floating-point tensor.
        p: the probability, from 0 to 1.
        training: without it the input is returned.
        inplace: write over the input.

    Raises:
        ArgumentError: p is not between 0 and 1.

    Example:
        >>> import graphnet as gn
        >>> y = gn.nn.functional.dropout(gn.ones(1000), 0.25)
        >>> sorted(set(y.tolist())) == [0.0, gn.tensor(1 / 0.75).item()]
        True
    """
    p = probability("dropout", p)
    input = check_tensor("dropout", input)
    if not training or p == 0:
        return input  # type: ignore[no-any-return]
    if not input.dtype.is_floating_point:
        raise DTypeError(f"dropout: expects a floating-point tensor, got {input.dtype.name}; convert with .float()")
    symbolic = input._tracer is not None and state.tracer is not input._tracer
    key = input._tracer.apply(TABLE["random_key"], (), {}) if symbolic else apply("random_key")
    mask = apply("dropout_mask", key, shape=tuple(input.shape), p=p, dtype=input.dtype)
    result: Tensor = apply("mul", input, mask)
    return input._overwrite(result) if inplace else result


def layer_norm(input: Any, normalized_shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias, over the last axes (Ba et al. 2016).

    Args:
        input: x, (*, *normalized_shape).
        normalized_shape: the sizes of the axes over which mean and variance are taken.
        weight, bias: of normalized_shape, or None.
        eps: added to the variance, which is the mean of squares.

    Raises:
        ShapeError: the input does not end in normalized_shape. DTypeError: dtypes that differ.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.layer_norm(gn.tensor([[1.0, 3.0]]), (2,))
        tensor([[-1.0000,  1.0000]])
    """
    x, axes = _last_axes("layer_norm", input, normalized_shape)
    return _scaled("layer_norm", _normalized(x, axes, eps, center=True), weight, bias)


def rms_norm(input: Any, normalized_shape: Any, weight: Any = None, eps: float | None = None) -> Tensor:
    """x / sqrt(mean(x²) + eps) * weight, over the last axes (Zhang & Sennrich 2019).

    Args:
        input: x, (*, *normalized_shape).
        normalized_shape: the sizes of the axes over which the mean is taken.
        weight: of normalized_shape, or None.
        eps: the dtype's epsilon where None.

    Raises:
        ShapeError: the input does not end in normalized_shape. DTypeError: dtypes that differ.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.rms_norm(gn.tensor([[3.0, 4.0]]), (2,))
        tensor([[0.8485, 1.1314]])
    """
    x, axes = _last_axes("rms_norm", input, normalized_shape)
    eps = (2.0**-23 if x.dtype is float32 else 2.0**-52) if eps is None else eps
    return _scaled("rms_norm", _normalized(x, axes, eps, center=False), weight, None)


def _last_axes(what: str, input: Any, normalized_shape: Any) -> tuple[Tensor, tuple[int, ...]]:
    """The input, checked, and the axes that the shape names."""
    x, sizes = _floating(what, input), sizes_of(f"{what}: normalized_shape", (normalized_shape,))
    if not sizes:
        raise ArgumentError(f"{what}: normalized_shape has at least one axis, got {normalized_shape!r}")
    lead = x.ndim - len(sizes)
    if lead < 0 or not all(_is_size(x, have, want) for have, want in zip(x.shape[lead:], sizes)):
        raise ShapeError(
            f"{what}: expects an input of shape (*, {', '.join(map(str, sizes))}), got {render_shape(x.shape)}",
            expected=sizes,
            got=tuple(x.shape),
            operand=0,
        )
    return x, tuple(range(lead, x.ndim))


def _is_size(x: Tensor, have: Any, want: Any) -> bool:
    """Whether a size is the one wanted; in a traced graph it may be learnt here that it is."""
    return have == want if x._tracer is None else bool(x._tracer.emitter.sizes.unify(have, want))


def _floating(what: str, input: Any) -> Tensor:
    x = check_tensor(what, input)
    if not x.dtype.is_floating_point:
        raise DTypeError(f"{what}: expects a floating-point tensor, got {x.dtype.name}; convert with .float()")
    return x


def _normalized(x: Tensor, axes: tuple[int, ...], eps: Any, *, center: bool, least: int = 0) -> Tensor:
    eps = number("eps", eps)
    if not eps >= 0:
        raise ArgumentError(f"eps is 0 or more, got {eps}")
    return apply("normalize", x, axes=axes, eps=float(eps), center=center, least=least)


def _scaled(what: str, y: Tensor, weight: Any, bias: Any) -> Tensor:
    """y * weight + bias, of one dtype."""
    for name, value in (("weight", weight), ("bias", bias)):
        if value is None:
            continue
        value = check_tensor(f"{what}: the {name}", value)
        if value.dtype is not y.dtype:
            raise DTypeError(
                f"{what}: the input is {y.dtype.name} and the {name} {value.dtype.name}; convert one with .float(), "
                ".double() or .to(dtype)"
            )
        y = y * value if name == "weight" else y + value
    return y


def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: Any = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """(x - mean) / sqrt(variance + eps) * weight + bias for each channel (Ioffe & Szegedy 2015).

    Args:
        input: x, (N, C) or (N, C, *).
        running_mean, running_var: (C), or None. In training they are overwritten with (1 - momentum) times themselves
            plus momentum times the batch's mean and variance (this one divided by the number of values less one);
            without `training` they are the mean and the variance.
        weight, bias: (C), or None.
        training: whether mean and variance are those of the batch.
        momentum: see running_mean.
        eps: added to the variance.

    Raises:
        ShapeError: sizes that do not fit, or one value per channel alone in training.
        ArgumentError: no running mean or variance without training; eps below 0, or 0 in training.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.batch_norm(gn.tensor([[1.0], [3.0]]), None, None, training=True)
        tensor([[-1.0000],
                [ 1.0000]])
    """
    x = _floating("batch_norm", input)
    if x.ndim < 2:
        raise ShapeError(f"batch_norm: expects an input of shape (N, C) or (N, C, *), got {render_shape(x.shape)}")
    eps = number("batch_norm: eps", eps)
    if not (eps > 0 if training else eps >= 0):
        raise ArgumentError(f"batch_norm: eps is {'above 0 in training' if training else '0 or more'}, got {eps}")
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, value in given.items():
        if value is not None:
            given[name] = _for_channels(x, name, value)
    axes = (0, *range(2, x.ndim))
    ones = [1] * (x.ndim - 2)

    def spread(value: Tensor) -> Tensor:
        return value.reshape(value.shape[0], *ones) if ones else value

    if training:
        y = _normalized(x, axes, eps, center=True, least=2)
        _track(x, axes, given["running_mean"], given["running_var"], momentum)
    elif running_mean is None or running_var is None:
        raise ArgumentError("batch_norm: running_mean and running_var are needed where training=False")
    else:
        y = (x - spread(given["running_mean"])) / spread((given["running_var"] + eps).sqrt())
    weight, bias = (None if given[n] is None else spread(given[n]) for n in ("weight", "bias"))
    return _scaled("batch_norm", y, weight, bias)


def _for_channels(x: Tensor, name: str, given: Any) -> Tensor:
    value = check_tensor(f"batch_norm: {name}", given)
    if value.ndim != 1 or not (_is_size(x, x.shape[1], value.shape[0])):
        raise ShapeError(
            f"batch_norm: {name} has shape {render_shape(value.shape)}, but the input {render_shape(x.shape)} has "
            f"{x.shape[1]} channels (axis 1)",
            expected=(x.shape[1],),
            got=tuple(value.shape),
        )
    return value


@no_grad()
def _track(x: Tensor, axes: tuple[int, ...], running_mean: Any, running_var: Any, momentum: Any) -> None:
    """Move running statistics towards those of the batch, in place; they are updates of a traced graph."""
    if running_mean is None and running_var is None:
        return
    if running_mean is None or running_var is None:
        raise ArgumentError("batch_norm: running_mean and running_var are given both or not at all")
    if isinstance(momentum, bool) or not isinstance(momentum, (int, float, Tensor)):
        raise ArgumentTypeError(f"batch_norm: momentum is a number, got {momentum!r}")
    moved = apply("running_statistics", x.detach(), running_mean, running_var, momentum, axes=axes)
    running_mean._overwrite(moved[0])
    running_var._overwrite(moved[1])
