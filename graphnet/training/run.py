"""One run of training: what changes from epoch to epoch, and what a checkpoint holds of it."""

from __future__ import annotations

import math
import os
from typing import Any

from graphnet.errors import ArgumentError, FileFormatError
from graphnet.keys import get_rng_state, set_rng_state
from graphnet.nn import Module
from graphnet.optim import Optimizer
from graphnet.optim.lr_scheduler import LRScheduler
from graphnet.serialization import load, save
from graphnet.training.batches import generators_of
from graphnet.training.history import History

__all__ = ["Run"]


class Run:
    """Network, optimizer, scheduler and random numbers, the history, and the best epoch so far.

    Args:
        net: what is trained.
        optimizer: what trains it.
        scheduler: of its learning rate, or None.
        batches: the training data, for its generators.
        history: to be filled.
        min_delta: by how much the monitored number has to get better so that patience begins again.
        keep_best: whether to keep a copy of the network as it was in its best epoch.
    """

    def __init__(
        self,
        net: Module,
        optimizer: Optimizer,
        scheduler: LRScheduler | None,
        batches: Any,
        history: History,
        min_delta: float,
        keep_best: bool,
    ) -> None:
        self.net, self.optimizer, self.scheduler, self.history = net, optimizer, scheduler, history
        self.waited = 0  # epochs since the monitored number got better by min_delta
        self._generators = generators_of(batches)
        self._min_delta, self._keep_best = min_delta, keep_best
        self._best: dict[str, Any] | None = None
        self._best_value = self._mark = math.inf  # of the number, negated where more is better

    def note(self, record: dict[str, Any]) -> None:
        """Enter an epoch into the history."""
        self.history.records.append(record)
        value = record.get(self.history.monitor, math.nan) * (-1 if self.history.mode == "max" else 1)
        if value < self._best_value:
            self._best_value = value
            if self._keep_best:
                self._best = {name: tensor.detach().clone() for name, tensor in self.net.state_dict().items()}
        if value < self._mark - self._min_delta:
            self._mark, self.waited = value, 0
        else:
            self.waited += 1

    def restore_best(self) -> None:
        """Give the network the parameters and buffers of its best epoch."""
        if self._best is not None:
            self.net.load_state_dict(self._best)

    def save(self, path: Any) -> None:
        """Write all that training needs to go on."""
        state = {
            "fit": 1,
            "net": self.net.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            "random": [get_rng_state(), *(g.get_state() for g in self._generators)],
            "records": self.history.records,
            "monitor": (self.history.monitor, self.history.mode),
            "progress": (self.waited, self._best_value, self._mark),
            "keep_best": self._keep_best,
            "best": self._best,
        }
        save(state, path)

    def resume(self, path: Any) -> None:
        """Go on from what `save` wrote.

        Raises:
            FileFormatError: not a checkpoint. ArgumentError, StateDictError: one of other training.
        """
        state = load(path)
        if not isinstance(state, dict) or state.get("fit") != 1:
            raise FileFormatError(f"fit: {os.fspath(path)} is not a checkpoint of fit")
        monitor = (self.history.monitor, self.history.mode)
        for what, then, now in (
            ("monitor", state["monitor"], monitor),
            ("a scheduler", state["scheduler"] is not None, self.scheduler is not None),
            ("generators of the data's own", len(state["random"]) - 1, len(self._generators)),
            ("restore_best", state["keep_best"], self._keep_best),
        ):
            if then != now:
                raise ArgumentError(f"fit: {os.fspath(path)} is of training with {what}: {then}, not {now}")
        self.net.load_state_dict(state["net"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state["scheduler"])
        set_rng_state(state["random"][0])
        for generator, where in zip(self._generators, state["random"][1:]):
            generator.set_state(where)
        self.history.records = state["records"]
        self.waited, self._best_value, self._mark = state["progress"]
        self._best = state["best"]
