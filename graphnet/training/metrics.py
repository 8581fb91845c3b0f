"""Numbers that tell how good predictions are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from graphnet.errors import ArgumentError, ArgumentTypeError, ShapeError, kind_of
from graphnet.tensor import Tensor

__all__ = ["METRICS", "Metric", "metrics_of"]

Metric: TypeAlias = "Callable[[Tensor, Tensor], Any]"


def accuracy(prediction: Tensor, target: Tensor) -> Tensor:
    """The share of samples whose class is right.

    Args:
        prediction: scores of shape (N, C, ...).
        target: class indices of shape (N, ...), or scores of prediction's shape.

    Raises:
        ShapeError: other shapes.
    """
    shape, wanted = tuple(prediction.shape), tuple(target.shape)
    if len(shape) < 2 or wanted not in (shape, (shape[0], *shape[2:])):
        raise ShapeError(
            f"accuracy: expects scores (N, C, ...) and classes (N, ...), got {shape} and {wanted}; "
            "for other predictions pass a function as metric",
            expected=(shape[0], *shape[2:]) if shape else None,
            got=wanted,
        )
    classes = target.argmax(dim=1) if wanted == shape else target
    return (prediction.argmax(dim=1) == classes).float().mean()


def mean_absolute_error(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean of |prediction - target|."""
    return (prediction - _alike("mae", prediction, target)).abs().mean()


def mean_squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """The mean of (prediction - target)²."""
    return (prediction - _alike("mse", prediction, target)).square().mean()


def _alike(name: str, prediction: Tensor, target: Tensor) -> Tensor:
    if tuple(prediction.shape) != tuple(target.shape):
        raise ShapeError(
            f"{name}: predictions and targets have one shape, got {tuple(prediction.shape)} and {tuple(target.shape)}",
            expected=tuple(prediction.shape),
            got=tuple(target.shape),
        )
    return target


METRICS: dict[str, Metric] = {"accuracy": accuracy, "mae": mean_absolute_error, "mse": mean_squared_error}
BETTER_WHEN_HIGH = ("accuracy",)


def metrics_of(what: str, given: Any) -> dict[str, Metric]:
    """Metrics by name, from a name, a function, several of them, or a dict.

    Raises:
        ArgumentError, ArgumentTypeError: a name that is not known, or something else.
    """
    if given is None:
        return {}
    if isinstance(given, str) or callable(given):
        given = [given]
    if isinstance(given, Mapping):
        pairs = list(given.items())
    elif isinstance(given, Iterable):
        pairs = [(m if isinstance(m, str) else getattr(m, "__name__", type(m).__name__), m) for m in given]
    else:
        raise ArgumentTypeError(f"{what}: metrics are names and functions, got {kind_of(given)}")
    result: dict[str, Metric] = {}
    for name, metric in pairs:
        if isinstance(metric, str):
            if metric not in METRICS:
                raise ArgumentError(f"{what}: there is no metric {metric!r}; there are {', '.join(METRICS)}")
            metric = METRICS[metric]
        if not callable(metric) or not isinstance(name, str) or name in ("loss", "epoch", "lr", "seconds"):
            raise ArgumentTypeError(
                f"{what}: a metric is a name or a function of prediction and target, got {metric!r:.60} as {name!r}"
            )
        result[name] = metric
    return result
