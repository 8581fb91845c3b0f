"""Bad input gets a clear error of a documented class: graphnet's own, and the builtin that anybody would catch."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pytest

import graphnet as gn
from graphnet import errors, nn
from graphnet.nn import functional as F  # noqa: N812


def freed() -> Any:
    x = gn.ones(3, requires_grad=True)
    y = x * x
    y.sum().backward()
    return y.sum().backward()


def read_only() -> Any:
    array = np.ones(3, np.float32)
    array.flags.writeable = False
    tensor = gn.from_numpy(array)
    tensor += 1


Classes: TypeAlias = "type[Exception] | tuple[type[Exception], ...]"
Table: TypeAlias = "dict[str, tuple[Callable[[], Any], type[Exception], Classes, str]]"

TENSORS: Table = {
    # what                          call                                     graphnet's class      builtin     text
    "list for a tensor": (
        lambda: gn.relu([1.0, 2.0]),
        gn.ArgumentTypeError,
        TypeError,
        r"relu.*list.*graphnet\.tensor",
    ),
    "list in a layer": (
        lambda: nn.Linear(2, 1)([[1.0, 2.0]]),
        gn.ArgumentTypeError,
        TypeError,
        r"Linear.*test_errors.*list",
    ),
    "list in a loss": (lambda: F.mse_loss([1.0], [1.0]), gn.ArgumentTypeError, TypeError, "mse_loss.*list"),
    "text for a tensor": (lambda: gn.exp("1"), gn.ArgumentTypeError, TypeError, "exp.*str"),
    "None for a tensor": (lambda: gn.exp(None), gn.ArgumentTypeError, TypeError, "exp.*got None"),
    "text as data": (lambda: gn.tensor(["a"]), gn.DTypeError, TypeError, "numbers"),
    "complex data": (lambda: gn.tensor(np.ones(2, complex)), gn.DTypeError, TypeError, "complex"),
    "objects as data": (lambda: gn.tensor([object()]), gn.DTypeError, TypeError, "object|numbers"),
    "None as data": (lambda: gn.tensor(None), gn.DTypeError, TypeError, "None|object"),
    "numbers too large": (lambda: gn.tensor([2**63, 1]), gn.ArgumentError, ValueError, "int64"),
    "a number too large": (lambda: gn.tensor(2**63), gn.ArgumentError, ValueError, "int64"),
    "a number too large to fill with": (lambda: gn.full((1,), 2**63), gn.ArgumentError, ValueError, "int64"),
    "ragged data": (lambda: gn.tensor([[1, 2], [3]]), gn.ArgumentError, ValueError, "equal lengths"),
    "unknown dtype": (lambda: gn.zeros(2, dtype="float16"), gn.DTypeError, TypeError, "float16.*float32"),
    "half an array": (lambda: gn.from_numpy(np.ones(2, np.float16)), gn.DTypeError, TypeError, "float16"),
    "list for from_numpy": (lambda: gn.from_numpy([1.0]), gn.ArgumentTypeError, TypeError, "list"),
    "strings as array": (lambda: gn.as_tensor(np.array(["a"])), gn.DTypeError, TypeError, "U1|<U1|numbers"),
    "negative size": (lambda: gn.zeros(2, -1), gn.ArgumentError, ValueError, "-1"),
    "fractional size": (lambda: gn.ones(2.5), gn.GraphnetError, (TypeError, ValueError), r"2\.5"),
    "infinite size": (lambda: gn.rand(float("inf")), gn.GraphnetError, (TypeError, ValueError), "inf"),
    "nan size": (lambda: gn.randn(3, float("nan")), gn.GraphnetError, (TypeError, ValueError), "nan"),
    "huge size": (lambda: gn.zeros(2**40, 2**40), gn.GraphnetError, (ValueError, MemoryError), "zeros"),
    "text as size": (lambda: gn.zeros("3"), gn.ArgumentTypeError, TypeError, "'3'"),
    "sizes twice": (lambda: gn.rand(2, size=(2,)), gn.ArgumentTypeError, TypeError, "size="),
    "item of several": (lambda: gn.ones(2).item(), gn.ArgumentError, (ValueError, RuntimeError), r"\(2,\)"),
    "truth of several": (lambda: bool(gn.ones(2)), gn.ArgumentError, (ValueError, RuntimeError), "ambiguous"),
    "length of a number": (lambda: len(gn.tensor(1.0)), gn.ArgumentTypeError, TypeError, "0-d"),
    "iterating over a number": (lambda: list(gn.tensor(1.0)), gn.ArgumentTypeError, TypeError, "0-d"),
    "float as index": (lambda: [1][gn.tensor(0.0)], gn.ArgumentTypeError, TypeError, "float32"),
    "read-only memory": (read_only, gn.ArgumentError, (ValueError, RuntimeError), "read-only"),
    "freed graph": (freed, gn.GradientError, RuntimeError, "freed.*retain_graph"),
    "seed as text": (lambda: gn.manual_seed("a"), gn.ArgumentTypeError, TypeError, "'a'"),
    "arange of nothing": (lambda: gn.arange(0, 5, 0), gn.ArgumentError, (ValueError, RuntimeError), "0"),
    "arange to infinity": (lambda: gn.arange(float("inf")), gn.ArgumentError, (ValueError, RuntimeError), "inf"),
    "arange to nan": (lambda: gn.arange(float("nan")), gn.ArgumentError, (ValueError, RuntimeError), "nan"),
    "linspace of a negative count": (lambda: gn.linspace(0, 1, -2), gn.GraphnetError, (ValueError, RuntimeError), "-2"),
    "full of text": (lambda: gn.full((2,), "a"), gn.GraphnetError, TypeError, "str|'a'"),
    "full with one number as size": (lambda: gn.full(2.0, 1), gn.GraphnetError, TypeError, r"2\.0"),
    "randint upside down": (lambda: gn.randint(5, 2, (3,)), gn.ArgumentError, (ValueError, RuntimeError), "5.*2"),
    "randperm of a negative": (lambda: gn.randperm(-1), gn.GraphnetError, (ValueError, RuntimeError), "-1"),
    "too large for its dtype": (lambda: gn.arange(3) + 2**70, gn.ArgumentError, ValueError, "int64"),
    "threads": (lambda: gn.set_num_threads(0), gn.ArgumentError, ValueError, "0"),
    "list in parameter": (lambda: nn.Parameter([1.0]), gn.ArgumentTypeError, TypeError, "tensor"),
    "integers in a parameter": (lambda: nn.Parameter(gn.arange(3)), gn.GradientError, RuntimeError, "int64"),
    "a tensor for a decorator": (lambda: gn.no_grad()(3), gn.ArgumentTypeError, TypeError, "int"),
}

ONE = np.array([1])
OPERATIONS: Table = {
    "array as an axis": (lambda: gn.ones(2, 2).sum(ONE), gn.ArgumentTypeError, TypeError, "sum"),
    "array as a size": (lambda: gn.ones(ONE), gn.ArgumentTypeError, TypeError, "ones"),
    "array as a size of a layer": (lambda: nn.Linear(ONE, 1), gn.GraphnetError, (TypeError, ValueError), "Linear"),
    "array as a bound of a slice": (lambda: gn.ones(2)[ONE:], gn.ArgumentTypeError, TypeError, "index|slice"),
    "array as the end of arange": (lambda: gn.arange(np.ones(2)), gn.ArgumentTypeError, TypeError, "arange"),
    "array as a bound of randint": (lambda: gn.randint(np.ones(0), (1,)), gn.ArgumentTypeError, TypeError, "randint"),
    "list as linspace's count": (lambda: gn.linspace(0, 1, []), gn.GraphnetError, (TypeError, ValueError), "linspace"),
    "array as a seed": (lambda: gn.manual_seed(np.ones(2, int)), gn.ArgumentTypeError, TypeError, "manual_seed"),
    "cat of 0-d tensors": (lambda: gn.cat([gn.tensor(1.0)]), gn.GraphnetError, (ValueError, IndexError), "cat"),
    "assigning rows of a number": (
        lambda: gn.tensor(1.0).__setitem__([], 1.0),
        gn.GraphnetError,
        IndexError,
        "0-d|axes",
    ),
    "text as a dtype": (lambda: gn.ones(2).to("a"), gn.DTypeError, TypeError, "'a'"),
    "shapes that do not broadcast": (
        lambda: gn.ones(2, 3) + gn.ones(4),
        gn.ShapeError,
        ValueError,
        r"\(2, 3\).*\(4,\)",
    ),
    "inner sizes": (lambda: gn.ones(2, 3) @ gn.ones(4, 2), gn.ShapeError, ValueError, "3 columns.*4 rows"),
    "product of a number": (lambda: gn.ones(2) @ gn.tensor(1.0), gn.ShapeError, ValueError, r"\(\)"),
    "product of dtypes": (lambda: gn.ones(2, 2) @ gn.ones(2, 2).double(), gn.DTypeError, TypeError, "float32.*float64"),
    "product of ints": (lambda: gn.ones(2, 2).long() @ gn.ones(2, 2).long(), gn.DTypeError, TypeError, "int64"),
    "mean of ints": (lambda: gn.arange(3).mean(), gn.DTypeError, TypeError, "floating-point.*int64"),
    "minus of bools": (lambda: -gn.tensor([True]), gn.DTypeError, TypeError, "bool"),
    "bool minus bool": (lambda: gn.tensor([True]) - gn.tensor([True]), gn.DTypeError, TypeError, "bool"),
    "and of floats": (lambda: gn.ones(2) & gn.ones(2), gn.DTypeError, TypeError, "float32"),
    "plus text": (lambda: gn.ones(2) + "a", TypeError, TypeError, "unsupported|str"),
    "plus a list": (lambda: gn.ones(2) + list("ab"), TypeError, TypeError, "unsupported|list"),
    "reshape to another size": (lambda: gn.ones(2, 3).reshape(4, 2), gn.ShapeError, ValueError, r"\(4, 2\).*\(2, 3\)"),
    "reshape with two open sizes": (lambda: gn.ones(6).reshape(-1, -1), gn.ShapeError, ValueError, "one size"),
    "reshape that does not divide": (lambda: gn.ones(6).reshape(4, -1), gn.ShapeError, ValueError, "multiple of 4"),
    "reshape of nothing, open": (lambda: gn.zeros(0).reshape(0, -1), gn.ShapeError, ValueError, "-1"),
    "axis that is not there": (lambda: gn.ones(2).sum(1), gn.IndexOutOfRangeError, IndexError, "axis 1.*1 ax"),
    "axis twice": (lambda: gn.ones(2, 2).sum((0, 0)), gn.ArgumentError, (ValueError, RuntimeError), "twice"),
    "axis as text": (lambda: gn.ones(2).sum("0"), gn.ArgumentTypeError, TypeError, "'0'"),
    "axis as fraction": (lambda: gn.ones(2).mean(0.5), gn.ArgumentTypeError, TypeError, r"0\.5"),
    "permute twice the same": (
        lambda: gn.ones(2, 2).permute(0, 0),
        gn.ArgumentError,
        (ValueError, RuntimeError),
        r"\(0, 0\)",
    ),
    "largest of nothing": (lambda: gn.zeros(0).max(), gn.ShapeError, ValueError, "empty"),
    "argmax of nothing": (lambda: gn.zeros(0, 3).argmax(0), gn.ShapeError, ValueError, "empty"),
    "expand to other sizes": (lambda: gn.ones(2).expand(3), gn.ShapeError, ValueError, r"\(2,\).*\(3,\)"),
    "cat of nothing": (lambda: gn.cat([]), gn.ArgumentError, (ValueError, RuntimeError), "no tensors"),
    "cat of a tensor": (lambda: gn.cat(gn.ones(2)), gn.ArgumentTypeError, TypeError, "list or tuple"),
    "cat of other sizes": (
        lambda: gn.cat([gn.ones(2, 2), gn.ones(2, 3)]),
        gn.ShapeError,
        ValueError,
        r"\(2, 3\).*\(2, 2\)",
    ),
    "cat of lists": (lambda: gn.cat([[1.0], [2.0]]), gn.ArgumentTypeError, TypeError, "list"),
    "stack of other sizes": (lambda: gn.stack([gn.ones(2), gn.ones(3)]), gn.ShapeError, ValueError, "3"),
    "index beyond": (lambda: gn.ones(2)[2], gn.IndexOutOfRangeError, IndexError, "2.*axis 0.*size 2"),
    "too many indices": (lambda: gn.ones(2)[0, 0], gn.IndexOutOfRangeError, IndexError, r"2 indices.*\(2,\)"),
    "row index beyond": (lambda: gn.ones(2)[[0, 5]], gn.IndexOutOfRangeError, IndexError, "5"),
    "index as float": (lambda: gn.ones(2)[0.5], gn.ArgumentTypeError, (TypeError, IndexError), r"0\.5"),
    "float tensor as index": (lambda: gn.ones(2)[gn.ones(2)], gn.ArgumentTypeError, (TypeError, IndexError), "float32"),
    "index as text": (lambda: gn.ones(2)["a"], gn.ArgumentTypeError, (TypeError, IndexError), "'a'"),
    "step backwards": (lambda: gn.ones(4)[::-1], gn.GraphnetError, (ValueError, TypeError), "step"),
    "mask of another shape": (
        lambda: gn.ones(3)[gn.tensor([True])],
        gn.ShapeError,
        (ValueError, IndexError),
        r"\(1,\).*\(3,\)",
    ),
    "assigning another shape": (
        lambda: gn.ones(3).__setitem__(slice(0, 2), gn.ones(3)),
        gn.ShapeError,
        ValueError,
        r"\(3,\).*\(2,\)",
    ),
    "assigning rows of another shape": (
        lambda: gn.ones(3, 2).__setitem__([0, 1], gn.ones(3)),
        gn.ShapeError,
        ValueError,
        "3",
    ),
    "assigning beyond": (lambda: gn.ones(3).__setitem__([0, 9], 1.0), gn.IndexOutOfRangeError, IndexError, "9"),
    "assigning a list": (lambda: gn.ones(3).__setitem__(0, [1.0]), gn.ArgumentTypeError, TypeError, "list"),
    "view of a transpose": (lambda: gn.ones(2, 3).T.view(6), gn.ArgumentError, (ValueError, RuntimeError), "reshape"),
    "softmax of a number along 1": (lambda: gn.tensor(1.0).softmax(1), gn.IndexOutOfRangeError, IndexError, "axis 1"),
    "where without bools": (lambda: gn.where(gn.ones(2), 1.0, 2.0), gn.DTypeError, TypeError, "bool.*float32"),
    "t of a cube": (lambda: gn.ones(1, 2, 3).t(), gn.ShapeError, ValueError, r"\(1, 2, 3\)"),
}

LOSSES: Table = {
    "class beyond": (
        lambda: F.cross_entropy(gn.ones(2, 3), gn.tensor([0, 3])),
        gn.IndexOutOfRangeError,
        IndexError,
        "3",
    ),
    "negative class": (
        lambda: F.cross_entropy(gn.ones(2, 3), gn.tensor([0, -1])),
        gn.IndexOutOfRangeError,
        IndexError,
        "-1",
    ),
    "classes as floats": (
        lambda: F.cross_entropy(gn.ones(2, 3), gn.ones(2)),
        gn.DTypeError,
        TypeError,
        "float32.*long",
    ),
    "rows that differ": (
        lambda: F.cross_entropy(gn.ones(2, 3), gn.tensor([0, 1, 2])),
        gn.ShapeError,
        ValueError,
        r"\(2,\).*\(3,\)",
    ),
    "integer logits": (
        lambda: F.cross_entropy(gn.ones(2, 3).long(), gn.tensor([0, 1])),
        gn.DTypeError,
        TypeError,
        "int64",
    ),
    "a weight too few": (
        lambda: F.cross_entropy(gn.ones(2, 3), gn.tensor([0, 1]), gn.ones(2)),
        gn.ShapeError,
        ValueError,
        "3 classes",
    ),
    "unknown reduction": (
        lambda: F.cross_entropy(gn.ones(2, 3), gn.tensor([0, 1]), reduction="avg"),
        gn.ArgumentError,
        ValueError,
        "'avg'",
    ),
    "smoothing beyond 1": (
        lambda: F.cross_entropy(gn.ones(2, 3), gn.tensor([0, 1]), label_smoothing=2),
        gn.ArgumentError,
        (ValueError, RuntimeError),
        "2",
    ),
    "logits without axes": (lambda: F.cross_entropy(gn.tensor(1.0), gn.tensor(0)), gn.ShapeError, ValueError, "logits"),
    "reduction of a module": (lambda: nn.MSELoss(reduction="avg"), gn.ArgumentError, ValueError, "'avg'"),
    "shapes of mse": (
        lambda: F.mse_loss(gn.ones(2, 3), gn.ones(2, 4)),
        gn.GraphnetWarning,
        UserWarning,
        r"\(2, 3\).*\(2, 4\)",
    ),
    "linear of another size": (lambda: F.linear(gn.ones(1, 3), gn.ones(2, 4)), gn.ShapeError, ValueError, "4.*3"),
    "linear with another bias": (
        lambda: F.linear(gn.ones(1, 3), gn.ones(2, 3), gn.ones(3)),
        gn.ShapeError,
        ValueError,
        r"\(2,\).*\(3,\)",
    ),
}


def weight() -> Any:
    return nn.Parameter(gn.ones(2))


OPTIMIZERS: Table = {
    "no parameters": (lambda: gn.optim.SGD([], lr=1), gn.ArgumentError, ValueError, "no parameters"),
    "one tensor": (lambda: gn.optim.SGD(weight(), lr=1), gn.ArgumentTypeError, TypeError, "iterable"),
    "a module": (lambda: gn.optim.Adam(nn.Linear(1, 1)), gn.ArgumentTypeError, TypeError, r"\.parameters\(\)"),
    "results": (lambda: gn.optim.SGD([weight() * 2]), gn.ArgumentError, ValueError, "leaf"),
    "twice": (lambda: (lambda w: gn.optim.SGD([w, w]))(weight()), gn.ArgumentError, ValueError, "more than"),
    "negative rate": (lambda: gn.optim.SGD([weight()], lr=-1), gn.ArgumentError, ValueError, "lr.*-1"),
    "rate that is nan": (lambda: gn.optim.Adam([weight()], lr=float("nan")), gn.ArgumentError, ValueError, "lr.*nan"),
    "rate that is infinite": (
        lambda: gn.optim.Adam([weight()], lr=float("inf")),
        gn.ArgumentError,
        ValueError,
        "lr.*inf",
    ),
    "rate as text": (lambda: gn.optim.SGD([weight()], lr="1"), gn.GraphnetError, (ValueError, TypeError), "lr.*'1'"),
    "beta of 1": (lambda: gn.optim.Adam([weight()], betas=(0.9, 1.0)), gn.ArgumentError, ValueError, "betas"),
    "betas as a number": (
        lambda: gn.optim.Adam([weight()], betas=0.9),
        gn.GraphnetError,
        (ValueError, TypeError),
        "betas",
    ),
    "nesterov without momentum": (
        lambda: gn.optim.SGD([weight()], nesterov=True),
        gn.ArgumentError,
        ValueError,
        "nesterov",
    ),
    "misspelt setting": (
        lambda: gn.optim.SGD([{"params": [weight()], "momentun": 1}]),
        gn.ArgumentError,
        ValueError,
        "'momentun'.*'momentum'",
    ),
    "state of another": (
        lambda: gn.optim.SGD([weight()]).load_state_dict(gn.optim.SGD([weight(), weight()]).state_dict()),
        gn.StateDictError,
        RuntimeError,
        "groups",
    ),
    "gradient of another dtype": (
        lambda: (lambda w: (w.sum().backward(), setattr(w, "grad", gn.ones(2).double()), gn.optim.SGD([w]).step()))(
            weight()
        ),
        gn.GraphnetError,
        (TypeError, ValueError, RuntimeError),
        "float",
    ),
}

KINDS = {"tensor": TENSORS, "operation": OPERATIONS, "loss": LOSSES, "optimizer": OPTIMIZERS}
ALL = {f"{kind}: {name}": row for kind, table in KINDS.items() for name, row in table.items()}


@pytest.mark.parametrize("name", ALL)
def test_wrong_use(name: str) -> None:
    function, own, builtin, text = ALL[name]
    with pytest.raises(own, match=f"(?s){text}") as caught:  # warnings are errors here
        function()
    assert isinstance(caught.value, builtin)


# -- shape errors -----------------------------------------------------------------------------------------


def lines_of(net: Any) -> list[int]:
    return [m._where.line for m in net]


def sequence() -> Any:
    return nn.Sequential(
        nn.Linear(30, 20),
        nn.ReLU(),
        nn.Linear(21, 10),
    )


class Inner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(20, 5)
        self.weight = nn.Parameter(gn.ones(4, 3))

    def forward(self, x: Any) -> Any:
        h = self.hidden(x).relu()
        return h @ self.weight


WAYS: dict[str, Callable[[Any, int], Any]] = {
    "data": lambda net, size: net(gn.ones(2, size)),
    "array": lambda net, size: net(np.ones((2, size), np.float32)),
    "trace": lambda net, size: gn.trace(net, ("N", size)),
}
ways = pytest.mark.parametrize("way", WAYS)


@ways
def test_a_shape_error_tells_module_place_sizes_and_producer(way: str) -> None:
    net, (_, source) = sequence(), inspect.getsourcelines(sequence)
    with pytest.raises(gn.ShapeError) as caught:
        WAYS[way](net, 30)
    text, error = str(caught.value), caught.value
    assert re.search(rf"2 \(Linear, \S*test_errors\.py:{source + 4}\)", text), text
    assert re.search(r"expects 21 input features, got 20", text), text
    assert re.search(rf"output of 1 \(ReLU, \S*test_errors\.py:{source + 3}\)", text), text
    assert (error.expected, error.got) == (21, 20)
    assert "\n" not in text or len(text.splitlines()) < 8


@ways
def test_the_input_itself_may_be_at_fault(way: str) -> None:
    with pytest.raises(gn.ShapeError, match=r"0 \(Linear, .*expects 30 input features, got 7") as caught:
        WAYS[way](sequence(), 7)
    assert way != "trace" or "input" in str(caught.value)
    assert (caught.value.expected, caught.value.got) == (30, 7)


@ways
def test_errors_in_a_forward_of_ones_own_name_its_line_and_path(way: str) -> None:
    net, line = nn.Sequential(nn.ReLU(), Inner()), inspect.getsourcelines(Inner.forward)[1]
    with pytest.raises(gn.ShapeError) as caught:
        WAYS[way](net, 20)
    text = str(caught.value)
    assert re.search(rf"matmul.*test_errors\.py:{line + 2}.*in 1 \(Inner", text), text
    assert re.search(r"5 columns.*4 rows", text), text
    assert re.search(rf"output of relu \(\S*test_errors\.py:{line + 1}\)", text), text
    with pytest.raises(
        gn.ShapeError, match=r"1\.hidden \(Linear, .*expects 20 input features, got 21.*output of 0 \(ReLU"
    ):
        WAYS[way](net, 21)


@ways
def test_a_layer_reused_with_other_sizes_is_named(way: str) -> None:
    layer = nn.LazyLinear(4)
    net = nn.Sequential(layer, nn.ReLU(), layer)
    with pytest.raises(gn.ShapeError, match=r"2 \(Linear, .*expects 9 input features, got 4, the output of 1 \(ReLU"):
        WAYS[way](net, 9)


@ways
def test_modules_in_lists_dicts_and_deep_trees_have_their_path(way: str) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = nn.ModuleList(
                [nn.ModuleDict({"fc": nn.Linear(3, 3)}), nn.ModuleDict({"fc": nn.Linear(5, 3)})]
            )

        def forward(self, x: Any) -> Any:
            for block in self.blocks:
                x = block["fc"](x)
            return x

    with pytest.raises(
        gn.ShapeError, match=r"0\.blocks\.1\.fc \(Linear, .*expects 5 input features, got 3.*0\.blocks\.0\.fc \(Linear"
    ):
        WAYS[way](nn.Sequential(Net()), 3)


def test_a_shape_error_from_trace_needs_no_data_and_leaves_lazy_layers_lazy() -> None:
    net = nn.Sequential(nn.LazyLinear(8), nn.Linear(9, 2))
    with pytest.raises(gn.ShapeError, match="expects 9 input features, got 8"):
        gn.trace(net, ("N", 10**9))
    assert net[0].weight.is_lazy


@ways
def test_dtype_errors_tell_the_module_too(way: str) -> None:
    net = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    integers: dict[str, Callable[[Any], Any]] = {
        "data": lambda n: n(gn.ones(2, 3).long()),
        "array": lambda n: n(np.ones((2, 3), np.int64)),
        "trace": lambda n: gn.trace(n, gn.Spec(("N", 3), gn.int64)),
    }
    with pytest.raises(gn.DTypeError, match=r"0 \(Linear, \S*test_errors\.py:\d+\).*int64"):
        integers[way](net)
    with pytest.raises(gn.DTypeError, match=r"0 \(Linear.*float64.*float32"):
        net(gn.ones(2, 3).double())


@pytest.mark.parametrize("make", [lambda: nn.Linear(3, 2), lambda: nn.LazyLinear(2)], ids=["Linear", "LazyLinear"])
@pytest.mark.parametrize("way", ["data", "trace"])
def test_a_rank_that_is_too_low_is_told(way: str, make: Callable[[], Any]) -> None:
    with pytest.raises(gn.ShapeError, match=r"Linear \(\S*test_errors\.py:\d+\): .*\(\*, in_features\)"):
        gn.trace(make(), ()) if way == "trace" else make()(gn.tensor(1.0))


# -- classes ----------------------------------------------------------------------------------------------


def test_every_class_is_public_and_documented() -> None:
    for name in errors.__all__:
        kind = getattr(gn, name)
        assert kind is getattr(errors, name) and kind.__doc__
        assert issubclass(kind, (gn.GraphnetError, gn.GraphnetWarning))


def test_errors_survive_pickling() -> None:
    """A worker process sends them back."""
    with pytest.raises(gn.ShapeError) as caught:
        sequence()(gn.ones(1, 7))
    for twin in (pickle.loads(pickle.dumps(caught.value)), copy.copy(caught.value)):
        assert type(twin) is gn.ShapeError and str(twin) == str(caught.value)
        assert (twin.expected, twin.got) == (30, 7)


@pytest.mark.parametrize(
    ("value", "told"),
    [(1, "an int"), ([], "a list"), (np.ones(1), "an ndarray"), (nn.ReLU, "the class ReLU"), (None, "None")],
)
def test_errors_say_a_or_an(value: Any, told: str) -> None:
    with pytest.raises(gn.ArgumentTypeError, match=f"expects an optimizer, got {told}$"):
        gn.TrainStep(nn.Linear(1, 1), nn.MSELoss(), value)


class Around(nn.Module):
    """A layer behind another one, one level down, or a function in its place."""

    def __init__(self, layer: Any) -> None:
        super().__init__()
        self.first, self.layer = nn.Linear(5, 5), layer if isinstance(layer, nn.Module) else None
        self.function = layer

    def forward(self, x: Any) -> Any:
        return self.function(self.first(x))


CHECKED = {
    "BatchNorm1d": (lambda: nn.BatchNorm1d(7), "batch_norm: running_mean has shape"),
    "LayerNorm": (lambda: nn.LayerNorm(7), r"layer_norm: expects an input of shape \(\*, 7\), got"),
    "RMSNorm": (lambda: nn.RMSNorm(7), "rms_norm: expects an input of shape"),
    "Embedding": (lambda: nn.Embedding(3, 4), "embedding: expects whole numbers, got float32"),
    "PReLU": (lambda: nn.PReLU(7), "prelu: the weight has 7 elements and the input 5 channels"),
    "Softmax": (lambda: nn.Softmax(dim=5), "softmax: axis 5 is out of range"),
    "Flatten": (lambda: nn.Flatten(3), "flatten: axis 3 is out of range"),
    "Unflatten": (lambda: nn.Unflatten(1, (2, 3)), ".*(size 5, which is not|expects 6\\*N elements, got 5\\*N)"),
}
CALLS = {
    "eager": lambda net: net(gn.ones(4, 5)),
    "traced": lambda net: gn.trace(net, ("N", 5)),
    "compiled": lambda net: gn.compile(net)(gn.ones(4, 5)),
}


@pytest.mark.parametrize("way", CALLS)
@pytest.mark.parametrize("name", CHECKED)
def test_checks_inside_a_layer_tell_path_class_and_place(name: str, way: str) -> None:
    make, text = CHECKED[name]
    place = rf"^outer\.layer \({name}, .*test_errors\.py:\d+\): "
    with pytest.raises(gn.GraphnetError, match=place + text) as caught:
        CALLS[way](nn.Sequential(OrderedDict(outer=Around(make()))))
    if isinstance(caught.value, gn.ShapeError):
        assert "the output of outer.first (Linear" in str(caught.value)


@pytest.mark.parametrize("way", CALLS)
def test_checks_inside_a_function_tell_the_line_and_the_module_around_it(way: str) -> None:
    net = nn.Sequential(OrderedDict(outer=Around(lambda x: nn.functional.dropout(x, 2.0))))
    with pytest.raises(
        gn.ArgumentError, match=r"^dropout \(.*test_errors\.py:\d+\) in outer \(Around, .*\): the prob"
    ) as e:
        CALLS[way](net)
    assert str(e.value).count("test_errors.py") == 2
    if way != "eager":  # of which Python itself tells the line
        with pytest.raises(gn.ArgumentError, match=r"^dropout \(.*test_errors\.py:\d+\): the probability"):
            CALLS[way](lambda x: nn.functional.dropout(x, 2.0))


def test_sizes_that_only_fit_where_they_are_none_do_not_fit() -> None:
    with pytest.raises(gn.ShapeError, match=r"expects 6\*N elements, got 5\*N"):
        gn.trace(lambda x: x.reshape(x.shape[0], 2, 3), ("N", 5))
    with pytest.raises(gn.ShapeError, match=r"axis -1 has sizes N and 2\*N"):
        gn.trace(lambda x: x + gn.cat([x, x]), ("N",))
