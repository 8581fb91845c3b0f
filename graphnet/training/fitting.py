"""Training: epochs of compiled steps, with what belongs around them."""

from __future__ import annotations

import errno
import math
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

from graphnet.compile import TrainStep
from graphnet.errors import ArgumentError, ArgumentTypeError, GraphnetWarning, MissingFileError, kind_of
from graphnet.nn import Module
from graphnet.optim import Optimizer
from graphnet.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from graphnet.places import stack_depth
from graphnet.training.batches import batches_of, inputs_of, rows_of
from graphnet.training.evaluation import Evaluator
from graphnet.training.history import History
from graphnet.training.interrupts import Interrupts
from graphnet.training.metrics import BETTER_WHEN_HIGH, metrics_of
from graphnet.training.progress import Bar
from graphnet.training.run import Run
from graphnet.whole import whole

__all__ = ["fit"]


def fit(
    net: Module,
    data: Any,
    loss: Any,
    optimizer: Optimizer,
    *,
    epochs: int,
    validation: Any = None,
    batch_size: int | None = None,
    metrics: Any = None,
    scheduler: LRScheduler | None = None,
    schedule_by: str = "epoch",
    max_grad_norm: float | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    monitor: str | None = None,
    mode: str | None = None,
    restore_best: bool | None = None,
    checkpoint: Any = None,
    resume: bool = False,
    callback: Callable[[History], Any] | None = None,
    progress: bool | None = None,
) -> History:
    """Train a network with compiled steps (`TrainStep`).

    The loss of an epoch is the mean over its samples, each measured before the step that it led to. After each epoch
    the network is evaluated on `validation`, which gives "val_loss" and a "val_..." for each metric; without
    validation, metrics are measured on the training data. Training ends early, with a warning, when the loss is not
    finite any more. Ctrl-C ends it after the step that runs, with a warning too; a second one at once.

    Args:
        net: a module. If it is in evaluation mode it is in training mode meanwhile; modes are as before afterwards.
        data: a `DataLoader` or another iterable of batches (inputs first, the target last), a data set, or a tuple of
            tensors or arrays, inputs first, the target last. Data sets and arrays are shuffled in each epoch.
        loss: called with the network's result and the target.
        optimizer: over the network's parameters.
        epochs: how often to go through the data, in all: also those before a checkpoint.
        validation: data to evaluate on after each epoch, in one of the forms of `data`.
        batch_size: for data sets and arrays; 32 by default.
        metrics: "accuracy", "mae", "mse", functions of result and target that give a mean over samples, several of
            them, or a dict of them by name.
        scheduler: of the optimizer's learning rate; steps after each epoch, ReduceLROnPlateau with `monitor`.
        schedule_by: "epoch", or "step" for a scheduler that steps after each batch.
        max_grad_norm: the largest norm of the gradients, see `TrainStep`.
        patience: end after so many epochs in which `monitor` did not get better.
        min_delta: by how much it has to get better to count for `patience`.
        monitor: the name of a number of the history; "val_loss" with validation, else "loss".
        mode: "min" or "max", whichever is better; by default "max" for accuracies, else "min".
        restore_best: whether the network ends with the parameters and buffers of its best epoch; by default, where
            `patience` is given. Not after Ctrl-C.
        checkpoint: a path; all that training needs to go on is saved there after each epoch.
        resume: go on from the checkpoint if the file is there. What follows is, bit for bit, what would have followed
            without the break.
        callback: called with the history after each epoch; training ends if it returns True.
        progress: whether to show a bar; by default on terminals and in notebooks.

    Returns:
        The numbers of each epoch.

    Raises:
        ArgumentError, ArgumentTypeError: settings that make no sense, or not together; data of another form.
        StateDictError, FileFormatError: a checkpoint of another network or optimizer, or no checkpoint.
        MissingFileError: no folder to put the checkpoint into.

    Example:
        >>> import graphnet as gn
        >>> gn.manual_seed(0)
        >>> x = gn.rand(64, 2)
        >>> y = (x[:, 0] > x[:, 1]).long()
        >>> net = gn.nn.Sequential(gn.nn.Linear(2, 8), gn.nn.ReLU(), gn.nn.Linear(8, 2))
        >>> optimizer = gn.optim.Adam(net.parameters(), lr=0.05)
        >>> history = gn.fit(net, (x, y), gn.nn.CrossEntropyLoss(), optimizer, epochs=30, metrics="accuracy")
        >>> len(history), history["accuracy"][-1] > 0.9
        (30, True)
    """
    _check_numbers(epochs, patience, min_delta)
    _check_words(mode, schedule_by)
    if not isinstance(net, Module):
        raise ArgumentTypeError(f"fit: expects a module, got {kind_of(net)}")
    step = TrainStep(net, loss, optimizer, max_grad_norm=max_grad_norm)
    _check_scheduler(scheduler, optimizer, schedule_by)
    if checkpoint is None and resume:
        raise ArgumentError("fit: resume goes on from a checkpoint; say where with checkpoint=")
    if checkpoint is not None and not isinstance(checkpoint, (str, os.PathLike)):
        raise ArgumentTypeError(f"fit: checkpoint is a path, got {kind_of(checkpoint)}")
    if checkpoint is not None and not os.path.isdir(os.path.dirname(os.path.abspath(checkpoint))):
        raise MissingFileError(errno.ENOENT, "fit: there is no such folder for the checkpoint", os.fspath(checkpoint))
    if progress not in (True, False, None):
        raise ArgumentTypeError(f"fit: progress is True, False or None, got {progress!r:.60}")
    if callback is not None and not callable(callback):
        raise ArgumentTypeError(f"fit: callback is a function of the history, got {callback!r:.60}")
    measured = metrics_of("fit", metrics)
    batches = batches_of("fit", net, data, batch_size, shuffle=True)
    held_out = None if validation is None else batches_of("fit: validation", net, validation, batch_size, shuffle=False)
    if batch_size is not None and batches is data and held_out is validation:
        raise ArgumentError("fit: batch_size is for data sets and arrays; a loader has its own")
    prefix = "" if held_out is None else "val_"
    history = _history(monitor, mode, prefix, [*measured] if held_out is None else ["loss", *measured])
    keep_best = patience is not None if restore_best is None else bool(restore_best)
    run = Run(net, optimizer, scheduler, batches, history, min_delta, keep_best)
    if resume and checkpoint is not None and os.path.exists(checkpoint):
        run.resume(checkpoint)
    evaluator = Evaluator("fit", net, loss, measured) if measured or held_out is not None else None
    every_step = scheduler.step if scheduler is not None and schedule_by == "step" else None
    length = len(batches) if hasattr(batches, "__len__") else None
    modes = [(module, module.training) for module in net.modules()]
    if not net.training:
        net.train()
    try:
        with Interrupts() as interrupts, Bar(epochs, length, progress) as bar:
            while history.stopped is None and len(history) < epochs:
                if patience is not None and run.waited >= patience:
                    history.stopped = "patience"
                    break
                started, rate = time.perf_counter(), float(optimizer.param_groups[0]["lr"])
                record: dict[str, Any] = {"epoch": len(history) + 1}
                bar.epoch(record["epoch"])
                record["loss"] = _epoch(step, batches, every_step, interrupts, bar)
                if not math.isfinite(record["loss"]):
                    history.stopped = "diverged"
                elif evaluator is not None:
                    numbers = evaluator.run(batches if held_out is None else held_out, interrupts.check)
                    record |= {f"{prefix}{k}": v for k, v in numbers.items() if prefix or k != "loss"}
                record |= {"lr": rate, "seconds": time.perf_counter() - started}
                run.note(record)
                bar.end(record)
                if history.stopped is not None:
                    break
                if scheduler is not None and every_step is None:
                    scheduler.step(*((record[history.monitor],) if isinstance(scheduler, ReduceLROnPlateau) else ()))
                if callback is not None and callback(history) is True:
                    history.stopped = "callback"
                if checkpoint is not None:
                    run.save(checkpoint)
                if len(history) < epochs:
                    interrupts.check()
    except KeyboardInterrupt:
        history.stopped = "interrupted"
    finally:
        for module, training in modes:
            if module.training != training:
                module.training = training
    if keep_best and history.stopped != "interrupted":
        run.restore_best()
    _warn(history, epochs)
    return history


