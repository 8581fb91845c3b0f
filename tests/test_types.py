"""Type hints hold for users: a program that uses graphnet passes `mypy --strict`, and one that misuses it does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")
ROOT = Path(__file__).resolve().parent.parent

WRONG = """
import graphnet as gn

a: int = gn.ones(2) + 1
b: str = gn.exp(gn.ones(2))
c: list[int] = gn.ones(2)[0]
d: int = gn.cat([gn.ones(2)]).sum()
e: str = gn.ones(2).reshape(1, 2).relu_()
f: int = gn.ones(2).sort().values
gn.ones(2).clamp(0, 1, 2)
gn.softmax(gn.ones(2))
gn.ones(2).no_such_method()
gn.device(1, 2, 3)
g: str = 1 - gn.ones(2) ** 2 == 3
"""


def mypy(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-version", "3.10", str(file)],
        cwd=ROOT,
        env={**os.environ, "MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_a_user_s_program_passes() -> None:
    done = mypy(ROOT / "examples" / "typed_regression.py")
    assert done.returncode == 0, done.stdout + done.stderr


def test_mistakes_are_found(tmp_path: Path) -> None:
    program = tmp_path / "wrong.py"
    program.write_text(WRONG, encoding="utf-8")
    done = mypy(program)
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    assert found == set(range(4, len(WRONG.splitlines()) + 1)), done.stdout
