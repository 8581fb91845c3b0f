"""What converted code calls in the place of Python's statements: they run as they are, or become nodes of a graph.

`graphnet.tensor.capture` rewrites a function so that its `while`, `if`, `for`, `and`, `or`, `not`, conditional
expressions and asserts call these. Where no condition is a traced tensor they do what Python does.
"""

from __future__ import annotations

import operator
from collections import OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from graphnet.errors import TraceError, kind_of
from graphnet.places import user_site
from graphnet.tensor.control import run_loop
from graphnet.tensor.core import Base, apply
from graphnet.tensor.nesting import Nesting, flatten, rebuild
from graphnet.tensor.staging import Missing, Variables, decision, record_branch
from graphnet.tensor.state import state as thread
from graphnet.tensor.symbolic import SymbolicTensor

__all__ = ["BUILTINS", "STATEMENTS", "in_block", "refuse"]

UNROLLED = 10_000  # trips of a `for` whose `break` depends on a tensor
_CONTAINERS = (list, dict, set, deque, OrderedDict, defaultdict, bytearray)
_Thunk = Callable[[], Any]


def in_block() -> bool:
    """Whether the body of a loop or a branch is being traced, which runs another number of times than it is traced."""
    return thread.tracer is not None and thread.tracer.running().parent is not None


def refuse(what: str) -> None:
    """Raise TraceError for a side effect where a body is traced."""
    raise TraceError(
        f"{_site()}{what} in the body of a `while` or `if` on a tensor, which is traced once however often it runs; "
        "do it outside, or carry tensors from trip to trip"
    )


def _site() -> str:
    site = user_site()
    return f"{site}: " if site is not None else ""


class _Names:
    """The variables of a statement: how converted code hands them over, and how their values are nested."""

    def __init__(self, get_state: _Thunk, set_state: Callable[[Any], None], names: tuple[str, ...]) -> None:
        self.get, self.set = get_state, set_state
        self.labels = tuple(_label(name) for name in names)
        self.simple = [i for i, name in enumerate(names) if "." not in name and "[" not in name]
        self.all: tuple[Any, ...] = tuple(get_state())  # also attributes and elements, which are not carried
        self.nestings: list[Nesting] = []
        self.variables = Variables([])

    def read(self) -> list[Any]:
        """The leaves of all variables as they are now."""
        now = tuple(self.get())
        for i, (before, after) in enumerate(zip(self.all, now)):
            if i not in self.simple and before is not after and not _missing(before, after) and in_block():
                self.set(self.all)
                refuse(f"{self.labels[i]} is changed")
        leaves: list[Any] = []
        self.nestings, names = [], []
        for i in self.simple:
            found, nesting = flatten(now[i])
            leaves += found
            names += nesting.paths(self.labels[i])
            self.nestings.append(nesting)
        self.variables.names[:] = names
        return leaves

    def write(self, leaves: list[Any], nestings: list[Nesting]) -> None:
        """Give the variables the leaves, nested like this."""
        values = list(self.all)
        at = 0
        for i, nesting in zip(self.simple, nestings):
            count = len(nesting.paths())
            values[i] = rebuild(nesting, leaves[at : at + count])
            at += count
        self.set(tuple(values))


def _missing(a: Any, b: Any) -> bool:
    return isinstance(a, Missing) and isinstance(b, Missing)


def _label(name: str) -> str:
    """A variable as the user knows it; some are the conversion's own."""
    return "the return value" if name.startswith("retval_") else name


