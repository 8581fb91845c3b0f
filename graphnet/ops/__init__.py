"""The table of operations. Importing this package fills it; `TABLE[name]` is a row."""

from graphnet.ops import (
    activations,
    combining,
    elementwise,
    embedding,
    fused,
    indexing,
    integers,
    losses,
    normalization,
    products,
    random,
    reductions,
    shaping,
    trigonometry,
)
from graphnet.ops.cost import node_flops, result_bytes
from graphnet.ops.grouped import group_reference
from graphnet.ops.table import FUSED, TABLE, Op, Site, check_count, infer, row, setting_key

__all__ = [
    "FUSED",
    "TABLE",
    "Op",
    "Site",
    "activations",
    "check_count",
    "combining",
    "elementwise",
    "embedding",
    "fused",
    "group_reference",
    "indexing",
    "infer",
    "integers",
    "losses",
    "node_flops",
    "normalization",
    "products",
    "random",
    "reductions",
    "result_bytes",
    "row",
    "setting_key",
    "shaping",
    "trigonometry",
]
