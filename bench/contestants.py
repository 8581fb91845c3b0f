"""Who trains and runs the same network in bench.step, each as its users would write it."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

RATE, MOMENTUM = 0.001, 0.9


class Case(NamedTuple):
    """What every contestant is given: weights as (out, in), biases, a batch and its labels."""

    parameters: list[Any]  # weight, bias, weight, bias, ...
    x: Any
    labels: Any


class Contestant(NamedTuple):
    step: Callable[[], Any] | None
    infer: Callable[[], Any] | None
    parameters: Callable[[], list[Any]] | None


def make_case(widths: list[int], batch: int) -> Case:
    """The same numbers in every process."""
    import numpy as np

    random = np.random.default_rng(0)
    parameters = []
    for fan_in, fan_out in itertools.pairwise(widths):
        scale = np.sqrt(2 / fan_in)
        parameters.append((random.standard_normal((fan_out, fan_in)) * scale).astype(np.float32))
        parameters.append((random.standard_normal(fan_out) * 0.1).astype(np.float32))
    x = random.standard_normal((batch, widths[0])).astype(np.float32)
    return Case(parameters, x, random.integers(0, widths[-1], batch))


def _network(case: Case) -> tuple[Any, Any, Any, Any]:
    import graphnet as gn
    from graphnet import nn

    layers: list[Any] = []
    for index, weight in enumerate(case.parameters[::2]):
        layers += [nn.ReLU()] * (index > 0) + [nn.Linear(*weight.shape[::-1])]
    net = nn.Sequential(*layers)
    for parameter, value in zip(net.parameters(), case.parameters):
        parameter.data.copy_(gn.from_numpy(value))
    optimizer = gn.optim.SGD(net.parameters(), lr=RATE, momentum=MOMENTUM)
    return net, optimizer, gn.from_numpy(case.x), gn.from_numpy(case.labels)


def eager(case: Case) -> Contestant:
    """graphnet as a training loop is usually written."""
    import numpy as np

    import graphnet as gn
    from graphnet import nn

    net, optimizer, x, labels = _network(case)

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

    net, optimizer, x, labels = _network(case)
    train, infer = gn.TrainStep(net, nn.CrossEntropyLoss(), optimizer), gn.compile(net)
    return Contestant(
        lambda: train(x, labels), lambda: infer(x), lambda: [np.asarray(p.data) for p in net.parameters()]
    )


def by_hand(case: Case) -> Contestant:
    """What one would write with NumPy alone; it allocates, but does nothing twice."""
    import numpy as np

    x, labels = case.x, case.labels
    parameters = [w.copy() for w in case.parameters]
    momenta = [np.zeros_like(w) for w in parameters]
    rows, last = np.arange(len(labels)), len(parameters) - 2

    def forward() -> list[Any]:
        values = [x]
        for i in range(0, len(parameters), 2):
            y = values[-1] @ parameters[i].T + parameters[i + 1]
            values.append(y if i == last else np.maximum(y, 0))
        return values

    def step() -> None:
        values = forward()
        logits = values[-1]
        error = np.exp(logits - logits.max(axis=1, keepdims=True))
        error /= error.sum(axis=1, keepdims=True)
        error[rows, labels] -= 1
        error /= len(labels)
        for i in range(last, -1, -2):
            below = values[i // 2]
            gradients = error.T @ below, error.sum(axis=0)
            if i:
                error = error @ parameters[i]
                error[below <= 0] = 0
            for parameter, momentum, gradient in zip(parameters[i : i + 2], momenta[i : i + 2], gradients):
                momentum *= MOMENTUM
                momentum += gradient
                parameter -= RATE * momentum

    return Contestant(step, lambda: forward()[-1], lambda: parameters)


def _torch(case: Case, whole: bool) -> Contestant:
    import torch
    from torch import nn

    layers: list[Any] = []
    for index, weight in enumerate(case.parameters[::2]):
        layers += [nn.ReLU()] * (index > 0) + [nn.Linear(*weight.shape[::-1])]
    net: Any = nn.Sequential(*layers)
    with torch.no_grad():
        for parameter, value in zip(net.parameters(), case.parameters):
            parameter.copy_(torch.from_numpy(value))
    parameters = list(net.parameters())
    optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=MOMENTUM)
    x, labels = torch.from_numpy(case.x), torch.from_numpy(case.labels)

    def loss() -> Any:
        return nn.functional.cross_entropy(net(x), labels)

    run_loss, run_net = (torch.compile(loss), torch.compile(net)) if whole else (loss, net)

    def step() -> None:
        optimizer.zero_grad()
        run_loss().backward()
        optimizer.step()

    def infer() -> Any:
        with torch.inference_mode():
            return run_net(x)

    return Contestant(step, infer, lambda: [p.detach().numpy() for p in parameters])


def pytorch(case: Case) -> Contestant:
    """Eager PyTorch."""
    return _torch(case, False)


def torch_compile(case: Case) -> Contestant:
    """PyTorch with the loss compiled; compiling is not timed."""
    return _torch(case, True)


def jax(case: Case) -> Contestant:
    """Compiled as a whole by jax.jit, with the old parameters' memory given away; compiling is not timed."""
    import jax
    import jax.numpy as jnp

    def forward(parameters: Any, x: Any) -> Any:
        for i in range(0, len(parameters), 2):
            x = x @ parameters[i].T + parameters[i + 1]
            x = jnp.maximum(x, 0) if i < len(parameters) - 2 else x
        return x

    def loss(parameters: Any, x: Any, labels: Any) -> Any:
        logits = jax.nn.log_softmax(forward(parameters, x))
        return -jnp.take_along_axis(logits, labels[:, None], axis=1).mean()

    def update(parameters: Any, momenta: Any, x: Any, labels: Any) -> Any:
        value, gradients = jax.value_and_grad(loss)(parameters, x, labels)
        momenta = [MOMENTUM * m + g for m, g in zip(momenta, gradients)]
        return value, [p - RATE * m for p, m in zip(parameters, momenta)], momenta

    x, labels = jnp.asarray(case.x), jnp.asarray(case.labels)
    parameters = [jnp.array(w) for w in case.parameters]
    state: list[Any] = [parameters, [jnp.zeros_like(p) for p in parameters]]
    train, run = jax.jit(update, donate_argnums=(0, 1)), jax.jit(forward)

    def step() -> None:
        _, *state[:] = train(*state, x, labels)
        jax.block_until_ready(state)

    return Contestant(step, lambda: run(state[0], x).block_until_ready(), lambda: state[0])


