"""Times graphnet's matrix products beside NumPy's and PyTorch's: `python -m bench.kernels`.

Every figure is a ratio of medians' rounds taken alternately, through preallocated NumPy arrays. Figures on two threads
count only while the machine's processors are two near cores, which a virtual machine's are not always: a probe before
and after each shape decides, and a row it rejects is marked.
"""

from __future__ import annotations

import argparse
import ctypes
import functools
import json
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from graphnet import _core

# Kind (n: as stored, t: transposed operand), m, k, n, and the ratio to reach on one and two threads.
CASES: list[tuple[str, int, int, int, float | None, float | None]] = [
    ("nn", 1024, 1024, 1024, 1.06, 1.04),
    ("nn", 2048, 2048, 2048, 1.06, 1.04),
    ("nn", 512, 1024, 1024, 1.06, 1.04),
    ("nn", 64, 784, 256, 1.08, 1.15),
    ("nn", 256, 784, 256, 1.08, 1.15),
    ("nn", 4096, 64, 64, 1.08, 1.15),
    ("nn", 64, 4096, 64, 1.08, 1.15),
    ("tn", 784, 64, 256, 1.08, 1.15),
    ("nt", 64, 256, 784, 1.05, 1.15),
    ("nt", 32, 64, 128, 1.05, 1.15),
    ("nn", 256, 256, 10, 1.2, 1.4),
    ("nt", 256, 256, 10, 1.2, 1.4),
    ("tn", 256, 256, 10, 1.2, 1.4),
    ("tt", 256, 256, 10, 1.2, 1.4),
    ("nn", 32, 64, 128, 1.15, 1.5),
    ("nn", 32, 128, 10, 1.15, None),
    ("nn", 2, 20, 256, 1.15, None),
    ("nn", 1, 1024, 1024, 1.1, None),
    ("nn", 1, 4096, 4096, 1.1, None),
    ("nt", 1, 1024, 1024, 1.1, None),
]


def call_with_int(function: Any, n: int) -> None:
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
                return functools.partial(call_with_int, setter)
    return None


def seconds(f: Callable[[], Any], repeat: int) -> float:
    start = time.perf_counter()
    for _ in range(repeat):
        f()
    return (time.perf_counter() - start) / repeat


def near_cores() -> bool:
    trip, first, second = _core.probe()
    return 75 < trip < 200 and min(first, second) > 0.8 * max(first, second)


def candidates(kind: str, m: int, k: int, n: int, dtype: str, torch: Any) -> dict[str, Callable[[], Any]]:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((k, m) if kind[0] == "t" else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if kind[1] == "t" else (k, n)).astype(dtype)
    a = a.T if kind[0] == "t" else a
    b = b.T if kind[1] == "t" else b
    outs = {name: np.empty((m, n), dtype) for name in ("graphnet", "numpy", "torch")}
    matmul = _core.kernel_ids()["matmul"]
    run, inputs, outputs = _core.run, (a, b), (outs["graphnet"],)
    result: dict[str, Callable[[], Any]] = {
        "graphnet": lambda: run(matmul, inputs, outputs, ()),
        "numpy": lambda: np.matmul(a, b, out=outs["numpy"]),
    }
    if torch is not None:
        ta, tb, to = (torch.from_numpy(x) for x in (a, b, outs["torch"]))
        result["torch"] = lambda: torch.mm(ta, tb, out=to)
    for f in result.values():
        f()
    for name, out in outs.items():
        if name in result:
            np.testing.assert_allclose(out, outs["numpy"], rtol=1e-2, atol=1e-2)
    return result


