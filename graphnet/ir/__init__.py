"""The intermediate representation: one graph for eager calls, tracing, gradients, pictures and programs."""

from graphnet.ir.control import BRANCH, COUNTED, ELEMENTWISE, LOOP, Loop
from graphnet.ir.dims import (
    Dim,
    Shape,
    Symbol,
    SymbolicDim,
    Unifier,
    WatchedSymbol,
    exact_quotient,
    product,
    render_shape,
    substitute,
    symbols,
)
from graphnet.ir.graph import Edge, Graph
from graphnet.ir.nodes import (
    Constant,
    Literal,
    Node,
    Operand,
    Origin,
    Parameter,
    Scope,
    TensorType,
    Value,
    Where,
)
from graphnet.ir.rewriter import Rewriter, rewrite_blocks

__all__ = [
    "BRANCH",
    "COUNTED",
    "ELEMENTWISE",
    "LOOP",
    "Constant",
    "Dim",
    "Edge",
    "Graph",
    "Literal",
    "Loop",
    "Node",
    "Operand",
    "Origin",
    "Parameter",
    "Rewriter",
    "Scope",
    "Shape",
    "Symbol",
    "SymbolicDim",
    "TensorType",
    "Unifier",
    "Value",
    "WatchedSymbol",
    "Where",
    "exact_quotient",
    "product",
    "render_shape",
    "rewrite_blocks",
    "substitute",
    "symbols",
]
