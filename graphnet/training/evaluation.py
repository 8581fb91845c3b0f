"""How good a network is on data: a compiled pass in evaluation mode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphnet.compile import compile
from graphnet.errors import ArgumentError, ArgumentTypeError, kind_of
from graphnet.nn import Module
from graphnet.tensor import no_grad
from graphnet.training.batches import batches_of, inputs_of, rows_of
from graphnet.training.metrics import Metric, metrics_of

__all__ = ["Evaluator", "evaluate"]


def evaluate(
    net: Module, data: Any, loss: Any, *, metrics: Any = None, batch_size: int | None = None
) -> dict[str, Any]:
    """The loss and metrics of a network on data, in evaluation mode and without gradients.

    Args:
        net: a module; its mode is as before afterwards.
        data: a `DataLoader` or another iterable of batches, a data set, or a tuple of tensors or arrays: inputs first,
            the target last.
        loss: called with the network's result and the target.
        metrics: "accuracy", "mae", "mse", functions of result and target that give a mean, several of them, or a dict.
        batch_size: for data sets and arrays; 32 by default.

    Returns:
        Means over all samples: "loss" and each metric by name.

    Raises:
        ArgumentError, ArgumentTypeError: data without batches, or of another form.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Linear(2, 1)
        >>> gn.nn.init.zeros_(net.weight), gn.nn.init.zeros_(net.bias)  # doctest: +ELLIPSIS
        (...)
        >>> gn.evaluate(net, (gn.ones(4, 2), gn.ones(4, 1)), gn.nn.MSELoss(), metrics="mae")
        {'loss': 1.0, 'mae': 1.0}
    """
    if not isinstance(net, Module):
        raise ArgumentTypeError(f"evaluate: expects a module, got {kind_of(net)}")
    batches = batches_of("evaluate", net, data, batch_size, shuffle=False)
    return Evaluator("evaluate", net, loss, metrics_of("evaluate", metrics)).run(batches)


class Evaluator:
    """Evaluates one network again and again."""

    def __init__(self, what: str, net: Module, loss: Any, metrics: dict[str, Metric]) -> None:
        def both(*inputs: Any) -> Any:
            prediction = net(*inputs[:-1])
            return loss(prediction, inputs[-1]), prediction

        self._what, self._net, self._metrics = what, net, metrics
        self._compiled = compile(both)

    @no_grad()
    def run(self, batches: Any, between: Callable[[], None] | None = None) -> dict[str, Any]:
        """The means over all samples; `between` is called after each batch."""
        # Modes are set behind the back of compiled plans: those of training are not run meanwhile, and this one's
        # plans are run in no other mode, so all of them stay.
        modes = [(module, module.training) for module in self._net.modules()]
        for module, _ in modes:
            module.__dict__["training"] = False
        try:
            sums, count = dict.fromkeys(("loss", *self._metrics), 0.0), 0
            for batch in batches:
                inputs = inputs_of(self._what, self._net, batch)
                value, prediction = self._compiled(*inputs)
                rows = rows_of(inputs)
                sums["loss"] += float(value.mean()) * rows
                for name, metric in self._metrics.items():
                    sums[name] += float(metric(prediction, inputs[-1])) * rows
                count += rows
                if between is not None:
                    between()
        finally:
            for module, mode in modes:
                module.__dict__["training"] = mode
        if not count:
            raise ArgumentError(f"{self._what}: the data has no samples")
        return {name: total / count for name, total in sums.items()}
