"""Looks into the compiled products' inner loops for sums that left their registers: `python -m bench.hot_loops`.

A loop is what lies between a backward jump and its target with no other jump inside. A vector that such a loop reads or
writes through the stack pointer is a spill. Needs objdump (binutils) and an x86-64 build; stripped modules will do.
"""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass

from graphnet import _core

_LINE = re.compile(r"^\s*([0-9a-f]+):\s+(\S+)\s*(.*)$")
_PLAIN = ("vfmadd", "vbroadcast", "vmov")
_STACK = re.compile(r"\(%r[sb]p[,)]")


@dataclass(frozen=True)
class Loop:
    """An inner loop: where it begins, its length, and what it has of what.

    `stack` counts all that goes through the stack pointer, `spilled` the vectors among it, `other` vector arithmetic
    that is no multiply-add.
    """

    start: int
    instructions: int
    multiply_adds: int
    broadcasts: int
    stack: int
    spilled: int
    other: int


def loops(path: str) -> list[Loop]:
    """The innermost loops of a module's code."""
    shown = subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True)
    found: list[Loop] = []
    run: list[tuple[int, str, str]] = []  # since the last jump
    for line in shown.stdout.splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        address, name, operands = int(match[1], 16), match[2], match[3]
        if not name.startswith("j") and name not in ("ret", "call"):
            run.append((address, name, operands))
            continue
        target = re.match(r"([0-9a-f]+)", operands)
        if name.startswith("j") and target and run and run[0][0] <= int(target[1], 16) <= run[-1][0]:
            body = [one for one in run if one[0] >= int(target[1], 16)]
            found.append(
                Loop(
                    body[0][0],
                    len(body) + 1,
                    sum(one.startswith("vfmadd") for _, one, _ in body),
                    sum(one.startswith("vbroadcast") or "{1to" in rest for _, one, rest in body),
                    sum(bool(_STACK.search(rest)) for _, _, rest in body),
                    sum(bool(_STACK.search(rest)) and "mm" in rest for _, _, rest in body),
                    sum(one[0] == "v" and not one.startswith(_PLAIN) for _, one, _ in body),
                )
            )
        run = []
    return found


def tiles(path: str) -> list[Loop]:
    """The inner loops of the products' tiles: multiply-adds of broadcasts, and no other arithmetic."""
    return [loop for loop in loops(path) if loop.multiply_adds >= 12 and loop.broadcasts and not loop.other]


def main() -> int:
    """Print them, the largest first."""
    found = sorted(tiles(_core.__file__), key=lambda loop: -loop.multiply_adds)
    for loop in found[:8]:
        print(f"{loop.start:#x}: {loop.instructions} instructions, {loop.multiply_adds} multiply-adds, "
              f"{loop.broadcasts} broadcasts, {loop.spilled} vectors and {loop.stack - loop.spilled} other "
              "values through the stack")  # fmt: skip
    spilling = [loop for loop in found if loop.spilled]
    print(f"{len(found)} inner loops of tiles, {len(spilling)} with spilled vectors")
    return bool(spilling)


if __name__ == "__main__":
    sys.exit(main())
