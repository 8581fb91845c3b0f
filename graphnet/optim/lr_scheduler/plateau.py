"""A schedule that waits for a number to stop getting better."""

from __future__ import annotations

import math
from typing import Any

from graphnet.errors import ArgumentError
from graphnet.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, check_real, check_whole, set_rate
from graphnet.optim.optimizer import Optimizer

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(LRScheduler):
    """Times `factor` once a number stopped getting better for more than `patience` epochs.

    Args:
        mode: "min" where lower is better, "max" where higher is.
        factor: below 1.
        patience: how many epochs without progress are let pass.
        threshold: what counts as progress: a share of the best number, or with `threshold_mode` "abs" a difference.
        cooldown: epochs after a reduction in which nothing is counted.
        min_lr: the lowest rate, for all groups or a list with one for each.
        eps: smaller reductions are not done.

    Example:
        >>> import graphnet as gn
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> scheduler = gn.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
        >>> for loss in (1.0, 0.5, 0.5, 0.5):
        ...     optimizer.step(); scheduler.step(loss)
        >>> scheduler.get_last_lr()
        [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: Any = 0,
        eps: float = 1e-8,
    ) -> None:
        name = "ReduceLROnPlateau"
        self.optimizer = check_optimizer(name, optimizer)
        if mode not in ("min", "max"):
            raise ArgumentError(f"{name}: mode is 'min' or 'max', got {mode!r}")
        if threshold_mode not in ("rel", "abs"):
            raise ArgumentError(f"{name}: threshold_mode is 'rel' or 'abs', got {threshold_mode!r}")
        self.factor = check_real(name, "factor", factor, 0)
        if self.factor >= 1:
            raise ArgumentError(f"{name}: factor is below 1, got {factor}")
        groups = optimizer.param_groups
        self.default_min_lr = None if isinstance(min_lr, (list, tuple)) else min_lr
        self.min_lrs = list(min_lr) if isinstance(min_lr, (list, tuple)) else [min_lr] * len(groups)
        if len(self.min_lrs) != len(groups):
            raise ArgumentError(f"{name}: {len(self.min_lrs)} lowest rates for {len(groups)} parameter groups")
        self.patience = check_whole(name, "patience", patience, 0)
        self.cooldown = check_whole(name, "cooldown", cooldown, 0)
        self.mode, self.threshold_mode = mode, threshold_mode
        self.threshold, self.eps = check_real(name, "threshold", threshold), check_real(name, "eps", eps, 0)
        self.last_epoch = 0
        self.best = math.inf if mode == "min" else -math.inf
        self.cooldown_counter = self.num_bad_epochs = 0
        self._last_lr = self._now()

    @property
    def in_cooldown(self) -> bool:
        """Whether the last reduction is fewer than `cooldown` epochs ago."""
        return self.cooldown_counter > 0

    def step(self, metrics: Any) -> None:  # type: ignore[override]
        """Take note of the number of an epoch and reduce the learning rates if it is time.

        Args:
            metrics: the number, such as the validation loss.
        """
        current = float(metrics)
        self.last_epoch += 1
        self.num_bad_epochs += 1
        if self._is_better(current):
            self.best, self.num_bad_epochs = current, 0
        if self.in_cooldown:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._last_lr = self._now()

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        if len(groups) != len(self.min_lrs):
            if self.default_min_lr is None:
                raise ArgumentError(
                    f"ReduceLROnPlateau: {len(self.min_lrs)} lowest rates for {len(groups)} parameter groups: "
                    "one was added since; extend min_lrs"
                )
            self.min_lrs = [self.default_min_lr] * len(groups)
        for group, low in zip(groups, self.min_lrs):
            old = float(group["lr"])
            new = max(old * self.factor, low)
            if old - new > self.eps:
                set_rate(group, new)

    def _is_better(self, current: float) -> bool:
        sign = 1 if self.mode == "min" else -1
        if self.threshold_mode == "abs":
            return sign * current < sign * self.best - self.threshold
        return sign * current < sign * self.best * (1 - sign * self.threshold)
