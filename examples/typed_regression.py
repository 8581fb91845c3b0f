"""Linear and softmax regression with type hints throughout: `mypy --strict` accepts this program."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import graphnet as gn
from graphnet import Tensor, nn
from graphnet.nn import functional as F  # noqa: N812


def synthetic(w: Tensor, b: float, count: int) -> tuple[Tensor, Tensor]:
    """Points on a line with a little noise: features (count, len(w)) and labels (count, 1)."""
    x = gn.normal(0, 1, (count, len(w)))
    y = gn.matmul(x, w) + b
    y += gn.normal(0, 0.01, y.shape)
    return x, y.reshape((-1, 1))


def batches(size: int, features: Tensor, labels: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The examples in random order, some at a time."""
    order = gn.randperm(len(features))
    for start in range(0, len(features), size):
        chosen = order[start : start + size]
        yield features[chosen], labels[chosen]


def squared_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Half of the squared difference."""
    return (prediction - target.reshape(prediction.shape)) ** 2 / 2


def by_hand() -> tuple[float, float]:
    """Linear regression with nothing but tensors and gradients."""
    true_w, true_b = gn.tensor([2.0, -3.4]), 4.2
    features, labels = synthetic(true_w, true_b, 500)
    w = gn.normal(0, 0.01, size=(2, 1), requires_grad=True)
    b = gn.zeros(1, requires_grad=True)
    for _ in range(3):
        for x, y in batches(10, features, labels):
            loss = squared_loss(x @ w + b, y).mean()
            loss.backward()
            with gn.no_grad():
                for parameter in (w, b):
                    assert parameter.grad is not None
                    parameter -= 0.1 * parameter.grad
                    parameter.grad.zero_()
    return float((true_w - w.reshape(-1)).abs().max()), abs(true_b - b.item())


class SoftmaxRegression(nn.Module):
    """A linear layer whose outputs are the logits of the classes."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of x (N, inputs)."""
        result: Tensor = self.linear(x)
        return result


def accuracy(logits: Tensor, y: Tensor) -> float:
    """How many of the predictions are right."""
    right = logits.argmax(dim=1).eq(y)
    return float(right.float().mean().item())


def with_layers() -> float:
    """Softmax regression of three clouds of points."""
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(3, 4)) * 3
    labels = gn.arange(3).repeat(50)
    features = gn.tensor(centers[labels.numpy()] + rng.normal(size=(150, 4))).float()
    net = SoftmaxRegression(4, 3)
    optimizer = gn.optim.SGD(net.parameters(), lr=0.1)
    for _ in range(60):
        loss = F.cross_entropy(net(features), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    logits: Tensor = net(features)
    top = logits.topk(2, dim=1)
    assert top.values.shape == (150, 2) and bool((top.values[:, 0] >= top.values[:, 1]).all())
    return accuracy(logits, labels)


if __name__ == "__main__":
    gn.manual_seed(1)
    w_off, b_off = by_hand()
    print(f"weights off by at most {w_off:.3f}, bias by {b_off:.3f}; accuracy {with_layers():.2f}")
    assert w_off < 0.05 and b_off < 0.05
