"""Networks of Dive into Deep Learning that several tests use."""

from __future__ import annotations

from typing import Any

import graphnet as gn
from graphnet import nn
from graphnet.nn import functional as F  # noqa: N812


class NestMlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.LazyLinear(20), nn.ReLU(), nn.LazyLinear(50), nn.ReLU())
        self.linear = nn.LazyLinear(60)

    def forward(self, X: Any) -> Any:  # noqa: N803
        return self.linear(self.net(X))


class FixedHiddenMLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rand_weight = gn.rand((20, 20))
        self.linear = nn.LazyLinear(20)

    def forward(self, X: Any) -> Any:  # noqa: N803
        X = self.linear(X)  # noqa: N806
        X = F.relu(X @ self.rand_weight + 1)  # noqa: N806
        X = self.linear(X)  # noqa: N806
        while X.abs().sum() > 1:
            X /= 2  # noqa: N806
        return X.sum()


def chimera() -> nn.Module:
    return nn.Sequential(NestMlp(), nn.LazyLinear(20), FixedHiddenMLP())
