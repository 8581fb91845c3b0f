"""PyTorch modules as graphnet modules: equal results and gradients, one memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import graphnet as gn

torch = pytest.importorskip("torch")
tnn = torch.nn
F = torch.nn.functional


class Block(tnn.Module):
    def __init__(self, size: int, scale: float = 2.0) -> None:
        super().__init__()
        self.inner = tnn.Sequential(tnn.Linear(size, size), tnn.GELU())
        self.norm = tnn.LayerNorm(size)
        self.scale = scale
        self.shift = torch.rand(size)

    def forward(self, x: Any, y: Any = None) -> Any:
        h = F.relu(self.inner(x) * self.scale + self.shift)
        return self.norm(h + x).reshape(x.shape[0], -1)


class Whole(tnn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = tnn.Linear(6, 4)
        self.again = tnn.Linear(4, 4)
        self.blocks = tnn.ModuleList([Block(4), Block(4, 0.5)])
        self.out = tnn.Linear(4, 6, bias=False)
        self.out.weight = tnn.Parameter(self.first.weight.detach().T.clone())
        self.own = tnn.Parameter(torch.rand(4))
        self.register_buffer("fixed", torch.rand(4))

    def forward(self, x: Any) -> Any:
        h = torch.tanh(self.first(x))
        h = self.again(self.again(h)) * self.own
        for block in self.blocks:
            h = block(h)
        h = torch.cat([h, h * self.fixed], dim=1)[:, :4]
        return {"out": self.out(h), "mean": (h.mean(dim=-1, keepdim=True), h.sum())}


class Custom(tnn.Sequential):
    """A Sequential of the user's own."""


def tied() -> Any:
    shared = tnn.Linear(6, 6)
    net = tnn.Sequential(shared, tnn.ReLU(), shared, tnn.Linear(6, 6))
    net[3].bias = shared.bias
    return net


NETS: dict[str, Any] = {
    "mlp": lambda: tnn.Sequential(tnn.Linear(6, 8), tnn.ReLU(), tnn.Linear(8, 3)),
    "no-bias": lambda: tnn.Sequential(tnn.Linear(6, 8, bias=False), tnn.Tanh(), tnn.Flatten()),
    "tied": tied,
    "nested": lambda: Custom(tnn.Sequential(tnn.Linear(6, 4), tnn.Sequential(tnn.Sigmoid())), tnn.Identity()),
    "norms": lambda: tnn.Sequential(
        tnn.BatchNorm1d(6, eps=1e-3, momentum=0.3), tnn.LayerNorm(6), tnn.RMSNorm(6, eps=1e-6)
    ),
    "activations": lambda: tnn.Sequential(
        tnn.Linear(6, 6), tnn.LeakyReLU(0.3), tnn.ELU(0.7), tnn.SiLU(), tnn.Softplus(beta=2.0), tnn.GELU("tanh"),
        tnn.Hardtanh(-0.5, 2.0), tnn.PReLU(6), tnn.Softmax(dim=1), tnn.LogSoftmax(dim=-1),
    ),
    "double": lambda: tnn.Sequential(tnn.Linear(6, 4), tnn.Dropout(0.5)).double().eval(),
    "custom": Whole,
}  # fmt: skip


def flat(value: Any) -> list[Any]:
    if isinstance(value, dict):
        value = tuple(value.values())
    return [v for part in value for v in flat(part)] if isinstance(value, (tuple, list)) else [value]


@pytest.mark.parametrize("name", NETS)
def test_results_and_gradients_are_equal(name: str) -> None:
    torch.manual_seed(0)
    theirs = NETS[name]()
    mine = gn.from_torch(theirs)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [n for n, _ in mine.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert mine.training == theirs.training
    eps = 1e-12 if name == "double" else 2e-5
    x = np.random.default_rng(0).normal(size=(5, 6)).astype("d" if name == "double" else "f")
    for _ in range(2):  # running statistics too
        expected, got = flat(theirs(torch.from_numpy(x))), flat(mine(gn.from_numpy(x)))
        assert len(got) == len(expected)
        for a, b in zip(got, expected):
            np.testing.assert_allclose(a.detach().numpy(), b.detach().numpy(), rtol=eps, atol=eps)
        total, theirs_total = sum((a * a).sum() for a in got), sum((b * b).sum() for b in expected)
        mine.zero_grad()
        theirs.zero_grad()
        total.backward()
        theirs_total.backward()
        for (path, a), b in zip(mine.named_parameters(), theirs.parameters()):
            np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=20 * eps, atol=20 * eps, err_msg=path)
    if name != "custom":
        graph = gn.trace(mine.eval(), gn.Spec(("N", 6), x.dtype))
        np.testing.assert_allclose(
            graph(x).detach().numpy(), theirs.eval()(torch.from_numpy(x)).detach().numpy(), eps, eps
        )


