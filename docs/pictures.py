"""Draws the pictures of this folder: python docs/pictures.py (needs Graphviz)."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import graphnet as gn
from graphnet import nn
from graphnet.cli.train import network

FOLDER = Path(__file__).resolve().parent


class NestMlp(nn.Module):
    """A network within a network."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(32), nn.ReLU())
        self.linear = nn.LazyLinear(16)

    def forward(self, x: Any) -> Any:
        """One after the other."""
        return self.linear(self.net(x))


class FixedHiddenMLP(nn.Module):
    """One layer used twice, a constant matrix, and a loop whose number of trips the data decide."""

    def __init__(self) -> None:
        super().__init__()
        self.rand_weight = gn.rand(20, 20)
        self.linear = nn.LazyLinear(20)

    def forward(self, x: Any) -> Any:
        """Halved until it is small, then summed."""
        x = self.linear(x)
        x = nn.functional.relu(x @ self.rand_weight + 1)
        x = self.linear(x)
        while x.abs().sum() > 1:
            x /= 2
        return x.sum()


def chimera() -> nn.Module:
    """The seed's network of networks."""
    return nn.Sequential(NestMlp(), nn.LazyLinear(20), FixedHiddenMLP())


def tied() -> nn.Module:
    """A layer that stands at three places."""
    shared = nn.LazyLinear(8)
    return nn.Sequential(nn.LazyLinear(8), nn.ReLU(), shared, nn.ReLU(), shared, nn.ReLU(), shared, nn.LazyLinear(1))


class Residual(nn.Module):
    """What goes in is added to what comes out."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Any) -> Any:
        """The sum of both."""
        return x + self.inner(x)


def nested() -> nn.Module:
    """Modules in modules in modules."""

    def block() -> nn.Module:
        return Residual(nn.Sequential(nn.LazyLinear(32), nn.ReLU(), nn.LazyLinear(16)))

    return nn.Sequential(nn.LazyLinear(16), nn.Sequential(block(), block()), nn.LazyLinear(10))


def sick() -> gn.Inspection:
    """A network whose gradients vanish, and half of whose ReLUs are dead."""
    gn.manual_seed(0)
    hidden = [layer for _ in range(5) for layer in (nn.Linear(16, 16), nn.Sigmoid())]
    net = nn.Sequential(*hidden, nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    with gn.no_grad():
        net[10].bias[:8] = -10.0
    return gn.inspect(net, gn.randn(64, 16))


def main(folder: Path = FOLDER) -> None:
    """Draw them all."""
    try:
        for name, net, size in (
            ("digits", network(128), 64),
            ("chimera", chimera(), 20),
            ("tied", tied(), 4),
            ("nested", nested(), 20),
        ):
            print(f"wrote {gn.draw(net, folder / f'{name}.svg', ('N', size), legend=name == 'chimera')}")
        print(f"wrote {gn.draw(nested(), folder / 'nested-1.svg', ('N', 20), depth=1, legend=False)}")
        print(f"wrote {sick().draw(folder / 'inspect.svg', legend=False)}")
    except gn.MissingPackageError as error:
        sys.exit(f"pictures: {error}")


if __name__ == "__main__":
    main()
