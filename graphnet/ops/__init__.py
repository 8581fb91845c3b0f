"""The table of operations. Importing this package fills it; `TABLE[name]` is a row."""

from graphnet.ops import (
    activations,
    elementwise,
    embedding,
    fused,
    indexing,
    losses,
    normalization,
    products,
    random,
    reductions,
    shaping,
)
from graphnet.ops.cost import node_flops, result_bytes
from graphnet.ops.table import FUSED, TABLE, Op, Site, check_count, infer, row

__all__ = [
    "FUSED",
    "TABLE",
    "Op",
    "Site",
    "activations",
    "check_count",
    "elementwise",
    "embedding",
    "fused",
    "indexing",
    "infer",
    "losses",
    "node_flops",
    "normalization",
    "products",
    "random",
    "reductions",
    "result_bytes",
    "row",
    "shaping",
]
