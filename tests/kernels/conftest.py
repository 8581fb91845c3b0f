from __future__ import annotations

import numpy as np
import pytest

from graphnet import _core


@pytest.fixture(params=_core.targets(), autouse=True)
def target(request):
    before = _core.target()
    _core.set_target(request.param)
    yield request.param
    _core.set_target(before)


@pytest.fixture
def rng():
    return np.random.default_rng(20261123)
