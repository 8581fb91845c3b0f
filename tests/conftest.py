"""What all tests share: one seed, warnings as errors, long fuzzing only when asked for with `-m fuzz`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import graphnet as gn


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error")
    config.addinivalue_line("markers", "fuzz: long random search, run with -m fuzz")
    if not config.option.markexpr:
        config.option.markexpr = "not fuzz"


@pytest.fixture(autouse=True)
def _same_start() -> Iterator[None]:
    gn.manual_seed(0)
    yield
    assert gn.is_grad_enabled(), "the test left gradients switched off"
