"""A bar that shows how far training is, on terminals and in notebooks."""

from __future__ import annotations

import time
from typing import Any

__all__ = ["Bar"]

INTERVAL = 0.1  # seconds between two updates: steps may take microseconds


class Bar:
    """Shows epochs, steps and numbers; does nothing where nobody looks.

    Args:
        epochs: how many there are.
        steps: of an epoch; None where that is not known.
        shown: True, False, or None to show it on terminals and in notebooks.
    """

    def __init__(self, epochs: int, steps: int | None, shown: bool | None) -> None:
        self._rich: Any = None
        self._task: Any = None
        self._due = 0.0
        self._epochs, self._steps = epochs, steps
        self._shown = shown
        self._numbers = ""

    def __enter__(self) -> Bar:
        if self._shown is False:
            return self
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        console = Console(stderr=True)
        if self._shown is None and not (console.is_terminal or console.is_jupyter):
            return self
        columns = (
            TextColumn("{task.description}"),
            BarColumn(24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[numbers]}"),
            TimeElapsedColumn(),
        )
        self._rich = Progress(*columns, console=console)
        self._rich.start()
        self._task = self._rich.add_task("", total=self._steps, numbers="")
        return self

    def __exit__(self, *error: object) -> None:
        if self._rich is not None:
            self._rich.stop()

    def epoch(self, number: int) -> None:
        """Begin an epoch."""
        if self._rich is not None:
            self._rich.update(self._task, description=f"epoch {number}/{self._epochs}", completed=0)

    def step(self, number: int, total: float, samples: int) -> None:
        """Show that a step is done, if it is time to."""
        if self._rich is not None and (now := time.monotonic()) >= self._due:
            self._due = now + INTERVAL
            loss = total / max(samples, 1)
            self._rich.update(self._task, completed=number, numbers=f"loss {loss:.4f} {self._numbers}")

    def end(self, record: dict[str, Any]) -> None:
        """Show an epoch's numbers."""
        if self._rich is not None:
            known = {k: f"{k} {v:.4f}" for k, v in record.items() if k not in ("epoch", "lr", "seconds")}
            self._numbers = " ".join(text for name, text in known.items() if name != "loss")
            self._rich.update(self._task, completed=self._steps or 0, numbers=" ".join(known.values()))
