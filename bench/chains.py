"""Chains of elementwise operations, written out by hand: graphnet compiled, torch.compile, jax.jit and NumPy.

    python -m bench.chains [--threads N] [--rounds N] [--cases NAME,...] [--out FILE]

Each expression is one Python function that all of them run. "op by op" is graphnet compiled without grouping. They take
turns in one process, with a pause before each on two threads; a ratio is the median over the rounds of graphnet's time
over the other's within a round: below 1, graphnet is faster. All results must agree.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SIZES = {"cache": (64, 256), "L2": (256, 512), "memory": (4096, 2048)}
TURN = 0.005  # seconds


def gelu(m: Any, x: Any) -> Any:
    return 0.5 * x * (1 + m.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)))


def silu(m: Any, x: Any) -> Any:
    return x / (1 + m.exp(-x))


def mish(m: Any, x: Any) -> Any:
    return x * m.tanh(m.log1p(m.exp(x)))


def residual(m: Any, x: Any, y: Any, row: Any) -> Any:
    return m.clip(x + 0.1 * (y * row + 1), -1.0, 1.0)


def lstm(m: Any, i: Any, f: Any, g: Any, o: Any, c: Any) -> Any:
    after = c / (1 + m.exp(-f)) + m.tanh(g) / (1 + m.exp(-i))
    return after, m.tanh(after) / (1 + m.exp(-o))


def adam(m: Any, p: Any, mean: Any, square: Any, g: Any) -> Any:
    mean = 0.9 * mean + 0.1 * g
    square = 0.999 * square + 0.001 * g * g
    return p - 0.001 * mean / (m.sqrt(square) + 1e-8), mean, square


# The expression and how many operands it has; a `row` is one row of the others' shape.
CASES: dict[str, tuple[Callable[..., Any], list[str]]] = {
    "gelu": (gelu, ["x"]),
    "silu": (silu, ["x"]),
    "mish": (mish, ["x"]),
    "residual": (residual, ["x", "y", "row"]),
    "lstm": (lstm, ["i", "f", "g", "o", "c"]),
    "adam": (adam, ["p", "mean", "square", "g"]),
}


def operands(names: list[str], shape: tuple[int, int]) -> list[Any]:
    """The same numbers for all."""
    import numpy as np

    random = np.random.default_rng(0)
    arrays = [random.standard_normal(shape[1:] if name == "row" else shape, np.float32) for name in names]
    return [np.abs(a) if name == "square" else a for name, a in zip(names, arrays)]


@contextmanager
def op_by_op() -> Iterator[None]:
    """Compiling without grouping."""
    from graphnet import passes

    before = passes.PASSES
    passes.PASSES = tuple(p for p in before if p is not passes.group_elementwise)
    try:
        yield
    finally:
        passes.PASSES = before


def contestants(f: Callable[..., Any], arrays: list[Any]) -> dict[str, Callable[[], Any]]:
    """Who runs it, each ready: what is compiled is compiled."""
    import numpy as np

    import graphnet as gn

    tensors = [gn.from_numpy(a) for a in arrays]
    grouped, single = gn.compile(lambda *xs: f(gn, *xs)), gn.compile(lambda *xs: f(gn, *xs))
    grouped(*tensors)
    with op_by_op():
        single(*tensors)
    found: dict[str, Callable[[], Any]] = {
        "graphnet": lambda: grouped(*tensors),
        "op by op": lambda: single(*tensors),
        "numpy": lambda: f(np, *arrays),
    }
    try:
        import torch
    except ImportError:
        pass
    else:
        own = [torch.from_numpy(a) for a in arrays]
        torch.compiler.reset()  # it stops compiling a function that came with many shapes
        whole = torch.compile(lambda *xs: f(torch, *xs), dynamic=False)

        def run() -> Any:
            with torch.inference_mode():
                return whole(*own)

        found["torch.compile"] = run
    try:
        import jax
    except ImportError:
        pass
    else:
        theirs = [jax.numpy.asarray(a) for a in arrays]
        jitted = jax.jit(lambda *xs: f(jax.numpy, *xs))
        found["jax"] = lambda: jax.block_until_ready(jitted(*theirs))
    return found


def agree(functions: dict[str, Callable[[], Any]]) -> None:
    """Raise AssertionError unless all have the same results."""
    import numpy as np

    def results(run: Callable[[], Any]) -> list[Any]:
        found = run()
        return [np.asarray(a) for a in (found if isinstance(found, (tuple, list)) else [found])]

    wanted = results(functions["numpy"])
    for name, run in functions.items():
        for got, want in zip(results(run), wanted):
            np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6, err_msg=name)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m bench.chains", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="CPUs that each may use (default: 1)")
    parser.add_argument("--rounds", type=int, default=9, help="turns of each contestant (default: 9)")
    parser.add_argument("--cases", default="", help="only these, with commas between")
    parser.add_argument("--out", type=Path, help="write the results into this file, as JSON")
    given = parser.parse_args()
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(given.threads)  # before any of them is imported
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    from bench.peers import load_torch, machine, measure

    results = []
    for name, (f, names) in CASES.items():
        if given.cases and name not in given.cases.split(","):
            continue
        for place, shape in SIZES.items():
            functions = contestants(f, operands(names, shape))
            agree(functions)
            times = measure(functions, given.rounds, TURN, given.threads)
            row = {
                who: {
                    "seconds": statistics.median(values),
                    "ratio": statistics.median(a / b for a, b in zip(times["graphnet"], values)),
                }
                for who, values in times.items()
            }
            results.append({"case": name, "place": place, "shape": shape, "times": row})
            cells = "".join(f"  {who} {c['seconds'] * 1e6:.1f} ({c['ratio']:.2f})" for who, c in row.items())
            print(f"{name:<9} {place:<7}{cells}", flush=True)
    if given.out is not None:
        report = {"machine": {**machine(load_torch()), "threads": given.threads}, "results": results}
        given.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        print(f"\nwrote {given.out}", file=sys.stderr)


if __name__ == "__main__":
    main()
