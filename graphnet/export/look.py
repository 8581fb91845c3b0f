"""What pictures look like: the kinds of nodes with their outlines and colours, and colours that stand for numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from graphnet.errors import ArgumentError, ArgumentTypeError
from graphnet.export.unfold import STATES
from graphnet.ops import FUSED

__all__ = [
    "KINDS",
    "SHARED",
    "Kind",
    "Scale",
    "Values",
    "checked_direction",
    "number_text",
    "numbers_by_name",
    "op_kind",
    "value_of",
]


class Kind(NamedTuple):
    """How a kind of node is drawn.

    Kinds differ in outline as well as in colour, for print and for readers who do not see the colours.
    """

    meaning: str
    style: str
    fill: str


KINDS: dict[str, Kind] = {
    "input": Kind("input", 'shape=ellipse, margin="0.04,0.04"', "#dcedc8"),
    "output": Kind("output", 'shape=ellipse, margin="0.04,0.04", peripheries=2', "#dcedc8"),
    "weights": Kind("layer with weights", "penwidth=1.8", "#bbdefb"),
    "plain": Kind("layer without weights", 'style="rounded,filled"', "#fff3c4"),
    "op": Kind("operation", 'style="rounded,filled", color="#78909c"', "white"),
    "fused": Kind("operations fused into one", "shape=component", "#c8e6c9"),
    "state": Kind("value that goes around a loop", 'shape=hexagon, margin="0.02,0.02"', "#ffe0b2"),
    "folded": Kind("module, closed", "peripheries=2", "#e1d5ec"),
    "note": Kind("data", 'shape=note, color="#78909c", fontsize=9', "#eceff1"),
}

SHARED = "#c62828"  # of what shares weights


def number_text(value: float) -> str:
    """A number with three digits: `0.0123`, `1.2e-07`, `nan`.

    Example:
        >>> number_text(0.012345), number_text(1234567.0), number_text(0)
        ('0.0123', '1.23e+06', '0')
    """
    return f"{value:.3g}"


class Scale:
    """Colours for numbers: white to orange, or through white from blue to red where there are negative ones.

    Example:
        >>> scale = Scale([-2.0, 0.0, 4.0])
        >>> scale.colour(0.0), scale.colour(4.0), scale.colour(float("nan"))
        ('#ffffff', '#e5604d', '#212121')
    """

    _UP, _DOWN, _ONE_WAY = (0xE5, 0x60, 0x4D), (0x4D, 0x9B, 0xE5), (0xF5, 0x8F, 0x29)

    def __init__(self, values: Iterable[float]) -> None:
        finite = [v for v in values if math.isfinite(v)]
        self.low, self.high = min(finite, default=0.0), max(finite, default=0.0)

    def colour(self, value: float) -> str:
        """The colour of a number, as `#rrggbb`; nearly black for what is not finite."""
        if not math.isfinite(value):
            return "#212121"
        if self.low < 0:
            share = abs(value) / max(-self.low, self.high)
            end = self._UP if value > 0 else self._DOWN
        else:
            wide = self.high - self.low
            share = (value - self.low) / wide if wide else 0.5 * (self.high > 0)
            end = self._ONE_WAY
        share = min(max(share, 0.0), 1.0)
        return "#" + "".join(f"{round(255 + share * (c - 255)):02x}" for c in end)

    def style(self, value: float) -> str:
        """The same as attributes of a DOT node."""
        return f'fillcolor="{self.colour(value)}"' + ("" if math.isfinite(value) else ", fontcolor=white")


def op_kind(op: str) -> str:
    """The kind of an operation of the user's own: a state of a loop, a fused one, or any."""
    if op in STATES:
        return "state"
    return "fused" if op in FUSED else "op"


def value_of(values: Mapping[str, float], names: Iterable[str]) -> float | None:
    """The number given for the first of these names that has one."""
    return next((values[name] for name in names if name in values), None)


def checked_direction(what: str, direction: str) -> str:
    """Where data flow, as given by a user.

    Raises:
        ArgumentError: something else than the four directions.
    """
    if direction not in ("LR", "TB", "RL", "BT"):
        raise ArgumentError(f"{what}: direction is one of LR, TB, RL, BT, got {direction!r}")
    return direction


class Values(dict[str, float]):
    """Numbers by name, and what they mean, for the legend."""

    def __init__(self, numbers: Mapping[str, float], meaning: str = "") -> None:
        super().__init__(numbers)
        self.meaning = meaning


def numbers_by_name(what: str, values: object) -> Values:
    """Numbers by name, as given by a user; none for None.

    Raises:
        ArgumentTypeError: something else.
    """
    given: Any = {} if values is None else values
    try:
        numbers = {str(name): float(value) for name, value in dict(given).items()}
    except (TypeError, ValueError):
        raise ArgumentTypeError(f"{what}: values are numbers by name, got {values!r:.80}") from None
    return Values(numbers, getattr(values, "meaning", ""))
