"""Tables as plain text and as HTML."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphnet.export.text import markup, one_line

__all__ = ["as_html", "as_text"]


def as_text(title: str, lines: Sequence[Sequence[str]], below: Sequence[str], right: Collection[int]) -> str:
    """A table with its head in the first line; `right` are the columns that are set to the right.

    Example:
        >>> print(as_text("prices", [("what", "each"), ("apple", "3")], ["one kind"], {1}))
        prices
        what   each
        -----------
        apple     3
        -----------
        one kind
    """
    cells = [[one_line(cell) for cell in line] for line in lines]
    wide = [max(map(len, column)) for column in zip(*cells)]
    shown = [
        "  ".join(c.rjust(wide[i]) if i in right else c.ljust(wide[i]) for i, c in enumerate(line)).rstrip()
        for line in cells
    ]
    rule = "-" * max(map(len, shown))
    return "\n".join([one_line(title), shown[0], rule, *shown[1:], rule, *map(one_line, below)])


def as_html(title: str, lines: Sequence[Sequence[str]], below: Sequence[str], right: Collection[int]) -> str:
    """The same for a notebook.

    Example:
        >>> as_html("<a>", [("n",), ("1",)], [], {0})[:53]
        '<table><caption>&lt;a&gt;</caption><thead><tr><th sty'
    """

    def row(line: Sequence[str], tag: str) -> str:
        cells = (
            f"<{tag} style='text-align:{'right' if i in right else 'left'}'>{markup(one_line(c))}</{tag}>"
            for i, c in enumerate(line)
        )
        return f"<tr>{''.join(cells)}</tr>"

    whole = f"<td colspan={len(lines[0])} style='text-align:left'>"
    foot = "".join(f"<tr>{whole}{markup(text)}</td></tr>" for text in below)
    body = "".join(row(line, "td") for line in lines[1:])
    return (
        f"<table><caption>{markup(one_line(title))}</caption><thead>{row(lines[0], 'th')}</thead>"
        f"<tbody>{body}</tbody><tfoot>{foot}</tfoot></table>"
    )
