"""Times graphnet's kernels beside NumPy and PyTorch: `python -m bench.kernels`.

Products go through `graphnet.kernels.matmul(a, b, out=c)` on preallocated NumPy arrays; a transposed operand is a view.
Contestants take turns of some milliseconds; a ratio is the median of the ratios within a turn. Before a turn on two
threads the process waits until it uses no processor, since OpenBLAS's workers spin for a while after theirs. Figures on
two threads count only while the machine's processors are two near cores, which a virtual machine's are not always: a
probe before and after each shape decides, and a row it rejects is marked.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bench.memory import bench_memory
from bench.peers import load_torch, machine, measure, near_cores, set_threads
from graphnet import _core, kernels

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
    ("tt", 256, 256, 10, None, None),
    ("nn", 32, 64, 128, 1.15, 1.5),
    ("nn", 32, 128, 10, 1.15, None),
    ("nn", 2, 20, 256, 1.15, None),
    ("nn", 1, 1024, 1024, 1.1, None),
    ("nn", 1, 4096, 4096, 1.1, None),
    ("nt", 1, 1024, 1024, 1.1, None),
]


def candidates(kind: str, m: int, k: int, n: int, dtype: str, torch: Any) -> dict[str, Callable[[], Any]]:
    """A call of each contestant's product, checked against the others."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((k, m) if kind[0] == "t" else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if kind[1] == "t" else (k, n)).astype(dtype)
    a = a.T if kind[0] == "t" else a
    b = b.T if kind[1] == "t" else b
    outs = {name: np.empty((m, n), dtype) for name in ("graphnet", "numpy", "torch")}
    matmul, c, d = kernels.matmul, outs["graphnet"], outs["numpy"]
    result: dict[str, Callable[[], Any]] = {
        "graphnet": lambda: matmul(a, b, out=c),
        "numpy": lambda: np.matmul(a, b, out=d),
    }
    if torch is not None:
        ta, tb, to = (torch.from_numpy(x) for x in (a, b, outs["torch"]))
        result["torch"] = lambda: torch.mm(ta, tb, out=to)
    for f in result.values():
        f()
    for name in result:
        np.testing.assert_allclose(outs[name], outs["numpy"], rtol=1e-2, atol=1e-2)
    return result


def bench_case(case: Any, threads: int, args: argparse.Namespace, torch: Any) -> dict[str, Any]:
    """One row of the table."""
    kind, m, k, n, *bars = case
    functions = candidates(kind, m, k, n, args.dtype, torch)
    for _ in range(1 if threads == 1 else args.tries):
        placed = threads == 1 or near_cores()
        first = _core.probe()
        times = measure(functions, args.rounds, args.budget, threads)
        placed = placed and (threads == 1 or near_cores())
        if placed:
            break
    last = _core.probe()
    peak = max(first[1], last[1]) + (0 if threads == 1 else max(first[2], last[2]))
    flops = 2.0 * m * k * n / 1e9
    ratio = min(
        statistics.median(p / g for p, g in zip(t, times["graphnet"], strict=True))
        for who, t in times.items()
        if who != "graphnet"
    )
    return {
        "threads": threads,
        "kind": kind,
        "m": m,
        "k": k,
        "n": n,
        "dtype": args.dtype,
        "gflops": {who: flops / statistics.median(t) for who, t in times.items()},
        "ratio": ratio,
        "bar": bars[min(threads, 2) - 1] if args.dtype == "float32" else None,
        "placed": placed,
        "peak": peak if args.dtype == "float32" else peak / 2,
    }


