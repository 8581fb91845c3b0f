"""Pure functions over graphs. `ORDER` lists in which order they apply."""

from graphnet.passes.gradient import differentiate
from graphnet.passes.sizes import bind, resolve, verify_types

__all__ = ["bind", "differentiate", "resolve", "verify_types"]
