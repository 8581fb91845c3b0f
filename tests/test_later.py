"""Public names that are imported when they are asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import graphnet as gn


def test_they_are_listed_and_found() -> None:
    assert "draw" in dir(gn)
    assert callable(gn.draw)
    assert gn.draw is gn.draw


def test_what_is_nowhere_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'graphnet' has no attribute 'dropout2d'"):
        gn.dropout2d  # noqa: B018


@pytest.mark.parametrize("late", ["graphnet.drawing", "graphnet.onnx", "graphnet.optim.lr_scheduler", "subprocess"])
def test_importing_graphnet_leaves_them_alone(late: str) -> None:
    code = (
        f"import sys, numpy; before = set(sys.modules); import graphnet; print({late!r} in set(sys.modules) - before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
