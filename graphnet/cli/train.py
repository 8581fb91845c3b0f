"""Trains a multilayer perceptron on the handwritten digits, and keeps what comes out of it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

import graphnet as gn
from graphnet import nn
from graphnet.cli.info import collect
from graphnet.data import Digits
from graphnet.data import digits as load
from graphnet.errors import GraphnetError
from graphnet.export import render, table

__all__ = ["OUT", "Settings", "digits", "network"]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

OUT = Path("runs") / "digits"


@dataclass(frozen=True)
class Settings:
    """How to train. The defaults reach 98 % in about a second on two cores."""

    epochs: int = 40
    batch_size: int = 64
    lr: float = 0.01
    hidden: int = 128
    seed: int = 0
    threads: int = 1  # layers of this size gain nothing from more, and a busy machine does not slow one down


def network(hidden: int) -> nn.Sequential:
    """Three hidden layers, of which the last two are one: 2 and 4 share their parameters."""
    tied = nn.LazyLinear(hidden)
    return nn.Sequential(nn.LazyLinear(hidden), nn.ReLU(), tied, nn.ReLU(), tied, nn.ReLU(), nn.LazyLinear(10))


def digits(settings: Settings, out: Path) -> None:
    """Train, test on the held-out fifth, write weights and graph into a folder, and tell about it.

    Raises:
        OSError: the folder cannot be written. GraphnetError: training failed.
    """
    out.mkdir(parents=True, exist_ok=True)  # before the work, so that a wrong folder is told at once
    threads = gn.get_num_threads()
    gn.set_num_threads(settings.threads)
    try:
        _digits(settings, out)
    finally:
        gn.set_num_threads(threads)


def _digits(settings: Settings, out: Path) -> None:
    started = time.perf_counter()
    gn.manual_seed(settings.seed)
    order = np.random.default_rng(settings.seed)
    data = load()
    count = len(data.labels)
    held_out, kept = np.split(order.permutation(count), [round(count / 5)])
    print(f"digits: {count} images of 8×8 pixels, {len(kept)} to train on, {len(held_out)} held out\n")

    net = network(settings.hidden)
    graph = gn.trace(net, ("N", 64))
    print(table.text(graph), end="\n\n", flush=True)  # the progress bar goes to the other stream
    _train(net, data, kept, settings, order)
    accuracy = _accuracy(net, data, held_out)
    seconds = time.perf_counter() - started
    print(f"accuracy on the {len(held_out)} held-out images: {accuracy:.2%}, after {seconds:.1f} s")

    result = {"accuracy": accuracy, "seconds": round(seconds, 3), "settings": asdict(settings), "versions": collect()}
    _write(out, net, graph, result)


def _write(out: Path, net: nn.Module, graph: gn.Graph, result: dict[str, Any]) -> None:
    arrays: dict[str, Any] = {name: np.asarray(value) for name, value in net.state_dict().items()}
    np.savez(out / "weights.npz", **arrays)
    dot = graph.to_dot()
    texts = {"graph.dot": dot, "graph.svg": render.svg(dot), "result.json": json.dumps(result, indent=2) + "\n"}
    for name, text in texts.items():
        if text is not None:
            (out / name).write_text(text, encoding="utf-8")
    written = ["weights.npz", *(name for name, text in texts.items() if text is not None)]
    print("wrote " + ", ".join(str(out / name) for name in written))
    if texts["graph.svg"] is None:
        print("no graph.svg: drawing needs Graphviz (Debian: apt-get install graphviz) or the extra graphnet[svg]")


def _train(net: nn.Module, data: Digits, kept: Array, settings: Settings, order: np.random.Generator) -> None:
    optimizer = gn.optim.Adam(net.parameters(), lr=settings.lr)
    steps = settings.epochs * -(-len(kept) // settings.batch_size)
    blend = _blender(data.images)
    done, loss = 0, float("nan")
    with _bar() as bar:
        task = bar.add_task("training", total=settings.epochs, loss="")
        for _ in range(settings.epochs):
            total = 0.0
            for batch in _batches(order.permutation(kept), settings.batch_size):
                optimizer.param_groups[0]["lr"] = settings.lr * (1 - done / steps)
                optimizer.zero_grad()
                error = nn.functional.cross_entropy(net(blend(batch, order)), data.labels[batch])
                error.backward()
                optimizer.step()
                total += float(error) * len(batch)
                done += 1
            loss = total / len(kept)
            bar.update(task, advance=1, loss=f"loss {loss:.4f}")
    if not np.isfinite(loss):
        raise GraphnetError(f"training diverged: the loss is {loss}; try a smaller --lr than {settings.lr:g}")


def _bar() -> Progress:
    """A line that shows how far training is; it goes to the other stream, so that results can be piped on."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f}%"), TimeElapsedColumn())
    return Progress(*columns, TextColumn("{task.fields[loss]}"), console=Console(stderr=True))


def _batches(rows: Array, size: int) -> Iterator[Array]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _blender(images: Array) -> Any:
    """What gives training images, each blended with itself moved by a pixel: else they would be learnt by heart."""
    framed = np.pad(images.reshape(-1, 8, 8), ((0, 0), (1, 1), (1, 1)))
    moved = sliding_window_view(framed, (8, 8), axis=(1, 2))  # moved[i, 1, 1] is image i as it is

    def blend(rows: Array, order: np.random.Generator) -> Array:
        share = order.random((len(rows), 1, 1), dtype=np.float32) * np.float32(0.7)
        down, right = order.integers(0, 3, (2, len(rows)))
        mixture: Array = (1 - share) * moved[rows, 1, 1] + share * moved[rows, down, right]
        return mixture.reshape(len(rows), 64)

    return blend


def _accuracy(net: nn.Module, data: Digits, rows: Array) -> float:
    with gn.no_grad():
        guesses = np.asarray(net(data.images[rows])).argmax(axis=1)
    return float((guesses == data.labels[rows]).mean())
