"""Compiled networks: a forward pass, or a whole training step, in one C++ call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

from graphnet.collector import collector_paused
from graphnet.errors import ArgumentError, ArgumentTypeError, GradientError, GraphError, UninitializedError, kind_of
from graphnet.explain import Explanation, explain
from graphnet.graph import Graph
from graphnet.ir import TensorType, Value
from graphnet.nesting import nest
from graphnet.nn import Module, Parameter
from graphnet.nn.changes import Watch, structure_cell
from graphnet.optim import Optimizer
from graphnet.passes import Update, add_updates, clip_norm, optimize
from graphnet.program import DTYPES, Array, Caller, Program, aligned_empty, call_directly
from graphnet.specialize import Specialized
from graphnet.tensor import SymbolicTensor, Tensor, check_tensor
from graphnet.tensor.adaptation import adapted
from graphnet.tensor.control import check_limit
from graphnet.tensor.core import make
from graphnet.trace import Spec, forward_graph, trace

__all__ = ["Compiled", "TrainStep", "compile"]

PLANS = 16  # kept per network; the one used longest ago goes first
STATES = 4  # kept for the same types of inputs: with dropout and without, and the like


def _tensors(network: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Inputs as tensors; floating-point arrays in the network's float type."""
    if isinstance(network, Graph):
        inputs = tuple(network.take(node, value) for node, value in zip(network.inputs, inputs, strict=False))
    elif isinstance(network, Module):
        inputs, _ = network._take_arrays(inputs, {})
    tensors = [check_tensor("input", value) for value in inputs]
    return tuple(t if type(t) is Tensor else make(t._values(), t._dtype) for t in tensors)