def test_weights_share_their_memory() -> None:
    theirs = NETS["mlp"]()
    mine = gn.from_torch(theirs)
    with torch.no_grad():
        theirs[0].weight[0, 0] = 42.0
    assert float(mine[0].weight[0, 0]) == 42.0
    gn.optim.SGD(mine.parameters(), lr=1.0)
    mine[0].bias.data.zero_()
    assert not theirs[0].bias.any()


def test_what_is_shared_stays_shared_and_frozen_stays_frozen() -> None:
    theirs = tied()
    theirs[0].weight.requires_grad_(False)
    mine = gn.from_torch(theirs)
    assert mine[0] is mine[2] and mine[3].bias is mine[0].bias
    assert [p.requires_grad for p in mine.parameters()] == [False, True, True]


def test_classes_keep_their_names_and_are_printed_alike() -> None:
    assert repr(gn.from_torch(NETS["activations"]())) == repr(NETS["activations"]())
    assert repr(gn.from_torch(Whole())) == repr(Whole())
    assert type(gn.from_torch(NETS["nested"]())).__name__ == "Custom"


def test_embeddings_and_inputs_of_whole_numbers() -> None:
    theirs = tnn.Sequential(tnn.Embedding(5, 3, padding_idx=1), tnn.Flatten(), tnn.Linear(6, 2))
    index = np.array([[0, 1], [4, 4]])
    got = gn.from_torch(theirs)(gn.from_numpy(index)).detach().numpy()
    np.testing.assert_allclose(got, theirs(torch.from_numpy(index)).detach().numpy(), rtol=1e-5, atol=1e-6)


def test_lazy_layers_stay_lazy() -> None:
    net = gn.from_torch(tnn.Sequential(tnn.LazyLinear(4), tnn.ReLU()))
    assert net(gn.ones(2, 3)).shape == (2, 4) and net[0].in_features == 3


class ByMode(tnn.Module):
    def forward(self, x: Any) -> Any:
        return x * 2 if self.training else F.dropout(x, 0.5, self.training)


def test_forward_follows_the_mode() -> None:
    mine = gn.from_torch(ByMode())
    assert float(mine(gn.ones(1))) == 2.0
    assert float(mine.eval()(gn.ones(1))) == 1.0


class Looping(tnn.Module):
    def forward(self, x: Any) -> Any:
        while x.abs().sum() > 1:
            x = x / 2
        return x


class Unknown(tnn.Module):
    def forward(self, x: Any) -> Any:
        return torch.fft.fft(x)


class Method(tnn.Module):
    def forward(self, x: Any) -> Any:
        return x.erfinv()


@pytest.mark.parametrize(
    ("module", "text"),
    [
        (lambda: Looping(), r"Looping: its forward \(.*test_from_torch.py:\d+\) cannot be recorded"),
        (
            lambda: tnn.Sequential(tnn.ReLU(), tnn.Sequential(tnn.Conv1d(1, 1, 1))),
            r"1\.0 \(Conv1d\): graphnet has no layer",
        ),
        (lambda: Unknown(), r"Unknown: its forward .*no counterpart for .*fft"),
        (lambda: Method(), r"no method erfinv"),
        (lambda: tnn.Module(), r"no layer Module"),
        (lambda: tnn.Linear(2, 2).bfloat16(), r"weight of torch.bfloat16"),
        (lambda: tnn.Linear(2, 2).half(), r"no data type|float16"),
        (lambda: tnn.Linear(2, 2, device="meta"), r"weight is on meta"),
    ],
)
def test_what_cannot_be_converted_is_named(module: Any, text: str) -> None:
    with pytest.raises(gn.GraphError, match=text):
        gn.from_torch(module())


def test_hooks_are_refused() -> None:
    net = tnn.Linear(2, 2)
    net.register_forward_hook(lambda *args: None)
    with pytest.raises(gn.GraphError, match="Linear has forward hooks; remove them"):
        gn.from_torch(net)


def test_wrong_arguments(without: Callable[..., None]) -> None:
    with pytest.raises(TypeError, match=r"expects a torch.nn.Module, got a Linear"):
        gn.from_torch(gn.nn.Linear(2, 2))
    with pytest.raises(TypeError, match="got the class Linear"):
        gn.from_torch(tnn.Linear)
    without("torch")
    with pytest.raises(ImportError, match="pip install torch"):
        gn.from_torch(None)
