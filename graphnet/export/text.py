"""What nodes are called in pictures and tables, and how text is written in DOT."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphnet.ir import Dim, Graph, Literal, Node, Parameter, TensorType, render_shape
from graphnet.ops import TABLE

__all__ = [
    "escaped",
    "lines",
    "markup",
    "one_line",
    "operation_text",
    "parameter_name",
    "plural",
    "signature",
    "size_text",
    "type_text",
]

_LONGEST = 800  # Graphviz reads strings of up to 16384 bytes: a label's few parts, every character escaped
_SIMPLE = re.compile(r"[\w .,:()\[\]#/=+*@-]*")
_FACTOR = re.compile(r"(?<![\w.])\d+(?!\w)")
_MARKUP = {38: "&amp;", 60: "&lt;", 62: "&gt;", 34: "&quot;"}
_ENTITY = re.compile(r"&(?=#?\w+;)")
_UNPRINTABLE = re.compile("[\ud800-\udfff\ufffe\uffff\x7f-\x9f]")
# A control character would make the picture's XML invalid: its symbol stands for it.
_ESCAPES = {i: chr(0x2400 + i) for i in range(32)} | {9: "\t", 10: "\\n", 34: '\\"', 92: "\\\\"}


def escaped(text: str) -> str:
    r"""Text for between the quotes of a DOT label, which shows it as it is.

    Line ends stay line ends; control characters become their symbols; characters that XML cannot hold become the
    replacement character. Beyond 800 characters it is cut.

    Example:
        >>> print(escaped('a "b" \\N'))
        a \"b\" \\N
    """
    if len(text) > _LONGEST:
        text = f"{text[: _LONGEST - 1]}…"
    if _SIMPLE.fullmatch(text):
        return text
    return _ENTITY.sub("&amp;", _UNPRINTABLE.sub("\ufffd", text).translate(_ESCAPES))


def lines(*parts: str, end: str = "") -> str:
    r"""A label of these lines, without the empty ones; ended by `\l` they are set from the left."""
    if not end:
        return "\\n".join([escaped(part) for part in parts if part])
    return "".join([escaped(line) + end for part in parts if part for line in part.split("\n")])


def markup(text: str) -> str:
    """Text for HTML, where it stands for itself.

    Example:
        >>> markup('a < "b"')
        'a &lt; &quot;b&quot;'
    """
    return text.translate(_MARKUP)


def one_line(text: str) -> str:
    """Text without line ends and control characters, which are written as escapes."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def type_text(types: Sequence[TensorType]) -> str:
    """Shapes, with the dtypes where they are not float32."""
    shown = [render_shape(t.shape) + ("" if t.dtype.name == "float32" else f" {t.dtype.name}") for t in types[:3]]
    return ", ".join(shown) + (", …" if len(types) > 3 else "")


def parameter_name(graph: Graph, parameter: Parameter) -> str:
    """What the graph calls a parameter."""
    return graph.parameter_names.get(parameter, "?")


def operation_text(graph: Graph, node: Node) -> str:
    """An operation with the parameters and numbers it takes: `relu`, `+ 1`, `@ weight`, `linear [w, b]`."""
    label = TABLE[node.op].label if node.op in TABLE else ""
    label = label or node.op
    own = f"{node.label}."
    texts = ["" if not isinstance(o, (Parameter, Literal)) else graph.operand_text(o) for o in node.inputs]
    texts = [text.removeprefix(own) if node.label else text for text in texts]
    if not any(texts):
        return label
    if len(texts) == 2 and not label.isidentifier():
        return f"{texts[0]} {label} {texts[1]}".strip()
    return f"{label} [{', '.join(filter(None, texts))}]"


def signature(graph: Graph, node: Node) -> str:
    """A node as the graph prints it: `0 = linear(input, 0.weight, 0.bias)`."""
    operands = [graph.operand_text(operand) for operand in node.inputs[:20]]
    operands += ["…"] if len(node.inputs) > 20 else []
    operands += [f"{name}={value}" for name, value in node.settings.items()]
    return f"{node.name} = {node.op}({', '.join(operands)})"


def plural(count: int, word: str) -> str:
    """`1 operation`, `2 operations`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def size_text(size: Dim) -> str:
    """A number with separators, or an expression in named sizes: `1,568`, `1,568 N + 10`."""
    if isinstance(size, int):
        return f"{size:,}"
    return _FACTOR.sub(lambda m: f"{int(m[0]):,}", str(size)).replace("*", " ").replace("+", " + ").replace("-", " - ")
