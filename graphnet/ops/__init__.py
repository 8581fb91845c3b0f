"""The table of operations. Importing this package fills it; `TABLE[name]` is a row."""

from graphnet.ops import elementwise, indexing, losses, products, random, reductions, shaping
from graphnet.ops.cost import node_flops, result_bytes
from graphnet.ops.table import TABLE, Op, Site, check_count, infer

__all__ = [
    "TABLE",
    "Op",
    "Site",
    "check_count",
    "elementwise",
    "indexing",
    "infer",
    "losses",
    "node_flops",
    "products",
    "random",
    "reductions",
    "result_bytes",
    "shaping",
]