def bench_products(args: argparse.Namespace, torch: Any) -> list[dict[str, Any]]:
    """All rows, printed as they are measured."""
    rows = []
    header = ("threads", "kind", "m x k x n", "GFLOP/s", "of peak", "numpy", "torch", "ratio", "bar")
    print("{:>7} {:>4} {:>16} {:>9} {:>8} {:>8} {:>8} {:>6} {:>5}".format(*header))
    for threads in args.threads:
        set_threads(threads, torch)
        for case in CASES:
            name = f"{case[0]} {case[1]}x{case[2]}x{case[3]}"
            if args.only and args.only not in name:
                continue
            row = bench_case(case, threads, args, torch)
            rows.append(row)
            rates, bar, ratio = row["gflops"], row["bar"], row["ratio"]
            mark = "" if row["placed"] else "  (not two near cores)"
            verdict = "  short" if bar is not None and row["placed"] and ratio < bar else ""
            left = f"{threads:>7} {name:>21} {rates['graphnet']:>9.1f} {rates['graphnet'] / row['peak']:>8.0%}"
            peers = f"{rates['numpy']:>8.1f} {rates.get('torch', float('nan')):>8.1f}"
            print(f"{left} {peers} {ratio:>6.2f} {bar or '':>5}{verdict}{mark}", flush=True)
    return rows


def intensity(row: dict[str, Any]) -> float:
    """Floating-point operations per byte of the operands and the result, each moved once."""
    m, k, n = row["m"], row["k"], row["n"]
    size = 8 if row["dtype"] == "float64" else 4
    return float(2 * m * k * n / (size * (m * k + k * n + m * n)))


def roofline(report: dict[str, Any], path: str) -> None:
    """Rates over intensity, below the two roofs: the multiply-adds' and a copy's."""
    import matplotlib.pyplot as plt

    rows = [row for row in report["products"] if row["threads"] == 1]
    if not rows:
        print("no plot: it shows figures on one thread")
        return
    plt.rcParams["svg.hashsalt"] = "graphnet"
    figure, axes = plt.subplots(figsize=(8, 5))
    for who, style in (("numpy", "s"), ("torch", "^"), ("graphnet", "o")):
        points = [row for row in rows if who in row["gflops"]]
        axes.plot([intensity(r) for r in points], [r["gflops"][who] for r in points], style, label=who, alpha=0.8)
    peak = statistics.median(row["peak"] for row in rows)
    low, high = min(intensity(r) for r in rows) / 2, max(intensity(r) for r in rows) * 2
    axes.plot([low, high], [peak, peak], color="grey", label="multiply-adds")
    copies = [row["gbytes"] for row in report["memory"] if row["kernel"] == "copy"]
    for bandwidth, place in zip(copies, ("in cache", "in memory"), strict=False):
        end = peak / bandwidth
        axes.plot([low, end], [low * bandwidth, peak], "--", color="grey", linewidth=0.8)
        axes.annotate(f" a copy {place}", (low, low * bandwidth), fontsize=8, color="grey")
    axes.set(
        xscale="log", yscale="log", xlim=(low, high), xlabel="operations per byte of operands and result",
        ylabel="GFLOP/s", title="Matrix products, one thread",
    )  # fmt: skip
    axes.legend(loc="lower right")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None} if path.endswith(".svg") else None)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, nargs="+", default=sorted({1, min(2, _core.get_num_threads())}))
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--budget", type=float, default=0.01, help="seconds for one candidate in one round")
    parser.add_argument("--tries", type=int, default=5, help="attempts at two near cores for each shape")
    parser.add_argument("--only", help="just the products with this text, as in 'nn 1024x1024x1024'; nothing else")
    parser.add_argument("--no-torch", action="store_true")
    parser.add_argument("--out", help="write the figures as JSON")
    parser.add_argument("--plot", help="write a roofline plot (needs matplotlib)")
    args = parser.parse_args()
    torch = None if args.no_torch else load_torch()
    report: dict[str, Any] = {"machine": machine(torch), "products": bench_products(args, torch), "memory": []}
    if not args.only:
        set_threads(1, torch)
        report["memory"] = bench_memory(args.rounds, args.budget)
    print("\n" + "\n".join(f"{key}: {value}" for key, value in report["machine"].items()))
    if args.out:
        Path(args.out).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if args.plot:
        roofline(report, args.plot)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
