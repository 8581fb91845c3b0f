"""How near to memory's speed the kernels come that compute little: GB/s beside a copy, in cache and out of it.

Part of `python -m bench.kernels`. Bytes are those that must move: every input read once, every output written once.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.peers import measure
from graphnet import _core, kernels

SIZES = {"in cache": (128, 256), "in memory": (65536, 256)}
NAMES = ("relu", "relu_backward", "add", "sum", "softmax", "cross_entropy", "cross_entropy_backward")


def cases(rows: int, columns: int) -> dict[str, tuple[int, Callable[[], Any]]]:
    """Bytes that move and a call, for each kernel and the copy."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((rows, columns), np.float32)
    y = rng.standard_normal((rows, columns), np.float32)
    out = np.empty_like(x)
    labels = rng.integers(0, columns, rows)
    scalar, total, one = np.empty((), np.float32), np.empty((1, 1), np.float32), np.ones((), np.float32)
    ids, run, n = _core.kernel_ids(), _core.run, x.nbytes
    return {
        "copy": (2 * n, lambda: np.copyto(out, x)),
        "relu": (2 * n, lambda: kernels.relu(x, out)),
        "relu_backward": (3 * n, lambda: kernels.relu_backward(x, y, out)),
        "add": (3 * n, lambda: run(ids["add"], (x, y), (out,), ())),
        "sum": (n, lambda: run(ids["sum"], (x,), (total,), ())),
        "softmax": (2 * n, lambda: kernels.softmax(x, out)),
        "cross_entropy": (n, lambda: kernels.softmax_cross_entropy(x, labels, scalar)),
        "cross_entropy_backward": (
            2 * n,
            lambda: run(ids["cross_entropy_backward"], (x, labels, one), (out,), ()),
        ),
    }  # fmt: skip


def bench_memory(rounds: int, budget: float) -> list[dict[str, Any]]:
    """A row per kernel and place, printed as it is measured; on one thread."""
    rows = []
    print(f"\n{'float32, one thread':<26} {'GB/s':>7} {'of a copy':>10}")
    for place, shape in SIZES.items():
        found = cases(*shape)
        times = measure({name: f for name, (_, f) in found.items()}, rounds, budget, 1)
        rates = {name: found[name][0] / statistics.median(t) / 1e9 for name, t in times.items()}
        for name, rate in rates.items():
            share = statistics.median(
                found[name][0] / t / (found["copy"][0] / c) for t, c in zip(times[name], times["copy"], strict=True)
            )
            print(f"{place + ': ' + name:<34} {rate:>7.1f} {share:>8.0%}".replace(": ", ":  ", 1), flush=True)
            rows.append({"place": place, "kernel": name, "shape": shape, "gbytes": rate, "of_copy": share})
    return rows