def _epoch(step: TrainStep, batches: Any, every_step: Any, interrupts: Interrupts, bar: Bar) -> float:
    """Train on all batches once; gives the mean loss, or one that is not finite as soon as there is one."""
    total, samples, steps = 0.0, 0, 0
    for batch in batches:
        inputs = inputs_of("fit", step.network, batch)
        value = step(*inputs).item()
        rows = rows_of(inputs)
        total, samples, steps = total + value * rows, samples + rows, steps + 1
        if not math.isfinite(value):
            return float(value)
        if every_step is not None:
            every_step()
        bar.step(steps, total, samples)
        interrupts.check()
    if not samples:
        raise ArgumentError("fit: the data has no samples")
    return total / samples


def _history(monitor: str | None, mode: str | None, prefix: str, measured: list[str]) -> History:
    names = ["loss", *(f"{prefix}{name}" for name in measured)]
    monitor = f"{prefix}loss" if monitor is None else monitor
    if monitor not in names:
        raise ArgumentError(f"fit: there is no number {monitor!r} to monitor; there are {', '.join(names)}")
    if mode is None:
        mode = "max" if monitor.removeprefix("val_") in BETTER_WHEN_HIGH else "min"
    return History(None, monitor, mode)


def _warn(history: History, epochs: int) -> None:
    if history.stopped == "interrupted":
        text = f"fit: interrupted in epoch {len(history) + 1} of {epochs}; the network is as the last step left it"
    elif history.stopped == "diverged":
        loss = history["loss"][-1]
        text = f"fit: the loss became {loss} in epoch {len(history)} of {epochs}; try a smaller learning rate"
    else:
        return
    warnings.warn(text, GraphnetWarning, stacklevel=stack_depth())


