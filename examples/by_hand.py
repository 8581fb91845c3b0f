"""A network built as a graph, without any module: run, trained, saved and loaded like any other."""

from __future__ import annotations

import graphnet as gn
from graphnet import nn
from graphnet.data import digits


def build() -> gn.Graph:
    with gn.Graph("mlp") as g:
        x = g.input("x", ("N", 64))
        h = g.relu(g.linear(x, 64, name="hidden"))
        h = g.relu(g.linear(h, 64, name="again"))
        h = g.relu(g.linear(h, 64, name="tied", share="again"))  # a shared-weight edge again -> tied
        g.output(g.linear(h, 10, name="out"))
    return g


def main() -> None:
    gn.manual_seed(0)
    images, labels = digits()
    g = build()
    optimizer = gn.optim.Adam(g.parameters, lr=0.003)
    for _ in range(60):
        g.zero_grad()
        loss = nn.functional.cross_entropy(g(images), labels)
        loss.backward()
        optimizer.step()
    print(f"loss {float(loss):.3f}")
    print("shared:", {name: [node.name for node in nodes] for name, nodes in g.shared.items()})

    again = build()
    again.load_state_dict(g.state_dict())
    print("same outputs after loading:", bool((again(images) == g(images)).all()))


if __name__ == "__main__":
    main()
