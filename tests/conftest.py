"""What all tests share: one seed, and how long random search goes on (`--hypothesis-profile=long` for longer)."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

import graphnet as gn

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("everyday", max_examples=100, derandomize=True, database=None, **_COMMON)
settings.register_profile("long", max_examples=3000, **_COMMON)
settings.load_profile("everyday")


@pytest.fixture
def busy_threads() -> Iterator[None]:
    """Threads take turns as often as Python lets them, so that what they do at once is at once."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Called with names of packages, has them missing when they are imported where they are used."""
    load = importlib.import_module

    def hide(*hidden: str) -> None:
        def found(name: str, package: str | None = None) -> Any:
            if name.split(".")[0] in hidden:
                raise ModuleNotFoundError(name)
            return load(name, package)

        monkeypatch.setattr(importlib, "import_module", found)

    return hide


@pytest.fixture(autouse=True)
def _same_start() -> Iterator[None]:
    gn.manual_seed(0)
    yield
    assert gn.is_grad_enabled(), "the test left gradients switched off"