def while_stmt(
    test: _Thunk, body: _Thunk, get_state: _Thunk, set_state: Any, symbol_names: tuple[str, ...], opts: Any
) -> None:
    """A `while` statement."""
    names = _Names(get_state, set_state, symbol_names)
    values = names.read()
    known, nestings = values, list(names.nestings)  # what the variables are now

    def enter(values: list[Any]) -> None:
        nonlocal known
        if values is not known:
            names.write(values, nestings)
            known = values

    def run_test(values: list[Any]) -> Any:
        enter(values)
        return test()

    def step(values: list[Any]) -> list[Any]:
        nonlocal known, nestings
        enter(values)
        before = values
        body()
        known = names.read()
        if names.nestings != nestings:
            if in_block():
                raise _RenestedError(list(names.nestings), before)
            nestings = list(names.nestings)
        return known

    while True:
        start = list(nestings)
        try:
            result = run_loop(run_test, step, values, names.variables, thread.max_trips)
            break
        except _RenestedError as change:  # the first value of a variable may tell how it is nested
            values = _fill(names, values, start, change.nestings)
            nestings = change.nestings
            names.variables.names[:] = [
                path for i, nesting in zip(names.simple, nestings) for path in nesting.paths(names.labels[i])
            ]
    if result is not known:
        names.write(result, nestings)


class _RenestedError(Exception):
    """A body gave variables that are nested otherwise than before it."""

    def __init__(self, nestings: list[Nesting], values: list[Any]) -> None:
        super().__init__()
        self.nestings, self.values = nestings, values


def _fill(names: _Names, values: list[Any], have: list[Nesting], want: list[Nesting]) -> list[Any]:
    """Values nested as wanted, where those that are not are missing ones."""
    result: list[Any] = []
    at = 0
    for i, old, new in zip(names.simple, have, want):
        part = values[at : at + len(old.paths())]
        at += len(part)
        if old != new:
            if len(part) != 1 or not (isinstance(part[0], Missing) and part[0].filler):
                raise TraceError(
                    f"{_site()}{names.labels[i]} changes from {old} to {new} in the body of a `while` or `if` on a "
                    "tensor; a graph carries values that are nested alike"
                )
            part = part * len(new.paths())
        result += part
    return result


def if_stmt(
    cond: Any,
    body: _Thunk,
    orelse: _Thunk,
    get_state: _Thunk,
    set_state: Any,
    symbol_names: tuple[str, ...],
    nouts: int,
) -> None:
    """An `if` statement."""
    if not isinstance(cond, SymbolicTensor):
        (body if cond else orelse)()
        return
    names = _Names(get_state, set_state, symbol_names)
    values, before = names.read(), []
    before += names.nestings
    found: list[tuple[list[Any], list[Nesting]]] = []

    def arm(run: _Thunk) -> Callable[[list[Any]], list[Any]]:
        def traced(values: list[Any]) -> list[Any]:
            names.write(values, before)
            run()
            leaves = names.read()
            found.append((leaves, list(names.nestings)))
            return leaves

        return traced

    nested: list[Nesting] = []

    def align(first: list[Any], second: list[Any]) -> tuple[list[Any], list[Any]]:
        a, b = found[0][1], found[1][1]
        names.variables.aligned = a == b == before
        nested[:] = [x if len(x.paths()) != 1 or x.parts is not None else y for x, y in zip(a, b)]
        names.variables.names[:] = [
            path for i, nesting in zip(names.simple, nested) for path in nesting.paths(names.labels[i])
        ]
        return _fill(names, first, a, nested), _fill(names, second, b, nested)

    names.variables.align = align
    outputs = [i for i in names.simple if i < nouts]
    names.variables.kept = lambda: sum(len(n.paths()) for i, n in zip(names.simple, nested) if i in outputs)
    try:
        results = record_branch(cond, arm(body), arm(orelse), values, names.variables)
    except BaseException:
        names.write(values, before)
        raise
    names.write(results, nested)


def for_stmt(
    iter_: Iterable[Any],
    extra_test: _Thunk | None,
    body: Callable[[Any], None],
    get_state: _Thunk,
    set_state: Any,
    symbol_names: tuple[str, ...],
    opts: Any,
) -> None:
    """A `for` statement, which is unrolled; after a `break` on a tensor the rest of it runs only if there was none."""
    undecided = 0
    for item in iter_:
        going = extra_test() if extra_test is not None else True
        if isinstance(going, SymbolicTensor):
            undecided += 1
            if undecided > UNROLLED:
                raise TraceError(f"{_site()}a `for` that only a tensor ends was unrolled {UNROLLED} times")
            count = len(symbol_names)
            if_stmt(going, partial(body, item), lambda: None, get_state, set_state, symbol_names, count)
        elif not going:
            break
        else:
            body(item)