def onnxruntime(case: Case) -> Contestant:
    """ONNX Runtime, for inference."""
    import os

    import onnx
    import onnxruntime
    from onnx import helper, numpy_helper

    nodes, weights, value = [], [], "x"
    for i in range(0, len(case.parameters), 2):
        for name, array in ((f"w{i}", case.parameters[i]), (f"b{i}", case.parameters[i + 1])):
            weights.append(numpy_helper.from_array(array, name))
        nodes.append(helper.make_node("Gemm", [value, f"w{i}", f"b{i}"], [f"y{i}"], transB=1))
        value = f"y{i}"
        if i < len(case.parameters) - 2:
            nodes.append(helper.make_node("Relu", [value], [f"r{i}"]))
            value = f"r{i}"
    real = onnx.TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("x", real, case.x.shape)]
    outputs = [helper.make_tensor_value_info(value, real, (len(case.x), case.parameters[-1].size))]
    graph = helper.make_graph(nodes, "net", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    return Contestant(None, lambda: session.run(None, {"x": case.x})[0], None)


CONTESTANTS: dict[str, Callable[[Case], Contestant]] = {
    "compiled": compiled,
    "graphnet": eager,
    "numpy": by_hand,
    "torch": pytorch,
    "torch.compile": torch_compile,
    "jax": jax,
    "onnxruntime": onnxruntime,
}
PACKAGES = {"compiled": "graphnet", "torch.compile": "torch"}


def version(name: str) -> str | None:
    """The version of the package that a contestant needs, or None where it is not installed."""
    import importlib

    with contextlib.suppress(ImportError):
        return str(importlib.import_module(PACKAGES.get(name, name)).__version__)
    return None
