"""What this installation is: versions, instruction set, threads."""

from __future__ import annotations

import json
import os
import platform
import sys
from typing import Any

import numpy as np

import graphnet

__all__ = ["collect", "show"]


def collect() -> dict[str, Any]:
    """Everything worth telling in a bug report, by name."""
    config = graphnet.config()
    return {
        "graphnet": graphnet.__version__,
        "extension": config["version"],
        "target": config["target"],
        "targets": config["targets"],
        "threads": config["threads"],
        "compiler": config["compiler"],
        "build type": config["build_type"],
        "python": f"{platform.python_version()} ({sys.executable})",
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPUs",
        "package": os.path.dirname(os.path.abspath(graphnet.__file__)),
    }


def show(*, as_json: bool = False) -> None:
    """Print it."""
    found = collect()
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        print(f"{name:<11} {', '.join(value) if isinstance(value, list) else value}")
