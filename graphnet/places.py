"""Where in the user's source a call comes from."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from types import CodeType, FrameType

from graphnet.ir import Where

__all__ = ["constructor_site", "is_inside", "raised_at", "stack_depth", "user_site", "warn", "warnings_given"]

_PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_USER = _PACKAGE + "cli" + os.sep  # the command line is a user of the library like any other


@functools.cache
def is_inside(file: str) -> bool:
    """Whether a file is graphnet's own code."""
    return file.startswith(_PACKAGE) and not file.startswith(_USER)


@functools.cache
def _passed_by(file: str) -> bool:
    """Whether a frame is no user's: of graphnet's own code, or of the import system."""
    return is_inside(file) or file.startswith("<frozen ")


def _inside(frame: FrameType) -> bool:
    return is_inside(frame.f_code.co_filename)


def _outside(frame: FrameType | None) -> FrameType | None:
    while frame is not None and _passed_by(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def user_site() -> Where | None:
    """The nearest caller outside graphnet."""
    frame = _outside(sys._getframe(1))
    return Where(frame.f_code.co_filename, frame.f_lineno) if frame is not None else None


def constructor_site(instance: object) -> Where | None:
    """The place where `instance` is being made: the nearest caller outside graphnet and its own __init__s."""
    frame = _outside(sys._getframe(1))
    while frame is not None and frame.f_code.co_name == "__init__":
        names = frame.f_code.co_varnames
        if not names or frame.f_locals.get(names[0]) is not instance:
            break
        frame = _outside(frame.f_back)
    return _site(frame) if frame is not None else None


_MOST_SITES = 4096
_sites: dict[tuple[int, int], tuple[CodeType, Where]] = {}  # by code and instruction


def _site(frame: FrameType) -> Where:
    """The line that runs in a frame; one object for all that is made in one place, as in a loop."""
    key = (id(frame.f_code), frame.f_lasti)
    known = _sites.get(key)
    if known is None or known[0] is not frame.f_code:
        if len(_sites) >= _MOST_SITES:
            _sites.clear()
        known = _sites[key] = frame.f_code, Where(frame.f_code.co_filename, frame.f_lineno)
    return known[1]


def raised_at(error: BaseException) -> Where | None:
    """The innermost line outside graphnet through which an error came."""
    found, step = None, error.__traceback__
    while step is not None:
        if not _inside(step.tb_frame):
            found = Where(step.tb_frame.f_code.co_filename, step.tb_lineno)
        step = step.tb_next
    return found


def stack_depth() -> int:
    """The `stacklevel` with which a warning given by the caller points at the user's line."""
    depth, frame = 1, sys._getframe(1)
    while frame.f_back is not None and _inside(frame):
        depth, frame = depth + 1, frame.f_back
    return depth


_given = 0


def warnings_given() -> int:
    """How many warnings there were so far, shown or not."""
    return _given


def warn(text: str, category: type[Warning]) -> None:
    """Give a warning that points at the user's line."""
    global _given
    _given += 1
    warnings.warn(text, category, stacklevel=stack_depth())
