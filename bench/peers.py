"""What the kernel benchmarks share: taking turns, setting threads, and knowing the machine."""

from __future__ import annotations

import ctypes
import functools
import platform
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.turns import near, parked
from graphnet import _core


def load_torch() -> Any:
    """PyTorch, or None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    return torch


def _call_with_int(function: Any, n: int) -> None:
    function(ctypes.c_int(n))


def blas_thread_setter() -> Callable[[int], None] | None:
    """NumPy's OpenBLAS has a thread setter, under a name that depends on the wheel."""
    try:
        maps = Path("/proc/self/maps").read_text()
    except OSError:
        return None
    for path in sorted(set(re.findall(r"/\S*openblas\S*", maps))):
        library = ctypes.CDLL(path)
        for name in (
            "scipy_openblas_set_num_threads64_",
            "scipy_openblas_set_num_threads",
            "openblas_set_num_threads64_",
            "openblas_set_num_threads",
        ):
            setter = getattr(library, name, None)
            if setter is not None:
                return functools.partial(_call_with_int, setter)
    return None


def set_threads(threads: int, torch: Any) -> None:
    """The same number of threads for everyone."""
    _core.set_num_threads(threads)
    set_blas = blas_thread_setter()
    if set_blas:
        set_blas(threads)
    if torch is not None:
        torch.set_num_threads(threads)


def seconds(f: Callable[[], Any], repeat: int) -> float:
    """Time of one call."""
    start = time.perf_counter()
    for _ in range(repeat):
        f()
    return (time.perf_counter() - start) / repeat


def measure(
    functions: dict[str, Callable[[], Any]], rounds: int, budget: float, threads: int
) -> dict[str, list[float]]:
    """Seconds of one call of each function, `rounds` times, in turns of `budget` seconds."""
    repeat = {name: max(1, int(budget / max(seconds(f, 3), 1e-7))) for name, f in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, f in functions.items():
            if threads > 1:
                parked()
                seconds(f, 2 * repeat[name])  # wakes its own workers and lets the system place them
            times[name].append(seconds(f, repeat[name]))
    return times


def near_cores() -> bool:
    """Whether the two processors are two near cores now."""
    return near(*_core.probe())


def machine(torch: Any) -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = platform.processor()
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        cpu = found.group(1) if found else cpu
    except OSError:
        pass
    config = _core.config()
    versions = {"graphnet": config["version"], "numpy": np.__version__}
    if torch is not None:
        versions["torch"] = str(torch.__version__)
    return {
        "cpu": cpu, "system": platform.platform(), "python": platform.python_version(), "versions": versions,
        "target": config["target"], "compiler": config["compiler"],
    }  # fmt: skip
