"""Modules and containers beside PyTorch's: hooks, registration, walking, state dicts, copies, printing."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn
from graphnet import nn

torch = pytest.importorskip("torch")
BOTH: list[Any] = [gn, torch]
both = pytest.mark.parametrize("lib", BOTH, ids=["graphnet", "torch"])


def net(lib: Any) -> Any:
    class Net(lib.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.body = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.ReLU())
            self.head = lib.nn.Linear(4, 2)
            self.tied = self.head
            self.scale = lib.nn.Parameter(lib.ones(2))
            self.register_buffer("kept", lib.zeros(2))
            self.register_buffer("passing", lib.ones(1), persistent=False)
            self.register_buffer("nothing", None)
            self.register_parameter("absent", None)

        def forward(self, x: Any, factor: float = 1.0) -> Any:
            return self.head(self.body(x)) * self.scale * factor

    return Net()


WALKS: dict[str, Callable[[Any], Any]] = {
    "named_parameters": lambda m: [n for n, _ in m.named_parameters()],
    "all names": lambda m: [n for n, _ in m.named_parameters(remove_duplicate=False)],
    "prefix": lambda m: [n for n, _ in m.named_parameters(prefix="net", recurse=False)],
    "named_buffers": lambda m: [n for n, _ in m.named_buffers()],
    "own buffers": lambda m: [n for n, _ in m.named_buffers(recurse=False)],
    "named_modules": lambda m: [(n, type(c).__name__) for n, c in m.named_modules()],
    "named_children": lambda m: [n for n, _ in m.named_children()],
    "children": lambda m: len(list(m.children())),
    "state_dict": lambda m: list(m.state_dict()),
    "state_dict prefix": lambda m: list(m.state_dict(prefix="a.")),
    "submodule": lambda m: repr(m.get_submodule("body.0")),
    "parameter": lambda m: tuple(m.get_parameter("body.0.weight").shape),
    "buffer": lambda m: tuple(m.get_buffer("body.1.running_mean").shape),
    "repr": repr,
    "training": lambda m: [c.training for c in m.train().eval().modules()],
    "frozen": lambda m: [p.requires_grad for p in m.requires_grad_(False).parameters()],
    "double": lambda m: [str(p.dtype).split(".")[1] for p in [*m.double().parameters(), *m.buffers()]],
    "to and back": lambda m: [str(p.dtype).split(".")[1] for p in m.double().to("cpu").float().parameters()],
    "destination": lambda m: list(m.state_dict(destination={"there": 1})),
}


@pytest.mark.parametrize("name", WALKS)
def test_walks(name: str) -> None:
    assert WALKS[name](net(gn)) == WALKS[name](net(torch))


def test_set_submodule() -> None:
    for lib in BOTH:
        m = net(lib)
        m.set_submodule("body.2", lib.nn.Tanh())
        assert type(m.body[2]).__name__ == "Tanh"
        with pytest.raises(AttributeError):
            m.set_submodule("body.9", lib.nn.Tanh(), strict=True)


WRONG: dict[str, tuple[Callable[[Any, Any], Any], Any, str]] = {
    "a tensor for a parameter": (lambda m, lib: setattr(m, "scale", lib.zeros(2)), TypeError, "is a parameter"),
    "a module for a parameter": (lambda m, lib: setattr(m, "scale", lib.nn.ReLU()), TypeError, "is a parameter"),
    "a number for a module": (lambda m, lib: setattr(m, "body", 3), TypeError, "is a module"),
    "a number for a buffer": (lambda m, lib: setattr(m, "kept", 3), TypeError, "is a buffer"),
    "a taken parameter": (
        lambda m, lib: m.register_parameter("body", lib.nn.Parameter(lib.ones(1))),
        KeyError,
        "'body'",
    ),
    "a taken buffer": (lambda m, lib: m.register_buffer("scale", lib.ones(1)), KeyError, "'scale'"),
    "a taken module": (lambda m, lib: m.add_module("scale", lib.nn.ReLU()), KeyError, "'scale'"),
    "a method's name": (lambda m, lib: m.register_buffer("forward", lib.ones(1)), KeyError, "'forward'"),
    "a dot": (lambda m, lib: m.register_buffer("a.b", lib.ones(1)), KeyError, "no dot"),
    "an empty name": (lambda m, lib: m.register_parameter("", lib.nn.Parameter(lib.ones(1))), KeyError, "not empty"),
    "a name that is none": (lambda m, lib: m.register_buffer(3, lib.ones(1)), TypeError, "a string"),
    "a parameter that is none": (lambda m, lib: m.register_parameter("p", lib.ones(1)), TypeError, "nn.Parameter"),
    "a module that is none": (lambda m, lib: m.add_module("p", 3), TypeError, "expects a module"),
    "no submodule": (lambda m, lib: m.get_submodule("body.7"), AttributeError, "'7'"),
    "no parameter": (lambda m, lib: m.get_parameter("body.0.wait"), AttributeError, "body.0.wait"),
    "no buffer": (lambda m, lib: m.get_buffer("scale"), AttributeError, "scale"),
    "no attribute": (lambda m, lib: m.there_is_none, AttributeError, "there_is_none"),
    "an unknown argument of to": (lambda m, lib: m.to(kind=3), TypeError, "kind"),
    "to whole numbers": (lambda m, lib: m.to(lib.int64), TypeError, "floating-point"),
    "missing keys": (lambda m, lib: m.load_state_dict({}), RuntimeError, "missing keys"),
    "a list is not called": (lambda m, lib: lib.nn.ParameterList()(1), (RuntimeError, TypeError), "not called"),
    "an index beyond": (lambda m, lib: lib.nn.ParameterList([lib.ones(1)])[3], IndexError, "out of range"),
    "a tensor to extend by": (lambda m, lib: lib.nn.ParameterList().extend(lib.ones(2)), TypeError, "several values"),
    "an insertion beyond": (lambda m, lib: m.body.insert(9, lib.nn.ReLU()), IndexError, "out of range"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_use_is_refused_as_pytorch_refuses_it(name: str) -> None:
    use, error, text = WRONG[name]
    with pytest.raises(error):
        use(net(torch), torch)
    with pytest.raises(error, match=text):
        use(net(gn), gn)


@both
def test_before_init(lib: Any) -> None:
    class Late(lib.nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            self.layer = lib.nn.ReLU()
            super().__init__()

    with pytest.raises(AttributeError, match=r"before Module\.__init__"):
        Late()


@both
def test_attributes_move_between_the_books(lib: Any) -> None:
    m = lib.nn.Module()
    m.a = lib.nn.Parameter(lib.ones(1))
    m.a = None
    assert list(m.parameters()) == [] and m.a is None
    m.b = 3
    m.b = lib.nn.ReLU()
    assert [n for n, _ in m.named_children()] == ["b"]
    m.b = lib.nn.Parameter(lib.ones(2))
    assert list(m.children()) == [] and [n for n, _ in m.named_parameters()] == ["b"]
    del m.b
    assert not hasattr(m, "b")
    m.c = lib.nn.Buffer(lib.ones(2))
    m.d = lib.nn.Buffer(lib.ones(2), persistent=False)
    assert [n for n, _ in m.named_buffers()] == ["c", "d"] and list(m.state_dict()) == ["c"]
    m.c = lib.zeros(3)
    assert m.get_buffer("c").shape == (3,)
    m.c = None
    assert [n for n, _ in m.named_buffers()] == ["d"]


def events(lib: Any) -> list[str]:
    """What hooks see, in the order in which they are called."""
    told: list[str] = []
    m, x = lib.nn.Linear(2, 2), lib.ones(1, 2)

    def note(name: str) -> Any:
        return lambda module, *rest: told.append(f"{name} {type(module).__name__} {len(rest)}")

    handles = [
        m.register_forward_pre_hook(note("a")),
        m.register_forward_pre_hook(note("b"), prepend=True),
        m.register_forward_pre_hook(note("c"), with_kwargs=True),
        m.register_forward_hook(note("d")),
        m.register_forward_hook(note("e"), prepend=True),
        m.register_forward_hook(note("f"), with_kwargs=True),
    ]
    m(x)
    told.append("--")
    for handle in handles[::2]:
        handle.remove()
    m(input=x)
    with m.register_forward_hook(note("within")):
        m(x)
    handles[1].remove()
    m(x)
    changed = m.register_forward_pre_hook(lambda module, args: args[0] * 0)
    kept = m.register_forward_hook(lambda module, args, out: out - module.bias)
    told.append(str(m(x).detach().numpy().round(6).tolist()))
    changed.remove()
    kept.remove()
    m.register_forward_pre_hook(lambda module, args, kwargs: ((x * 0,), {}), with_kwargs=True)
    told.append(str((m(x) - m.bias).detach().numpy().tolist()))
    failing = lib.nn.Linear(3, 3)
    failing.register_forward_hook(note("always"), always_call=True)
    failing.register_forward_hook(note("not"))
    with pytest.raises((RuntimeError, ValueError)):
        failing(x)
    return told


def test_hooks() -> None:
    assert events(gn) == events(torch)


def test_hooks_that_are_none_are_refused() -> None:
    with pytest.raises(TypeError, match="a hook is a function"):
        nn.ReLU().register_forward_hook(3)  # type: ignore[arg-type]
    m = nn.ReLU()
    m.register_forward_pre_hook(lambda module, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(TypeError, match=r"\(args, kwargs\)"):
        m(gn.ones(1))


def test_hooks_are_part_of_traced_and_compiled_networks() -> None:
    m, x = nn.Sequential(nn.Linear(2, 3), nn.ReLU()), gn.ones(4, 2)
    fast = gn.compile(m)
    before = fast(x).numpy()
    handle = m[0].register_forward_hook(lambda module, args, out: out * 2)
    np.testing.assert_allclose(fast(x).numpy(), 2 * before, rtol=1e-6)
    np.testing.assert_allclose(gn.trace(m, ("N", 2))(x).detach().numpy(), 2 * before, rtol=1e-6)
    handle.remove()
    np.testing.assert_array_equal(fast(x).numpy(), before)


def steps(lib: Any) -> list[str]:
    """What containers look like after each change."""
    n = lib.nn
    s = n.Sequential(n.Linear(1, 2), n.ReLU(), n.Linear(2, 3))
    seen = [repr(s), repr(s[1:]), repr(s[-1]), repr(s[:0]), str(len(s))]
    s.append(n.Tanh())
    seen.append(repr(s))
    s.insert(1, n.Sigmoid())
    seen.append(repr(s))
    s.insert(-1, n.ELU())
    seen.append(repr(s))
    s.extend([n.Identity(), n.ReLU()])
    del s[0]
    seen.append(repr(s))
    del s[1:3]
    seen.append(repr(s))
    s[0] = n.SiLU()
    seen += [repr(s), repr(s.pop(0)), repr(s), repr(s + n.Sequential(n.GELU()))]
    named = lib.nn.ModuleDict({"b": n.ReLU(), "a": n.Linear(1, 1)})
    named["c"] = n.Tanh()
    seen += [repr(named), str(list(named)), str("a" in named), repr(named.pop("a")), str(list(named.keys()))]
    named.update({"d": n.ELU()})
    named.update(n.ModuleDict({"e": n.ELU()}))
    seen += [repr(named), str(len(named))]
    named.clear()
    seen.append(repr(named))
    many = n.ModuleList([n.Linear(2, 2) for _ in range(3)])
    many += [n.ReLU()]
    many.extend(n.ModuleList([n.Tanh()]))
    many.insert(0, n.ELU())
    seen += [repr(many), repr(many[1:3]), repr(many.pop(-1)), repr(n.ModuleList())]
    seen.append(repr(many + n.ModuleList([n.ReLU()])))
    values = n.ParameterList([lib.ones(2), n.Parameter(lib.zeros(3, 1)), 5])
    values.append(lib.ones(1))
    values += [lib.ones(4)]
    values[0] = lib.ones(7)
    seen += [
        repr(values).replace("torch.", "graphnet."),
        str([k for k, _ in values.named_parameters()]),
        str(len(values)),
    ]
    seen += [repr(values[1:3]).replace("torch.", "graphnet."), str(tuple(values[-1].shape)), str(len(list(values)))]
    return seen


def test_containers() -> None:
    for mine, theirs in zip(steps(gn), steps(torch), strict=True):
        assert mine == theirs


@both
def test_loading(lib: Any) -> None:
    m = net(lib)
    state = {k: v.clone() + 1 for k, v in m.state_dict().items()}
    result = m.load_state_dict(state)
    assert result.missing_keys == [] and str(result) == "<All keys matched successfully>"
    assert (m.scale == 2).all() and (m.get_buffer("body.1.num_batches_tracked") == 1).all()
    del state["scale"]
    state["more"] = state["kept"]
    found = m.load_state_dict(state, strict=False)
    assert found.missing_keys == ["scale"] and found.unexpected_keys == ["more"]
    state["head.weight"] = lib.ones(3, 3)
    with pytest.raises(RuntimeError) as error:
        m.load_state_dict(state)
    for part in ("scale", "more", "head.weight"):
        assert part in str(error.value)
    other = net(lib)
    given = {k: v.double() if v.is_floating_point() else v for k, v in m.state_dict().items()}
    other.load_state_dict(given, assign=True)
    assert str(other.scale.dtype).endswith("float64")
    assert isinstance(other.scale, lib.nn.Parameter)


def test_copies_and_pickles_keep_buffers_and_hooks() -> None:
    m = nn.Sequential(nn.LazyBatchNorm1d(), nn.Dropout(0.5), nn.LazyLinear(2))
    for made in (copy.deepcopy(m), pickle.loads(pickle.dumps(m))):
        made(gn.ones(4, 3) * gn.arange(3))
        assert made[0].running_mean.shape == (3,)
        assert gn.trace(made, ("N", 3)).updates.keys() == {*made.buffers()}
    assert "unknown size" in repr(m[0].running_mean)
    double = copy.deepcopy(m).double()
    double(gn.ones(4, 3, dtype=gn.float64))
    assert double[0].running_mean.dtype is gn.float64 and double[0].num_batches_tracked.dtype is gn.int64


def test_lazy_batch_norm_learns_its_size_from_a_trace_and_from_a_state_dict() -> None:
    m = nn.Sequential(nn.LazyLinear(5), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyBatchNorm1d(affine=False))
    graph = gn.trace(m, ("N", 3))
    assert [tuple(b.shape) for b in m.buffers()] == [(5,), (5,), (), (5,), (5,), ()]
    assert type(m[1]) is nn.BatchNorm1d and len(graph.updates) == 6
    other = nn.Sequential(nn.LazyLinear(5), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyBatchNorm1d(affine=False))
    other.load_state_dict(m.state_dict())
    x = gn.randn(4, 3)
    np.testing.assert_allclose(other(x).detach().numpy(), m(x).detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    "layer", [nn.BatchNorm1d(4), nn.LayerNorm(4), nn.Embedding(4, 4), nn.Bilinear(4, 4, 4)], ids=repr
)
def test_wrong_inputs_are_named(layer: Any) -> None:
    two = isinstance(layer, nn.Bilinear)
    for x in (gn.ones(2, 5), gn.ones(3), gn.ones(2, 3, 4, 5)):
        with pytest.raises((gn.ShapeError, gn.DTypeError)):
            layer(x, x) if two else layer(x)


def test_one_value_per_channel_has_no_variance() -> None:
    layer = nn.BatchNorm1d(3)
    for run in (layer, gn.compile(layer), gn.trace(layer, ("N", 3))):
        with pytest.raises(gn.ShapeError, match="at least 2 values per channel"):
            run(gn.ones(1, 3))
    assert layer.eval()(gn.ones(1, 3)).shape == (1, 3)


TRAPS: dict[str, tuple[Callable[[], Any], str]] = {
    "softmax before cross_entropy": (
        lambda: nn.CrossEntropyLoss()(gn.ones(2, 3).softmax(1), gn.tensor([0, 1])),
        "pass the logits",
    ),
    "softmax before nll_loss": (lambda: nn.NLLLoss()(gn.ones(2, 3).softmax(1), gn.tensor([0, 1])), "log_softmax"),
    "sigmoid twice": (lambda: nn.BCEWithLogitsLoss()(gn.ones(2).sigmoid(), gn.ones(2)), "pass the logits"),
    "probabilities to kl_div": (
        lambda: nn.KLDivLoss(reduction="sum")(gn.ones(2, 3).softmax(1), gn.ones(2, 3)),
        "log_softmax",
    ),
    "the mean of kl_div": (lambda: nn.KLDivLoss()(gn.zeros(2, 3), gn.ones(2, 3)), "batchmean"),
    "no axis": (lambda: nn.Softmax()(gn.ones(2, 3)), "dim="),
    "a column and a row": (lambda: nn.HuberLoss()(gn.ones(3, 1), gn.ones(3)), "broadcast"),
    "l1": (lambda: nn.functional.l1_loss(gn.ones(3, 1), gn.ones(3)), "broadcast"),
    "an old name": (lambda: nn.MSELoss(size_average=False), "reduction='sum'"),
}


@pytest.mark.parametrize("name", TRAPS)
def test_known_traps_are_warned_of(name: str) -> None:
    use, text = TRAPS[name]
    with pytest.warns(gn.GraphnetWarning, match=text) as caught:
        use()
    assert caught[0].filename == __file__


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "p": (lambda: nn.Dropout(1.5), ValueError, "from 0 to 1"),
    "beta": (lambda: nn.SmoothL1Loss(beta=-1.0), ValueError, "0 or more"),
    "delta": (lambda: nn.HuberLoss(delta=0), ValueError, "positive"),
    "bounds": (lambda: nn.Hardtanh(2.0, 1.0), ValueError, "below"),
    "approximation": (lambda: nn.GELU("sigmoid"), ValueError, "'none' or 'tanh'"),
    "padding": (lambda: nn.Embedding(3, 2, padding_idx=3), IndexError, "3 entries"),
    "negative sizes": (lambda: nn.Embedding(-1, 2), ValueError, "-1"),
    "an index beyond": (lambda: nn.Embedding(3, 2)(gn.tensor([3])), IndexError, "0 to 2"),
    "a negative index": (lambda: nn.Embedding(3, 2)(gn.tensor([-1])), IndexError, "-1"),
    "fractions as indices": (lambda: nn.Embedding(3, 2)(gn.ones(1)), TypeError, "whole numbers"),
    "a probability beyond": (lambda: nn.BCELoss()(gn.tensor([1.5]), gn.ones(1)), ValueError, "from 0 to 1"),
    "sizes of bce": (lambda: nn.BCELoss()(gn.ones(2), gn.ones(1)), ValueError, "one shape"),
    "sizes of logits": (lambda: nn.BCEWithLogitsLoss()(gn.ones(2, 1), gn.ones(2)), ValueError, "one shape"),
    "a class beyond": (lambda: nn.NLLLoss()(gn.zeros(1, 3), gn.tensor([3])), IndexError, "row 0 has target 3"),
    "classes of truth values": (
        lambda: nn.CrossEntropyLoss()(gn.zeros(1, 3), gn.tensor([True])),
        TypeError,
        "got bool",
    ),
    "classes of fractions": (lambda: nn.NLLLoss()(gn.zeros(1, 3), gn.ones(1)), TypeError, "integers"),
    "reduction": (lambda: nn.L1Loss(reduction="avg"), ValueError, "'avg'"),
    "reduction in the wrong place": (lambda: nn.L1Loss("sum"), TypeError, "reduction='sum'"),
    "smoothing": (lambda: nn.CrossEntropyLoss(label_smoothing=1.5), ValueError, "between 0 and 1"),
    "an empty shape": (lambda: nn.LayerNorm(()), ValueError, "at least one axis"),
    "eps": (lambda: nn.functional.batch_norm(gn.ones(2, 2), None, None, training=True, eps=0), ValueError, "above 0"),
    "no statistics": (lambda: nn.functional.batch_norm(gn.ones(2, 2), None, None), ValueError, "training=False"),
    "dtypes": (lambda: nn.LayerNorm(2)(gn.ones(2, dtype=gn.float64)), TypeError, "float64"),
    "a device": (lambda: nn.Linear(2, 2, device="cuda"), ValueError, "cuda"),
    "sizes of unflatten": (lambda: nn.Unflatten(1, (2, 4))(gn.ones(2, 6)), ValueError, "size 6"),
    "channels of prelu": (lambda: nn.PReLU(3)(gn.ones(2, 4)), ValueError, "4 channels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_settings_and_inputs_are_refused(name: str) -> None:
    use, error, text = REFUSED[name]
    with pytest.raises(error, match=text) as caught:
        use()
    assert isinstance(caught.value, gn.GraphnetError)
