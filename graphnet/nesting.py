"""How results of several tensors are nested."""

from __future__ import annotations

from typing import Any

__all__ = ["nest"]


def nest(structure: Any, outputs: list[Any]) -> Any:
    """Outputs nested as the network returned them; in a row where that is not known."""
    if structure is None:
        return outputs[0] if len(outputs) == 1 else tuple(outputs)
    return _nested(structure, outputs)


def _nested(structure: Any, outputs: list[Any]) -> Any:
    if structure is None or isinstance(structure, int):
        return None if structure is None else outputs[structure]
    if isinstance(structure, dict):
        return {key: _nested(part, outputs) for key, part in structure.items()}
    parts = [_nested(part, outputs) for part in structure]
    return structure._make(parts) if hasattr(structure, "_make") else type(structure)(parts)
