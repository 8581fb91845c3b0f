"""The errors and warnings that graphnet raises, in one small hierarchy.

Every error is a `GraphnetError` and also the builtin that a caller would catch without knowing
graphnet (`ValueError`, `TypeError`, `RuntimeError`, ...), so both styles work::

    try:
        net(x)
    except graphnet.ShapeError: ...     # or: except ValueError
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "ArgumentTypeError",
    "DTypeError",
    "DepthError",
    "FileFormatError",
    "GradientError",
    "GraphError",
    "GraphnetError",
    "GraphnetWarning",
    "IndexOutOfRangeError",
    "MissingFileError",
    "MissingPackageError",
    "RegistrationError",
    "RenderError",
    "ShapeError",
    "StateDictError",
    "TraceError",
    "TripLimitError",
    "UninitializedError",
    "UnreachedLazyWarning",
    "UnregisteredModuleWarning",
]


class GraphnetError(Exception):
    """Base of all errors raised by graphnet itself."""


class ShapeError(GraphnetError, ValueError):
    """Shapes do not fit together: wrong size, wrong rank, not broadcastable.

    Attributes: `expected` and `got` (what was wanted and what came, where the message names such a
    pair) and `operand` (which input of the operation is at fault).
    """

    def __init__(
        self, message: str, *, expected: object = None, got: object = None, operand: int | None = None
    ) -> None:
        super().__init__(message)
        self.expected = expected
        self.got = got
        self.operand = operand

    def __reduce__(self) -> tuple[object, ...]:
        return (type(self), self.args, {"expected": self.expected, "got": self.got, "operand": self.operand})


class DTypeError(GraphnetError, TypeError):
    """A data type that the operation does not take, or one that graphnet does not have."""


class ArgumentError(GraphnetError, ValueError):
    """An argument of the right type with a value that makes no sense."""


class ArgumentTypeError(GraphnetError, TypeError):
    """An argument of a type that is not taken, such as a list where a tensor is meant."""


class IndexOutOfRangeError(GraphnetError, IndexError):
    """An index, axis or class label outside its range."""


class RegistrationError(ArgumentError, KeyError):
    """A name under which a module cannot register something: empty, with a dot, or taken."""

    __str__ = Exception.__str__  # KeyError would show the repr of the message


class UninitializedError(GraphnetError, RuntimeError, ValueError):
    """The values of a lazy parameter were wanted before its shape was known."""


class GradientError(GraphnetError, RuntimeError):
    """A gradient cannot be computed: freed graph, overwritten value, nothing to differentiate."""


class TraceError(GraphnetError, RuntimeError):
    """Code under `graphnet.trace` asked for something that only data can answer."""


class GraphError(GraphnetError, ValueError):
    """A graph that is malformed, empty or used in a way that its structure does not allow."""


class TripLimitError(GraphnetError, RuntimeError):
    """A loop made as many trips as it may, and would go on."""


class DepthError(GraphnetError, RecursionError):
    """Modules of the user's own call one another deeper than Python's recursion limit allows."""


class StateDictError(GraphnetError, RuntimeError, KeyError):
    """A state dict that does not fit: missing or unexpected keys, wrong shapes."""

    __str__ = Exception.__str__  # KeyError would show the repr of the message


class MissingFileError(GraphnetError, FileNotFoundError):
    """There is no such file, or no such folder to write to."""


class FileFormatError(GraphnetError, ValueError):
    """A file is not what it should be: another format, damaged, cut short."""


class MissingPackageError(GraphnetError, ImportError):
    """Something outside graphnet is needed that is not installed; the message says what to install."""


class RenderError(GraphnetError, RuntimeError):
    """A picture could not be drawn."""


class GraphnetWarning(UserWarning):
    """Base of all warnings given by graphnet itself."""


class UnregisteredModuleWarning(GraphnetWarning):
    """Modules kept in a plain list, tuple or dict, where their parameters are not found."""


class UnreachedLazyWarning(GraphnetWarning):
    """A forward pass left lazy layers behind whose sizes are still unknown."""


def with_article(noun: str) -> str:
    """The noun with "a" or "an" before it."""
    return f"{'an' if noun[:1].lower() in 'aeio' or noun == 'ndarray' else 'a'} {noun}"


def kind_of(value: object) -> str:
    """What a value is, as errors show it: "an int", "a Linear", "the class Linear", "None"."""
    if value is None:
        return "None"
    return f"the class {value.__name__}" if isinstance(value, type) else with_article(type(value).__name__)
