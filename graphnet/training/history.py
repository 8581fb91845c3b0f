"""What happened in training, epoch by epoch."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

from graphnet.errors import ArgumentError, MissingPackageError

__all__ = ["History"]

SHOWN = 12  # epochs in a text or table; of more, the first and the last


class History:
    """The numbers of each epoch, as `graphnet.fit` gives them.

    Attributes:
        records: a dict for each epoch: "epoch" (from 1), "loss", "lr", "seconds" and, with validation or metrics,
            "val_loss" and so on.
        monitor: the name of the number that tells which epoch is best.
        best_epoch: the number of the best epoch; None before the first.
        stopped: why training ended before its last epoch ("patience", "interrupted", "diverged", "callback"), or None.

    Example:
        >>> from graphnet.training import History
        >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
        >>> history["loss"], history.best_epoch
        ([0.5, 0.25], 2)
    """

    def __init__(self, records: list[dict[str, Any]] | None = None, monitor: str = "loss", mode: str = "min") -> None:
        self.records = [dict(record) for record in records or []]
        self.monitor, self.mode = monitor, mode
        self.stopped: str | None = None

    @property
    def names(self) -> list[str]:
        """The names of the numbers."""
        return list(dict.fromkeys(name for record in self.records for name in record))

    @property
    def best_epoch(self) -> int | None:
        """The number of the epoch with the best value of `monitor`; the first of equals."""
        sign = -1 if self.mode == "max" else 1
        known = [r for r in self.records if self.monitor in r and r[self.monitor] == r[self.monitor]]
        best = min(known, key=lambda record: sign * record[self.monitor], default=None)
        return None if best is None else int(best["epoch"])

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self.names:
            raise ArgumentError(f"History: there is no {name!r}; there are {', '.join(self.names) or 'no epochs yet'}")
        return [record.get(name) for record in self.records]

    def __len__(self) -> int:
        return len(self.records)

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.records)

    def plot(self, ax: Any = None) -> Any:
        """Draw the losses over the epochs, and the metrics beside them, with matplotlib.

        Args:
            ax: axes to draw the losses and metrics into; new ones by default.

        Returns:
            The matplotlib figure.

        Raises:
            MissingPackageError: matplotlib is not installed. ArgumentError: there are no epochs.
        """
        try:
            from matplotlib import pyplot as plt
        except ImportError:
            raise MissingPackageError("History.plot needs matplotlib: pip install matplotlib") from None
        if not self.records:
            raise ArgumentError("History.plot: there are no epochs to draw")
        losses, metrics = self._curves()
        if ax is None:
            columns = 2 if metrics else 1
            _, axes = plt.subplots(1, columns, figsize=(5 * columns, 3.5), squeeze=False, layout="constrained")
            parts = list(zip(axes[0], (losses, metrics)))
        else:
            parts = [(ax, losses + metrics)]
        for axis, names in parts:
            for name in names:
                numbers = [float("nan") if value is None else value for value in self[name]]
                axis.plot(self["epoch"], numbers, label=name, marker="." if len(self) < 30 else None)
            if self.best_epoch is not None and len(self) > 1:
                axis.axvline(self.best_epoch, color="grey", linewidth=0.8, linestyle=":")
            axis.set_xlabel("epoch")
            axis.legend()
        return parts[0][0].figure

    def _curves(self) -> tuple[list[str], list[str]]:
        drawn = [name for name in self.names if name not in ("epoch", "lr", "seconds")]
        losses = [name for name in drawn if name in ("loss", "val_loss")]
        return losses, [name for name in drawn if name not in losses]

    def _headline(self) -> str:
        count = len(self)
        text = f"{count} epoch{'' if count == 1 else 's'}"
        if self.stopped:
            text += f", stopped: {self.stopped}"
        best = self.best_epoch
        if best is not None:
            value = next(r[self.monitor] for r in self.records if r["epoch"] == best)
            text += f", best {self.monitor} {value:.4g} in epoch {best}"
        return text

    def _rows(self) -> list[list[str] | None]:
        """The shown epochs as texts; None where some are left out."""
        shown: list[Any] = list(self.records)
        if len(shown) > SHOWN:
            shown = [*shown[: SHOWN // 3], None, *shown[-2 * SHOWN // 3 :]]
        return [None if r is None else [_text(r.get(name)) for name in self.names] for r in shown]

    def __repr__(self) -> str:
        lines = [f"History: {self._headline()}"]
        rows = self._rows()
        cells = [self.names, *(row for row in rows if row is not None)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        shown = [self.names, *rows] if rows else []
        lines += ["..." if row is None else "  ".join(t.rjust(w) for t, w in zip(row, widths)) for row in shown]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self.names)
        body = ""
        for row in self._rows():
            texts = ["…"] if row is None else row
            body += "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in texts) + "</tr>"
        return f"<p>{html.escape(self._headline())}</p>{self._sketch()}<table><tr>{head}</tr>{body}</table>"

    def _sketch(self) -> str:
        """The losses as a small picture that needs no package."""
        lines = []
        for name, color in zip(self._curves()[0], ("#1f77b4", "#ff7f0e")):
            numbers = self[name]
            known = [(i, v) for i, v in enumerate(numbers) if v is not None and abs(v) < float("inf")]
            if len(known) > 1:
                low, high = min(v for _, v in known), max(v for _, v in known)
                span = (high - low) or 1.0
                points = " ".join(
                    f"{300 * i / (len(numbers) - 1):.1f},{64 - 60 * (v - low) / span:.1f}" for i, v in known
                )
                lines.append(
                    f'<polyline fill="none" stroke="{color}" points="{points}"><title>{name}</title></polyline>'
                )
        return f'<svg width="300" height="68" role="img">{"".join(lines)}</svg>' if lines else ""


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
