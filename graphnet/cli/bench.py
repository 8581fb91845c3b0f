"""How fast networks run here: eager and compiled, inference and training."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import graphnet as gn
from graphnet import nn
from graphnet.cli.load import graph_of_target, input_spec, network
from graphnet.errors import ArgumentError
from graphnet.ops import node_flops

__all__ = ["Result", "measured", "run"]

_SIZES = [(10, 256, 10, 2), (64, 128, 10, 32), (784, 256, 10, 64)]  # input, hidden, output, batch
_TURNS = 15


class Result(NamedTuple):
    """One network, one way of running it.

    Attributes:
        network: which.
        work: what was done.
        microseconds: for one run, the median of several turns.
        gflops: billions of operations on numbers a second; None for training and loops.
    """

    network: str
    work: str
    microseconds: float
    gflops: float | None


def run(target: str | None, inputs: list[str], seconds: float, threads: int | None, *, as_json: bool) -> None:
    """Measure and print."""
    before = gn.get_num_threads()
    if threads is not None:
        gn.set_num_threads(threads)
    try:
        results = measured(target, inputs, seconds)
        told = {"target": gn.config()["target"], "threads": gn.get_num_threads()}
    finally:
        gn.set_num_threads(before)
    if as_json:
        print(json.dumps({**told, "results": [r._asdict() for r in results]}, indent=2))
        return
    wide = max(len(r.network) for r in results)
    print(f"kernels for {told['target']}, threads: {told['threads']}\n")
    print(f"{'network':<{wide}}  {'work':<19}  {'µs a run':>10}  {'GFLOP/s':>8}")
    for r in results:
        rate = "" if r.gflops is None else f"{r.gflops:8.2f}"
        print(f"{r.network:<{wide}}  {r.work:<19}  {r.microseconds:>10,.1f}  {rate}".rstrip())


def measured(target: str | None, inputs: list[str], seconds: float) -> list[Result]:
    """The measurements: of a network in a file, or of three of usual sizes."""
    if target is not None:
        return _of_file(target, inputs, seconds)
    gn.manual_seed(0)
    draw = np.random.default_rng(0)
    results: list[Result] = []
    for size_in, hidden, out, batch in _SIZES:
        net = nn.Sequential(nn.Linear(size_in, hidden), nn.ReLU(), nn.Linear(hidden, out))
        x = draw.random((batch, size_in), dtype=np.float32)
        labels = draw.integers(0, out, batch)
        name = f"{size_in}-{hidden}-{out}, batch {batch}"
        results += _inference(name, net, gn.trace(net, x), [x], seconds)
        results += _training(name, net, x, labels, seconds)
    return results


def _of_file(target: str, inputs: list[str], seconds: float) -> list[Result]:
    net = network(target)
    specs = [input_spec(text) for text in inputs]
    graph = graph_of_target(target, inputs) if isinstance(net, gn.Graph) else gn.trace(net, *specs) if specs else None
    if graph is None:
        raise ArgumentError(f"give the shape of each input of {target}, such as --input 64,20")
    draw = np.random.default_rng(0)
    arrays = []
    for node in graph.inputs:
        shape, dtype = graph.types[node][0]
        if not all(isinstance(size, int) for size in shape):
            raise ArgumentError(f"bench runs {target}: give numbers for all sizes, such as --input 64,20")
        numbers = draw.random([int(size) for size in shape])
        arrays.append(numbers.astype(dtype.dtype) if dtype.is_floating_point else np.zeros_like(numbers, dtype.dtype))
    return _inference(target.rpartition("/")[2], net, graph, arrays, seconds)


def _inference(name: str, net: Any, graph: gn.Graph, arrays: list[Any], seconds: float) -> list[Result]:
    counted = not any(node.blocks for node in graph.nodes)  # of a loop only the data tell how often it runs
    flops = sum(int(node_flops(graph, node)) for node in graph.nodes) if counted else 0
    tensors = [gn.from_numpy(array) for array in arrays]
    compiled = gn.compile(net)

    def eager() -> None:
        with gn.no_grad():
            net(*tensors)

    results = []
    for work, call in (("inference, eager", eager), ("inference, compiled", lambda: compiled(*tensors))):
        time_of_one = _timed(call, seconds)
        results.append(Result(name, work, time_of_one * 1e6, flops / time_of_one / 1e9 if counted else None))
    return results


def _training(name: str, net: nn.Module, x: Any, labels: Any, seconds: float) -> list[Result]:
    optimizer = gn.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
    step = gn.TrainStep(net, nn.functional.cross_entropy, optimizer)

    def eager() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    ways = (("training, eager", eager), ("training, compiled", lambda: step(x, labels)))
    return [Result(name, work, _timed(call, seconds) * 1e6, None) for work, call in ways]


def _timed(call: Callable[[], Any], seconds: float) -> float:
    """The time of one call: the median over some turns that take so many seconds together."""
    call()
    start = time.perf_counter()
    call()
    once = max(time.perf_counter() - start, 1e-7)
    count = max(1, int(seconds / _TURNS / once))
    turns = []
    for _ in range(_TURNS):
        start = time.perf_counter()
        for _ in range(count):
            call()
        turns.append((time.perf_counter() - start) / count)
    return statistics.median(turns)
