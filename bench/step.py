"""One training step and one inference of small networks: graphnet, NumPy by hand, PyTorch, JAX and ONNX Runtime.

    python -m bench.step [--threads N] [--rounds N] [--networks NAME,...] [--contestants NAME,...] [--out FILE]

Every contestant has a process of its own, so that no library's waiting threads disturb another. They take turns of some
milliseconds, forwards and backwards (ABBA); before each turn the last one's threads fall asleep.
All start from the same weights and must agree on them after three steps. A ratio is the median over the rounds of
(graphnet compiled / contestant) within a round: below 1, graphnet is faster.

A virtual machine's two processors are not always two near cores. Before each round on two threads a probe looks; rounds
are put off while they are not, and a network whose rounds could not be is marked.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from bench.contestants import CONTESTANTS, Contestant, make_case, version
from bench.turns import near, parked

# Name, widths, batch, and what graphnet's step and inference may take of the best contestant's time.
NETWORKS: dict[str, tuple[list[int], int, float, float]] = {
    "10-256-10, 2": ([10, 256, 10], 2, 0.08, 0.5),
    "64-128-10, 32": ([64, 128, 10], 32, 0.25, 0.9),
    "784-256-10, 64": ([784, 256, 10], 64, 0.58, 0.9),
    "784-256-10, 256": ([784, 256, 10], 256, 0.80, 0.9),
    "64-(64)x20-10, 32": ([64] * 21 + [10], 32, 0.35, 0.9),
    "1024-4096-1024, 256": ([1024, 4096, 1024], 256, 0.80, 0.9),
}
KINDS = ("step", "infer")
TURN = 0.01  # seconds


def timed(run: Callable[[], Any], count: int) -> float:
    """Seconds for one run."""
    start = time.perf_counter()
    for _ in range(count):
        run()
    return (time.perf_counter() - start) / count


def turn(run: Callable[[], Any], warm: float) -> float:
    """Seconds for one run, from about TURN seconds of runs after at least `warm` seconds of others."""
    count, took = 1, timed(run, 1)
    while took * count < warm:
        count *= 3
        took = timed(run, count)
    return timed(run, max(1, round(TURN / took)))


def work(name: str, given: BinaryIO, answers: BinaryIO) -> None:
    """A contestant's process: does as it is told until told to end."""
    contestant = Contestant(None, None, None)
    while True:
        what, *arguments = pickle.load(given)
        answer: Any = None
        if what == "end":
            return
        try:
            if what == "make":
                contestant = CONTESTANTS[name](make_case(*arguments))
                if contestant.step is not None and contestant.parameters is not None:
                    for _ in range(3):
                        contestant.step()
                    import numpy as np

                    answer = [np.array(p) for p in contestant.parameters()]
            elif what == "probe":
                from graphnet import _core

                answer = _core.probe()
            else:
                run = getattr(contestant, what)
                answer = None if run is None else turn(run, *arguments)
        except Exception as error:  # told to the other side, which goes on without it
            answer = error
        pickle.dump(answer, answers)
        answers.flush()


class Worker:
    """A contestant's process, seen from outside."""

    def __init__(self, name: str) -> None:
        self.name = name
        command = [sys.executable, "-m", "bench.step", "--worker", name]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process = self._process.pid

    def ask(self, *what: Any) -> Any:
        """Have it do something."""
        assert self._process.stdin is not None and self._process.stdout is not None
        pickle.dump(what, self._process.stdin)
        self._process.stdin.flush()
        answer = pickle.load(self._process.stdout)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        pickle.dump(("end",), self._process.stdin)
        self._process.stdin.close()
        self._process.wait()


def start(workers: list[Worker], widths: list[int], batch: int) -> list[Worker]:
    """Give all the same network; those that train it, and to the same weights."""
    import numpy as np

    expected: Any = None
    found = []
    for worker in workers:
        try:
            parameters = worker.ask("make", widths, batch)
        except Exception as error:
            print(f"  {worker.name} does not take part: {error!s:.200}", file=sys.stderr)
            continue
        found.append(worker)
        if expected is None:
            expected = parameters
        for value, other in zip(parameters or (), expected):
            np.testing.assert_allclose(value, other, rtol=2e-3, atol=2e-5, err_msg=worker.name)
    return found


