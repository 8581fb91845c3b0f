"""One training step and one inference of small networks: graphnet, NumPy by hand, PyTorch and JAX.

    python -m bench.step [--threads N] [--rounds N] [--out FILE]

All contestants start from the same weights and must agree on them after three steps. Then they take turns in
one process, some milliseconds each, so that a slow moment of the machine hits all of them. A row's ratio is
the median over the turns of (contestant's time / graphnet's time): above 1, graphnet is faster.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

RATE, MOMENTUM = 0.01, 0.9
CASES = [(10, 256, 10, 2), (64, 128, 10, 32), (784, 256, 10, 64)]  # input, hidden, output, batch


class Case(NamedTuple):
    """What every contestant is given: weights as (out, in), biases, a batch and its labels."""

    weights: list[Any]
    x: Any
    labels: Any


class Contestant(NamedTuple):
    step: Callable[[], Any]
    infer: Callable[[], Any]
    weights: Callable[[], list[Any]]


def network(case: Case) -> tuple[Any, Any]:
    """graphnet's network and optimizer."""
    import graphnet as gn
    from graphnet import nn

    w1, b1, w2, b2 = case.weights
    net = nn.Sequential(nn.Linear(*w1.shape[::-1]), nn.ReLU(), nn.Linear(*w2.shape[::-1]))
    net.load_state_dict({"0.weight": w1, "0.bias": b1, "2.weight": w2, "2.bias": b2})
    return net, gn.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)


def graphnet(case: Case) -> Contestant:
    """Eager, as a training loop is usually written."""
    import numpy as np

    import graphnet as gn
    from graphnet import nn

    net, optimizer = network(case)
    x, labels = gn.from_numpy(case.x), gn.from_numpy(case.labels)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    def infer() -> Any:
        with gn.no_grad():
            return net(x)

    return Contestant(step, infer, lambda: [np.asarray(p.data) for p in net.parameters()])


def compiled(case: Case) -> Contestant:
    """graphnet with the whole step as one call into C++."""
    import numpy as np

    import graphnet as gn
    from graphnet import nn

    net, optimizer = network(case)
    x, labels = gn.from_numpy(case.x), gn.from_numpy(case.labels)
    train, infer = gn.TrainStep(net, nn.CrossEntropyLoss(), optimizer), gn.compile(net)
    return Contestant(
        lambda: train(x, labels), lambda: infer(x), lambda: [np.asarray(p.data) for p in net.parameters()]
    )


def by_hand(case: Case) -> Contestant:
    """What one would write with NumPy alone; it allocates, but does nothing twice."""
    import numpy as np

    x, labels = case.x, case.labels
    parameters = [w.copy() for w in case.weights]
    momenta = [np.zeros_like(w) for w in parameters]
    rows = np.arange(len(labels))

    def infer() -> Any:
        w1, b1, w2, b2 = parameters
        return np.maximum(x @ w1.T + b1, 0) @ w2.T + b2

    def step() -> None:
        w1, b1, w2, b2 = parameters
        hidden = np.maximum(x @ w1.T + b1, 0)
        logits = hidden @ w2.T + b2
        error = np.exp(logits - logits.max(axis=1, keepdims=True))
        error /= error.sum(axis=1, keepdims=True)
        error[rows, labels] -= 1
        error /= len(labels)
        back = error @ w2
        back[hidden <= 0] = 0
        gradients = (back.T @ x, back.sum(axis=0), error.T @ hidden, error.sum(axis=0))
        for parameter, momentum, gradient in zip(parameters, momenta, gradients):
            momentum *= MOMENTUM
            momentum += gradient
            parameter -= RATE * momentum

    return Contestant(step, infer, lambda: parameters)


def pytorch(case: Case) -> Contestant:
    import torch
    from torch import nn

    w1, b1, w2, b2 = case.weights
    net = nn.Sequential(nn.Linear(*w1.shape[::-1]), nn.ReLU(), nn.Linear(*w2.shape[::-1]))
    for parameter, value in zip(net.parameters(), (w1, b1, w2, b2)):
        parameter.data = torch.from_numpy(value.copy())
    optimizer = torch.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
    x, labels = torch.from_numpy(case.x), torch.from_numpy(case.labels)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), labels).backward()
        optimizer.step()

    def infer() -> Any:
        with torch.inference_mode():
            return net(x)

    return Contestant(step, infer, lambda: [p.detach().numpy() for p in net.parameters()])


