"""How far results may be from PyTorch's after steps of training."""

from __future__ import annotations

from typing import Any

import numpy as np


def assert_near(ours: Any, theirs: Any, steps: int = 6) -> None:
    a, b = ours.detach().numpy(), theirs.detach().numpy()
    assert a.dtype == b.dtype and a.shape == b.shape
    eps = float(np.finfo(a.dtype).eps)
    scale = max(1.0, float(np.abs(b).max(initial=0)))
    np.testing.assert_allclose(a, b, rtol=0, atol=64 * steps * eps * scale)
