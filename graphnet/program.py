"""Runs operations on arrays, and whole graphs as programs of the extension."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from graphnet import _core
from graphnet.collector import collector_paused
from graphnet.dtypes import bool_, float32, float64, int32, int64
from graphnet.errors import ArgumentError, DTypeError, IndexOutOfRangeError, TripLimitError
from graphnet.ir import BRANCH, ELEMENTWISE, Graph, Literal, Loop, Node, Operand, TensorType, Value
from graphnet.liveness import Liveness
from graphnet.ops import Op, row
from graphnet.passes.memory import Plan

__all__ = [
    "DTYPES",
    "Caller",
    "Guards",
    "Memory",
    "Program",
    "aligned_empty",
    "call_directly",
    "config",
    "execute",
    "fill_uniform",
    "get_float32_matmul_precision",
    "get_num_threads",
    "plain_matmul",
    "run_kernel",
    "set_float32_matmul_precision",
    "set_num_threads",
    "set_tensor_layout",
    "show_config",
    "tensor_maker",
]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_KERNELS = _core.kernel_ids()
DTYPES = (float32, float64, int32, int64, bool_)
"""The data types, in the order of csrc/core.h."""
_NUMBERS = {dtype: i for i, dtype in enumerate(DTYPES)}
_run = _core.run
plain_matmul = _core.matmul
"""Multiply three plain matrices: True, or False with nothing done where `run_kernel` has to look closer."""
aligned_empty = _core.aligned_empty
"""As np.empty, on a cache line's boundary: kernels are up to a fifth faster there, and parameters stay."""
fill_uniform = _core.fill_uniform
"""Fill a contiguous array with what `samples.uniform_array` draws: ten times as fast where it is small."""
tensor_maker = _core.tensor_maker
"""Give what makes tensors over arrays that are otherwise as a given tensor."""
Memory = _core.Memory
"""A piece of memory that tensors share: how often it was overwritten, and by whom it is seen."""


def run_kernel(
    name: str, inputs: tuple[Array, ...], outputs: tuple[Array, ...], params: tuple[float, ...] = ()
) -> None:
    """Run a kernel of the table on arrays.

    Raises:
        ArgumentError, DTypeError, IndexOutOfRangeError: what the kernel found wrong with its operands.
    """
    try:
        _run(_KERNELS[name], inputs, outputs, params)
    except (IndexError, ValueError, TypeError) as error:
        kinds = {IndexError: IndexOutOfRangeError, TypeError: DTypeError}
        raise kinds.get(type(error), ArgumentError)(str(error)) from None


def execute(op: Op, arrays: Sequence[Array], attrs: Mapping[str, Any], result: TensorType) -> Array:
    """Compute one op's result, whose type is known already."""
    if op.source is not None:
        return op.source(attrs)
    if op.view is not None:
        array = arrays[0]
        if op.packed and not array.flags.c_contiguous:
            packed: Array = np.empty(array.shape, array.dtype)
            run_kernel("copy", (array,), (packed,))
            array = packed
        return op.view(array, attrs)
    make = np.zeros if op.zeroed else np.empty
    out: Array = make(result.shape, result.dtype.dtype)
    shapes = [a.shape for a in arrays]
    assert op.kernel is not None
    target = _target(op, out, attrs, shapes)
    if op.seeded:
        run_kernel("copy", (arrays[0],), (out,))
        arrays = arrays[1:]
    run_kernel(op.kernel, tuple(arrays), (target,), op.params(attrs, shapes) if op.params is not None else ())
    return out


def _target(op: Op, out: Array, attrs: Mapping[str, Any], shapes: Sequence[Any]) -> Array:
    """The array that a kernel writes: the result, a part of it, or the result with kept axes."""
    if op.window is not None:
        return op.window(out, attrs)
    return out if op.kernel_shape is None else out.reshape(op.kernel_shape(attrs, shapes))