def measure(
    functions: dict[str, Callable[[], Any]], rounds: int, budget: float, threads: int
) -> dict[str, list[float]]:
    repeat = {name: max(1, int(budget / max(seconds(f, 3), 1e-7))) for name, f in functions.items()}
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, f in functions.items():
            if threads > 1:  # OpenBLAS's workers spin for 2^26 cycles after their turn
                time.sleep(0.04)
                seconds(f, max(1, repeat[name] // 4))
            times[name].append(seconds(f, repeat[name]))
    return times


def bench(args: argparse.Namespace) -> list[dict[str, Any]]:
    torch: Any = None
    if not args.no_torch:
        try:
            import torch  # type: ignore[no-redef]
        except ImportError:
            torch = None
    set_blas = blas_thread_setter()
    rows = []
    header = ("threads", "kind", "m x k x n", "GFLOP/s", "of peak", "numpy", "torch", "ratio", "bar")
    print("{:>7} {:>4} {:>16} {:>9} {:>8} {:>8} {:>8} {:>6} {:>5}".format(*header))
    for threads in args.threads:
        _core.set_num_threads(threads)
        if set_blas:
            set_blas(threads)
        if torch is not None:
            torch.set_num_threads(threads)
        for kind, m, k, n, *bars in CASES:
            name = f"{m}x{k}x{n}"
            if args.only and args.only not in f"{kind} {name}":
                continue
            functions = candidates(kind, m, k, n, args.dtype, torch)
            placed = threads == 1
            for _ in range(1 if threads == 1 else args.tries):
                before = threads == 1 or near_cores()
                times = measure(functions, args.rounds, args.budget, threads)
                placed = before and (threads == 1 or near_cores())
                if placed:
                    break
            peak = _core.probe()
            limit = peak[1] if threads == 1 else peak[1] + peak[2]
            if args.dtype == "float64":
                limit /= 2
            flops = 2.0 * m * k * n / 1e9
            rates = {who: flops / statistics.median(t) for who, t in times.items()}
            ratio = min(
                statistics.median(p / g for p, g in zip(t, times["graphnet"], strict=True))
                for who, t in times.items()
                if who != "graphnet"
            )
            bar = bars[min(threads, 2) - 1] if args.dtype == "float32" else None
            mark = "" if placed else "  (not two near cores)"
            verdict = "" if bar is None or not placed else ("" if ratio >= bar else "  short")
            ours = rates["graphnet"]
            left = f"{threads:>7} {kind:>4} {name:>16} {ours:>9.1f} {ours / limit:>8.0%}"
            peers = f"{rates['numpy']:>8.1f} {rates.get('torch', float('nan')):>8.1f}"
            print(f"{left} {peers} {ratio:>6.2f} {bar or '':>5}{verdict}{mark}", flush=True)
            rows.append(
                {
                    "threads": threads,
                    "kind": kind,
                    "m": m,
                    "k": k,
                    "n": n,
                    "dtype": args.dtype,
                    "gflops": rates,
                    "ratio": ratio,
                    "bar": bar,
                    "placed": placed,
                    "peak": limit,
                }
            )
    return rows


def machine(torch_version: str | None) -> dict[str, Any]:
    cpu = platform.processor()
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        cpu = found.group(1) if found else cpu
    except OSError:
        pass
    return {
        "cpu": cpu, "system": platform.platform(), "python": platform.python_version(), "numpy": np.__version__,
        "torch": torch_version, "graphnet": _core.config(),
    }  # fmt: skip


def roofline(rows: list[dict[str, Any]], path: str) -> None:
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 5))
    for who, style in (("graphnet", "o"), ("numpy", "s"), ("torch", "^")):
        points = [r for r in rows if r["threads"] == 1 and who in r["gflops"]]
        size = 8 if rows and rows[0]["dtype"] == "float64" else 4
        intensity = [
            2 * r["m"] * r["k"] * r["n"] / (size * (r["m"] * r["k"] + r["k"] * r["n"] + r["m"] * r["n"]))
            for r in points
        ]
        axes.plot(intensity, [r["gflops"][who] for r in points], style, label=who, alpha=0.8)
    if rows:
        axes.axhline(
            max(r["peak"] for r in rows if r["threads"] == rows[0]["threads"]), color="grey", label="multiply-add peak"
        )
    axes.set(xscale="log", yscale="log", xlabel="FLOP per byte", ylabel="GFLOP/s", title="Matrix products, one thread")
    axes.legend()
    figure.savefig(path)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, min(2, _core.get_num_threads())}))
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--budget", type=float, default=0.01, help="seconds for one candidate in one round")
    parser.add_argument("--tries", type=int, default=5, help="attempts at two near cores for each shape")
    parser.add_argument("--only", help="just the cases with this text, as in 'nn 1024x1024x1024'")
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("--out", help="write the figures as JSON")
    parser.add_argument("--plot", help="write a roofline plot (needs matplotlib)")
    args = parser.parse_args()
    rows = bench(args)
    torch = sys.modules.get("torch")
    about = machine(getattr(torch, "__version__", None))
    print("\n" + "\n".join(f"{key}: {value}" for key, value in about.items()))
    if args.out:
        Path(args.out).write_text(json.dumps({"machine": about, "rows": rows}, indent=1))
    if args.plot:
        roofline(rows, args.plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
