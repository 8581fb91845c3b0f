"""The text of a module and those inside it, put together without recursion: modules may be nested deep."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["Text", "shown"]


class Text(NamedTuple):
    """The text of a module: lines of its own, and those of children behind what each is called."""

    first: str
    own: tuple[str, ...] = ()
    children: tuple[tuple[str, int], ...] = ()  # their numbers: modules that look the same have the same one
    last: str = ""


class _Open(NamedTuple):
    """A module whose children are being looked at."""

    module: Any
    left: list[tuple[str, Any]]
    done: list[tuple[str, int]]


def shown(root: Any, same: Any) -> str:
    """The text of a module.

    Args:
        root: the module.
        same: the `__repr__` that calls this; modules inside that have another one are asked for their text.
    """
    numbers: dict[Text, int] = {}
    texts: list[Text] = []

    def number(text: Text) -> int:
        found = numbers.setdefault(text, len(texts))
        if found == len(texts):
            texts.append(text)
        return found

    stack = [_opened(root)]
    inside = {id(root)}
    while True:
        now = stack[-1]
        if now.left:
            name, child = now.left.pop()
            if type(child).__repr__ is same:
                if id(child) in inside:
                    raise RecursionError(f"{type(child).__name__} holds itself: it has no text")
                inside.add(id(child))
                stack.append(_opened(child))
                now.done.append((name, -1))
            else:
                now.done.append((name, number(Text(repr(child)))))
            continue
        stack.pop()
        inside.discard(id(now.module))
        found = number(now.module._shown_with(now.done))
        if not stack:
            return _written(texts, found)
        stack[-1].done[-1] = (stack[-1].done[-1][0], found)


def _opened(module: Any) -> _Open:
    return _Open(module, list(module.__dict__.get("_modules", {}).items())[::-1], [])


def _written(texts: list[Text], root: int) -> str:
    """A text, with what is inside it indented."""
    pieces: list[str] = []
    stack: list[tuple[str, str, int]] = [("", "", root)]  # indentation, what comes before, number of the text
    while stack:
        indent, before, number = stack.pop()
        if number < 0:
            pieces.append(f"{indent}{before}")
            continue
        text = texts[number]
        pieces.append(f"{indent}{before}" + text.first.replace("\n", "\n" + indent))
        if text.last:
            deeper = indent + "  "
            pieces += [deeper + line for line in text.own]
            stack.append((indent, text.last, -1))
            stack.extend((deeper, label, child) for label, child in reversed(text.children))
    return "\n".join(pieces)
