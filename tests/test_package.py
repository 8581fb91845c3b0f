"""The package as it is installed: metadata, what is in it, what importing it costs."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import graphnet as gn
from graphnet.data import digits

ROOT = Path(__file__).resolve().parent.parent


def test_versions_agree() -> None:
    written = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert written is not None
    assert written[1] == gn.__version__ == gn.config()["version"]
    assert f"## {written[1]}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_metadata() -> None:
    try:
        data = importlib.metadata.metadata("graphnet")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("runs from the source folder")
    assert data["Version"] == gn.__version__
    assert data["Requires-Python"] == ">=3.10"
    assert "Apache-2.0" in (data["License-Expression"] or data["License"])
    required = importlib.metadata.requires("graphnet") or []
    base = {re.split(r"[<>=!~ ;\[]", r)[0] for r in required if "extra ==" not in r}
    assert base == {"numpy", "diastatic-malt", "networkx", "rich", "safetensors", "typer"}
    scripts = importlib.metadata.entry_points(group="console_scripts", name="graphnet")
    assert [script.value for script in scripts] == ["graphnet.cli:main"]


def test_it_is_typed_and_its_data_come_with_their_licence() -> None:
    package = importlib.resources.files("graphnet")
    assert package.joinpath("py.typed").is_file()
    told = package.joinpath("data", "digits.txt").read_text(encoding="utf-8")
    for part in ("Optical Recognition of Handwritten Digits", "Alpaydin", "Kaynak", "1998", "CC BY 4.0"):
        assert part in told


def test_digits() -> None:
    images, labels = digits()
    assert images.shape == (1797, 64)
    assert images.dtype == np.float32
    assert labels.shape == (1797,)
    assert labels.dtype == np.int64
    assert images.min() == 0
    assert images.max() == 1
    assert np.array_equal(images * 16, np.round(images * 16))
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    images[:] = 0  # every call gives arrays of one's own
    assert digits().images.any()


@pytest.mark.slow
def test_importing_graphnet_adds_little_to_numpy(tmp_path: Path) -> None:
    # The CPU time of this thread: those that NumPy's BLAS started still spin for a while.
    code = "import time, numpy; start = time.thread_time(); import graphnet; print(time.thread_time() - start)"
    path = os.pathsep.join(p for p in sys.path if p)
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(tmp_path)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # the first run compiles
    command = [sys.executable, "-c", code]
    runs = [subprocess.run(command, capture_output=True, check=True, env=environment) for _ in range(8)]
    assert min(float(run.stdout) for run in runs) < 0.06


@pytest.mark.parametrize("start", [["-m", "graphnet", "--version"], ["-c", "import graphnet; graphnet.ones(2).sum()"]])
def test_it_runs_from_the_root_of_the_repository(start: list[str]) -> None:
    # There the source folder is imported; the extension may be in the installed package only.
    done = subprocess.run([sys.executable, *start], cwd=ROOT, capture_output=True, text=True)
    if "not built" in done.stderr:
        pytest.skip("graphnet is not installed for this Python")
    assert done.returncode == 0, done.stderr


def test_without_the_extension_one_line_says_what_to_do(tmp_path: Path) -> None:
    # -S and -I: no site-packages, so nothing but NumPy beside a copy of the sources is found.
    sources = tmp_path / "graphnet"
    for file in Path(gn.__file__).parent.rglob("*.py"):
        target = sources / file.relative_to(Path(gn.__file__).parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    (tmp_path / "numpy").symlink_to(Path(np.__file__).parent, target_is_directory=True)
    libraries = Path(np.__file__).parent.parent / "numpy.libs"
    if libraries.exists():
        (tmp_path / "numpy.libs").symlink_to(libraries, target_is_directory=True)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import graphnet"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: ")
    assert "pip install ." in last


def test_the_readmes_commands_are_what_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"```bash\n(.*?)\n```", readme, re.DOTALL)
    script = ROOT / ".ci" / "run"
    if not script.exists():
        pytest.skip("not in a checkout")
    text = script.read_text(encoding="utf-8")
    assert len(commands) >= 2
    for command in commands[:2]:
        assert "\n" not in command
        assert f'readme "{command}"' in text
