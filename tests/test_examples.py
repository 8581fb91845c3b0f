"""The example programs run, and print what their readers are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import graphnet as gn

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PRINTED = {
    "by_hand": ["'again.weight': ['again', 'tied']", "same outputs after loading: True"],
    "factory": ["own parameters: 18 parameters", "one block, four times: 8 parameters, 1514 numbers, 4 shared"],
    "typed_regression": ["weights off by at most 0.0", "accuracy 0.9"],
    "parallel": ["(1): Linear(in_features=5, out_features=10, bias=True)", "shared: ['left.0.bias', 'left.0.weight'"],
}


def test_every_example_is_known_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(PRINTED)


@pytest.mark.parametrize("name", sorted(PRINTED))
def test_example_runs(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py")],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for part in PRINTED[name]:
        assert part in done.stdout, done.stdout


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    monkeypatch.syspath_prepend(str(EXAMPLES))
    return vars(__import__(name))


def test_parallel_concatenates_two_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    parallel = load("parallel", monkeypatch)["Parallel"]
    left, right = gn.nn.Linear(4, 3), gn.nn.Linear(4, 2)
    x = gn.rand(5, 4)
    result = parallel(left, right)(x)  # type: ignore[operator]
    assert result.shape == (5, 5)
    assert bool((result[:, :3] == left(x)).all())
    assert bool((result[:, 3:] == right(x)).all())


def test_a_network_beside_itself_gets_the_gradient_of_both_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    parallel = load("parallel", monkeypatch)["Parallel"]
    net, x = gn.nn.Linear(4, 3), gn.rand(5, 4)
    net(x).sum().backward()
    once = net.weight.grad.clone()
    net.zero_grad()
    parallel(net, net)(x).sum().backward()  # type: ignore[operator]
    assert bool((net.weight.grad == 2 * once).all())


@pytest.mark.parametrize(("tied", "own"), [(False, 4), (True, 1)])
def test_the_factory_builds_own_or_tied_blocks(tied: bool, own: int, monkeypatch: pytest.MonkeyPatch) -> None:
    factory = load("factory", monkeypatch)
    net = factory["stack"](lambda: factory["block"](8, 6), 4, tied=tied)  # type: ignore[operator]
    assert len(net) == 4
    assert len({id(block) for block in net}) == own
    assert net(gn.rand(3, 6)).shape == (3, 6)
    assert len(list(net.parameters())) == 4 * own