def _in_order(network: Any, inputs: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
    """All inputs by position."""
    if isinstance(network, Graph):
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        signature = inspect.Signature([inspect.Parameter(node.name, kind) for node in network.inputs])
    else:
        signature = inspect.signature(network.forward if isinstance(network, Module) else network)
    try:
        bound = signature.bind(*inputs, **named)
    except TypeError as error:
        raise ArgumentTypeError(f"compile: {error}") from None
    if bound.kwargs:
        told = ", ".join(bound.kwargs)
        raise ArgumentTypeError(f"compile: {told}: an input is given by name only where all before it are given")
    return bound.args


def _keep(caller: Caller, plan: Any) -> None:
    """Enter a plan, in the place of those that it replaces or that can be of no use any more."""
    others = [p for p in caller.plans if (p.info.types != plan.info.types if p.valid() else p.info.may_return())]
    same = [p for p in others if p.info.types == plan.info.types]
    caller.plans = [plan, *(p for p in others if p not in same[STATES - 1 :])][:PLANS]


def renew(caller: Caller) -> None:
    """Let plans be used again for which modules are as they were, as after eval() and train()."""
    for plan in caller.plans:
        if not plan.valid() and plan.info.watch.holds():
            plan.renew()


def _types(tensors: Sequence[Tensor]) -> tuple[TensorType, ...]:
    return tuple(t._type() for t in tensors)


class _Info:
    """What is known of a plan besides how to run it."""

    def __init__(self, types: tuple[TensorType, ...], program: Program, guards: Any) -> None:
        self.types, self.program, self.watch = types, program, Watch(guards)
        self.source: Any = None  # the graph before the passes
        self.updates: list[_Update] = []

    def may_return(self) -> bool:
        """Whether a plan that is not valid may be so again, when switches are put back."""
        return self.watch.lives and not self.watch.holds()


def _callable(program: Program, structure: Any, guards: Any) -> Any:
    like = [make(aligned_empty((), dtype.dtype), dtype) for dtype in DTYPES]
    single = structure == 0 or (structure is None and program.results == 1)
    finish = None if single else lambda results: nest(structure, list(results))
    plan = program.callable(like, structure_cell(), finish)
    if guards is not None:
        plan.depend(guards)
    return plan


def _explain(caller: Caller) -> Explanation:
    if not caller.plans:
        raise UninitializedError("explain: there is no plan before the first call, which tells the inputs' sizes")
    return explain(caller.plans[0].info.source)


class _Called:
    __slots__ = ("_call",)
    _call: Callable[[tuple[Any, ...]], Any]
    _caller: Caller

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
        if name in ("network", "loss", "optimizer", "max_trips") and hasattr(self, "_call"):
            self._graphs = self._traces()  # of another network than before
            self._caller.plans = []

    def _traces(self) -> Specialized:
        raise NotImplementedError


class Compiled(_Called):
    """A network that runs as one C++ call per input type. It has the network's values, not its gradients."""

    def __init__(self, network: Any, max_trips: int | None = None) -> None:
        self.network, self.max_trips = network, max_trips
        self._graphs = self._traces()
        self._caller = Caller(train=False)
        self._call = self._caller.call

    def __call__(self, *inputs: Any, **named: Any) -> Any:
        """Run it, on tensors or arrays, which may be named as in the network's `forward`.

        Raises:
            ArgumentTypeError: inputs that `forward` does not take.
            ShapeError, DTypeError, TraceError: as `graphnet.trace`, the first time that inputs of their types come.
            IndexOutOfRangeError: what a kernel found in the data.
        """
        if named:
            inputs = _in_order(self.network, inputs, named)
        result = self._call(inputs)
        return result if result is not NotImplemented else self._prepare(inputs)

    def _traces(self) -> Specialized:
        return Specialized(lambda specs: forward_graph(self.network, specs, self.max_trips), self.network)

    def __getstate__(self) -> dict[str, Any]:
        return {"network": self.network, "max_trips": self.max_trips}  # plans are made anew

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    @collector_paused()
    def _prepare(self, inputs: tuple[Any, ...]) -> Any:
        """A call that no plan fits as it is."""
        if any(isinstance(i, SymbolicTensor) for i in inputs):
            return adapted(self.network)(*inputs)
        tensors = _tensors(self.network, inputs)
        renew(self._caller)
        result = self._call(tensors)
        if result is not NotImplemented:
            return result
        found, structure, guards = self._found(_types(tensors))
        graph = optimize(found)
        program = Program(graph, graph.outputs)
        plan = _callable(program, structure, guards)
        plan.info = _Info(_types(tensors), program, guards)
        plan.info.source = found
        _keep(self._caller, plan)
        return plan.run(tensors)

    def _found(self, types: Sequence[TensorType]) -> tuple[Any, Any, Any]:
        """The graph for inputs of these types, how its outputs are nested, and what else has to stay as it is."""
        if isinstance(self.network, Graph):
            return self.network.bound_to(types), self.network.structure, None
        return self._graphs.find(types)

    def explain(self) -> Explanation:
        """What became of the network in the plan that was used last.

        Raises:
            UninitializedError: it was not called yet.
        """
        return _explain(self._caller)

    def __repr__(self) -> str:
        return f"compile({self.network!r})"


def compile(network: Any, *, max_trips: int | None = None) -> Compiled:
    """A network's forward pass as one C++ call.

    Parameters are shared with the network, so training and `load_state_dict` are seen by the next call. Changes of
    the module's structure, mode or attributes are noticed and lead to a new plan, as are changes of what its code
    reads besides: globals, closures, attributes of classes and objects, lists, dicts, arrays, and values of tensors
    that its code looked at. A network that changes any of these itself is traced anew at every call, so that its code
    runs as often as eagerly; buffers need no new trace.

    Args:
        network: a module, a graph or a function that `graphnet.trace` takes.
        max_trips: how often the body of a loop may run that is captured from a `while` in Python; None for any number.

    Example:
        >>> import graphnet as gn
        >>> net = gn.nn.Sequential(gn.nn.Linear(3, 4), gn.nn.ReLU(), gn.nn.Linear(4, 2))
        >>> fast, x = gn.compile(net), gn.ones(5, 3)
        >>> gn.allclose(fast(x), net(x))
        True
    """
    if isinstance(network, type) or not callable(network):
        raise ArgumentTypeError(f"compile: expects a module, a graph or a function, got {network!r:.60}")
    return Compiled(network, check_limit("compile", max_trips))


class _Update:
    """The step of a program that updates a parameter."""

    def __init__(self, parameter: Parameter, group: dict[str, Any], memory: tuple[Array, ...]) -> None:
        self.parameter, self.group, self.memory = parameter, group, memory
        self.step = -1
        self.chosen: Array | None = None  # whether the last run made it, where that is not certain
        self.numbers: tuple[float, ...] = ()


class TrainStep(_Called):
    """One step of training as one C++ call: forward, loss, backward and the optimizer's update.

    The module's parameters and the optimizer's state are updated in place; `.grad` is not touched.

    Args:
        network: a module or a function that `graphnet.trace` takes.
        loss: called with the network's result and the target; a module or a function.
        optimizer: an optimizer over the network's parameters.
        max_grad_norm: scale the gradients so that their common norm is at most this, as `nn.utils.clip_grad_norm_`
            does between backward and update; None does not. May be changed between steps.
        max_trips: how often the body of a loop may run that is captured from a `while` in Python; None for any number.

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

    def __init__(
        self,
        network: Any,
        loss: Any,
        optimizer: Optimizer,
        *,
        max_grad_norm: float | None = None,
        max_trips: int | None = None,
    ) -> None:
        for what, value in (("a network", network), ("a loss", loss)):
            if isinstance(value, type) or not callable(value):
                raise ArgumentTypeError(f"TrainStep: expects {what}, got {value!r:.60}")
        if not isinstance(optimizer, Optimizer):
            raise ArgumentTypeError(f"TrainStep: expects an optimizer, got {kind_of(optimizer)}")
        self.network, self.loss, self.optimizer = network, loss, optimizer
        self.max_trips = check_limit("TrainStep", max_trips)
        self._graphs = self._traces()
        self._caller = Caller(train=True)
        self._call = self._caller.call
        self.max_grad_norm = max_grad_norm

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
        self._caller.plans = []  # they scale gradients otherwise

    def _traces(self) -> Specialized:
        return Specialized(self._gradient, self.network, self.loss)

    def __getstate__(self) -> dict[str, Any]:
        names = ("network", "loss", "optimizer", "max_grad_norm", "max_trips")
        return {name: getattr(self, name) for name in names}  # plans are made anew

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def __call__(self, *inputs: Any) -> Tensor:
        """Do one step: `step(x, y)` with inputs first and the target last. Gives the loss before the update.

        Raises:
            ShapeError, DTypeError, TraceError: as `graphnet.trace`, the first time that inputs of their types come.
            IndexOutOfRangeError: a class label outside its range; nothing was updated then.
        """
        result: Tensor = self._call(inputs)
        return result if result is not NotImplemented else self._prepare(inputs)

    @collector_paused()
    def _prepare(self, inputs: tuple[Any, ...]) -> Tensor:
        """A step that no plan fits as it is: the first ones, and those after changes of network or optimizer."""
        if len(inputs) < 2:
            raise ArgumentTypeError(f"TrainStep: expects inputs and a target, got {len(inputs)} arguments")
        tensors = _tensors(self.network, inputs)
        renew(self._caller)
        result = self._call(tensors)
        if result is not NotImplemented:
            return result  # type: ignore[no-any-return]
        types = _types(tensors)
        plan = next((p for p in self._caller.plans if p.info.types == types and self._fits(p)), None)
        if plan is None:
            plan = self._build(tensors)
        plan.rest()
        self._push_numbers(plan.info)
        loss: Tensor | None = plan.run(tensors)
        if loss is None:
            raise GraphError("TrainStep: the network changed while a step was made ready")
        for update in plan.info.updates:
            if update.chosen is None or update.chosen:
                self.optimizer.advance(update.parameter)
        self.optimizer.stepped = True
        self._push_numbers(plan.info)
        self._arm(plan)
        return loss

    def explain(self) -> Explanation:
        """What became of the network, its gradients and updates in the plan that was used last.

        Raises:
            UninitializedError: there was no step yet.
        """
        return _explain(self._caller)

    def _chosen(self, trained: Any) -> list[tuple[Parameter, dict[str, Any]]]:
        return [(p, group) for group in self.optimizer.param_groups for p in group["params"] if p in trained]

    def _fits(self, plan: Any) -> bool:
        """Whether a plan is one for the optimizer as it is now."""
        updates: list[_Update] = plan.info.updates
        chosen = self._chosen(plan.info.trained)
        return (
            plan.valid()
            and len(chosen) == len(updates)
            and all(p is u.parameter and group is u.group for (p, group), u in zip(chosen, updates))
            and all(
                len(memory) == len(u.memory) and all(a is b for a, b in zip(memory, u.memory))
                for u in updates
                for memory in [self.optimizer.overwritten(u.parameter, u.group)]
            )
        )

    def _gradient(self, specs: Sequence[Spec]) -> Graph:
        """The loss and its gradients."""

        def network(*arguments: Any) -> Any:
            return adapted(self.loss)(adapted(self.network)(*arguments[:-1]), arguments[-1])

        traced = trace(network, *specs, max_trips=self.max_trips)
        shapes = [traced.type_of(o).shape for o in traced.outputs if isinstance(o, Value)]
        if shapes != [()]:
            what = f"one of shape {shapes[0]}" if len(shapes) == 1 else f"{len(shapes)} results"
            raise GradientError(f"TrainStep: a loss is one number, got {what}; reduce it with .mean() or .sum()")
        reached: dict[Any, int | None] = {}
        gradient = traced.gradient(reached)
        # As in eager training, parameters that no gradient flows to are left as they are: no decay, no momentum.
        numbers = {p: (1 + i, reached[p]) for i, p in enumerate(traced.trained()) if p in reached}
        gradient.structure = (0, numbers)
        return gradient

    def _build(self, tensors: tuple[Any, ...]) -> Any:
        gradient, structure, guards = self._graphs.find(_types(tensors))
        _, found = nest(structure, gradient.outputs)
        updates = [_Update(p, group, self.optimizer.overwritten(p, group)) for p, group in self._chosen(found)]
        if not updates:
            raise GradientError("TrainStep: the loss depends on none of the optimizer's parameters")
        gradients = [found[u.parameter][0] for u in updates]
        if self._max_grad_norm is not None:
            gradients = clip_norm(gradient, gradients, self._max_grad_norm)
        rows = []
        for u, operand in zip(updates, gradients):
            kept = [tensor for _, tensor in self._kept(u)]
            rows.append(Update(self.optimizer.kernel, operand, (u.parameter, *kept), found[u.parameter][1]))
            u.numbers = self.optimizer.numbers(u.parameter, u.group)
        source = add_updates(gradient, rows)
        graph = optimize(source)
        program = Program(graph, graph.outputs, 1, [u.numbers for u in updates])
        steps = program.updates()
        for number, update in enumerate(updates):
            update.step, update.chosen = steps[number], program.chosen.get(number)
        plan = _callable(program, 0, guards)
        plan.info = _Info(_types(tensors), program, guards)
        plan.info.source, plan.info.updates, plan.info.trained = source, updates, set(found)
        _keep(self._caller, plan)
        return plan

    def _push_numbers(self, info: _Info) -> None:
        for update in info.updates:
            numbers = self.optimizer.numbers(update.parameter, update.group)
            if numbers != update.numbers:
                info.program.set_params(update.step, numbers)
                update.numbers = numbers

    def _kept(self, update: _Update) -> list[tuple[str, Tensor]]:
        """What the optimizer keeps for a parameter."""
        names = self.optimizer.kept(update.group)
        return [(name, self.optimizer.state[update.parameter][name]) for name in names]

    def _arm(self, plan: Any) -> None:
        """Let the plan take steps by itself, as long as it finds the optimizer as it is now."""
        optimizer = self.optimizer
        varying = {id(group): optimizer.varying(group) for group in optimizer.param_groups}
        plain = all(_is_plain(v) for g in optimizer.param_groups for k, v in g.items() if not k.startswith("param"))
        if None in varying.values() or not plain or type(optimizer).advance is not Optimizer.advance:
            return
        if any(u.parameter in optimizer._unwritten for u in plan.info.updates):  # no gradient reached it yet
            return
        rows = []
        for u in plan.info.updates:
            kept = tuple((name, tensor, tensor._values()) for name, tensor in self._kept(u))
            rows.append((u.step, u.parameter, kept, varying[id(u.group)], u.chosen))
        plan.train(optimizer, optimizer.param_groups, rows, optimizer.counted)


def _is_plain(value: Any) -> bool:
    """Whether a setting cannot change but by being another object."""
    if type(value) is tuple:
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


call_directly(Compiled)
call_directly(TrainStep)
