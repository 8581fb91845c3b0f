"""Losses as functions.

All take `reduction`: "mean", "sum" or "none". `size_average` and `reduce` are PyTorch's old names for it; they are
taken with a warning.
"""

from __future__ import annotations

from typing import Any

from graphnet.dtypes import int64
from graphnet.errors import ArgumentError, ArgumentTypeError, DTypeError, GradientError, GraphnetWarning, ShapeError
from graphnet.ir import render_shape
from graphnet.nn.functional.activations import number
from graphnet.places import warn
from graphnet.tensor.core import apply, check_tensor
from graphnet.tensor.tensor import Tensor
from graphnet.whole import whole

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "mse_loss",
    "nll_loss",
    "reduction_of",
    "smooth_l1_loss",
]


def reduction_of(reduction: Any, size_average: Any = None, reduce: Any = None, *, more: tuple[str, ...] = ()) -> str:
    """The reduction that is asked for.

    Raises:
        ArgumentError, ArgumentTypeError: another word, or one in the place of the old settings.
    """
    for name, value in (("size_average", size_average), ("reduce", reduce)):
        if isinstance(value, str):
            raise ArgumentTypeError(f"{name} is True, False or None, got {value!r}; did you mean reduction={value!r}?")
    if size_average is not None or reduce is not None:
        chosen = "none" if reduce is not None and not reduce else "mean" if size_average in (None, True) else "sum"
        warn(f"size_average and reduce are old names: write reduction={chosen!r}", GraphnetWarning)
        return chosen
    if reduction not in ("none", "mean", "sum", *more):
        words = ", ".join(map(repr, ("none", "mean", *more)))
        raise ArgumentError(f"reduction is {words} or 'sum', got {reduction!r}")
    return str(reduction)


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def _weighed(losses: Tensor, weight: Any) -> Tensor:
    """Losses times a factor for each element, where there is one."""
    return losses if weight is None else losses * check_tensor("weight", weight)


def _pair(what: str, input: Any, target: Any, *, strict: bool = False) -> tuple[Tensor, Tensor]:
    """Input and target, with a warning, or an error, where their shapes differ."""
    input, target = check_tensor(what, input), check_tensor(f"{what}: the target", target)
    have, want = tuple(input.shape), tuple(target.shape)
    if have == want or (input._tracer is not None and _unified(input, target)):
        return input, target
    if strict:
        raise ShapeError(
            f"{what}: the target has shape {render_shape(want)}, the input {render_shape(have)}; give both one shape",
            expected=have,
            got=want,
            operand=1,
        )
    warn(
        f"{what}: the input has shape {have} and the target {want}: they are broadcast, which compares elements that "
        "do not belong together; give both one shape",
        GraphnetWarning,
    )
    return input, target


def _unified(input: Tensor, target: Tensor) -> bool:
    """Whether sizes of a traced graph are, or can be, the same; those that were open are so from here on."""
    have, want = tuple(input.shape), tuple(target.shape)
    return len(have) == len(want) and all(
        a == b or (not (isinstance(a, int) and isinstance(b, int)) and a != 1 and b != 1) for a, b in zip(have, want)
    )


def _warn_activated(what: str, input: Tensor, op: str, hint: str) -> None:
    """Warn where a loss gets what an activation made that it applies itself, or the wrong one."""
    if input._origin is not None and input._origin.op == op:
        warn(f"{what}: the input comes from {input._origin}, and {hint}", GraphnetWarning)


def _weighted(what: str, errors: Tensor, weight: Any, reduction: str, *, by_weight: bool = True) -> Tensor:
    """Errors times weights, reduced; the mean is that of the weights, or a plain one."""
    weight = check_tensor(f"{what}: the weight", weight)
    if tuple(weight.shape) != tuple(errors.shape):
        raise ShapeError(
            f"{what}: the weight has shape {render_shape(weight.shape)}, the input {render_shape(errors.shape)}; "
            "give both one shape",
            expected=tuple(errors.shape),
            got=tuple(weight.shape),
        )
    errors = errors * weight
    return errors.sum() / weight.sum() if reduction == "mean" and by_weight else _reduced(errors, reduction)


