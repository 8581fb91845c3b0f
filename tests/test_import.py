"""`import graphnet` is light: what only some uses need is imported when they need it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from heavy import HEAVY

import graphnet as gn


def run(code: str) -> Any:
    """What a fresh interpreter prints, as JSON."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def loaded(code: str) -> list[str]:
    names = sorted(HEAVY)
    found: list[str] = run(f"{code}; import sys, json; print(json.dumps([m for m in {names!r} if m in sys.modules]))")
    return found


USES = {
    "import": "import graphnet",
    "import as torch": "import graphnet as torch; from graphnet import nn; from graphnet.nn import functional",
    "a step": "import graphnet as g; n = g.nn.Linear(2, 1); o = g.optim.SGD(n.parameters()); "
    "n(g.ones(1, 2)).sum().backward(); o.step()",
    "a trace": "import graphnet as g; t = g.trace(g.nn.Linear(2, 1), ('N', 2)); print(t); t.to_dot()",
}


@pytest.mark.parametrize("use", USES)
def test_heavy_packages_are_not_imported(use: str) -> None:
    assert loaded(USES[use]) == []


def test_networkx_is_imported_with_its_first_use() -> None:
    pytest.importorskip("networkx")
    assert loaded("import graphnet as g; g.trace(g.nn.Linear(2, 1), ('N', 2)).to_networkx()") == ["networkx"]


def test_importing_changes_no_global_state() -> None:
    code = (
        "import json, random, signal, warnings, numpy, sys; "
        "before = (random.getstate(), numpy.random.get_state()[1].tolist(), list(warnings.filters), numpy.geterr(), "
        "sys.getrecursionlimit(), signal.getsignal(signal.SIGINT)); "
        "import graphnet; "
        "after = (random.getstate(), numpy.random.get_state()[1].tolist(), list(warnings.filters), numpy.geterr(), "
        "sys.getrecursionlimit(), signal.getsignal(signal.SIGINT)); "
        "print(json.dumps(before == after))"
    )
    assert run(code) is True


def test_public_names_are_there() -> None:
    code = (
        "import json, graphnet as g; "
        "names = 'Tensor Size Graph trace nn optim tensor rand randn zeros ones arange cat manual_seed no_grad "
        "float32 float64 int64 bool GraphnetError ShapeError DTypeError TraceError __version__'.split(); "
        "print(json.dumps([n for n in names if not hasattr(g, n)]))"
    )
    assert run(code) == []


def test_names_that_are_imported_late_are_listed_and_found() -> None:
    assert "draw" in dir(gn)
    assert callable(gn.draw)
    assert gn.draw is gn.draw


def test_what_is_nowhere_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'graphnet' has no attribute 'dropout2d'"):
        gn.dropout2d  # noqa: B018


@pytest.mark.parametrize("late", ["graphnet.drawing", "graphnet.onnx", "graphnet.optim.lr_scheduler", "subprocess"])
def test_importing_graphnet_leaves_them_alone(late: str) -> None:
    code = "import json, sys, numpy; before = set(sys.modules); import graphnet"
    assert run(f"{code}; print(json.dumps({late!r} in set(sys.modules) - before))") is False
