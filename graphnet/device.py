"""Where tensors lie: on the CPU."""

from __future__ import annotations

from typing import Any

from graphnet.errors import ArgumentError, ArgumentTypeError

__all__ = ["check_device", "device"]


class device:  # noqa: N801 - PyTorch's name
    """A place for tensors, as torch.device. There is one: the CPU.

    Raises:
        ArgumentError: another device.

    Example:
        >>> import graphnet as gn
        >>> gn.device("cpu"), gn.zeros(2).device.type
        (device(type='cpu'), 'cpu')
    """

    __slots__ = ("index", "type")

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        if isinstance(type, device):
            type, index = type.type, type.index
        if not isinstance(type, str):
            raise ArgumentTypeError(f"device: expects a name such as 'cpu', got {type!r:.60}")
        name, _, number = type.partition(":")
        if name != "cpu" or (number and not number.isdecimal()):
            raise ArgumentError(f"device {type!r}: graphnet computes on the CPU, there is no other device; use 'cpu'")
        object.__setattr__(self, "type", name)
        object.__setattr__(self, "index", int(number) if number else index)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a device does not change: {name} cannot be set")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        return f"device(type={self.type!r}{'' if self.index is None else f', index={self.index}'})"

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)


def check_device(value: Any) -> None:
    """Take what means the CPU, or None.

    Raises:
        ArgumentError, ArgumentTypeError: anything else.
    """
    if value is not None:
        device(value)
