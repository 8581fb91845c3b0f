"""Sample operands for every row of the table of ops.

`CASES[name]` lists them. Floating-point operands are given in float64 and taken in the float type that a
test asks for; their values keep away from kinks and ties, so that central differences hold everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphnet.dtypes import bool_, float32, float64, int32, int64
from graphnet.tensor import apply

ULPS = {  # of the result, for ops that are not exactly rounded: what their kernels may be off by
    **dict.fromkeys(("exp", "log", "expm1", "log1p", "sin", "cos", "tanh", "sigmoid", "erf", "pow"), 4),
    **dict.fromkeys(("softmax", "log_softmax", "cross_entropy", "cross_entropy_backward"), 8),
    **dict.fromkeys(
        (
            "gelu",
            "gelu_tanh",
            "silu",
            "softplus",
            "binary_entropy",
            "normalize",
            "normalize_backward",
            "running_statistics",
        ),
        8,
    ),
    **dict.fromkeys(("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"), 2),
    "remainder": 1,
}


@dataclass(frozen=True)
class Case:
    """One call of an op.

    Attributes:
        label: what is special about it.
        operands: arrays and Python numbers.
        attrs: the op's attributes.
        terms: how many products or summands make up one element of the result.
        fixed: attributes hold sizes, so that the operands' sizes cannot be left open.
        smooth: the op can be differentiated at these operands.
    """

    op: str
    label: str
    operands: tuple[Any, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)
    terms: int = 1
    fixed: bool = False
    smooth: bool = True

    def __str__(self) -> str:
        return f"{self.op}-{self.label}"

    def typed(self, dtype: Any) -> list[Any]:
        """The operands with floating-point ones in a dtype."""
        return [o.astype(dtype) if isinstance(o, np.ndarray) and o.dtype.kind == "f" else o for o in self.operands]

    def as_function(self, operands: Sequence[Any]) -> Callable[..., Any]:
        """The op as a function of those of its operands that are arrays."""
        numbers = {i: o for i, o in enumerate(operands) if not isinstance(o, np.ndarray)}

        def function(*arrays: Any) -> Any:
            rest = iter(arrays)
            given = [numbers[i] if i in numbers else next(rest) for i in range(len(operands))]
            return apply(self.op, *given, **self.attrs)

        return function

    @property
    def floats(self) -> list[int]:
        """Which operands are floating-point arrays."""
        return [i for i, o in enumerate(self.operands) if isinstance(o, np.ndarray) and o.dtype.kind == "f"]


CASES: dict[str, list[Case]] = {}


def add(
    op: str, label: str, *operands: Any, terms: int = 1, fixed: bool = False, smooth: bool = True, **attrs: Any
) -> None:
    CASES.setdefault(op, []).append(Case(op, label, operands, attrs, terms, fixed, smooth))


def floats(*shape: int, low: float = 0.3, high: float = 1.7, signed: bool = True) -> Any:
    """Distinct values between low and high in absolute value, and spread evenly."""
    size = int(np.prod(shape))
    rng = np.random.default_rng([size, *shape, len(CASES)])
    values = rng.permutation(np.linspace(low, high, size)) if size else np.zeros(0)
    if signed:
        values = values * rng.choice([-1.0, 1.0], size)
    # rounded to float32, so that both float types see the same numbers
    return values.astype(np.float32).astype(np.float64).reshape(shape)


def integers(*shape: int, low: int = -5, high: int = 6) -> Any:
    return np.random.default_rng([*shape, 7]).integers(low, high, shape)


def bools(*shape: int) -> Any:
    return np.asarray(np.random.default_rng([*shape, 3]).random(shape) < 0.5)


PAIRS: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]] = (
    ("same", (3, 4), (3, 4)),
    ("row", (3, 4), (4,)),
    ("column", (3, 4), (3, 1)),
    ("both", (3, 1, 2), (4, 1)),
    ("scalar", (3, 4), ()),
    ("scalars", (), ()),
    ("one", (1,), (1, 1)),
    ("empty", (0, 3), (1, 3)),
    ("empty-column", (2, 0), (2, 1)),
    ("long", (5, 67), (5, 67)),
)
_CLAMPS = ("clamp_min", "clamp_max")
for _op in ("add", "sub", "mul", "div", "maximum", "minimum", *_CLAMPS, "remainder", "floor_div"):
    for _label, _a, _b in PAIRS:
        add(_op, _label, floats(*_a), floats(*_b, low=0.41, high=1.9))
    add(_op, "number", floats(3, 4), 0.75)
    add(_op, "number-first", 0.75, floats(3, 4))
for _label, _a, _b in PAIRS:
    add("pow", _label, floats(*_a, signed=False), floats(*_b))
for _exponent in (0, 1, 2, 3, -1, 0.5):
    add("pow", f"to-{_exponent}", floats(3, 4, signed=_exponent != 0.5), _exponent)
add("pow", "number-base", 1.5, floats(3, 4))
for _op in ("add", "sub", "mul", "maximum", "minimum", *_CLAMPS):
    add(_op, "integers", integers(3, 4), integers(4, low=1))
for _op in ("floor_div", "remainder"):
    add(_op, "integers", integers(6, 5), np.where(integers(5) < 0, -3, 2))
add("pow", "integers", integers(3, 4), integers(4, low=0, high=4))
for _op in ("add", "mul", "maximum", "minimum"):
    add(_op, "bools", bools(3, 4), bools(4))
for _op in ("eq", "ne", "lt", "le", "gt", "ge"):
    for _label, _a, _b in PAIRS:
        add(_op, _label, floats(*_a), floats(*_b))
    add(_op, "integers", integers(3, 4), integers(4))
    add(_op, "bools", bools(3, 4), bools(4))
    add(_op, "ties", np.array([1.0, 2.0, np.nan]), np.array([1.0, 3.0, np.nan]), smooth=False)
for _label, _a, _b in PAIRS:
    add("relu_backward", _label, floats(*_a), np.maximum(floats(*_b), 0))

SHAPES = ((), (1,), (7,), (3, 4), (2, 3, 5), (0,), (2, 0, 3), (3, 97))
_POSITIVE = ("log", "log1p", "sqrt")
for _op in (
    "neg",
    "expm1",
    "abs",
    "sign",
    "exp",
    "sin",
    "cos",
    "tanh",
    "sigmoid",
    "erf",
    "floor",
    "ceil",
    "relu",
    *_POSITIVE,
):
    for _shape in SHAPES:
        _high = 0.9 if _op in ("floor", "ceil") else 1.7
        add(_op, "x".join(map(str, _shape)) or "scalar", floats(*_shape, high=_high, signed=_op not in _POSITIVE))
for _op in ("exp", "expm1", "tanh", "sigmoid", "erf"):
    add(_op, "wide", floats(5, 31, low=1e-3, high=20), smooth=False)
add("exp", "beyond", np.array([-800.0, -110, 95, 800, np.inf, -np.inf, np.nan]), smooth=False)
add("log", "wide", np.array([1e-30, 1e-3, 1.0, 1e30, 0.0, -1.0, np.inf, np.nan]), smooth=False)
for _op in ("neg", "abs", "sign", "relu"):
    add(_op, "integers", integers(3, 4))
for _op in ("tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh", "round"):
    _low, _high = (1.1, 3.0) if _op == "acosh" else (0.1, 0.4) if _op == "round" else (0.1, 0.9)
    for _shape in SHAPES:
        _x = floats(*_shape, low=_low, high=_high, signed=_op != "acosh")
        add(_op, "x".join(map(str, _shape)) or "scalar", _x)
add("round", "halves", np.array([0.5, 1.5, -0.5, 2.5, 1e20, np.inf, np.nan]), smooth=False)
for _op in ("bitwise_and", "bitwise_or", "bitwise_xor"):
    add(_op, "rows", integers(3, 4), integers(4, low=-9))
    add(_op, "number", integers(3, 4), 6)
for _op in ("shift_left", "shift_right"):
    add(_op, "rows", integers(3, 4, low=-(2**40), high=2**40), integers(4, low=0))
    add(_op, "far", np.array([-8, 4, -1, 7]), np.array([64, 99, -1, 63]))
add("bitwise_not", "matrix", integers(3, 4))
add("bitwise_not", "empty", integers(0, 4))
for _op in ("isnan", "isfinite"):
    add(_op, "special", np.array([[1.0, np.nan, np.inf], [-np.inf, 0.0, -2.0]]))
    add(_op, "empty", floats(0, 2))
    add(_op, "one", floats(1))
for _shape in SHAPES:
    add("logical_not", "x".join(map(str, _shape)) or "scalar", bools(*_shape))
add("where", "same", bools(3, 4), floats(3, 4), floats(3, 4))
add("where", "broadcast", bools(3, 1), floats(4), floats(2, 1, 1))
add("where", "number", bools(3, 4), floats(3, 4), 0.5)
add("where", "scalars", bools(), floats(), floats())
add("where", "empty", bools(0, 4), floats(1, 4), floats(4))
add("where", "integers", bools(3, 4), integers(3, 4), integers(4))
for _dtype in (bool_, int32, int64, float32, float64):
    add("cast", f"float-to-{_dtype.name}", floats(3, 4), dtype=_dtype, smooth=_dtype.is_floating_point)
    add("cast", f"int-to-{_dtype.name}", integers(3, 4), dtype=_dtype)
    add("cast", f"bool-to-{_dtype.name}", bools(3, 4), dtype=_dtype)
add("cast", "empty", floats(0, 2), dtype=int64, smooth=False)
for _shape in SHAPES:
    add("copy", "x".join(map(str, _shape)) or "scalar", floats(*_shape))
    add("detach", "x".join(map(str, _shape)) or "scalar", floats(*_shape))
add("copy", "integers", integers(3, 4))

PRODUCTS: Sequence[tuple[str, tuple[int, ...], tuple[int, ...]]] = (
    ("square", (3, 3), (3, 3)),
    ("odd", (5, 7), (7, 3)),
    ("one", (1, 1), (1, 1)),
    ("blocks", (33, 70), (70, 21)),
    ("no-rows", (0, 3), (3, 2)),
    ("no-terms", (2, 0), (0, 3)),
    ("no-columns", (2, 3), (3, 0)),
    ("batch", (2, 3, 4), (2, 4, 5)),
    ("batch-broadcast", (2, 1, 3, 4), (5, 4, 2)),
    ("batch-and-matrix", (2, 3, 4), (4, 5)),
    ("matrix-and-batch", (3, 4), (2, 4, 5)),
    ("empty-batch", (0, 3, 4), (4, 5)),
)
for _label, _a, _b in PRODUCTS:
    add("matmul", _label, floats(*_a), floats(*_b), terms=_a[-1])
for _label, _x, _in, _out in (
    ("matrix", (5,), 3, 4),
    ("vector", (), 3, 4),
    ("batch", (2, 3), 4, 5),
    ("one", (1,), 1, 1),
    ("empty", (0,), 3, 4),
    ("no-features", (2,), 0, 3),
    ("no-outputs", (2,), 3, 0),
    ("blocks", (33,), 70, 21),
):
    add("linear", _label, floats(*_x, _in), floats(_out, _in), floats(_out), terms=_in + 1)
    add("linear", f"{_label}-no-bias", floats(*_x, _in), floats(_out, _in), terms=_in)

for _shape, _target in (
    ((3, 4), (2, 6)),
    ((3, 4), (12,)),
    ((6,), (2, 1, 3)),
    ((1,), ()),
    ((), (1, 1)),
    ((0, 3), (3, 0, 2)),
    ((2, 3), (-1, 2)),
):
    add("reshape", f"{_shape}-{_target}", floats(*_shape), shape=_target, fixed=True)
for _axes in ((), (0,), (1, 0), (2, 0, 1), (0, 2, 1)):
    add("permute", str(_axes), floats(*(2, 3, 4)[: len(_axes)]), axes=_axes)
add("permute", "empty", floats(0, 3), axes=(1, 0))
for _shape, _target in (
    ((1, 4), (3, 4)),
    ((4,), (2, 3, 4)),
    ((), (2, 2)),
    ((1,), (0,)),
    ((3, 1), (3, 1)),
    ((2, 1, 3), (2, 5, 3)),
):
    add("expand", f"{_shape}-{_target}", floats(*_shape), shape=_target, fixed=True)

_ALL = (None, None, None)
INDICES: Sequence[tuple[str, tuple[int, ...], tuple[Any, ...]]] = (
    ("row", (4, 5), (1, _ALL)),
    ("last", (4, 5), (-1, -2)),
    ("part", (4, 5), ((1, 3, None), (None, None, 2))),
    ("new-axis", (4, 5), (_ALL, None, (0, 1, None))),
    ("nothing", (4, 5), ((2, 2, None), _ALL)),
    ("beyond", (4, 5), ((2, 100, None), (-2, None, None))),
    ("whole", (2, 0), (_ALL, _ALL)),
)
for _label, _shape, _index in INDICES:
    _full = np.zeros(_shape)
    _part = _full[tuple(slice(*e) if isinstance(e, tuple) else e for e in _index)]
    add("slice", _label, floats(*_shape), index=_index, fixed=True)
    add("unslice", _label, floats(*_part.shape), index=_index, shape=_shape, fixed=True)
    add("set_slice", _label, floats(*_shape), floats(*_part.shape), index=_index, fixed=True)
    add("set_slice", f"{_label}-number", floats(*_shape), floats(), index=_index, fixed=True)
for _shape, _axis in (((3,), 0), ((2, 3), 0), ((2, 3), 1), ((1, 1), 1), ((0, 3), 0), ((2, 0), 0)):
    add("iota", f"{_shape}-{_axis}", shape=_shape, axis=_axis, fixed=True)
for _label, _shape, _axis, _start, _length in (
    ("rows", (4, 5), 0, 1, 2),
    ("columns", (4, 5), 1, 0, 5),
    ("nothing", (4, 5), 1, 3, 0),
    ("middle", (2, 6, 3), 1, 4, 2),
):
    add("narrow", _label, floats(*_shape), axis=_axis, start=_start, length=_length, fixed=True)
for _label, _shapes, _axis in (
    ("rows", [(2, 3), (1, 3)], 0),
    ("columns", [(2, 3), (2, 1), (2, 2)], 1),
    ("empty-part", [(2, 3), (0, 3)], 0),
    ("all-empty", [(0, 3), (0, 3)], 1),
    ("single", [(2, 3)], 0),
    ("middle", [(2, 1, 3), (2, 4, 3)], 1),
):
    add("cat", _label, *(floats(*s) for s in _shapes), axis=_axis)
add("cat", "integers", integers(2, 2), integers(2, 3), axis=1)
for _label, _index in (
    ("rows", np.array([2, 0, 2, -1])),
    ("one", np.array([1])),
    ("none", np.zeros(0, np.int64)),
    ("matrix", np.array([[0, 1], [3, 3]])),
):
    add("take", _label, floats(4, 3), _index)
    add("index_add", _label, floats(*_index.shape, 3), _index, shape=(4, 3), fixed=True, terms=4)
    add("set_at", _label, floats(4, 3), floats(*_index.shape, 3), _index, fixed=True, smooth=_label == "one")
add("take", "vector", floats(5), np.array([4, 4, 0]))
_BOTH = (np.array([[2], [0], [-1]]), np.array([0, 1]))
add("take", "two-indices", floats(4, 3, 2), *_BOTH)
add("take", "all-axes", floats(2, 3), np.array([1, 0, 1, 1]), np.array([0, 2, 0, -1]))
add("take", "scalar-index", floats(4, 3), np.array(2), np.array([0, 0]))
add("index_add", "two-indices", floats(3, 2, 2), *_BOTH, shape=(4, 3, 2), fixed=True)
add("set_at", "two-indices", floats(4, 3, 2), floats(3, 2, 2), *_BOTH, fixed=True)
add("set_at", "integers", integers(4, 3), integers(3, 2), *_BOTH, fixed=True)
for _op in ("mul_at", "max_at", "min_at"):
    add(_op, "rows", floats(4, 3), floats(3, 3, high=1.9), np.array([2, 0, -1]), fixed=True, terms=2)
    add(_op, "repeated", floats(4), floats(3, low=0.5), np.array([1, 1, 2]), fixed=True, terms=3)
    add(_op, "two-indices", floats(4, 3, 2), floats(3, 2, 2, high=1.9), *_BOTH, fixed=True, terms=2)
    add(_op, "integers", integers(4, 3), integers(3, 2, low=-7), *_BOTH, fixed=True)
    add(_op, "none", floats(4, 3), floats(0, 3), np.zeros(0, np.int64), fixed=True)
for _op in ("cumsum", "cumprod"):
    for _shape, _axis in (((5,), 0), ((3, 4), 0), ((3, 4), 1), ((0, 3), 0), ((2, 0), 0), ((2, 3, 2), 1)):
        for _exclusive in (False, True):
            for _reverse in (False, True):
                _way = f"{_shape}-{_axis}{'-exclusive' * _exclusive}{'-reverse' * _reverse}"
                add(_op, _way, floats(*_shape), axis=_axis, exclusive=_exclusive, reverse=_reverse, terms=5)
    add(_op, "integers", integers(3, 4), axis=1, exclusive=False, reverse=False)
for _label, _shape, _axis, _index in (
    ("rows", (4, 3), 0, np.array([[2, 0, 1], [2, 3, -1]])),
    ("columns", (4, 3), 1, np.array([[2, 0, 1, 1], [2, 1, 0, 0]])),
    ("middle", (2, 3, 2), 1, np.array([[[0, -1], [1, 1]]])),
    ("vector", (5,), 0, np.array([4, 4, 0])),
    ("scalar", (), 0, np.array(0)),
    ("none", (4, 3), 1, np.zeros((2, 0), np.int64)),
):
    add("gather", _label, floats(*_shape), _index, axis=_axis)
    add("scatter_add", _label, floats(*_index.shape), _index, axis=_axis, shape=_shape, fixed=True, terms=4)
add("gather", "bools", bools(4, 3), np.array([[0, 1, 2]]), axis=0)
for _label, _x, _axis in (
    ("rows", floats(4, 3), 0),
    ("columns", floats(4, 3), 1),
    ("middle", floats(2, 5, 3), 1),
    ("vector", floats(67), 0),
    ("scalar", floats(), 0),
    ("nothing", floats(2, 0), 1),
    ("ties", np.array([[2.0, 1.0, 2.0, 1.0, 2.0]]), 1),
    ("nan", np.array([1.0, np.nan, 3.0, np.nan, -np.inf, np.inf]), 0),
    ("integers", integers(3, 7), 1),
    ("bools", bools(6), 0),
):
    for _down in (False, True):
        _way = f"{_label}{'-down' if _down else ''}"
        add("argsort", _way, _x, axis=_axis, descending=_down, count=None)
        if _x.ndim and _x.shape[_axis] > 2:
            add("argsort", f"{_way}-two", _x, axis=_axis, descending=_down, count=2)

for _label, _shape in (("even", (3, 4)), ("odd", (7,)), ("scalar", ()), ("empty", (0, 3)), ("long", (3, 97))):
    for _p in (0.0, 0.3, 1.0):
        add("dropout_mask", f"{_label}-{_p}", np.array([-3, 8]), shape=_shape, p=_p, dtype=float32, fixed=True)
add("dropout_mask", "double", np.array([5, 1]), shape=(4, 5), p=0.5, dtype=float64, fixed=True)

REDUCED: Sequence[tuple[tuple[int, ...], tuple[int, ...]]] = (
    ((3, 4), (0,)), ((3, 4), (1,)), ((3, 4), (0, 1)), ((2, 3, 4), (0, 2)), ((2, 3, 4), (1,)),
    ((5,), (0,)), ((), ()), ((1, 1), (0,)), ((3, 4), ()), ((4, 131), (1,)), ((131, 4), (0,)),
)  # fmt: skip
_EMPTY: Sequence[tuple[tuple[int, ...], tuple[int, ...]]] = (((0, 3), (0,)), ((0, 3), (1,)), ((2, 0), (0, 1)))
for _op in ("sum", "mean", "prod", "max", "min"):
    for _shape, _axes in (*REDUCED, *(_EMPTY if _op not in ("max", "min") else ())):
        _count = int(np.prod([_shape[a] for a in _axes]))
        _x = floats(*_shape, low=0.9, high=1.1) if _op == "prod" else floats(*_shape)
        for _keep in (False, True):
            _label = f"{_shape}-{_axes}{'-kept' if _keep else ''}"
            add(_op, _label, _x, axes=_axes, keepdims=_keep, terms=_count + 1)
    if _op != "mean":
        add(_op, "integers", integers(3, 4), axes=(1,), keepdims=False)
for _op in ("max", "min"):
    add(_op, "not-reduced-empty", floats(0, 3), axes=(1,), keepdims=False)
    add(_op, "nan", np.array([[1.0, np.nan], [2.0, 3.0]]), axes=(1,), keepdims=False, smooth=False)
add("prod", "zeros", np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 3.0], [1.5, 2.0, -3.0]]), axes=(1,), keepdims=False, terms=3)
for _op in ("any", "all"):
    for _shape, _axes in (*REDUCED, *_EMPTY):
        add(_op, f"{_shape}-{_axes}", bools(*_shape), axes=_axes, keepdims=False)
for _op in ("argmax", "argmin"):
    for _shape, _axes in REDUCED:
        if len(_axes) == 1:
            for _keep in (False, True):
                add(_op, f"{_shape}-{_axes}{'-kept' if _keep else ''}", floats(*_shape), axes=_axes, keepdims=_keep)
    add(_op, "ties", np.array([[2.0, 1.0, 2.0, 1.0]]), axes=(1,), keepdims=False)
    add(_op, "integers", integers(3, 4), axes=(0,), keepdims=False)
    add(_op, "nan", np.array([[1.0, np.nan, 3.0, np.nan]]), axes=(1,), keepdims=False, smooth=False)

for _op in ("softmax", "log_softmax"):
    for _shape in ((4,), (3, 5), (2, 3, 4), (1, 1), (0, 4), (3, 0), (5, 67)):
        add(_op, "x".join(map(str, _shape)), floats(*_shape), terms=max(_shape[-1], 1))
    add(_op, "far-apart", np.array([[1000.0, 0.0, -1000.0], [1e4, 1e4, 1e4]]), terms=3, smooth=False)


def _settings(reduction: str = "mean", ignore_index: int = -100, label_smoothing: float = 0.0) -> dict[str, Any]:
    return {"reduction": reduction, "ignore_index": ignore_index, "label_smoothing": label_smoothing}


def _distribution(*shape: int) -> Any:
    p = floats(*shape, signed=False)
    return (p / p.sum(1, keepdims=True)).astype(np.float32).astype(np.float64)


CLASSES = np.array([2, 0, 4, 1])
for _label, _target, _options in (
    ("classes", CLASSES, {}),
    ("classes-sum", CLASSES, {"reduction": "sum"}),
    ("classes-none", CLASSES, {"reduction": "none"}),
    ("ignored", np.array([2, -100, 4, 1]), {}),
    ("ignored-own", np.array([2, 0, 4, 0]), {"ignore_index": 0}),
    ("smoothed", CLASSES, {"label_smoothing": 0.2}),
    ("smoothed-ignored", np.array([2, -100, 4, 1]), {"label_smoothing": 0.2}),
    ("probabilities", _distribution(4, 5), {}),
    ("probabilities-smoothed", _distribution(4, 5), {"label_smoothing": 0.3, "reduction": "none"}),
):
    _upstream = floats(4) if _options.get("reduction") == "none" else floats()
    _logits, _weight = floats(4, 5), floats(5, signed=False)
    add("cross_entropy", _label, _logits, _target, terms=20, **_settings(**_options))
    add("cross_entropy", f"{_label}-weighted", _logits, _target, _weight, terms=20, **_settings(**_options))
    add("cross_entropy_backward", _label, _logits, _target, _upstream, terms=20, **_settings(**_options))
    add(
        "cross_entropy_backward",
        f"{_label}-weighted",
        _logits,
        _target,
        _upstream,
        _weight,
        terms=20,
        **_settings(**_options),
    )
add("cross_entropy", "one", floats(1, 1), np.array([0]), terms=1, **_settings())
add("cross_entropy", "no-rows", floats(0, 3), np.zeros(0, np.int64), terms=1, **_settings("sum"))
add("cross_entropy_backward", "no-rows", floats(0, 3), np.zeros(0, np.int64), floats(), terms=1, **_settings("sum"))

for _label, _target, _options in (
    ("mean", CLASSES, {}),
    ("sum", CLASSES, {"reduction": "sum"}),
    ("none", CLASSES, {"reduction": "none"}),
    ("ignored", np.array([2, -100, 4, 1]), {}),
    ("ignored-own", np.array([2, 0, 4, 0]), {"ignore_index": 0}),
    ("ignored-none", np.array([2, -100, 4, 1]), {"reduction": "none"}),
):
    _set = {"reduction": "mean", "ignore_index": -100, **_options}
    _flow = floats(4) if _set["reduction"] == "none" else floats()
    for _tail, _more in (("", ()), ("-weighted", (floats(5, signed=False),))):
        add("nll_loss", f"{_label}{_tail}", floats(4, 5), _target, *_more, terms=5, **_set)
        add("nll_loss_backward", f"{_label}{_tail}", floats(4, 5), _target, _flow, *_more, terms=5, **_set)
add("nll_loss", "no-rows", floats(0, 3), np.zeros(0, np.int64), reduction="sum", ignore_index=-100)

for _op in ("gelu", "gelu_tanh", "silu", "softplus"):
    for _shape in SHAPES:
        add(_op, "x".join(map(str, _shape)) or "scalar", floats(*_shape), terms=4)
    add(_op, "wide", floats(5, 31, low=1e-3, high=20), terms=4, smooth=False)
for _label, _a, _b in PAIRS:
    add("leaky_relu", _label, floats(*_a), floats(*_b))
    if _label != "both":
        add(
            "binary_entropy",
            _label,
            floats(*_a, low=0.1, high=0.9, signed=False),
            floats(*_b, low=0.1, high=0.9, signed=False),
            terms=3,
        )
add("leaky_relu", "number", floats(3, 4), 0.25)
add("leaky_relu", "kinks", np.array([0.0, -0.0, np.nan, np.inf, -np.inf]), 0.5, smooth=False)
add("binary_entropy", "ends", np.array([0.0, 0.0, 1.0, 1.0]), np.array([0.0, 1.0, 0.0, 1.0]), smooth=False)
for _label, _shape, _axes in (
    ("lines", (3, 7), (1,)),
    ("columns", (7, 3), (0,)),
    ("wide-columns", (5, 67), (0,)),
    ("middle-kept", (4, 3, 5), (0, 2)),
    ("middle-taken", (4, 5, 3), (1,)),
    ("two", (3, 4, 5), (1, 2)),
    ("all", (4, 5), (0, 1)),
    ("one", (3, 1), (1,)),
    ("long", (2, 301), (1,)),
    ("no-rows", (0, 4), (1,)),
):
    for _center in (True, False):
        _set = {"axes": _axes, "eps": 0.01, "center": _center, "least": 0}
        _way = f"{_label}{'' if _center else '-not-centred'}"
        add("normalize", _way, floats(*_shape), terms=8, fixed=_label == "no-rows", **_set)
        add("normalize_backward", _way, floats(*_shape), floats(*_shape[::-1]).reshape(_shape), terms=24, **_set)
for _label, _shape, _axes in (
    ("columns", (7, 3), (0,)),
    ("middle", (4, 3, 5), (0, 2)),
    ("lines", (3, 7), (1,)),
    ("wide", (5, 300), (0,)),
):
    _kept = next(d for a, d in enumerate(_shape) if a not in _axes)
    _old = (floats(_kept), floats(_kept, signed=False))
    add("running_statistics", _label, floats(*_shape), *_old, 0.3, axes=_axes, terms=8, smooth=False)
for _label, _index in (("rows", np.array([2, 0, 2, 1])), ("matrix", np.array([[0, 1], [3, 3]])), ("one", np.array(1))):
    for _padding, _often in ((None, False), (2, False), (None, True)):
        _way = f"{_label}-{_padding}-{_often}"
        # the padding's entry and shared gradients are what the derivative is not
        _smooth = _padding is None and not _often
        add("embedding", _way, floats(4, 3), _index, padding_idx=_padding, scale_grad_by_freq=_often, smooth=_smooth)


def layouts(array: Any) -> dict[str, Any]:
    """The same elements in other memory: strided, reversed, column-major, broadcast, read-only."""
    array = np.asarray(array)
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype) if array.ndim else np.zeros(2, array.dtype)
    strided = wide[..., ::2] if array.ndim else wide[0, ...]
    strided[...] = array
    readonly = array.copy()
    readonly.flags.writeable = False
    flip = (slice(None, None, -1),) * array.ndim
    return {
        "strided": strided,
        "reversed": np.array(array[flip], order="C")[flip] if array.ndim else array.copy(),
        "column-major": np.array(array, order="F"),
        "read-only": readonly,
    }
