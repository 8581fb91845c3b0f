"""When a contestant may take its turn: nobody else's threads run, and the two processors are two near cores."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from pathlib import Path


def parked(processes: Iterable[int] = (os.getpid(),), patience: float = 0.5) -> bool:
    """Wait until no thread of these processes runs but the caller: OpenBLAS's workers spin for some 25 ms after their
    turn, and would hold the processor that the next contestant's second thread needs. False where they never stop.
    Times of use do not tell: the system notes another thread's only a hundred times a second."""
    until = time.perf_counter() + patience
    while time.perf_counter() < until:
        if not any(running(process) for process in processes):
            return True
        time.sleep(0.002)
    return False


def running(process: int) -> bool:
    """Whether any of its threads, but the caller, runs or would if it had a processor."""
    for task in Path(f"/proc/{process}/task").glob("*"):
        try:
            state = (task / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # ended just now
            continue
        if state == "R" and int(task.name) != threading.get_native_id():
            return True
    return False


def near(trip: float, first: float, second: float) -> bool:
    """Whether what the probe measured (a cache line's round trip in ns, two rates) is that of two near cores: not of
    two threads of one core, and not of cores on far dies."""
    return 75 < trip < 200 and min(first, second) > 0.8 * max(first, second)
