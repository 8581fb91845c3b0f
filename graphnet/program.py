"""Runs operations on arrays: the only Python file that knows the C++ extension."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from graphnet.dtypes import dtype_of
from graphnet.errors import ArgumentError, DTypeError, IndexOutOfRangeError
from graphnet.ir import Constant, Graph, Literal, Node, Operand, TensorType, Value
from graphnet.ops import TABLE, Op
from graphnet.passes.memory import ALIGNMENT, Buffer, Plan, plan

try:
    from graphnet import _core
except ImportError as error:
    if "cannot import name '_core'" not in str(error):
        raise
    raise ImportError(
        "graphnet's C++ extension is not built for this Python: run \"pip install .\" in the repository's root"
    ) from None

__all__ = [
    "Program",
    "config",
    "execute",
    "get_float32_matmul_precision",
    "get_num_threads",
    "run_kernel",
    "set_float32_matmul_precision",
    "set_num_threads",
    "show_config",
]

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

_KERNELS = _core.kernel_ids()
_run = _core.run


def run_kernel(
    name: str, inputs: tuple[Array, ...], outputs: tuple[Array, ...], params: tuple[float, ...] = ()
) -> None:
    """Run a kernel of the table on arrays.

    Raises:
        ArgumentError, DTypeError, IndexOutOfRangeError: what the kernel found wrong with its operands.
    """
    try:
        _run(_KERNELS[name], inputs, outputs, params)
    except IndexError as error:
        raise IndexOutOfRangeError(str(error)) from None
    except ValueError as error:
        raise ArgumentError(str(error)) from None
    except TypeError as error:
        raise DTypeError(str(error)) from None


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
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ArgumentError(f"set_num_threads: expects a whole number from 1 up, got {count!r}")
    _core.set_num_threads(count)


def get_num_threads() -> int:
    """How many threads kernels use at most."""
    return int(_core.get_num_threads())


def config() -> dict[str, Any]:
    """Target, threads, compiler and version of the C++ extension."""
    return dict(_core.config())


def show_config() -> None:
    """Print the target (instruction set), threads, compiler and version of the C++ extension."""
    for name, value in config().items():
        print(f"{name + ':':<12} {', '.join(value) if isinstance(value, list) else value}")


def set_float32_matmul_precision(precision: str) -> None:
    """Choose how float32 products are computed, as torch.set_float32_matmul_precision.

    Args:
        precision: "highest" and "high" compute in float32; "medium" rounds the operands to bfloat16 first where the
            CPU has instructions for it (AVX512-BF16), which is faster and keeps some 3 digits.

    Raises:
        ArgumentError: another word.
    """
    try:
        _core.set_matmul_precision(precision)  # type: ignore[arg-type]
    except (ValueError, TypeError):
        raise ArgumentError(f"the precision is 'highest', 'high' or 'medium', got {precision!r}") from None


def get_float32_matmul_precision() -> str:
    """How float32 products are computed."""
    return str(_core.get_matmul_precision())


class Program:
    """A graph with known sizes as flat instructions over one arena, run in one call.

    The nodes that lead to `outputs` and to the graph's updates are computed in order; then the buffers are updated.
    Parameters and constants are read where they lie, so their values may change between runs; their memory may not
    (see `moved`). Random keys are drawn anew before each run, in the graph's order, needed or not: an eager call
    draws as many.

    Args:
        graph: a graph whose sizes are all numbers.
        outputs: what to compute; results of nodes, parameters, constants or literals.
        copied: how many of the outputs `run` returns; the others are there for steps added with `update`.
    """

    def __init__(self, graph: Graph, outputs: Sequence[Operand], copied: int | None = None) -> None:
        self._program = _core.Program()
        self._lock = threading.Lock()
        self._arrays: dict[Operand, Array] = {}
        self._nodes: list[Node] = []  # of each step, for errors
        self.constants: list[tuple[Any, Array]] = []
        self._fresh: list[tuple[Op, Node, Array]] = []  # sources that give another result at every run
        needed = _needed(graph, [*outputs, *graph.updates.values()])
        nodes = [node for node in graph.nodes if node in needed]
        self.plan = self._allocate(graph, nodes, outputs)
        for node in graph.inputs:
            target = self._arrays[Value(node)]
            self._add(node, "copy", (np.zeros_like(target),), (target,), ())
        for node in nodes:
            if node.op != "input":
                self._instruct(graph, node)
        self._updated: list[Any] = list(graph.updates)
        for buffer, new in graph.updates.items():  # last, so that a run that fails before leaves all as it was
            node = new.node if isinstance(new, Value) else Node("copy", ())
            self._add(node, "copy", (self._array(new),), (self._array(buffer),), ())
        self._outputs = [self._array(o) for o in outputs[:copied]]
        self.types = [dtype_of(array) for array in self._outputs]

    def moved(self) -> bool:
        """Whether a parameter or constant lies elsewhere than when the program was made."""
        return any(constant._array is not array for constant, array in self.constants)

    def update(self, kernel: str, gradient: Operand, outputs: tuple[Array, ...], params: tuple[float, ...]) -> int:
        """Add a step that overwrites memory outside the arena, such as an optimizer's; gives its number."""
        node = gradient.node if isinstance(gradient, Value) else Node(kernel, ())
        return self._add(node, kernel, (self._array(gradient),), outputs, params)

    def set_params(self, step: int, params: tuple[float, ...]) -> None:
        """Change the numbers of a step."""
        self._program.set_params(step, params)

    def run(self, sources: tuple[Array, ...]) -> list[Array]:
        """Compute the outputs, as new arrays.

        Raises:
            ArgumentError, DTypeError, IndexOutOfRangeError: what a kernel found in the data, with its node's place.
        """
        with self._lock:
            for op, drawn, array in self._fresh:
                assert op.source is not None
                array[...] = op.source(drawn.attrs)
            try:
                self._program.run(sources)
            except (IndexError, ValueError, TypeError) as error:
                step = self._program.failed
                place = f"{self._nodes[step].describe()}: " if step >= 0 else ""
                kind = {IndexError: IndexOutOfRangeError, TypeError: DTypeError}.get(type(error), ArgumentError)
                raise kind(f"{place}{error}") from None
            for buffer in self._updated:
                buffer._memory.version += 1
            return [array.copy() for array in self._outputs]  # the arena is written again by the next run

    def __len__(self) -> int:
        return int(self._program.size)

    def _add(self, node: Node, kernel: str, inputs: tuple[Array, ...], outputs: tuple[Array, ...], params: Any) -> int:
        self._nodes.append(node)
        try:
            return int(self._program.add(_KERNELS[kernel], inputs, outputs, params))
        except (ValueError, TypeError, RuntimeError) as error:
            raise ArgumentError(f"{node.describe()}: {error}") from None

    def _array(self, operand: Operand) -> Array:
        found = self._arrays.get(operand)
        if found is None:
            if isinstance(operand, Literal):
                found = np.asarray(operand.value, operand.dtype.dtype)
            else:
                assert isinstance(operand, Constant)
                found = operand._values()
                self.constants.append((operand, found))
            self._arrays[operand] = found
        return found

    def _allocate(self, graph: Graph, nodes: Sequence[Node], outputs: Sequence[Operand]) -> Plan:
        """Give every result its place in the arena."""
        end = len(nodes)
        owner: dict[Value, Value] = {}  # views live where what they look at lives
        last: dict[Value, int] = {}
        first: dict[Value, int] = {}
        for index, node in enumerate(nodes):
            for operand in node.inputs:
                if isinstance(operand, Value):
                    last[owner[operand]] = index
            value = Value(node)
            viewed = node.inputs[0] if _is_view(graph, node) else None
            owner[value] = owner[viewed] if isinstance(viewed, Value) else value
            first.setdefault(owner[value], 0 if node.op == "input" else index)
            last.setdefault(owner[value], index)
        for output in (*outputs, *graph.updates.values()):
            if isinstance(output, Value):
                last[owner[output]] = end
        mine = [v for v in first if not (v.node.op != "input" and _is_view(graph, v.node))]
        buffers = []
        for value in mine:
            shape, dtype = graph.type_of(value)
            buffers.append(Buffer(int(math.prod(shape)) * dtype.itemsize, first[value], last[value]))
        planned = plan(buffers)
        arena: Array = np.empty(planned.size + ALIGNMENT, np.uint8)
        skew = -arena.ctypes.data % ALIGNMENT
        for value, buffer, offset in zip(mine, buffers, planned.offsets):
            shape, dtype = graph.type_of(value)
            memory = arena[skew + offset : skew + offset + buffer.size]
            self._arrays[value] = memory.view(dtype.dtype).reshape(shape)
        return planned

    def _instruct(self, graph: Graph, node: Node) -> None:
        """Turn a node into steps."""
        op, result = TABLE[node.op], Value(node)
        arrays = [self._array(o) for o in node.inputs]
        if op.source is not None:
            self._arrays[result] = op.source(node.attrs) if not op.fresh else self._drawn(graph, op, node)
            return
        if op.view is not None:
            if _is_view(graph, node):
                self._arrays[result] = op.view(arrays[0], node.attrs)
            else:
                out = self._arrays[result]
                self._add(node, "copy", (arrays[0],), (out.reshape(arrays[0].shape),), ())
            return
        out = self._arrays[result]
        if op.zeroed:
            self._add(node, "copy", (np.zeros((), out.dtype),), (out,), ())
        shapes = [a.shape for a in arrays]
        assert op.kernel is not None
        params = op.params(node.attrs, shapes) if op.params is not None else ()
        self._add(node, op.kernel, tuple(arrays), (_target(op, out, node.attrs, shapes),), params)

    def _drawn(self, graph: Graph, op: Op, node: Node) -> Array:
        """Memory of its own for what is drawn before each run."""
        shape, dtype = graph.type_of(Value(node))
        array: Array = np.empty(shape, dtype.dtype)
        self._fresh.append((op, node, array))
        return array