def if_exp(cond: Any, if_true: _Thunk, if_false: _Thunk, expr_repr: str) -> Any:
    """A conditional expression."""
    if not isinstance(cond, SymbolicTensor):
        return if_true() if cond else if_false()
    return _choose(cond, if_true, if_false, "a conditional expression")


def _choose(cond: SymbolicTensor, first: _Thunk, second: _Thunk, name: str) -> Any:
    nestings: list[Nesting] = []

    def arm(run: _Thunk) -> Callable[[list[Any]], list[Any]]:
        def traced(values: list[Any]) -> list[Any]:
            leaves, nesting = flatten(run())
            nestings.append(nesting)
            if nesting != nestings[0]:
                raise TraceError(f"{_site()}{name} is {nestings[0]} or {nesting}; both must be nested alike")
            return leaves

        return traced

    variables = Variables([name] * 99, aligned=False)
    return rebuild_first(nestings, record_branch(cond, arm(first), arm(second), [], variables))


def rebuild_first(nestings: list[Nesting], leaves: list[Any]) -> Any:
    """Leaves nested like the first of several."""
    return rebuild(nestings[0], leaves)


def and_(a: _Thunk, b: _Thunk) -> Any:
    """`a and b`: the second is computed where the first holds."""
    first = a()
    if not isinstance(first, SymbolicTensor):
        return first and b()
    first = _condition(first)
    second = _safe(b)
    return first & second if second is not None else _choose(first, lambda: _truth(b()), lambda: False, "`and`")


def or_(a: _Thunk, b: _Thunk) -> Any:
    """`a or b`: the second is computed where the first does not hold."""
    first = a()
    if not isinstance(first, SymbolicTensor):
        return first or b()
    first = _condition(first)
    second = _safe(b)
    return first | second if second is not None else _choose(first, lambda: True, lambda: _truth(b()), "`or`")


def _condition(value: SymbolicTensor) -> Any:
    return decision(value, user_site())


def _truth(value: Any) -> Any:
    return decision(value, user_site()) if isinstance(value, SymbolicTensor) else bool(value)


def _safe(thunk: _Thunk) -> Any:
    """A traced truth value, where computing it in vain can do no harm; else None."""
    if thread.tracer is None:
        return None
    with thread.tracer.running().block("operand", throwaway=True) as inner:
        value = thunk()
        if not isinstance(value, SymbolicTensor):
            return None
        _truth(value)
    if any(node.op in _RAISING or node.blocks for node in inner.emitter.graph.nodes):
        return None
    return _truth(thunk())


def _joined(values: Iterable[Any], decisive: bool, join: Callable[[Any, Any], Any]) -> Any:
    """The decisive truth value where one of the values has it; else what tensors among them join to."""
    neutral = not decisive
    result: Any = neutral
    for value in values:
        truth = _truth(value)
        if truth is decisive:
            return decisive
        if truth is not neutral:
            result = truth if result is neutral else join(result, truth)
    return result


def all_(values: Iterable[Any]) -> Any:
    """`all(values)`."""
    return _joined(values, False, operator.and_)


def any_(values: Iterable[Any]) -> Any:
    """`any(values)`."""
    return _joined(values, True, operator.or_)


def _extreme(python: Any, name: str) -> Callable[..., Any]:
    """`max` or `min` where the values may be traced tensors."""

    def extreme(*values: Any, **settings: Any) -> Any:
        values = tuple(values[0]) if len(values) == 1 else values
        if settings or not any(isinstance(value, SymbolicTensor) for value in values):
            return python(values, **settings)
        best = values[0]
        for value in values[1:]:
            better = _truth(apply(name, value, best) if isinstance(value, Base) else apply(_TURNED[name], best, value))
            best = apply("where", better, value, best)
        return best

    return extreme


_TURNED = {"gt": "lt", "lt": "gt"}
_RAISING = ("gather", "take", "put", "pick", "index", "embedding", "scatter")  # ops that mind an index out of range