def measure(workers: list[Worker], threads: int, rounds: int, patience: float) -> dict[str, Any]:
    """Times in seconds, and graphnet's over theirs, for a training step and for inference."""
    result: dict[str, Any] = {"placed": True}
    for kind in KINDS:
        times: dict[str, list[float]] = {}
        for number in range(rounds):
            until = time.monotonic() + patience
            while threads > 1 and not near(*workers[0].ask("probe")):
                if time.monotonic() > until:
                    result["placed"] = False
                    break
                time.sleep(0.05)
            for worker in workers if number % 2 == 0 else workers[::-1]:
                parked([w.process for w in workers])
                # Threads that slept are placed by the system, which may take some 10 ms.
                seconds = worker.ask(kind, TURN / 3 if threads == 1 else 2 * TURN)
                if seconds is not None:
                    times.setdefault(worker.name, []).append(seconds)
        mine = times["compiled"]
        result[kind] = {
            name: {
                "seconds": statistics.median(values),
                "ratio": statistics.median(own / value for own, value in zip(mine, values)),
            }
            for name, values in times.items()
        }
        peers = [name for name in result[kind] if name not in ("compiled", "graphnet")]
        result[kind]["best"] = max(peers, key=lambda name: result[kind][name]["ratio"]) if peers else None
    return result


def processor() -> str:
    """The CPU's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.step", description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="CPUs that each may use (default: 1)")
    parser.add_argument("--rounds", type=int, default=20, help="turns of each contestant (default: 20)")
    parser.add_argument("--networks", default="", help="only those whose name begins so, with ; between")
    parser.add_argument("--contestants", default="", help="only these, with commas between")
    parser.add_argument("--patience", type=float, default=2.0, help="seconds to wait for two near cores (default: 2)")
    parser.add_argument("--out", type=Path, help="write the results into this file, as JSON")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Run it."""
    given = options()
    if given.worker:
        answers = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)  # what libraries print is not an answer
        work(given.worker, sys.stdin.buffer, answers)
        return
    # Before any of them is imported; being kept on that many CPUs holds the ones that read no variable.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(given.threads)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: given.threads])
    wanted = given.contestants.split(",") if given.contestants else list(CONTESTANTS)
    versions = {name: found for name in CONTESTANTS if name in wanted and (found := version(name)) is not None}
    if "compiled" not in versions:
        sys.exit("bench.step: graphnet is not installed: run pip install . in the repository's root")
    import graphnet as gn

    config = gn.config()
    machine = {
        "cpu": processor(),
        "threads": given.threads,
        "target": config["target"],
        "compiler": config["compiler"],
        "python": platform.python_version(),
        "versions": {name: found for name, found in versions.items() if "." not in name and name != "compiled"},
    }
    print(f"{machine['cpu']}, {given.threads} thread(s), graphnet for {config['target']}, {config['compiler']}")
    print("Python " + platform.python_version() + "".join(f", {n} {v}" for n, v in machine["versions"].items()))
    print("µs per call; in brackets graphnet's time compiled over it (below 1: graphnet is faster)\n")
    everyone = [Worker(name) for name in versions]
    results = []
    for name, (widths, batch, *bars) in NETWORKS.items():
        if not any(name.startswith(part) for part in given.networks.split(";")):
            continue
        workers = start(everyone, widths, batch)
        result = {"network": name, **measure(workers, given.threads, given.rounds, given.patience)}
        results.append(result)
        for kind, bar in zip(KINDS, bars):
            cells = result[kind]
            best = cells["best"]
            row = "".join(
                f"  {who} {cells[who]['seconds'] * 1e6:.1f} ({cells[who]['ratio']:.2f})"
                for who in cells
                if who != "best"
            )
            verdict = f"{cells[best]['ratio']:.3f} of {best}'s, wanted {bar}" if best else ""
            mark = "" if result["placed"] else "  (not two near cores)"
            print(f"{name:<20} {kind:<6}{row}\n{'':<27} {verdict}{mark}", flush=True)
    for worker in everyone:
        worker.end()
    if given.out is not None:
        given.out.write_text(json.dumps({"machine": machine, "results": results}, indent=2) + "\n", encoding="utf-8")
        print(f"\nwrote {given.out}")


if __name__ == "__main__":
    main()
