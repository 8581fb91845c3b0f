"""Compiled networks: a forward pass, or a whole training step, in one C++ call."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from types import NoneType
from typing import Any, NamedTuple

from graphnet.errors import ArgumentError, ArgumentTypeError, GradientError
from graphnet.graph import Graph, nest
from graphnet.ir import TensorType
from graphnet.nn import Module, Parameter
from graphnet.nn.naming import structure_version
from graphnet.optim import Optimizer
from graphnet.passes import clip_norm
from graphnet.program import Program
from graphnet.tensor import SymbolicTensor, Tensor, check_tensor
from graphnet.tensor.core import make
from graphnet.trace import trace

__all__ = ["Compiled", "TrainStep", "compile"]

PLANS = 16  # kept per network; the one used longest ago goes first


class _Plans:
    """Programs by input types, made anew when a module changed or memory moved."""

    def __init__(self, build: Callable[[tuple[Any, ...]], Any]) -> None:
        self._build = build
        self._kept: OrderedDict[tuple[TensorType, ...], tuple[int, Any]] = OrderedDict()

    def find(self, tensors: tuple[Tensor, ...], version: Callable[[], Any]) -> Any:
        key = tuple(t._type() for t in tensors)
        found = self._kept.get(key)
        if found is None or found[0] != version() or found[1].program.moved():
            plan = self._build(tensors)
            found = version(), plan  # after building: it may have filled lazy layers
            self._kept[key] = found
            if len(self._kept) > PLANS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return found[1]


def _tensors(network: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Inputs as tensors; floating-point arrays in the network's float type."""
    if all(isinstance(value, Tensor) for value in inputs):
        return inputs
    if isinstance(network, Graph):
        return tuple(network.take(node, value) for node, value in zip(network.inputs, inputs, strict=False))
    if isinstance(network, Module):
        inputs, _ = network._take_arrays(inputs, {})
    return tuple(check_tensor("input", value) for value in inputs)


class _ForwardPlan(NamedTuple):
    program: Program
    structure: Any


class Compiled:
    """A network that runs as one C++ call per input type. It has the network's values, not its gradients."""

    def __init__(self, network: Any) -> None:
        self.network = network
        self._plans = _Plans(self._build)

    def _build(self, tensors: tuple[Any, ...]) -> _ForwardPlan:
        graph = trace(self.network, *tensors)
        return _ForwardPlan(Program(graph, graph.outputs), graph.structure)

    def __call__(self, *inputs: Any) -> Any:
        """Run it, on tensors or arrays.

        Raises:
            ShapeError, DTypeError, TraceError: as `graphnet.trace`, the first time that inputs of their types come.
            IndexOutOfRangeError: what a kernel found in the data.
        """
        if any(isinstance(i, SymbolicTensor) for i in inputs):
            return self.network(*inputs)
        tensors = _tensors(self.network, inputs)
        plan = self._plans.find(tensors, structure_version)
        results = plan.program.run(tuple(t._values() for t in tensors))
        types = plan.program.types
        return nest(plan.structure, [make(array, dtype) for array, dtype in zip(results, types)])

    def __repr__(self) -> str:
        return f"compile({self.network!r})"


def compile(network: Any) -> Compiled:
    """A network's forward pass as one C++ call.

    Parameters are shared with the network, so training and `load_state_dict` are seen by the next call. Changes of
    the module's structure, mode or attributes are noticed and lead to a new plan.

    Args:
        network: a module, a graph or a function that `graphnet.trace` takes.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(3, 4), gn.nn.ReLU(), gn.nn.Linear(4, 2))
        >>> fast, x = gn.compile(net), gn.ones(5, 3)
        >>> gn.allclose(fast(x), net(x))
        True
    """
    if isinstance(network, type) or not callable(network):
        raise ArgumentTypeError(f"compile: expects a module, a graph or a function, got {network!r:.60}")
    return Compiled(network)


class _StepPlan(NamedTuple):
    program: Program
    updates: list[_Update]
    state: Any  # the optimizer's, held so that a new one cannot have its id


class _Update:
    """The step of a program that updates a parameter."""

    __slots__ = ("group", "numbers", "parameter", "step")

    def __init__(self, step: int, parameter: Parameter, group: dict[str, Any], numbers: tuple[float, ...]) -> None:
        self.step, self.parameter, self.group, self.numbers = step, parameter, group, numbers


