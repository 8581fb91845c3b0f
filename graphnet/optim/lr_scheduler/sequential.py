"""One schedule after the other."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

from graphnet.errors import ArgumentError, StateDictError, kind_of
from graphnet.optim.lr_scheduler.plateau import ReduceLROnPlateau
from graphnet.optim.lr_scheduler.scheduler import LRScheduler, check_optimizer, check_whole, set_rate
from graphnet.optim.optimizer import Optimizer
from graphnet.whole import whole

__all__ = ["SequentialLR"]


class SequentialLR(LRScheduler):
    """One scheduler after the other.

    Args:
        optimizer: whose learning rates are set.
        schedulers: schedulers of this optimizer.
        milestones: the epochs at which the next one starts, at its epoch 0; one fewer than schedulers.

    Example:
        >>> import graphnet as gn
        >>> from graphnet.optim.lr_scheduler import ConstantLR, ExponentialLR, SequentialLR
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> parts = [ConstantLR(optimizer, factor=0.25, total_iters=2), ExponentialLR(optimizer, gamma=0.5)]
        >>> scheduler = SequentialLR(optimizer, parts, milestones=[2])
        >>> rates = scheduler.get_last_lr()
        >>> for epoch in range(3):
        ...     optimizer.step(); scheduler.step()
        ...     rates += scheduler.get_last_lr()
        >>> rates
        [0.25, 0.25, 1.0, 0.5]
    """

    _unsaved = (*LRScheduler._unsaved, "_schedulers")

    def __init__(
        self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int], last_epoch: int = -1
    ) -> None:
        self.optimizer = check_optimizer("SequentialLR", optimizer)
        schedulers, milestones = (
            list(schedulers),
            [check_whole("SequentialLR", "a milestone", m, 0) for m in milestones],
        )
        for scheduler in schedulers:
            if not isinstance(scheduler, LRScheduler) or isinstance(scheduler, ReduceLROnPlateau):
                kind = kind_of(scheduler)
                raise ArgumentError(f"SequentialLR: expects schedulers whose step() takes no argument, got {kind}")
            if scheduler.optimizer is not optimizer:
                raise ArgumentError(f"SequentialLR: the {type(scheduler).__name__} is another optimizer's")
        if not schedulers or len(milestones) != len(schedulers) - 1:
            raise ArgumentError(
                f"SequentialLR: expects one milestone fewer than schedulers, got {len(schedulers)} schedulers "
                f"and {len(milestones)} milestones"
            )
        if milestones != sorted(set(milestones)):
            raise ArgumentError(f"SequentialLR: milestones rise, got {milestones}")
        self._schedulers, self._milestones = schedulers, milestones
        self.last_epoch = whole("SequentialLR: last_epoch", last_epoch) + 1
        for group in optimizer.param_groups:  # as if the schedulers had not taken their first steps
            set_rate(group, group["initial_lr"])
        self._undo()
        first = schedulers[bisect_right(milestones, 0)]
        first._begin()
        self._last_lr = first.get_last_lr()

    def _undo(self) -> None:
        for scheduler in self._schedulers:
            if isinstance(scheduler, SequentialLR):
                scheduler._undo()
            else:
                scheduler.last_epoch -= 1

    def _begin(self) -> None:
        self._schedulers[0]._begin()
        self._last_lr = self._schedulers[0].get_last_lr()

    def step(self) -> None:
        """Let the scheduler of the epoch set the learning rates."""
        self.last_epoch += 1
        number = bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[number]
        if number and self._milestones[number - 1] == self.last_epoch:
            scheduler._restart()
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()

    def _restart(self) -> None:
        self.last_epoch = 0
        self._schedulers[0]._restart()
        self._last_lr = self._schedulers[0].get_last_lr()

    def state_dict(self) -> dict[str, Any]:
        """What it and its schedulers know."""
        return {**super().state_dict(), "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave."""
        own = self._schedulers
        if len(state_dict.get("_schedulers", own)) != len(own):
            raise StateDictError(f"load_state_dict for SequentialLR: expects the states of {len(own)} schedulers")
        super().load_state_dict(state_dict)
        self._schedulers = own
        for scheduler, state in zip(own, state_dict["_schedulers"]):
            scheduler.load_state_dict(state)
