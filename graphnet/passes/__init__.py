"""Pure functions over graphs, in the order in which they apply.

Sizes that were learnt are put in, types are checked, gradients are taken, a graph is bound to inputs of given
types, and its buffers get their places in memory. No pass imports another.
"""

from graphnet.passes.gradient import differentiate
from graphnet.passes.memory import plan
from graphnet.passes.sizes import bind, resolve, verify_types

__all__ = ["bind", "differentiate", "plan", "resolve", "verify_types"]