def set_num_threads(count: int) -> None:
    """Let kernels use at most `count` threads.

    Raises:
        ArgumentError: count is not a positive whole number.

    Example:
        >>> import graphnet as gn
        >>> gn.set_num_threads(gn.get_num_threads())
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"set_num_threads: expects a whole number from 1 up, got {count!r}")
    _core.set_num_threads(count)


def get_num_threads() -> int:
    """How many threads kernels use at most.

    Example:
        >>> import graphnet as gn
        >>> gn.get_num_threads() >= 1
        True
    """
    return int(_core.get_num_threads())


def config() -> dict[str, Any]:
    """Target, threads, compiler and version of the C++ extension.

    Example:
        >>> import graphnet as gn
        >>> "target" in gn.config()
        True
    """
    return dict(_core.config())


def show_config() -> None:
    """Print the target (instruction set), threads, compiler and version of the C++ extension.

    Example:
        >>> import graphnet as gn
        >>> gn.show_config()  # doctest: +ELLIPSIS
        target:...
    """
    for name, value in config().items():
        print(f"{name + ':':<12} {', '.join(value) if isinstance(value, list) else value}")


def set_float32_matmul_precision(precision: str) -> None:
    """Choose how float32 products are computed, as torch.set_float32_matmul_precision.

    Args:
        precision: "highest" and "high" compute in float32; "medium" rounds the operands to bfloat16 first where the
            CPU has instructions for it (AVX512-BF16), which is faster and keeps some 3 digits.

    Raises:
        ArgumentError: another word.

    Example:
        >>> import graphnet as gn
        >>> gn.set_float32_matmul_precision("highest")
    """
    try:
        _core.set_matmul_precision(precision)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise ArgumentError(f"the precision is 'highest', 'high' or 'medium', got {precision!r}") from None


def get_float32_matmul_precision() -> str:
    """How float32 products are computed.

    Example:
        >>> import graphnet as gn
        >>> gn.get_float32_matmul_precision()
        'highest'
    """
    return str(_core.get_matmul_precision())


class Program:
    """A graph with known sizes as flat instructions over one arena, run in one call.

    The nodes that lead to `outputs` and to the graph's updates are computed in order; then the buffers are updated.
    Parameters and constants are read where they lie, so their values may change between runs; their memory may not.
    Inputs are read where the caller has them, and outputs go into new arrays, where that is possible. Random keys are
    drawn anew before each run, in the graph's order, needed or not: an eager call draws as many.

    Args:
        graph: a graph whose sizes are all numbers.
        outputs: what to compute; results of nodes, parameters, constants or literals.
        copied: how many of the outputs a call returns; the others are computed for what they overwrite.
        numbers: what the updates' kernels take besides memory, by the number in their nodes' settings.
    """

    @collector_paused()
    def __init__(
        self,
        graph: Graph,
        outputs: Sequence[Operand],
        copied: int | None = None,
        numbers: Sequence[tuple[float, ...]] = (),
    ) -> None:
        self._program = _core.Program()
        self._nodes: list[Node] = []  # of each step, for errors
        self._numbers = numbers
        self.chosen: dict[int, Array] = {}  # number of an update -> whether the last run made it, if that is open
        self._fresh: list[tuple[Op, Node, Array]] = []  # sources that give another result at every run
        self._stacks: dict[Value, int] = {}
        self._updated: list[Any] = list(graph.updates)
        self.results = len(outputs) if copied is None else copied  # how many a call returns
        self._live = Liveness(graph, [*outputs, *graph.updates.values()])
        self._builder = _core.Builder(self._program, self._live.table, self._nodes, partial(_literal, {}), numbers)
        self.plan = Plan(*self._builder.place(outputs, self.results))
        self._block(graph)
        for buffer, new in graph.updates.items():  # last, so that a run that fails before leaves all as it was
            node = new.node if isinstance(new, Value) else Node("copy", ())
            self._add(node, "copy", (self._array(new),), (self._array(buffer),), ())
        self._builder.finish()
        del self._live, self._builder

    def updates(self) -> dict[int, int]:
        """The steps that are updates, by the number in their nodes' settings."""
        return self._program.updates()

    def set_params(self, step: int, params: tuple[float, ...]) -> None:
        """Change the numbers of a step."""
        self._program.set_params(step, params)

    def callable(self, like: Sequence[Any], version: list[Any], finish: Callable[..., Any] | None = None) -> Any:
        """The program as something that a `Caller` can hold.

        Args:
            like: a tensor of each of `DTYPES`; results are made like them.
            version: a list of one object, which is another one when the network may have changed.
            finish: makes what a call gives of the tuple of results; None for a single one as it is.
        """
        plan = _core.Plan(self._program, list(like), version, self._failed, finish)
        if self._fresh:
            plan.draw([array for _, _, array in self._fresh], self._draw)
        if self._updated:
            plan.update(self._updated)
        return plan

    def _draw(self) -> list[Array]:
        """What every run draws anew."""
        return [op.source(node.attrs) for op, node, _ in self._fresh if op.source is not None]

    def _failed(self, step: int, text: str) -> None:
        place = f"{self._nodes[step].describe()}: " if step >= 0 else ""
        raise {"I": IndexOutOfRangeError, "L": TripLimitError, "T": DTypeError}.get(text[0], ArgumentError)(
            f"{place}{text[1:]}"
        )

    def __len__(self) -> int:
        return int(self._program.size)

    @property
    def stacked(self) -> int:
        """How many bytes the states take that loops kept for their gradients in the last run."""
        return int(self._program.stacked)

    def _add(self, node: Node, kernel: str, inputs: tuple[Array, ...], outputs: tuple[Array, ...], params: Any) -> int:
        self._nodes.append(node)
        try:
            return self._program.add(_KERNELS[kernel], inputs, outputs, params)
        except (ValueError, TypeError, RuntimeError) as error:
            raise ArgumentError(f"{node.describe()}: {error}") from None

    def _array(self, operand: Operand) -> Array:
        """The memory of an operand or result."""
        return self._builder.array(operand)

    def _instruct(self, graph: Graph, node: Node) -> None:
        """Turn a node into steps.

        Not asked again for a node of the same operation and settings whose operands lie alike in memory: it may depend
        on nothing else, apart from control flow and sources.
        """
        if node.op == ELEMENTWISE:
            self._group(graph, node)
            return
        if node.blocks:
            self._control(node)
            return
        op, result = row(node.op), Value(node)
        assert op is not None
        arrays = [self._array(o) for o in node.inputs]
        if op.source is not None:
            if op.fresh:
                self._fresh.append((op, node, self._array(result)))
            else:
                self._builder.put(result, op.source(node.attrs))
            return
        if op.view is not None:
            if self._live.owns(result):
                self._add(node, "copy", (arrays[0],), (self._array(result).reshape(arrays[0].shape),), ())
            else:
                self._builder.put(result, op.view(arrays[0], node.attrs))
            return
        assert op.kernel is not None
        if op.overwrites is not None:
            number: Any = node.attrs["number"]
            memory = tuple(arrays[op.overwrites :])
            if op.chosen:
                self.chosen[number] = np.empty((), np.bool_)
                self._copy(node, arrays[op.overwrites - 1], self.chosen[number])
                branch = self._open(node, self._program.open_branch(self.chosen[number]))
            given = tuple(arrays[: op.overwrites - op.chosen])
            step = self._add(node, op.kernel, given, memory, self._numbers[number])
            self._program.note_update(number, step)
            if op.chosen:
                self._program.middle(branch, None)
                self._program.close(branch)
            return
        out = self._array(result)
        if op.zeroed:
            self._add(node, "copy", (np.zeros((), out.dtype),), (out,), ())
        if op.seeded:
            self._add(node, "copy", (arrays[0],), (out,), ())
        params: tuple[float, ...] = ()
        if op.params is not None or op.kernel_shape is not None or op.window is not None:
            shapes = [a.shape for a in arrays]
            params = op.params(node.attrs, shapes) if op.params is not None else ()
            out = _target(op, out, node.attrs, shapes)
        self._add(node, op.kernel, tuple(arrays[op.seeded :]), (out,), params)

    def _group(self, graph: Graph, node: Node) -> None:
        """Turn operations on elements that run as one loop into a step."""
        block = node.blocks[0]
        members = [inner for inner in block.nodes if inner.op != "input"]
        written = {_key(o): o for inner in members for o in inner.inputs if isinstance(o, Literal)}
        numbers: dict[Any, int] = {Value(inner): i for i, inner in enumerate(block.inputs)}
        for value in (*written, *map(Value, members)):
            numbers[value] = len(numbers)
        operations = []
        for inner in members:
            op = row(inner.op)
            assert op is not None and op.kernel is not None
            dtype = _NUMBERS[block.types[inner][0].dtype]
            operations.append((_KERNELS[op.kernel], [numbers[_key(o)] for o in inner.inputs], dtype))
        arrays = tuple([self._array(o) for o in (*node.inputs, *written.values())])
        outputs = tuple([self._array(Value(node, slot)) for slot in range(len(block.outputs))])
        try:
            step = self._program.add_group(arrays, outputs, operations, [numbers[o] for o in block.outputs])
        except (ValueError, TypeError, RuntimeError) as error:
            raise ArgumentError(f"{node.describe()}: {error}") from None
        self._open(node, step)

    # -- control flow -------------------------------------------------------------------------------------

    def _control(self, node: Node) -> None:
        """Turn a node with blocks into steps, with the steps of its blocks inside."""
        if node.op == BRANCH:
            step = self._open(node, self._program.open_branch(self._array(node.inputs[0])))
            for index, block in enumerate(node.blocks):
                self._block(block)
                for slot, output in enumerate(block.outputs):
                    self._copy(node, self._array(output), self._array(Value(node, slot)))
                if index == 0:
                    self._program.middle(step, None)
            self._program.close(step)
            return
        loop = Loop(node)
        states = [self._array(Value(node, slot)) for slot in range(len(loop.states))]
        for operand, state in zip(loop.states, states):
            self._copy(node, self._array(operand), state)
        trips = self._array(loop.count)
        if loop.condition is not None:
            limit = node.attrs.get("max_trips")
            step = self._open(node, self._program.open_while(trips, -1 if limit is None else int(limit)))  # type: ignore[call-overload]
            self._block(loop.condition)
            self._program.middle(step, self._array(loop.condition.outputs[0]))
        else:
            assert loop.trips is not None
            step = self._open(node, self._program.open_repeat(self._array(loop.trips), trips, loop.backward))
        for inner, stack in zip(loop.body.inputs[len(states) :], loop.stacks):
            assert isinstance(stack, Value)
            self._open(node, self._program.fetch(self._stacks[stack], step, self._array(Value(inner))))
        self._block(loop.body)
        for index, output in enumerate(loop.body.outputs[len(states) :]):
            array = self._array(output)
            number = self._stacks[loop.stack(index)] = self._program.add_stack(array)
            self._open(node, self._program.push(number, step, array))
        self._advance(node, loop.body.outputs[: len(states)], states)
        self._program.close(step)

    def _advance(self, node: Node, outputs: Sequence[Operand], states: Sequence[Array]) -> None:
        """Copy the results of a trip to where the next one reads them; what lies in a state itself goes first."""
        kept = {Value(node, slot) for slot in range(len(states))}
        moves: list[tuple[Array, Array]] = []
        for output, state in zip(outputs, states):
            array = self._array(output)
            if self._live.owner(output) not in kept:
                moves.append((array, state))
            elif array.ctypes.data != state.ctypes.data or array.strides != state.strides:
                between: Array = np.empty(state.shape, state.dtype)
                self._copy(node, array, between)
                moves.append((between, state))
        for array, state in moves:
            self._copy(node, array, state)

    def _open(self, node: Node, step: int) -> int:
        self._nodes.append(node)
        return step

    def _block(self, block: Graph) -> None:
        self._builder.instruct(block, self._instruct)

    def _copy(self, node: Node, source: Array, target: Array) -> None:
        self._add(node, "copy", (source,), (target,), ())


