"""How long large graphs take: a chain of (Linear(8), ReLU) pairs, from making the modules to the first training step.

python -m bench.scale
python -m bench.scale --pairs 10000 100000 --out docs/scale.json

Every size has processes of its own, one for each way through, as what lives in a process makes its garbage collections
longer. Figures are wall-clock seconds, with the collections that fall into them, and the peak of resident memory.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import graphnet as gn
from bench.peers import machine
from graphnet import nn

WAYS = ("graph", "network", "step", "eager", "texts")


def chain(pairs: int) -> Any:
    """The modules."""
    return nn.Sequential(*[layer for _ in range(pairs) for layer in (nn.Linear(8, 8), nn.ReLU())])


def measured(way: str, pairs: int) -> dict[str, float]:
    """Seconds of each step along one way, and gigabytes at the end."""
    gn.set_num_threads(1)
    found: dict[str, float] = {}

    def timed(what: str, call: Callable[[], Any]) -> Any:
        start = time.perf_counter()
        result = call()
        found[what] = time.perf_counter() - start
        return result

    x = gn.ones(2, 8)
    net = timed("build", lambda: chain(pairs))
    if way == "graph":
        graph = timed("trace", lambda: gn.trace(net, (2, 8)))
        gradient = timed("gradient", graph.gradient)
        timed("compile", lambda: gn.compile(gradient)(x, x))  # the first call makes the plan
        found["together"] = sum(found.values())
    elif way == "network":
        timed("compiled network, first call", lambda: gn.compile(net)(x))
    elif way == "step":
        step = gn.TrainStep(net, nn.MSELoss(), gn.optim.SGD(net.parameters(), lr=0.1))
        timed("training step, first call", lambda: step(x, x))
        timed("training step, further calls", lambda: step(x, x))
    elif way == "eager":
        timed("eager forward and backward", lambda: net(x).sum().backward())
        timed("repr", lambda: repr(net))
    else:
        graph = gn.trace(net, (2, 8))
        timed("DOT", graph.to_dot)
        timed("text of the graph", lambda: str(graph))
        timed("every node in DOT", lambda: graph.to_dot(collapse=False))
    found["GB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return found


def main() -> None:
    """Measure, print a table, write it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--ways", choices=WAYS, nargs="+", default=WAYS)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args()
    if options.way is not None:
        print(json.dumps(measured(options.way, options.pairs[0])))
        return
    results = []
    for pairs in options.pairs:
        row: dict[str, float] = {}
        for way in options.ways:
            command = [sys.executable, "-m", "bench.scale", "--way", way, "--pairs", str(pairs)]
            found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            row.update({f"GB, {way}" if name == "GB" else name: value for name, value in found.items()})
        results.append({"pairs": pairs, "seconds": row})
        print(f"{pairs} pairs: " + ", ".join(f"{name} {value:.2f}" for name, value in row.items()), flush=True)
    if options.out is not None:
        report = {"machine": machine(None), "results": results}
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
