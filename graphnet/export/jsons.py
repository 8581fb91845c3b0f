"""Graphs as JSON, and back; `docs/graph.schema.json` describes the form."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from graphnet.dtypes import DType, as_dtype
from graphnet.errors import ArgumentError, ArgumentTypeError, GraphError, kind_of
from graphnet.export.record import Records, reading, rebuild
from graphnet.ir import Constant, Dim, Graph, Node, Symbol, product
from graphnet.ir.dims import Expr

__all__ = ["FORMAT", "VERSION", "from_json", "to_json"]

FORMAT, VERSION = "graphnet graph", 1


class _Encoder:
    """Python values as JSON has them: sizes, dtypes and numbers that JSON lacks as objects of one key."""

    def __init__(self) -> None:
        self.symbols: dict[Symbol, str] = {}

    def name(self, symbol: Symbol) -> str:
        """A symbol's name; two of one name are told apart."""
        if symbol not in self.symbols:
            name, number = symbol.name, 2
            while name in self.symbols.values():
                name, number = f"{symbol.name}#{number}", number + 1
            self.symbols[symbol] = name
        return self.symbols[symbol]

    def __call__(self, value: Any) -> Any:
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, (int, np.integer)):
            return int(value)
        if isinstance(value, (float, np.floating)):
            return float(value) if math.isfinite(value) else {"float": repr(float(value))}
        if isinstance(value, DType):
            return {"dtype": value.name}
        if isinstance(value, Symbol):
            return {"size": [[1, [self.name(value)]]]}
        if isinstance(value, Expr):
            return {"size": [[factor, [self.name(s) for s in names]] for names, factor in value.terms.items()]}
        if isinstance(value, (tuple, list)):
            return [self(v) for v in value]
        if isinstance(value, Mapping):
            return {str(k): self(v) for k, v in value.items()}
        raise GraphError(f"to_json: a setting is {kind_of(value)}, which has no form in JSON: {value!r:.60}")


