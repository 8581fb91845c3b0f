"""How results of several tensors are nested."""

from __future__ import annotations

from typing import Any

__all__ = ["nest"]


def nest(structure: Any, outputs: list[Any]) -> Any:
    """Outputs nested as the network returned them."""
    if isinstance(structure, int):
        return outputs[structure]
    if isinstance(structure, dict):
        return {key: nest(part, outputs) for key, part in structure.items()}
    if structure is None:
        return outputs[0] if len(outputs) == 1 else tuple(outputs)
    return type(structure)(nest(part, outputs) for part in structure)
