"""Dimensions of a shape: plain integers, named symbols such as `N`, and polynomials over them.

A symbol stands for a size that is not known yet. `Unifier` learns sizes from equations between
dimensions, in whichever direction the knowledge flows.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any, TypeAlias

from graphnet.errors import TraceError, UninitializedError

__all__ = [
    "Dim",
    "Expr",
    "Shape",
    "Symbol",
    "SymbolicDim",
    "Unifier",
    "WatchedSymbol",
    "exact_quotient",
    "product",
    "render_shape",
    "substitute",
    "symbols",
]

_serial = itertools.count()
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_Terms: TypeAlias = "dict[tuple[Symbol, ...], int]"


class SymbolicDim:
    """A size that is not an integer yet. Sums, products and exact quotients of sizes are sizes too."""

    __slots__ = ()

    def __add__(self, other: object) -> Any:
        return _combine(self, other, 1)

    __radd__ = __add__

    def __sub__(self, other: object) -> Any:
        return _combine(self, other, -1)

    def __rsub__(self, other: object) -> Any:
        return _combine(_multiply(self, -1), other, 1)

    def __mul__(self, other: object) -> Any:
        return _multiply(self, other)

    __rmul__ = __mul__

    def __floordiv__(self, other: object) -> Dim:
        quotient = exact_quotient(self, other)
        if quotient is None:
            raise TraceError(f"{self} // {other} is not a whole size for every {self}: it is only known with data")
        return quotient

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, (int, SymbolicDim)):
            if isinstance(other, int):
                for symbol in symbols((self,)):
                    if isinstance(symbol, WatchedSymbol):
                        symbol.look(sys._getframe(1))
            return _terms(self) == _terms(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(_terms(self).items()))

    def __index__(self) -> int:
        if getattr(self, "placeholder", False):
            raise UninitializedError(
                f"the size {self} of a lazy layer is not known yet: call the module on data, trace it, or load a "
                "state dict first"
            )
        raise TraceError(
            f"the size {self} has no value while a graph is traced from shapes, so it cannot drive Python code "
            "(range, int, an index); trace with a number in its place"
        )

    __int__ = __index__

    def __float__(self) -> float:
        return float(self.__index__())

    def __neg__(self) -> Any:
        return _multiply(self, -1)

    def _unanswerable(self, other: object) -> Any:
        if not isinstance(other, (int, float, SymbolicDim)):
            return NotImplemented
        return self.__index__()  # which says that there is no value

    __lt__ = __le__ = __gt__ = __ge__ = __mod__ = __rmod__ = _unanswerable
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = __rfloordiv__ = _unanswerable

    def __bool__(self) -> bool:
        return True  # an unknown size is taken to be non-zero, as in `if x.shape[0]:`

    def __repr__(self) -> str:
        return str(self)


class Symbol(SymbolicDim):
    """A named unknown size. Its identity counts, not its name.

    A `placeholder` (a lazy layer's unknown size) gives way to a name of the user's when both are equal.
    """

    __slots__ = ("name", "placeholder", "serial")

    def __init__(self, name: str, placeholder: bool = False) -> None:
        self.name = name
        self.placeholder = placeholder
        self.serial = next(_serial)

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __str__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[object, ...]:
        return Symbol, (self.name, self.placeholder)  # a copy is an unknown of its own; within one pickle it stays one


class WatchedSymbol(Symbol):
    """A symbol that notes whether code outside the library compares it with a number, as in `if x.shape[0] == 1`."""

    __slots__ = ("compared",)

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.compared = False

    def __eq__(self, other: object) -> bool:
        if self is not other and isinstance(other, int):
            self.look(sys._getframe(1))
        return self is other

    def __hash__(self) -> int:
        if not self.compared and not sys._getframe(1).f_code.co_filename.startswith(_PACKAGE):
            self.compared = True  # `in {1, 2}` asks for the hash alone
        return id(self)

    def look(self, frame: FrameType) -> None:
        """Note that the symbol is compared there."""
        self.compared = self.compared or not frame.f_code.co_filename.startswith(_PACKAGE)


class Expr(SymbolicDim):
    """A polynomial over symbols with integer coefficients, in normal form."""

    __slots__ = ("terms",)

    def __init__(self, terms: _Terms) -> None:
        self.terms = terms

    def __str__(self) -> str:
        parts = []
        for symbols, factor in self.terms.items():
            names = "*".join(s.name for s in symbols)
            parts.append(names if names and factor == 1 else f"{factor}*{names}" if names else str(factor))
        return "+".join(parts).replace("+-", "-")


Dim: TypeAlias = "int | SymbolicDim"
Shape: TypeAlias = "tuple[Dim, ...]"


def _terms(dim: object) -> _Terms:
    if isinstance(dim, Expr):
        return dim.terms
    if isinstance(dim, Symbol):
        return {(dim,): 1}
    if isinstance(dim, int):
        return {(): int(dim)} if dim else {}
    raise TypeError(f"not a size: {dim!r}")


def _from_terms(terms: _Terms) -> Dim:
    terms = {symbols: factor for symbols, factor in terms.items() if factor}
    if not terms:
        return 0
    if len(terms) == 1:
        ((symbols, factor),) = terms.items()
        if not symbols:
            return factor
        if factor == 1 and len(symbols) == 1:
            return symbols[0]
    return Expr(terms)


def _combine(a: object, b: object, sign: int) -> Any:
    if not isinstance(b, (int, SymbolicDim)):
        return NotImplemented
    terms = dict(_terms(a))
    for symbols, factor in _terms(b).items():
        terms[symbols] = terms.get(symbols, 0) + sign * factor
    return _from_terms(terms)


def _multiply(a: object, b: object) -> Any:
    if not isinstance(b, (int, SymbolicDim)):
        return NotImplemented
    terms: _Terms = {}
    for symbols_a, factor_a in _terms(a).items():
        for symbols_b, factor_b in _terms(b).items():
            symbols = tuple(sorted(symbols_a + symbols_b, key=lambda s: s.serial))
            terms[symbols] = terms.get(symbols, 0) + factor_a * factor_b
    return _from_terms(terms)


def product(dims: Iterable[Dim]) -> Dim:
    """The product of sizes; 1 for none."""
    result: Dim = 1
    for dim in dims:
        result = result * dim
    return result


def exact_quotient(a: object, b: object) -> Dim | None:
    """a / b where b is one term that divides every term of a, else None."""
    divisor = _terms(b)
    if len(divisor) != 1:
        return 1 if _terms(a) == divisor and divisor else None
    ((symbols_b, factor_b),) = divisor.items()
    terms: _Terms = {}
    for symbols_a, factor_a in _terms(a).items():
        rest = list(symbols_a)
        for symbol in symbols_b:
            if symbol not in rest:
                return None
            rest.remove(symbol)
        if factor_a % factor_b:
            return None
        terms[tuple(rest)] = factor_a // factor_b
    return _from_terms(terms)


def substitute(dim: Dim, values: Mapping[Symbol, Dim]) -> Dim:
    """The size with every symbol replaced that `values` knows, as often as it applies."""
    if isinstance(dim, int):
        return dim
    if isinstance(dim, Symbol):
        seen = dim
        found: Dim | None = values.get(dim)
        while isinstance(found, Symbol) and found in values:
            seen, found = found, values[found]
        if found is None:
            return seen
        return found if isinstance(found, (int, Symbol)) else substitute(found, values)
    result: Dim = 0
    for symbols, factor in _terms(dim).items():
        result = result + product([factor, *(substitute(s, values) for s in symbols)])
    return result


def symbols(shape: Iterable[Dim]) -> dict[Symbol, None]:
    """The symbols that occur in sizes, in order."""
    return {s: None for dim in shape if not isinstance(dim, int) for term in _terms(dim) for s in term}


class Unifier:
    """Learns sizes from equations between them.

    `unify(a, b)` says whether a == b can hold and takes it as given from then on; `resolve` applies what
    is known. Equations that do not determine a symbol yet are kept and looked at again once more is known.
    """

    __slots__ = ("_open", "inferred", "values")

    def __init__(self) -> None:
        self.values: dict[Symbol, Dim] = {}
        self.inferred: dict[Any, Any] = {}  # types of results that taught nothing (`graphnet.ops.infer`)
        self._open: list[Dim] = []  # expressions that must come out as 0

    @property
    def knowledge(self) -> tuple[int, int]:
        """How much was learnt: sizes, and equations that do not tell any yet."""
        return len(self.values), len(self._open)

    def resolve(self, dim: Dim) -> Dim:
        """The size with what is known put in."""
        return dim if isinstance(dim, int) else substitute(dim, self.values)

    def resolve_shape(self, shape: Shape) -> Shape:
        """The sizes with what is known put in."""
        for dim in shape:
            if not isinstance(dim, int):
                return tuple([d if isinstance(d, int) else substitute(d, self.values) for d in shape])
        return shape

    def unify(self, a: Dim, b: Dim) -> bool:
        """Take a == b as given; False where that contradicts what is known."""
        if isinstance(a, int) and isinstance(b, int):
            return a == b
        if type(b) is int and type(a) is Symbol and not self._open:  # most sizes of lazy layers
            known = self.values.get(a)
            if known is None and b >= 0:
                self.values[a] = b
                return True
            if type(known) is int:
                return known == b
        if not self._equate(a, b):
            return False
        pending, self._open = self._open, []
        return all(self._equate(dim, 0) for dim in pending)

    def _equate(self, a: Dim, b: Dim) -> bool:
        a, b = self.resolve(a), self.resolve(b)
        if a == b:
            return True
        for symbol, value in sorted(((a, b), (b, a)), key=lambda p: not getattr(p[0], "placeholder", False)):
            if isinstance(symbol, Symbol) and not _mentions(value, symbol):
                if isinstance(value, int) and value < 0:
                    return False
                self.values[symbol] = value
                return True
        terms = dict(_terms(_combine(a, b, -1)))
        constant = terms.pop((), 0)
        if not terms:
            return constant == 0
        if len(terms) == 1:  # factor * symbol^power + constant == 0
            ((symbols, factor),) = terms.items()
            size, rest = divmod(-constant, factor)
            if len(symbols) == 1:
                if rest or size < 0 or (not size and 0 not in (a, b)):  # 5 N == 6 N is a mistake, not an empty N
                    return False
                self.values[symbols[0]] = size
                return True
        self._open.append(_from_terms({**terms, (): constant}))
        return True


def _mentions(dim: Dim, symbol: Symbol) -> bool:
    return any(symbol in symbols for symbols in _terms(dim))


def render_shape(shape: Iterable[Dim]) -> str:
    """A shape as users write it: `(N, 20)`, `(3,)`, `()`."""
    parts = [str(d) for d in shape]
    return f"({parts[0]},)" if len(parts) == 1 else f"({', '.join(parts)})"