class _Decoder:
    def __init__(self, symbols: Mapping[str, Any]) -> None:
        self.symbols = {name: Symbol(row["name"], bool(row["placeholder"])) for name, row in symbols.items()}

    def __call__(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple([self(v) for v in value])
        if not isinstance(value, dict):
            return value
        ((kind, what),) = value.items()
        if kind == "float":
            return float(what)
        return as_dtype(what) if kind == "dtype" else self.size(value["size"])

    def size(self, terms: Any) -> Dim:
        """A polynomial over symbols."""
        total: Dim = 0
        for factor, names in terms:
            total = total + product([int(factor), *(self.symbols[name] for name in names)])
        return total


def _structure(value: Any) -> Any:
    """How outputs are nested: numbers, and containers with their kind."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise GraphError("to_json: the outputs are a dict with keys that are not strings")
        return {"dict": {k: _structure(v) for k, v in value.items()}}
    return {"tuple" if isinstance(value, tuple) else "list": [_structure(v) for v in value]}


def _nested(value: Any) -> Any:
    if value is None or isinstance(value, int):
        return value
    ((kind, parts),) = value.items()
    if kind == "dict":
        return {k: _nested(v) for k, v in parts.items()}
    return {"tuple": tuple, "list": list}[kind](_nested(v) for v in parts)


def _values(constant: Constant) -> str:
    array = np.asarray(constant._values())
    return base64.b64encode(np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()).decode()


def to_json(graph: Graph, values: bool = True, indent: int | None = None) -> str:
    """A graph as JSON text.

    Args:
        values: write the parameters' and buffers' values too; constants' are written always.
        indent: spaces per level; None for one line.

    Raises:
        UninitializedError: a lazy parameter has no values yet.
        GraphError: a setting that has no form in JSON.
    """
    records, encode = Records(graph), _Encoder()

    def whole(part: Graph) -> dict[str, Any]:
        return {**encode(records.whole(part)), "nodes": [row(part, node) for node in part.nodes]}

    def row(part: Graph, node: Node) -> dict[str, Any]:
        own = encode(records.node(part, node))
        return {"name": node.name, **own, "blocks": [whole(block) for block in node.blocks]}

    document: dict[str, Any] = {"format": FORMAT, "version": VERSION, **whole(graph)}
    document["structure"] = _structure(getattr(graph, "structure", None))
    document["updates"], document["buffers"] = encode(records.updates()), records.buffers()
    document["calls"] = encode(records.calls.rows)

    def tensor(constant: Constant, written: bool) -> dict[str, Any]:
        shape, dtype = constant._type()
        row = {"shape": encode(shape), "dtype": dtype.name}
        return {**row, "values": _values(constant)} if written else row

    document["parameters"] = {
        name: {**tensor(p, values), "requires_grad": p.requires_grad} for name, p in records.parameters.items()
    }
    named = set(document["buffers"].values())
    document["constants"] = [tensor(c, values or number not in named) for c, number in records.constants.items()]
    document["symbols"] = {
        name: {"name": symbol.name, "placeholder": symbol.placeholder} for symbol, name in encode.symbols.items()
    }
    return json.dumps(document, indent=indent, allow_nan=False)


def _array(row: Mapping[str, Any], name: str, given: Mapping[str, Any]) -> Any:
    """A tensor's values: from the file, else from what is given by name."""
    dtype, shape = as_dtype(row["dtype"]).dtype, row["shape"]
    if name in given:
        array = np.array(given[name], dtype)
        if array.shape != tuple(shape):
            raise GraphError(f"{name}: expects values of shape {tuple(shape)}, got {array.shape}")
        return array
    if "values" not in row:
        raise ArgumentError(f"from_json: {name} was written without values; give them in state_dict")
    data = base64.b64decode(row["values"], validate=True)
    return np.frombuffer(data, dtype.newbyteorder("<")).reshape(shape).astype(dtype)


def from_json(
    text: Any, make: Callable[[str, Any, bool], Any], state_dict: Mapping[str, Any] | None = None
) -> tuple[Graph, Any]:
    """The graph that `to_json` wrote, and the nesting of its outputs.

    Args:
        text: the JSON text.
        make: makes a tensor: kind ("parameter", "buffer", "constant"), values, whether it requires a gradient.
        state_dict: values by name, instead of those in the text.

    Raises:
        ArgumentTypeError: not text.
        GraphError: not JSON, or not that of a graph.
        ArgumentError: values of a parameter are missing.
    """
    if not isinstance(text, (str, bytes, bytearray)):
        raise ArgumentTypeError(f"from_json: expects JSON text, got {kind_of(text)}")
    try:
        document = json.loads(text)
    except ValueError as error:
        raise GraphError(f"from_json: not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise GraphError(f'from_json: not a graph: "format" is not {FORMAT!r}')
    if document.get("version") != VERSION:
        raise GraphError(f"from_json: version {document.get('version')!r} of the form; this graphnet reads {VERSION}")
    given = state_dict or {}
    with reading("from_json", "not the JSON of a graph"):
        decode = _Decoder(document["symbols"])
        parameters = {
            name: make("parameter", _array(row, name, given), bool(row["requires_grad"]))
            for name, row in document["parameters"].items()
        }
        names = {number: name for name, number in document["buffers"].items()}
        unknown = [name for name in given if name not in parameters and name not in document["buffers"]]
        if unknown:
            raise ArgumentError(f"from_json: state_dict has {unknown[0]!r}, which the graph has not")
        constants = []
        for number, row in enumerate(document["constants"]):
            name = names.get(number)
            array = _array(row, f"constant {number}" if name is None else name, given)
            constants.append(make("constant" if name is None else "buffer", array, False))

        def nodes(whole: Any) -> Any:
            for row in whole["nodes"]:
                values = {key: decode(row[key]) for key in ("op", "shapes", "dtypes", "where", "operands")}
                values["attrs"] = {key: decode(value) for key, value in row["attrs"].items()}
                values["call"] = row["call"]
                yield row["name"], values, [block_of(block) for block in row["blocks"]]

        def block_of(block: Any) -> Any:
            return {**block, "results": decode(block["results"])}

        whole = {**block_of(document), "updates": decode(document["updates"])}
        whole["structure"] = _nested(document["structure"])
        graph = rebuild(whole, nodes, parameters, constants, document["calls"])
        return graph, whole["structure"]