def jax(case: Case) -> Contestant:
    """Compiled as a whole by jax.jit; compiling is not timed."""
    import jax
    import jax.numpy as jnp

    def forward(parameters: Any, x: Any) -> Any:
        w1, b1, w2, b2 = parameters
        return jnp.maximum(x @ w1.T + b1, 0) @ w2.T + b2

    def loss(parameters: Any, x: Any, labels: Any) -> Any:
        logits = jax.nn.log_softmax(forward(parameters, x))
        return -jnp.take_along_axis(logits, labels[:, None], axis=1).mean()

    def update(parameters: Any, momenta: Any, x: Any, labels: Any) -> Any:
        gradients = jax.grad(loss)(parameters, x, labels)
        momenta = [MOMENTUM * m + g for m, g in zip(momenta, gradients)]
        return [p - RATE * m for p, m in zip(parameters, momenta)], momenta

    x, labels = jnp.asarray(case.x), jnp.asarray(case.labels)
    parameters = [jnp.asarray(w) for w in case.weights]
    state = [parameters, [jnp.zeros_like(p) for p in parameters]]
    train, run = jax.jit(update), jax.jit(forward)

    def step() -> None:
        state[:] = train(state[0], state[1], x, labels)
        jax.block_until_ready(state)

    return Contestant(step, lambda: run(state[0], x).block_until_ready(), lambda: state[0])


CONTESTANTS = {"graphnet": graphnet, "compiled": compiled, "numpy": by_hand, "torch": pytorch, "jax": jax}


def installed() -> dict[str, str]:
    """The packages of the contestants that are here, with their versions."""
    found = {}
    for name in ("graphnet", "numpy", "torch", "jax"):
        try:
            found[name] = str(importlib.import_module(name).__version__)
        except ImportError:
            continue
    return found


def repeats(run: Callable[[], Any], seconds: float) -> int:
    """How often to run it for a turn of about that long; warms it up too."""
    count = 1
    while True:
        took = timed(run, count) * count
        if took > seconds / 2:
            return max(1, round(count * seconds / took))
        count *= 2


def timed(run: Callable[[], Any], count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - start) / count


def measure(sizes: tuple[int, int, int, int], names: list[str], rounds: int) -> dict[str, Any]:
    """Times in seconds and ratios to graphnet, for a training step and for inference."""
    import numpy as np

    inputs, hidden, outputs, batch = sizes
    random = np.random.default_rng(0)
    shapes = ((hidden, inputs), (hidden,), (outputs, hidden), (outputs,))
    weights = [(random.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32) for shape in shapes]
    x = random.standard_normal((batch, inputs)).astype(np.float32)
    case = Case(weights, x, random.integers(0, outputs, batch))
    contestants = {name: CONTESTANTS[name](case) for name in names}
    for _ in range(3):
        for contestant in contestants.values():
            contestant.step()
    for contestant in contestants.values():
        for value, expected in zip(contestant.weights(), contestants["graphnet"].weights()):
            np.testing.assert_allclose(np.asarray(value), expected, rtol=2e-4, atol=2e-6)
    result: dict[str, Any] = {"sizes": sizes}
    for what in ("step", "infer"):
        runs = {name: getattr(contestant, what) for name, contestant in contestants.items()}
        counts = {name: repeats(run, 0.01) for name, run in runs.items()}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for turn in range(rounds):
            order = names if turn % 2 == 0 else names[::-1]
            for name in order:
                times[name].append(timed(runs[name], counts[name]))
        result[what] = {
            name: {
                "seconds": statistics.median(values),
                "ratio": statistics.median(v / g for v, g in zip(values, times["graphnet"])),
            }
            for name, values in times.items()
        }
    return result


def processor() -> str:
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.step", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="CPUs that each may use (default: 1)")
    parser.add_argument("--rounds", type=int, default=60, help="turns of each contestant (default: 60)")
    parser.add_argument("--out", type=Path, help="write the results into this file, as JSON")
    arguments = parser.parse_args()
    # Before any of them is imported; being kept on that many CPUs holds the ones that read no variable.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(arguments.threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: arguments.threads])

    versions = installed()
    if "graphnet" not in versions:
        sys.exit("bench.step: graphnet is not installed: run pip install . in the repository's root")
    config = importlib.import_module("graphnet").config()
    machine = {
        "cpu": processor(),
        "threads": arguments.threads,
        "target": config["target"],
        "compiler": config["compiler"],
        "python": platform.python_version(),
        "versions": versions,
    }
    print(f"{machine['cpu']}, {arguments.threads} thread(s), graphnet for {config['target']}, {config['compiler']}")
    print("Python " + machine["python"] + "".join(f", {name} {version}" for name, version in versions.items()))
    print("µs per call; in brackets the time as a multiple of graphnet's\n")
    names = [name for name in CONTESTANTS if name in versions or name == "compiled"]
    print(f"{'network':<14}{'batch':>6}  {'':<8}" + "".join(f"{name:>18}" for name in names))
    results = []
    for sizes in CASES:
        result = measure(sizes, names, arguments.rounds)
        results.append(result)
        for what in ("step", "infer"):
            row = f"{'-'.join(map(str, sizes[:3])):<14}{sizes[3]:>6}  {what:<8}"
            for name in names:
                cell = result[what][name]
                row += f"{cell['seconds'] * 1e6:>10.1f} ({cell['ratio']:.2f}×)"
            print(row, flush=True)
    if arguments.out is not None:
        arguments.out.write_text(
            json.dumps({"machine": machine, "results": results}, indent=2) + "\n", encoding="utf-8"
        )
        print(f"\nwrote {arguments.out}")


if __name__ == "__main__":
    main()
