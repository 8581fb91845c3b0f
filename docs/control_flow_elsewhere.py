"""Gives a network with a loop whose number of trips its data decides to what is installed besides graphnet.

    python docs/control_flow_elsewhere.py

Prints for each way to make one graph of it whether that works, and what it says if it does not.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable
from typing import Any

import graphnet as gn
from graphnet import nn

SIZE = 20


class Halving(nn.Module):
    """A layer used twice, and a result halved until it is small."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(SIZE, SIZE)

    def forward(self, x: Any) -> Any:
        """The sum."""
        x = self.linear(x).relu()
        x = self.linear(x)
        while x.abs().sum() > 1:
            x = x / 2
        return x.sum()


def graphnet() -> None:
    """Traced once, differentiated, run for several numbers of trips in one call each."""
    net = Halving()
    gradient = gn.compile(gn.trace(net, ("N", SIZE)).gradient())
    for scale in (1e-3, 1.0, 1e4):
        x = gn.rand(2, SIZE) * scale
        net.zero_grad()
        net(x).backward()
        assert gn.allclose(gradient(x)[1], net.linear.weight.grad, atol=1e-5)


def torch_ways() -> dict[str, Callable[[], object]]:
    """PyTorch's ways to one graph."""
    import torch

    class Theirs(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(SIZE, SIZE)

        def forward(self, x: Any) -> Any:
            x = self.linear(x).relu()
            x = self.linear(x)
            while x.abs().sum() > 1:
                x = x / 2
            return x.sum()

    net, x = Theirs(), torch.rand(2, SIZE)
    ways: dict[str, Callable[[], object]] = {
        "torch.fx.symbolic_trace": lambda: torch.fx.symbolic_trace(net),
        "torch.export.export": lambda: torch.export.export(net, (x,)),
        "torch.compile(fullgraph=True)": lambda: torch.compile(net, fullgraph=True, backend="eager")(x),
    }
    if importlib.util.find_spec("onnx") is not None and importlib.util.find_spec("onnxscript") is not None:
        ways["torch.onnx.export"] = lambda: torch.onnx.export(net, (x,), io.BytesIO(), dynamo=True)
    elif importlib.util.find_spec("onnx") is not None:
        ways["torch.onnx.export"] = lambda: unrolled(torch, net)
    return ways


def unrolled(torch: Any, net: Any) -> None:
    """The older exporter records one run: other numbers of trips come out wrong."""
    import onnx

    file = io.BytesIO()
    torch.onnx.export(net, (torch.rand(2, SIZE),), file, dynamo=False)
    ops = {node.op_type for node in onnx.load_from_string(file.getvalue()).graph.node}
    if "Loop" not in ops:
        raise RuntimeError("no Loop in the model: the trips of the example were recorded")


def jax_ways() -> dict[str, Callable[[], object]]:
    """JAX's own loop, differentiated."""
    import jax
    import jax.numpy as jnp

    def network(w: Any, x: Any) -> Any:
        x = jax.nn.relu(x @ w) @ w
        return jax.lax.while_loop(lambda x: jnp.abs(x).sum() > 1, lambda x: x / 2, x).sum()

    w, x = jnp.ones((SIZE, SIZE)), jnp.ones((2, SIZE))
    return {"jax.grad of jax.lax.while_loop": lambda: jax.jit(jax.grad(network))(w, x)}


def main() -> None:
    """Try all."""
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    ways: dict[str, Callable[[], object]] = {}
    for package, find in (("torch", torch_ways), ("jax", jax_ways)):
        if importlib.util.find_spec(package) is not None:
            ways.update(find())
    ways["graphnet: trace, gradient, compile"] = graphnet
    for name, run in ways.items():
        try:
            with contextlib.redirect_stderr(io.StringIO()):
                run()
            said = "works"
        except Exception as error:  # whatever each of them raises
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            said = f"fails: {type(error).__name__}: {lines[0] if lines else ''}"
        print(f"{name:<36} {said:.140}")


if __name__ == "__main__":
    main()
