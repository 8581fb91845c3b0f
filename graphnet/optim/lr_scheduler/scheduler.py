"""What schedulers share."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any

from graphnet.errors import ArgumentError, ArgumentTypeError, GraphnetWarning, StateDictError, kind_of
from graphnet.optim.optimizer import Optimizer
from graphnet.places import stack_depth
from graphnet.tensor.tensor import Tensor
from graphnet.whole import whole

__all__ = ["LRScheduler"]


class LRScheduler:
    """What schedulers share; one of your own defines `get_lr`.

    Args:
        optimizer: whose learning rates are set.
        last_epoch: the number of the last step; -1 starts.

    Raises:
        ArgumentTypeError: not an optimizer. ArgumentError: `last_epoch` above -1 and an optimizer that no scheduler
            saw.

    Example:
        >>> import graphnet as gn
        >>> class Halving(gn.optim.lr_scheduler.LRScheduler):
        ...     def get_lr(self):
        ...         return [lr / 2**self.last_epoch for lr in self.base_lrs]
        >>> optimizer = gn.optim.SGD([gn.nn.Parameter(gn.ones(1))], lr=1.0)
        >>> scheduler = Halving(optimizer)
        >>> optimizer.step(); scheduler.step()
        >>> scheduler.get_last_lr()
        [0.5]
    """

    optimizer: Optimizer
    _unsaved: tuple[str, ...] = ("optimizer", "_is_initial")

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        name = type(self).__name__
        self.optimizer = check_optimizer(name, optimizer)
        self.last_epoch = whole(f"{name}: last_epoch", last_epoch)
        for group in optimizer.param_groups:
            if self.last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise ArgumentError(
                    f"{name}: to go on from last_epoch={last_epoch}, load the optimizer's state dict first "
                    'or set "initial_lr" in its groups'
                )
        self.base_lrs = [copied(group["initial_lr"]) for group in optimizer.param_groups]
        self._is_initial = False
        self._begin()

    def _begin(self) -> None:
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_lr(self) -> list[Any]:
        """The learning rates of the groups for `last_epoch`, from those they have now."""
        raise NotImplementedError(f"{type(self).__name__} has no get_lr method: define get_lr(self)")

    def get_last_lr(self) -> list[Any]:
        """The learning rates that the last step set, one per group."""
        return self._last_lr

    def step(self) -> None:
        """Set the learning rates of the next epoch."""
        if self._step_count == 1 and not self.optimizer.stepped:
            warnings.warn(
                f"{type(self).__name__}.step() was called before optimizer.step(): the first learning rate is skipped; "
                "call optimizer.step() first",
                GraphnetWarning,
                stacklevel=stack_depth(),
            )
        self._step_count += 1
        self.last_epoch += 1
        self._set(self.get_lr())

    def _restart(self) -> None:
        """Set the learning rates of epoch 0, whatever they are now."""
        self.last_epoch = 0
        closed = self._closed_form()
        self._set(self.get_lr() if closed is None else closed)

    def _closed_form(self) -> list[Any] | None:
        """The learning rates for `last_epoch` from the first ones; None where there is no such formula."""
        return None

    def _set(self, rates: list[Any]) -> None:
        if len(rates) != len(self.optimizer.param_groups):
            count = len(self.optimizer.param_groups)
            raise ArgumentError(f"{type(self).__name__}: {len(rates)} learning rates for {count} parameter groups")
        for group, rate in zip(self.optimizer.param_groups, rates):
            set_rate(group, rate)
        self._last_lr = self._now()

    def _now(self) -> list[Any]:
        return [copied(group["lr"]) for group in self.optimizer.param_groups]

    def _times(self, factor: float) -> list[Any]:
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """All that it knows but the optimizer."""
        return {key: value for key, value in self.__dict__.items() if key not in self._unsaved}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave, also PyTorch's. The optimizer's rates are part of its own state dict.

        Raises:
            StateDictError: not a scheduler's, or another kind's.
        """
        given = state_dict if isinstance(state_dict, Mapping) else {}
        lacking = [key for key in self.state_dict() if key not in given]
        if lacking:
            raise StateDictError(
                f"load_state_dict for {type(self).__name__}: missing keys: {', '.join(map(repr, lacking))}; "
                "is it another scheduler's?"
            )
        known = set(self.state_dict())
        self.__dict__.update({key: value for key, value in state_dict.items() if key in known})

    def __repr__(self) -> str:
        return f"{type(self).__name__}(epoch {self.last_epoch}, lr {self._last_lr})"


def check_optimizer(name: str, optimizer: Any) -> Optimizer:
    """The optimizer, if it is one."""
    if not isinstance(optimizer, Optimizer):
        raise ArgumentTypeError(f"{name}: expects an optimizer, got {kind_of(optimizer)}")
    return optimizer


def set_rate(group: dict[str, Any], rate: Any) -> None:
    """Set the learning rate of a group; in place where it is a tensor."""
    if isinstance(group["lr"], Tensor):
        group["lr"].fill_(float(rate))
    else:
        group["lr"] = copied(rate)


def copied(rate: Any) -> Any:
    """A rate that nobody else writes to."""
    return rate.detach().clone() if isinstance(rate, Tensor) else rate


def check_whole(name: str, what: str, value: Any, low: int) -> int:
    """A whole number from `low` up, or an error that says so."""
    number = whole(f"{name}: {what}", value)
    if number < low:
        raise ArgumentError(f"{name}: {what} is a whole number from {low} up, got {number}")
    return number


def check_real(name: str, what: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """A number within bounds, or an error that says so."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ArgumentTypeError(f"{name}: {what} is a number, got {value!r:.60}")
    if not low <= value <= high:
        bounds = f"from {low:g} up" if high == math.inf else f"from {low:g} to {high:g}"
        raise ArgumentError(f"{name}: {what} is a number {bounds}, got {value}")
    return value
