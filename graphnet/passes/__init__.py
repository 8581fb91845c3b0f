"""Pure functions over graphs, in the order in which they apply.

Sizes that were learnt are put in, types are checked, gradients are taken and clipped, a graph is bound to inputs of
given types, and its buffers get their places in memory. No pass imports another.
"""

from graphnet.passes.clip import clip_norm
from graphnet.passes.gradient import differentiate
from graphnet.passes.memory import plan
from graphnet.passes.sizes import bind, resolve, verify_types

__all__ = ["bind", "clip_norm", "differentiate", "plan", "resolve", "verify_types"]