def _needed(graph: Graph, outputs: Sequence[Operand]) -> set[Node]:
    """The nodes that lead to the outputs, the inputs, and what is drawn anew at every run."""
    needed: set[Node] = set(graph.inputs)
    needed.update(node for node in graph.nodes if node.op in TABLE and TABLE[node.op].fresh)
    stack = [o.node for o in outputs if isinstance(o, Value)]
    while stack:
        node = stack.pop()
        if node not in needed:
            needed.add(node)
            stack.extend(node.sources)
    return needed


def _is_view(graph: Graph, node: Node) -> bool:
    """Whether a node's result lies in the memory of its operand: not where that would have to be packed first."""
    op = TABLE.get(node.op)
    if op is None or op.view is None or node.inputs[0] in graph.updates:  # the old value is gone after a run
        return False
    return not op.packed or _is_contiguous(graph, node.inputs[0])


def _is_contiguous(graph: Graph, operand: Operand) -> bool:
    """Whether a value lies in row-major order: results of kernels do, views may not."""
    while isinstance(operand, Value):
        node = operand.node
        op = TABLE.get(node.op)
        if op is None or op.view is None:
            return op is None or op.source is None
        if node.op not in ("reshape", "detach"):
            return False
        if op.packed and not _is_contiguous(graph, node.inputs[0]):
            return True  # it was packed
        operand = node.inputs[0]
    return not isinstance(operand, Constant) or bool(operand._values().flags.c_contiguous)
