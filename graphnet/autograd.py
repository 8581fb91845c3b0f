"""Gradients as values: `graphnet.autograd.grad`."""

from __future__ import annotations

from graphnet.tensor.backward import grad

__all__ = ["grad"]