class TrainStep:
    """One step of training as one C++ call: forward, loss, backward and the optimizer's update.

    The module's parameters and the optimizer's state are updated in place; `.grad` is not touched.

    Args:
        network: a module or a function that `graphnet.trace` takes.
        loss: called with the network's result and the target; a module or a function.
        optimizer: an optimizer over the network's parameters.
        max_grad_norm: scale the gradients so that their common norm is at most this, as `nn.utils.clip_grad_norm_`
            does between backward and update; None does not. May be changed between steps.

    Raises:
        ArgumentTypeError: not a network, a loss, an optimizer, a number. ArgumentError: a negative norm.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Linear(2, 1)
        >>> step = gn.TrainStep(net, gn.nn.MSELoss(), gn.optim.SGD(net.parameters(), lr=0.1))
        >>> x, y = gn.ones(4, 2), gn.zeros(4, 1)
        >>> step(x, y).item() > step(x, y).item()
        True
    """

    def __init__(self, network: Any, loss: Any, optimizer: Optimizer, *, max_grad_norm: float | None = None) -> None:
        for what, value in (("a network", network), ("a loss", loss)):
            if isinstance(value, type) or not callable(value):
                raise ArgumentTypeError(f"TrainStep: expects {what}, got {value!r:.60}")
        if not isinstance(optimizer, Optimizer):
            raise ArgumentTypeError(f"TrainStep: expects an optimizer, got a {type(optimizer).__name__}")
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.max_grad_norm = max_grad_norm
        self._plans = _Plans(self._build)

    @property
    def max_grad_norm(self) -> float | None:
        """The largest norm of the gradients, or None."""
        return self._max_grad_norm

    @max_grad_norm.setter
    def max_grad_norm(self, value: float | None) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float, NoneType)):
            raise ArgumentTypeError(f"TrainStep: max_grad_norm is a number or None, got {value!r:.60}")
        if value is not None and not value >= 0:
            raise ArgumentError(f"TrainStep: max_grad_norm is a number from 0 up, got {value}")
        self._max_grad_norm = value

    def _version(self) -> tuple[Any, ...]:
        groups = self.optimizer.param_groups
        kept = ((len(g["params"]), self.optimizer.kept(g)) for g in groups)
        return structure_version(), id(self.optimizer.state), self._max_grad_norm, *kept

    def _build(self, tensors: tuple[Any, ...]) -> _StepPlan:
        def network(*arguments: Any) -> Any:
            return self.loss(self.network(*arguments[:-1]), arguments[-1])

        graph = trace(network, *tensors)
        gradient = graph.gradient()
        found = dict(zip(gradient.trained(), gradient.outputs[1:]))
        chosen = [
            (parameter, group, found[parameter])
            for group in self.optimizer.param_groups
            for parameter in group["params"]
            if parameter in found
        ]
        if not chosen:
            raise GradientError("TrainStep: the loss depends on none of the optimizer's parameters")
        operands = [operand for _, _, operand in chosen]
        if self._max_grad_norm is not None:
            operands = clip_norm(gradient, operands, self._max_grad_norm)
        program = Program(gradient, [gradient.outputs[0], *operands], copied=1)
        updates = []
        for (parameter, group, _), operand in zip(chosen, operands):
            outputs = self.optimizer.overwritten(parameter, group)
            numbers = self.optimizer.numbers(parameter, group)
            step = program.update(self.optimizer.kernel, operand, outputs, numbers)
            updates.append(_Update(step, parameter, group, numbers))
        return _StepPlan(program, updates, self.optimizer.state)

    def __call__(self, *inputs: Any) -> Tensor:
        """Do one step: `step(x, y)` with inputs first and the target last. Gives the loss before the update.

        Raises:
            ShapeError, DTypeError, TraceError: as `graphnet.trace`, the first time that inputs of their types come.
            IndexOutOfRangeError: a class label outside its range; nothing was updated then.
        """
        if len(inputs) < 2:
            raise ArgumentTypeError(f"TrainStep: expects inputs and a target, got {len(inputs)} arguments")
        tensors = _tensors(self.network, inputs)
        plan = self._plans.find(tensors, self._version)
        for update in plan.updates:
            numbers = self.optimizer.numbers(update.parameter, update.group)
            if numbers != update.numbers:
                plan.program.set_params(update.step, numbers)
                update.numbers = numbers
        (loss,) = plan.program.run(tuple(t._values() for t in tensors))
        for update in plan.updates:
            self.optimizer.advance(update.parameter)
        self.optimizer.stepped = True
        return make(loss, plan.program.types[0])
