"""Two networks side by side on one input, their outputs concatenated."""

from __future__ import annotations

import graphnet as gn
from graphnet import nn


class Parallel(nn.Module):
    """Runs two networks on the same input and concatenates what they give along the last axis."""

    def __init__(self, left: nn.Module, right: nn.Module) -> None:
        super().__init__()
        self.left = left
        self.right = right

    def forward(self, x: gn.Tensor) -> gn.Tensor:
        return gn.cat([self.left(x), self.right(x)], dim=-1)


def main() -> None:
    wide = nn.Sequential(nn.LazyLinear(64), nn.ReLU(), nn.LazyLinear(3))
    narrow = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(2))
    net = nn.Sequential(Parallel(wide, narrow), nn.LazyLinear(10))  # 3 + 2 features go into the last layer
    graph = gn.trace(net, ("N", 20))
    print(net)
    print(graph)

    # One network twice: its parameters are one, and their gradient is the sum over both uses.
    twins = Parallel(wide, wide)
    twins(gn.rand(4, 20)).sum().backward()
    print("shared:", sorted(gn.trace(twins, ("N", 20)).shared))


if __name__ == "__main__":
    main()