def _literal(known: dict[Any, Array], literal: Literal) -> Array:
    """A number as an array, one for all that are the same."""
    array = known.get(_key(literal))
    if array is None:
        array = known[_key(literal)] = np.asarray(literal.value, literal.dtype.dtype)
    return array


def _key(operand: Operand) -> Any:
    """What stands for an operand among others: 0.0 and -0.0 are two numbers."""
    return (repr(operand.value), operand.dtype) if isinstance(operand, Literal) else operand


Guards = _core.Guards  # whether a list of (holder, key, value) is as it was; see `graphnet.reads`


class Caller:
    """The plans of a compiled network, the one used last first; calls go to the one that fits.

    Attributes:
        plans: what `Program.callable` gives.
        call: takes the inputs as a tuple; NotImplemented where no plan fits.
    """

    def __init__(self, train: bool) -> None:
        self._caller = _core.Caller(train)
        self.call: Callable[[tuple[Any, ...]], Any] = self._caller.function()

    @property
    def plans(self) -> list[Any]:
        """The plans."""
        return self._caller.plans

    @plans.setter
    def plans(self, plans: list[Any]) -> None:
        self._caller.plans = plans


def call_directly(cls: type) -> None:
    """Let calls of a class' instances try the `Caller.call` in their slot `_call` first, with no Python in between."""
    _core.call_directly(cls)


def set_tensor_layout(tensor: type, memory: type) -> None:
    """Tell the extension which class results have, and in which slots their memory is."""
    _core.set_tensor_layout(tensor, memory)
