"""Lets a source checkout find the C++ extension of an installed graphnet.

`python -m pytest` and scripts started in the repository's root import the source folder, in which a plain
`pip install .` leaves no extension. The one that was installed for this Python serves it as well.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

__all__ = ["extend"]


def extend(path: list[str]) -> None:
    """Add the installed package's folder to the package's path, where only that one has the extension.

    Raises:
        ImportError: there is none; it says what to do.
    """
    if PathFinder.find_spec("graphnet._core", path) is not None:
        return
    for entry in sys.path:
        folder = os.path.join(entry or os.curdir, "graphnet")
        if os.path.abspath(folder) not in map(os.path.abspath, path) and PathFinder.find_spec(
            "graphnet._core", [folder]
        ):
            path.append(folder)
            return
    raise ImportError(
        "graphnet's C++ extension is not built for this Python: run \"pip install .\" in the repository's root"
    )