def mse_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Tensor:
    """The mean of (input - target)².

    Args:
        input, target: of one shape.
        reduction: "mean", "sum" or "none".
        weight: a factor for each error, of their shape; the mean is then divided by the weights' sum.

    Warns:
        GraphnetWarning: the shapes differ and are broadcast, which is hardly ever meant: (N, 1) with (N,) compares
            every prediction with every target.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.mse_loss(gn.tensor([1.0, 2.0]), gn.tensor([1.0, 4.0]))
        tensor(2.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = _pair("mse_loss", input, target)
    errors = (input - target).square()
    return _reduced(errors, reduction) if weight is None else _weighted("mse_loss", errors, weight, reduction)


def l1_loss(
    input: Any, target: Any, size_average: Any = None, reduce: Any = None, reduction: str = "mean", weight: Any = None
) -> Tensor:
    """The mean of |input - target|. Arguments and warnings are those of `mse_loss`.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.l1_loss(gn.tensor([1.0, 2.0]), gn.tensor([1.0, 4.0]))
        tensor(1.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = _pair("l1_loss", input, target)
    errors = (input - target).abs()
    return _reduced(errors, reduction) if weight is None else _weighted("l1_loss", errors, weight, reduction)


def smooth_l1_loss(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    beta: float = 1.0,
) -> Tensor:
    """The mean of e² / (2 beta) where |e| < beta and of |e| - beta / 2 elsewhere, with e = input - target.

    Args:
        input, target: of one shape; a difference is warned of, as by `mse_loss`.
        reduction: "mean", "sum" or "none".
        beta: where the square ends; 0 gives `l1_loss`.

    Raises:
        ArgumentError: beta is negative.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.smooth_l1_loss(gn.tensor([0.5, 3.0]), gn.zeros(2), reduction="none")
        tensor([0.1250, 2.5000])
    """
    if number("smooth_l1_loss: beta", beta) < 0:
        raise ArgumentError(f"smooth_l1_loss: beta is 0 or more, got {beta}")
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = _pair("smooth_l1_loss", input, target)
    error = input - target
    far = error.abs()
    if beta == 0:
        return _reduced(far, reduction)
    return _reduced(apply("where", far < beta, error.square() * (0.5 / beta), far - 0.5 * beta), reduction)


def huber_loss(input: Any, target: Any, reduction: str = "mean", delta: float = 1.0, weight: Any = None) -> Tensor:
    """The mean of e² / 2 where |e| <= delta and of delta (|e| - delta / 2) elsewhere, with e = input - target.

    Args:
        input, target: of one shape; a difference is warned of, as by `mse_loss`.
        reduction: "mean", "sum" or "none".
        delta: where the square ends.
        weight: a factor for each error, of their shape.

    Raises:
        ArgumentError: delta is not positive.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.huber_loss(gn.tensor([0.5, 3.0]), gn.zeros(2), reduction="none")
        tensor([0.1250, 2.5000])
    """
    if not number("huber_loss: delta", delta) > 0:
        raise ArgumentError(f"huber_loss: delta is positive, got {delta}")
    reduction = reduction_of(reduction)
    input, target = _pair("huber_loss", input, target)
    error = input - target
    far = error.abs()
    losses = apply("where", far <= delta, error.square() * 0.5, (far - 0.5 * delta) * delta)
    if weight is None:
        return _reduced(losses, reduction)
    return _weighted("huber_loss", losses, weight, reduction, by_weight=False)


def _class_rows(what: str, input: Tensor, target: Tensor) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    """Input and target as rows (N, C) and (N) or (N, C), and the shape that the losses have."""
    rows = tuple(target.shape)
    if input.ndim == 0:
        raise ShapeError(
            f"{what}: expects logits, or their log_softmax, of shape (C), (N, C) or (N, C, d1, ...), got a 0-d tensor"
        )
    if input.ndim == 1:
        if target.ndim == 1 and not target.dtype.is_floating_point and rows != (1,):
            raise ShapeError(
                f"{what}: one row of {input.shape[0]} classes has a target of shape (), got {render_shape(rows)}",
                expected=(),
                got=rows,
                operand=1,
            )
        probable = target.dtype.is_floating_point and target.ndim == 1
        return input.unsqueeze(0), target.unsqueeze(0) if target.ndim == 0 or probable else target, ()
    if input.ndim == 2:
        return input, target, rows[:1]
    classes, order = input.shape[1], (0, *range(2, input.ndim), 1)
    probable = target.ndim == len(order)
    wanted = tuple(input.shape) if probable else (input.shape[0], *input.shape[2:])
    if len(rows) != len(wanted) or any(
        isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(rows, wanted)
    ):
        raise ShapeError(
            f"{what}: for an input of shape {render_shape(input.shape)} expects a target of shape "
            f"{render_shape((input.shape[0], *input.shape[2:]))}, got {render_shape(rows)}",
            expected=wanted,
            got=rows,
            operand=1,
        )
    input = input.permute(order).reshape(-1, classes)
    target = target.permute(order).reshape(-1, classes) if probable else target.reshape(-1)
    return input, target, (rows[0], *rows[2:]) if probable else rows


def _class_weight(what: str, weight: Any, input: Tensor) -> list[Tensor]:
    if weight is None:
        return []
    weight = check_tensor(f"{what}: the weight", weight)
    if weight.requires_grad:
        raise GradientError(f"{what}: the weights of classes have no gradient here; pass weight.detach()")
    return [weight.to(input.dtype)]


def cross_entropy(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross entropy of softmax(input) and the target, as torch.nn.functional.cross_entropy.

    Args:
        input: logits, (C), (N, C) or (N, C, d1, ...).
        target: class indices from 0 to C-1 of shape (), (N) or (N, d1, ...), or probabilities of the input's shape.
        weight: a factor for each class, (C).
        ignore_index: a class index that does not count.
        reduction: "mean" (weighted, over what counts), "sum" or "none".
        label_smoothing: how much of the target is spread over all classes, from 0 to 1.

    Raises:
        ShapeError: the shapes do not fit. DTypeError: logits that are not floating-point.
        IndexOutOfRangeError: a class index outside its range, named with its row.

    Warns:
        GraphnetWarning: the input comes from softmax, which is applied here.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.cross_entropy(gn.zeros(2, 4), gn.tensor([1, 3]))
        tensor(1.3863)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if not 0 <= number("cross_entropy: label_smoothing", label_smoothing) <= 1:
        raise ArgumentError(f"label_smoothing is between 0 and 1, got {label_smoothing}")
    input, target = check_tensor("cross_entropy", input), check_tensor("cross_entropy", target)
    _warn_activated("cross_entropy", input, "softmax", "cross_entropy applies softmax itself: pass the logits")
    input, target, shape = _class_rows("cross_entropy", input, target)
    if target.dtype.category == 0:
        raise DTypeError("cross_entropy: class indices are integers, got bool; convert with .long()")
    if not target.dtype.is_floating_point:
        target = target.to(int64)
    elif target.ndim != 2:
        raise DTypeError(f"cross_entropy: class indices are integers, got {target.dtype.name}; convert with .long()")
    elif target.dtype is not input.dtype:
        target = target.to(input.dtype)
    losses = apply(
        "cross_entropy",
        input,
        target,
        *_class_weight("cross_entropy", weight, input),
        reduction=reduction,
        ignore_index=whole("cross_entropy: ignore_index", ignore_index),
        label_smoothing=float(label_smoothing),
    )
    return losses.reshape(shape) if reduction == "none" and losses.ndim != len(shape) else losses


def nll_loss(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative logarithm of the target's probability, from logarithms of probabilities: what log_softmax gives.

    Args:
        input: logarithms of probabilities, (C), (N, C) or (N, C, d1, ...).
        target: class indices from 0 to C-1 of shape (), (N) or (N, d1, ...).
        weight: a factor for each class, (C).
        ignore_index: a class index that does not count.
        reduction: "mean" (weighted, over what counts), "sum" or "none".

    Raises:
        ShapeError: the shapes do not fit. DTypeError: targets that are not whole numbers.
        IndexOutOfRangeError: a class index outside its range, named with its row.

    Warns:
        GraphnetWarning: the input comes from softmax rather than log_softmax.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.nll_loss(gn.tensor([[-0.5, -1.0]]), gn.tensor([1]))
        tensor(1.)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = check_tensor("nll_loss", input), check_tensor("nll_loss: the target", target)
    if target.dtype.category != 1:
        raise DTypeError(f"nll_loss: class indices are integers, got {target.dtype.name}; convert with .long()")
    hint = "nll_loss takes logarithms: use log_softmax, or cross_entropy on the logits"
    _warn_activated("nll_loss", input, "softmax", hint)
    if input.ndim > 2 and target.ndim == input.ndim:
        raise ShapeError(
            f"nll_loss: for an input of shape {render_shape(input.shape)} expects class indices of shape "
            f"{render_shape((input.shape[0], *input.shape[2:]))}, got {render_shape(target.shape)}"
        )
    input, target, shape = _class_rows("nll_loss", input, target)
    losses = apply(
        "nll_loss",
        input,
        target.to(int64),
        *_class_weight("nll_loss", weight, input),
        reduction=reduction,
        ignore_index=whole("nll_loss: ignore_index", ignore_index),
    )
    return losses.reshape(shape) if reduction == "none" and losses.ndim != len(shape) else losses


def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
) -> Tensor:
    """The mean of -t log p - (1 - t) log(1 - p), with logarithms not below -100.

    Args:
        input: probabilities p, from 0 to 1.
        target: t, from 0 to 1, of the input's shape.
        weight: a factor for each element, which broadcasts.
        reduction: "mean", "sum" or "none".

    Raises:
        ShapeError: the shapes differ. ArgumentError: p or t is not from 0 to 1.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.binary_cross_entropy(gn.tensor([0.5, 0.5]), gn.tensor([0.0, 1.0]))
        tensor(0.6931)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = _pair("binary_cross_entropy", input, target, strict=True)
    losses = apply("binary_entropy", input, target)
    return _reduced(_weighed(losses, weight), reduction)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    pos_weight: Any = None,
) -> Tensor:
    """`binary_cross_entropy` of sigmoid(input), computed stably: (1 - t) x + log(1 + exp(-x)).

    Args:
        input: logits x.
        target: t, of the input's shape.
        weight: a factor for each element, which broadcasts.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for t = 1, which broadcasts; often one for each class.

    Raises:
        ShapeError: the shapes differ.

    Warns:
        GraphnetWarning: the input comes from sigmoid, which is applied here.

    Example:
        >>> import graphnet as gn
        >>> gn.nn.functional.binary_cross_entropy_with_logits(gn.zeros(2), gn.tensor([0.0, 1.0]))
        tensor(0.6931)
    """
    what = "binary_cross_entropy_with_logits"
    reduction = reduction_of(reduction, size_average, reduce)
    input, target = _pair(what, input, target, strict=True)
    _warn_activated(what, input, "sigmoid", "the loss applies sigmoid itself: pass the logits")
    soft = apply("softplus", -input)
    if pos_weight is not None:
        soft = soft * ((check_tensor("pos_weight", pos_weight) - 1) * target + 1)
    losses = (1 - target) * input + soft
    return _reduced(_weighed(losses, weight), reduction)


def kl_div(
    input: Any,
    target: Any,
    size_average: Any = None,
    reduce: Any = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The divergence t (log t - x) of a distribution from one given by logarithms (Kullback & Leibler 1951).

    Args:
        input: logarithms x of probabilities.
        target: probabilities t, or with log_target their logarithms.
        reduction: "batchmean" (the sum divided by the input's first size: the divergence's mean), "sum", "none", or
            "mean" (over all elements).
        log_target: whether the target is logarithms.

    Warns:
        GraphnetWarning: reduction="mean", which divides by the number of classes too; or an input from softmax, whose
            logarithm is wanted.

    Example:
        >>> import graphnet as gn
        >>> x, t = gn.log(gn.tensor([[0.5, 0.5]])), gn.tensor([[0.25, 0.75]])
        >>> gn.nn.functional.kl_div(x, t, reduction="batchmean")
        tensor(0.1308)
    """
    old = size_average is not None or reduce is not None
    reduction = reduction_of(reduction, size_average, reduce, more=("batchmean",))
    if reduction == "mean" and not old:
        warn(
            "kl_div: reduction='mean' divides by the number of classes too; the divergence's mean over the batch is "
            "reduction='batchmean'",
            GraphnetWarning,
        )
    input, target = check_tensor("kl_div", input), check_tensor("kl_div: the target", target)
    _warn_activated("kl_div", input, "softmax", "kl_div takes logarithms: use log_softmax")
    if log_target:
        losses = target.exp() * (target - input)
    else:
        positive: Tensor = apply("where", target == 0, 1, target)  # 0 log 0 = 0
        losses = target * (positive.log() - input)
    if reduction == "batchmean":
        total: Tensor = losses.sum()
        return total / input.shape[0] if input.ndim else total
    return _reduced(losses, reduction)