def _check_numbers(epochs: Any, patience: Any, min_delta: Any) -> None:
    if whole("fit: epochs", epochs) < 1:
        raise ArgumentError(f"fit: epochs is a whole number from 1 up, got {epochs}")
    if patience is not None and whole("fit: patience", patience) < 1:
        raise ArgumentError(f"fit: patience is a whole number from 1 up, got {patience}")
    if not isinstance(min_delta, (int, float)) or not 0 <= min_delta < math.inf:
        raise ArgumentError(f"fit: min_delta is a number from 0 up, got {min_delta!r}")


def _check_words(mode: Any, schedule_by: Any) -> None:
    if mode not in ("min", "max", None):
        raise ArgumentError(f"fit: mode is 'min' or 'max', got {mode!r}")
    if schedule_by not in ("epoch", "step"):
        raise ArgumentError(f"fit: schedule_by is 'epoch' or 'step', got {schedule_by!r}")


def _check_scheduler(scheduler: Any, optimizer: Optimizer, schedule_by: str) -> None:
    if scheduler is None:
        return
    if not isinstance(scheduler, LRScheduler):
        raise ArgumentTypeError(f"fit: expects a scheduler, got {kind_of(scheduler)}")
    if scheduler.optimizer is not optimizer:
        raise ArgumentError("fit: the scheduler is another optimizer's")
    if schedule_by == "step" and isinstance(scheduler, ReduceLROnPlateau):
        raise ArgumentError("fit: ReduceLROnPlateau waits for the number of an epoch; it goes with schedule_by='epoch'")
