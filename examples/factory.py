"""A factory: a larger network from several instances of one block."""

from __future__ import annotations

from collections.abc import Callable

import graphnet as gn
from graphnet import nn


def block(hidden: int, out: int) -> nn.Sequential:
    """The building block: two layers, whose input sizes follow from where it is put."""
    return nn.Sequential(nn.LazyLinear(hidden), nn.ReLU(), nn.LazyLinear(out), nn.ReLU())


def stack(make: Callable[[], nn.Module], count: int, *, tied: bool = False) -> nn.Sequential:
    """A network of `count` blocks in a row.

    Every call of `make` is a block with parameters of its own; with `tied` one block is used each time.
    """
    if tied:
        return nn.Sequential(*[make()] * count)
    return nn.Sequential(*[make() for _ in range(count)])


def main() -> None:
    gn.manual_seed(0)
    net = nn.Sequential(stack(lambda: block(32, 16), 4), nn.LazyLinear(10))
    tied = nn.Sequential(nn.LazyLinear(16), stack(lambda: block(32, 16), 4, tied=True), nn.LazyLinear(10))
    for name, network in (("own parameters", net), ("one block, four times", tied)):
        graph = gn.trace(network, ("N", 16))
        numbers = sum(parameter.numel() for parameter in graph.parameters)
        print(f"{name}: {len(graph.parameters)} parameters, {numbers} numbers, {len(graph.shared)} shared")


if __name__ == "__main__":
    main()