def not_(a: Any) -> Any:
    """`not a`."""
    return apply("logical_not", _condition(a)) if isinstance(a, SymbolicTensor) else not a


def assert_stmt(test: Any, message: _Thunk) -> None:
    """An assert."""
    if isinstance(test, SymbolicTensor):
        raise TraceError(
            f"{_site()}an assert depends on the value of {test._origin}, which a graph does not know; check it "
            "before or after the network"
        )
    if not test:
        raise AssertionError(message())


def raised(error: Any) -> Any:
    """What a `raise` raises."""
    if not in_block():
        return error
    told = f"{type(error).__name__}: {error}" if isinstance(error, BaseException) else getattr(error, "__name__", error)
    new = TraceError(
        f"{_site()}a `raise` ({told}) in the body of a `while` or `if` on a tensor, whose value a graph does not know; "
        "check it before or after the network"
    )
    new.__cause__ = error if isinstance(error, BaseException) else None
    return new


def mutate(target: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """`target.method(...)` of a variable of the function, which may change the target; gives the target."""
    if isinstance(target, _CONTAINERS) and type(target) not in (list, dict) and in_block():
        refuse(f"{method}() of {kind_of(target)}")
    getattr(target, method)(*args, **kwargs)
    return target


def mutate_outside(target: Any, method: str, *args: Any, **kwargs: Any) -> Any:
    """`target.method(...)` of something that is no variable of the function."""
    if isinstance(target, _CONTAINERS) and in_block():
        refuse(f"{method}() of {kind_of(target)} from outside the function")
    return getattr(target, method)(*args, **kwargs)


def set_item(target: Any, key: Any, value: Any) -> Any:
    """`target[key] = value` of a variable of the function; gives the target."""
    target[key] = value
    return target


def set_item_outside(target: Any, key: Any, value: Any) -> None:
    """`target[key] = value` of something that is no variable of the function."""
    if isinstance(target, _CONTAINERS) and in_block():
        refuse(f"an element of {kind_of(target)} from outside the function is assigned")
    target[key] = value


def ld(value: Any) -> Any:
    """A variable that is read."""
    if isinstance(value, Missing):
        raise UnboundLocalError(f"{_site()}{value.name} is used before it has a value")
    return value


def ldu(load: _Thunk, name: str) -> Any:
    """An attribute or element that may not be there."""
    try:
        return load()
    except (KeyError, AttributeError, NameError, IndexError, TypeError):
        return Missing(name)


class FunctionScope:
    """The frame of a converted function: what its `return` gives."""

    def __init__(self, function_name: str, scope_name: str, options: Any) -> None:
        pass

    def __enter__(self) -> FunctionScope:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def ret(self, value: Any, did_return: Any) -> Any:
        """The returned value; None where nothing was returned."""
        return None if isinstance(value, Missing) else value


def with_function_scope(thunk: Callable[[Any], Any], scope_name: str, options: Any) -> Any:
    """The result of a converted lambda."""
    return thunk(FunctionScope("lambda", scope_name, options))


def undefined_return_value() -> Missing:
    """What a function returns before it does."""
    return Missing("the return value", filler=True)


def undefined(name: str) -> Missing:
    """A variable without a value yet."""
    return Missing(_label(name), filler=name.startswith("retval_"))


STATEMENTS: dict[str, Any] = {
    f.__name__: f
    for f in (
        while_stmt, if_stmt, for_stmt, if_exp, and_, or_, not_, assert_stmt, raised, mutate, mutate_outside, set_item,
        set_item_outside, ld, ldu, FunctionScope, with_function_scope,
    )
}  # fmt: skip
BUILTINS: dict[Any, Callable[..., Any]] = {bool: _truth, all: all_, any: any_}
BUILTINS[max], BUILTINS[min] = _extreme(max, "gt"), _extreme(min, "lt")
STATEMENTS["Undefined"], STATEMENTS["UndefinedReturnValue"] = undefined, undefined_return_value
STATEMENTS["autograph_artifact"] = lambda function: function
