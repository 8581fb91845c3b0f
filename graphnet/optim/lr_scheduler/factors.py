"""Schedules that multiply the learning rate by a function of the epoch."""

from __future__ import annotations

import math
import types
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, check_real, check_whole
from graphnet.optim.optimizer import Optimizer

__all__ = ["ConstantLR", "CosineAnnealingLR", "ExponentialLR", "LambdaLR", "LinearLR", "MultiStepLR", "StepLR"]


class LambdaLR(LRScheduler):
    """The first learning rate times a function of the epoch.

    Args:
        lr_lambda: called with the epoch's number; one for all groups, or a list with one for each. State dicts hold
            the attributes of callable objects, no functions.

    Example:
        >>> import graphnet as gn
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> scheduler = gn.optim.lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + epoch))
        >>> optimizer.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    _unsaved = (*LRScheduler._unsaved, "lr_lambdas")

    def __init__(self, optimizer: Optimizer, lr_lambda: Any, last_epoch: int = -1) -> None:
        groups = check_optimizer("LambdaLR", optimizer).param_groups
        given = list(lr_lambda) if isinstance(lr_lambda, (list, tuple)) else [lr_lambda] * len(groups)
        if len(given) != len(groups):
            raise ArgumentError(f"LambdaLR: {len(given)} functions for {len(groups)} parameter groups")
        for function in given:
            if not callable(function):
                raise ArgumentTypeError(f"LambdaLR: expects a function of the epoch, got {function!r:.60}")
        self.lr_lambdas: list[Callable[[int], Any]] = given
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The first rates times the functions' values."""
        return [base * function(self.last_epoch) for function, base in zip(self.lr_lambdas, self.base_lrs)]

    def state_dict(self) -> dict[str, Any]:
        """All that it knows but the optimizer and functions."""
        plain = [isinstance(f, (types.FunctionType, types.BuiltinFunctionType)) for f in self.lr_lambdas]
        kept = [None if p else dict(getattr(f, "__dict__", {})) for f, p in zip(self.lr_lambdas, plain)]
        return {**super().state_dict(), "lr_lambdas": kept}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave; callable objects take over their attributes."""
        own = self.lr_lambdas
        super().load_state_dict(state_dict)
        self.lr_lambdas = own
        for function, attributes in zip(own, state_dict["lr_lambdas"]):
            if attributes is not None:
                function.__dict__.update(attributes)


class StepLR(LRScheduler):
    """Times `gamma` every `step_size` epochs.

    Example:
        >>> import graphnet as gn
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> scheduler = gn.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
        >>> for epoch in range(5):
        ...     optimizer.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def __init__(self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1) -> None:
        self.step_size = check_whole("StepLR", "step_size", step_size, 1)
        self.gamma = check_real("StepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates, times gamma where a step is due."""
        due = self.last_epoch and self.last_epoch % self.step_size == 0
        return self._times(self.gamma) if due else self._now()

    def _closed_form(self) -> list[Any]:
        return [base * self.gamma ** (self.last_epoch // self.step_size) for base in self.base_lrs]


class MultiStepLR(LRScheduler):
    """Times `gamma` at each epoch of `milestones`.

    Example:
        >>> import graphnet as gn
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> scheduler = gn.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 3], gamma=0.5)
        >>> for epoch in range(3):
        ...     optimizer.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        if isinstance(milestones, (str, bytes)) or not isinstance(milestones, Iterable):
            raise ArgumentTypeError(f"MultiStepLR: milestones are whole numbers, got {milestones!r:.60}")
        self.milestones = Counter(check_whole("MultiStepLR", "a milestone", m, 0) for m in milestones)
        self.gamma = check_real("MultiStepLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates, times gamma at a milestone."""
        return self._times(self.gamma ** self.milestones[self.last_epoch])

    def _closed_form(self) -> list[Any]:
        passed = sum(times for milestone, times in self.milestones.items() if milestone <= self.last_epoch)
        return [base * self.gamma**passed for base in self.base_lrs]

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        super().load_state_dict(state_dict)
        self.milestones = Counter({int(m): times for m, times in self.milestones.items()})


class ConstantLR(LRScheduler):
    """Times `factor` until epoch `total_iters`, then as it was.

    Example:
        >>> import graphnet as gn
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> gn.optim.lr_scheduler.ConstantLR(optimizer, factor=0.5, total_iters=2).get_last_lr()
        [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, factor: float = 1.0 / 3, total_iters: int = 5, last_epoch: int = -1
    ) -> None:
        self.factor = check_real("ConstantLR", "factor", factor, 0, 1)
        self.total_iters = check_whole("ConstantLR", "total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates, times the factor at first and divided by it at the end."""
        if self.last_epoch == 0:
            return self._times(self.factor)
        if self.last_epoch != self.total_iters:
            return self._now()
        return self._times(1.0 / self.factor) if self.factor else list(self.base_lrs)

    def _closed_form(self) -> list[Any]:
        factor = 1.0 if self.last_epoch >= self.total_iters else self.factor
        return [base * factor for base in self.base_lrs]


class LinearLR(LRScheduler):
    """Times a factor that goes from `start_factor` to `end_factor` in `total_iters` epochs, in equal steps.

    Example:
        >>> import graphnet as gn
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> scheduler = gn.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.5, total_iters=2)
        >>> optimizer.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        self.start_factor = check_real("LinearLR", "start_factor", start_factor, 0, 1)
        if self.start_factor == 0:
            raise ArgumentError("LinearLR: start_factor is above 0 and at most 1, got 0")
        self.end_factor = check_real("LinearLR", "end_factor", end_factor, 0, 1)
        self.total_iters = check_whole("LinearLR", "total_iters", total_iters, 0)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates, times the next factor divided by the one before."""
        if self.last_epoch == 0:
            return self._times(self.start_factor)
        if self._is_initial or self.last_epoch > self.total_iters:
            return self._now()
        rise = self.end_factor - self.start_factor
        return self._times(1.0 + rise / (self.total_iters * self.start_factor + (self.last_epoch - 1) * rise))

    def _closed_form(self) -> list[Any]:
        done = min(self.last_epoch, self.total_iters) / self.total_iters if self.total_iters else 1.0
        factor = self.start_factor + (self.end_factor - self.start_factor) * done
        return [base * factor for base in self.base_lrs]


class ExponentialLR(LRScheduler):
    """Times `gamma` every epoch.

    Example:
        >>> import graphnet as gn
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> scheduler = gn.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
        >>> optimizer.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = check_real("ExponentialLR", "gamma", gamma)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates, times gamma."""
        return self._now() if self._is_initial else self._times(self.gamma)

    def _closed_form(self) -> list[Any]:
        return [base * self.gamma**self.last_epoch for base in self.base_lrs]


class CosineAnnealingLR(LRScheduler):
    """From the first rate to `eta_min` along half a cosine of `T_max` epochs, and back (Loshchilov & Hutter 2017).

    lr = eta_min + (first - eta_min) · (1 + cos(π · epoch / T_max)) / 2; see arXiv:1608.03983, without restarts.

    Example:
        >>> import graphnet as gn
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> scheduler = gn.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
        >>> for epoch in range(2):
        ...     optimizer.step(); scheduler.step()
        >>> f"{scheduler.get_last_lr()[0]:.3f}"
        '0.500'
    """

    def __init__(self, optimizer: Optimizer, T_max: int, eta_min: float = 0.0, last_epoch: int = -1) -> None:  # noqa: N803
        self.T_max = check_whole("CosineAnnealingLR", "T_max", T_max, 1)
        self.eta_min = check_real("CosineAnnealingLR", "eta_min", eta_min)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """The rates, moved on along the cosine."""
        epoch, half, low = self.last_epoch, self.T_max, self.eta_min
        if self._is_initial:
            return self._now()
        if self._step_count == 1 and epoch > 0:
            return self._closed_form()
        if (epoch - 1 - half) % (2 * half) == 0:  # the rate before was the lowest: the ratio below would be 0 / 0
            rise = (1 - math.cos(math.pi / half)) / 2
            return [now + (base - low) * rise for base, now in zip(self.base_lrs, self._now())]
        ratio = (1 + math.cos(math.pi * epoch / half)) / (1 + math.cos(math.pi * (epoch - 1) / half))
        return [ratio * (now - low) + low for now in self._now()]

    def _closed_form(self) -> list[Any]:
        share = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return [self.eta_min + (base - self.eta_min) * share for base in self.base_lrs]
